//! A real host against a real control plane: asleep for forty rotations of the root key, it catches up by itself, one
//! version after the other, to the newest snapshot, signed by keys it has never seen.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use flagstone_events::Pepper;
use flagstone_govern::{Govern, GovernConfig};
use flagstone_host::{Host, HostConfig, HostStatus, Time};
use flagstone_seal::{
    Floor, Role, RoleKind, SecretKey, Signer, SnapshotStatementDraft, TrustDraft, seal_snapshot, seal_trust,
};
use host_tests::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, PAYLOAD_TYPE, snapshot};

const ROTATIONS: u8 = 40;
const DAY: u64 = 86_400;
/// What a wait may take on a machine that is busy with other things.
const PATIENCE: Duration = Duration::from_secs(60);

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, [seed; 32]).unwrap()
}

fn role(kind: RoleKind, key: &SecretKey) -> Role {
    Role { kind, threshold: 1, keys: vec![key.verifying_key()] }
}

struct World {
    /// Unix seconds.
    clock: Arc<AtomicU64>,
    pulse: SecretKey,
    client: reqwest::Client,
}

impl World {
    fn now(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    fn draft(&self, version: u64, root: &SecretKey, release: &SecretKey) -> TrustDraft {
        TrustDraft {
            version,
            epoch: 1,
            issued: self.now(),
            expires: self.now() + 20 * DAY, // all but the last two have expired at the end
            roles: vec![
                role(RoleKind::Root, root),
                role(RoleKind::Release(ENVIRONMENT.into()), release),
                role(RoleKind::Pulse(ENVIRONMENT.into()), &self.pulse),
            ],
            floors: vec![],
            revoked_keys: vec![],
            revoked_statements: vec![],
        }
    }

    async fn post(&self, govern: &Govern, path: &str, body: Vec<u8>) {
        let url = format!("http://{}/v1/environments/{ENVIRONMENT}/{path}", govern.address());
        let request = self.client.post(url).header("content-type", "application/octet-stream").body(body);
        let answer = request.send().await.unwrap();
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert_eq!(status, 201, "{path}: {text}");
    }

    async fn release(&self, govern: &Govern, epoch: u64, value: &str, by: &SecretKey) {
        let definition = format!(
            r#"{{"flags": {{"answers": {{"state": "ENABLED", "variants": {{"only": "{value}"}}, "defaultVariant": "only"}}}}}}"#
        );
        let draft = SnapshotStatementDraft {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            epoch,
            sequence: 1,
            issued: self.now(),
            expires: self.now() + 14 * DAY,
            parent: [0; 32],
            payload_type: PAYLOAD_TYPE.into(),
        };
        let payload = snapshot("flags.json", &definition).unwrap();
        let file = seal_snapshot(&draft, &payload, &[by as &dyn Signer]).unwrap();
        self.post(govern, "snapshots", file).await;
    }

    async fn host(&self, govern: &Govern, pinned: &[u8], folder: &Path) -> Host {
        let clock = Arc::clone(&self.clock);
        let mut config = HostConfig::new(
            format!("http://{}", govern.address()),
            pinned,
            AUDIENCE,
            ENVIRONMENT,
            folder,
            Pepper::from_bytes([7; 32]),
        );
        config.poll = Duration::from_millis(50);
        config.trust_poll = Duration::from_millis(50);
        config.backoff_first = Duration::from_millis(50);
        config.time = Time::from_fn(move || clock.load(Ordering::SeqCst) * 1_000);
        Host::start(config).await.unwrap()
    }
}

/// Waits until the host serves a snapshot of this epoch.
async fn serving(host: &Host, epoch: u64) -> HostStatus {
    let until = Instant::now() + PATIENCE;
    loop {
        let status = host.status();
        if status.sync.snapshot.as_ref().is_some_and(|snapshot| snapshot.epoch == epoch) {
            return status;
        }
        assert!(Instant::now() < until, "it did not catch up: {status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn value(host: &Host) -> String {
    host.evaluate("answers", r#"{"targetingKey": "ana"}"#)
        .value()
        .map(ToString::to_string)
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn asleep_for_forty_rotations() {
    let world = World {
        clock: Arc::new(AtomicU64::new(ISSUED)),
        pulse: key("acme.example/pulse", 3),
        client: reqwest::Client::new(),
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut root, old_release) = (key("acme.example/root", 100), key("acme.example/release", 2));
    let first = seal_trust(&world.draft(1, &root, &old_release), &[&root]).unwrap();
    let database = folder.path().join("govern.sqlite");
    let signer = Box::new(world.pulse.clone());
    let log = Box::new(flagstone_seal::SecretKey::from_seed("flagstone.example/log", [44; 32]).unwrap());
    let mut config = GovernConfig::new(database, ENVIRONMENT, AUDIENCE, first.clone(), signer, log);
    let clock = Arc::clone(&world.clock);
    config.clock = Arc::new(move || clock.load(Ordering::SeqCst) * 1_000);
    config.tick = Duration::from_secs(60);
    let govern = Govern::start(config).await.unwrap();
    world.release(&govern, 1, "before", &old_release).await;

    let data = folder.path().join("sleeper");
    let host = world.host(&govern, &first, &data).await;
    assert_eq!(serving(&host, 1).await.sync.trust_version, 1);
    assert_eq!(value(&host), "\"before\"");
    host.shutdown(Duration::from_secs(5)).await;

    let new_release = key("acme.example/release", 4);
    for step in 1..=ROTATIONS {
        world.clock.fetch_add(10 * DAY, Ordering::SeqCst);
        let next = key("acme.example/root", 100 + step);
        // Half way the release key is exchanged, at the end the old epoch is shut out.
        let release = if step < ROTATIONS / 2 { &old_release } else { &new_release };
        let mut draft = world.draft(u64::from(step) + 1, &next, release);
        if step == ROTATIONS {
            draft.epoch = 2;
            draft.floors = vec![Floor { environment: ENVIRONMENT.into(), epoch: 2, sequence: 1 }];
        }
        world.post(&govern, "trust", seal_trust(&draft, &[&root, &next]).unwrap()).await;
        root = next;
    }
    world.release(&govern, 2, "after", &new_release).await;

    // The sleeper, and one that has nothing but the first note.
    let fresh = folder.path().join("newcomer");
    for data in [&data, &fresh] {
        let host = world.host(&govern, &first, data).await;
        let status = serving(&host, 2).await;
        assert_eq!(status.sync.trust_version, u64::from(ROTATIONS) + 1);
        assert_eq!(value(&host), "\"after\"");
        host.shutdown(Duration::from_secs(5)).await;
    }
    govern.shutdown().await;
}
