//! A host's surroundings for whole-host tests: a control plane with one snapshot, a folder, a clock to turn.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flagstone_events::otlp::{self, Encoding};
use flagstone_events::{Batch, Body, Pepper};
use flagstone_host::{Host, HostConfig, Time};

use super::{AUDIENCE, ENVIRONMENT, NOW, Shared, World, engine, payload, publish, serve};

pub struct Bench {
    pub plane: Shared,
    pub world: World,
    pub address: String,
    pub folder: tempfile::TempDir,
    /// Unix milliseconds.
    pub time: Arc<AtomicU64>,
}

impl Bench {
    pub async fn new() -> Self {
        let (plane, world) = (Shared::default(), World::new());
        plane.lock().unwrap().trust = Some(world.trust());
        publish(&plane, &world, 1, &world.snapshot(1, &payload("one")), &[("assistant", 0)], &[]);
        let address = serve(Arc::clone(&plane)).await;
        let time = Arc::new(AtomicU64::new(NOW * 1000));
        Self { plane, world, address, folder: tempfile::tempdir().unwrap(), time }
    }

    pub fn config(&self) -> HostConfig {
        let (pepper, folder) = (Pepper::from_bytes([9; 32]), self.folder.path());
        let mut config =
            HostConfig::new(&self.address, self.world.trust(), AUDIENCE, ENVIRONMENT, folder, pepper);
        config.poll = Duration::from_millis(30);
        config.backoff_first = Duration::from_millis(10);
        config.linger = Duration::from_millis(20);
        let time = Arc::clone(&self.time);
        config.time = Time::from_fn(move || time.load(Ordering::Relaxed));
        config
    }

    pub async fn host(&self) -> Host {
        Host::start_with(self.config(), engine()).await.unwrap()
    }

    pub async fn host_with(&self, change: impl FnOnce(&mut HostConfig)) -> Arc<Host> {
        let mut config = self.config();
        change(&mut config);
        Arc::new(Host::start_with(config, engine()).await.unwrap())
    }

    /// Every event received over either wire, checked like a receiver does, without duplicates.
    pub fn received(&self) -> BTreeMap<String, Body> {
        let plane = self.plane.lock().unwrap();
        let batches = plane.batches.iter().flat_map(|text| Batch::from_json(text).unwrap().events);
        let logs = plane.logs.iter().flat_map(|body| {
            let received = otlp::decode(body, Encoding::Protobuf).unwrap();
            assert_eq!(received.problem, None);
            received.reports.into_iter().flat_map(|report| report.events)
        });
        batches.chain(logs).map(|event| (event.body.id().to_string(), event.body)).collect()
    }
}
