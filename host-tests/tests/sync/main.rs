//! Sync from end to end against real servers that are slow, wrong, forged or gone: through the fault proxy, over TLS,
//! from an object store, by push. One binary, so that it is linked once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

#[path = "../../../crates/host/tests/common/mod.rs"]
mod common;

mod counting;
mod embedded;
mod faults;
mod govern;
mod objects;
mod tls;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use common::{AUDIENCE, ENVIRONMENT, NOW, Shared, World, engine, payload, publish, wait_until};
use flagstone_events::Pepper;
use flagstone_host::{Host, HostConfig, Report, State, Time};

/// A control plane with snapshot 1, named by pulse 1, and where it listens.
async fn plane() -> (Shared, World, std::net::SocketAddr) {
    let (plane, world) = (Shared::default(), World::new());
    plane.lock().unwrap().trust = Some(world.trust());
    publish(&plane, &world, 1, &world.snapshot(1, &payload("one")), &[("assistant", 0)], &[]);
    let address = common::serve(Arc::clone(&plane)).await;
    let address = address.trim_start_matches("http://").parse().unwrap();
    (plane, world, address)
}

fn config(source: &str, world: &World, folder: &Path) -> HostConfig {
    let pepper = Pepper::from_bytes([9; 32]);
    let mut config = HostConfig::new(source, world.trust(), AUDIENCE, ENVIRONMENT, folder, pepper);
    (config.poll, config.poll_live) = (Duration::from_millis(20), Duration::from_millis(20));
    config.backoff_first = Duration::from_millis(5);
    config.push = None;
    config.report = Report::Keep;
    config.time = Time::from_fn(|| NOW * 1000);
    config
}

async fn start(config: HostConfig) -> Host {
    Host::start_with(config, engine()).await.unwrap()
}

fn serving(host: &Host) -> Option<u64> {
    host.status().serving.map(|id| id.sequence)
}

fn state(host: &Host) -> State {
    host.status().state
}
