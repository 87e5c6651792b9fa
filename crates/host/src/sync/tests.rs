//! Sync against a control plane that can be told to misbehave, with a gate that only writes down what it is given.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use flagstone_seal::{Role, RoleKind, seal_trust};

use super::*;
use crate::clock::Time;
use crate::store::Store;
use crate::testing::{self, AUDIENCE, DAY, ENVIRONMENT, Manner, NOW, Plane, Shared, World, mark, publish};

/// Writes down what it is given; refuses payloads that begin with `bad`.
#[derive(Debug, Default)]
struct Notebook(Mutex<Vec<String>>);

impl Gate for Notebook {
    fn swap(&self, candidate: &Candidate, pulse: Option<&[u8]>, _: u64) -> Result<(), String> {
        let payload = flagstone_seal::inspect(&candidate.file, 1 << 22).unwrap().payload.unwrap();
        if payload.starts_with(b"bad") {
            return Err("it is bad".to_owned());
        }
        let with = if pulse.is_some() { " with pulse" } else { "" };
        self.0.lock().unwrap().push(format!("swap {}{with}", candidate.mark.sequence));
        Ok(())
    }

    fn pulse(&self, _: &[u8], _: u64) -> Result<(), String> {
        self.0.lock().unwrap().push("pulse".to_owned());
        Ok(())
    }
}

struct Bench {
    sync: Syncer,
    gate: Arc<Notebook>,
    time: Arc<AtomicU64>,
    _folder: Option<tempfile::TempDir>,
}

impl Bench {
    async fn new(source: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Self::on(source, folder.path()).await;
        bench._folder = Some(folder);
        bench
    }

    async fn on(source: &str, folder: &Path) -> Self {
        let time = Arc::new(AtomicU64::new(NOW * 1000));
        let (store, kept, damage) = Store::open(folder).unwrap();
        let read = Arc::clone(&time);
        let clock = HostClock::new(Time::from_fn(move || read.load(Ordering::Relaxed)), kept.latest_issued);
        let (audience, environment) = (AUDIENCE.to_owned(), ENVIRONMENT.to_owned());
        let (keeper, more) = Keeper::new(&World::new().trust(), audience, environment, kept, NOW).unwrap();
        let gate = Arc::new(Notebook::default());
        let config = SyncConfig {
            source: super::source(source, ENVIRONMENT, &Access::default()).unwrap(),
            poll: Duration::from_millis(20),
            poll_live: Duration::from_millis(20),
            push: None,
            trust_poll: Duration::from_secs(300),
            backoff_first: Duration::from_millis(10),
        };
        let damage = damage.into_iter().chain(more).collect();
        let dynamic: Arc<dyn Gate> = Arc::<Notebook>::clone(&gate);
        let mut sync = Syncer::new(config, dynamic, keeper, Arc::new(store), Arc::new(clock), damage);
        sync.restore(None).await;
        Self { sync, gate, time, _folder: None }
    }

    fn at(&self, seconds: u64) {
        self.time.store(seconds * 1000, Ordering::Relaxed);
    }

    fn notes(&self) -> Vec<String> {
        std::mem::take(&mut *self.gate.0.lock().unwrap())
    }

    fn status(&self) -> SyncStatus {
        self.sync.lock().clone()
    }
}

fn seen(plane: &Shared) -> Vec<String> {
    std::mem::take(&mut plane.lock().unwrap().seen)
}

/// A plane with trust, snapshot 1 and pulse 1.
async fn plane() -> (Shared, World, Vec<u8>, String) {
    let (plane, world) = (Shared::default(), World::new());
    let file = world.snapshot(1, b"one");
    plane.lock().unwrap().trust = Some(world.trust());
    publish(&plane, &world, 1, &file, &[("flag", 2)], &[]);
    let address = testing::serve(Arc::clone(&plane)).await;
    (plane, world, file, address)
}

#[tokio::test]
async fn a_snapshot_is_fetched_only_when_the_pulse_names_another() {
    let (plane, world, _, address) = plane().await;
    let mut bench = Bench::new(&address).await;
    bench.sync.attempt().await.unwrap();
    assert_eq!(seen(&plane), ["trust", "pulse", "snapshot"]);
    assert_eq!(bench.notes(), ["swap 1 with pulse"]);
    bench.sync.attempt().await.unwrap();
    assert_eq!(seen(&plane), ["pulse 304"]);
    let same = mark(&world.snapshot(1, b"one"));
    plane.lock().unwrap().pulse = Some(world.pulse(2, same, &[("flag", 3)], &[]));
    bench.sync.attempt().await.unwrap();
    assert_eq!(seen(&plane), ["pulse"]);
    assert_eq!(bench.notes(), ["pulse"]);
    publish(&plane, &world, 3, &world.snapshot(2, b"two"), &[], &["flag"]);
    bench.sync.attempt().await.unwrap();
    assert_eq!(seen(&plane), ["pulse", "snapshot"]);
    assert_eq!(bench.notes(), ["pulse", "swap 2 with pulse"], "the halt counts before the snapshot is there");
    let status = bench.status();
    assert_eq!((status.swaps, status.attempts, status.failures), (2, 4, 0));
    assert_eq!(status.pulse.unwrap().halts, 1);
}

#[tokio::test]
async fn every_failure_is_an_error_that_leaves_what_was_in_force() {
    let (plane, world, file, address) = plane().await;
    let mut bench = Bench::new(&address).await;
    bench.sync.attempt().await.unwrap();
    bench.notes();
    let next = world.snapshot(2, &[7; 100_000]);
    let digest = testing::hex(&mark(&next).digest);
    publish(&plane, &world, 2, &next, &[], &[]);
    let other = world.snapshot(2, b"another two");
    let mut flipped = next.clone();
    let at = flipped.len() - 9;
    flipped[at] ^= 1;
    let faults: [(&str, Manner, &[u8]); 7] = [
        ("answered 500", Manner::Status(500, None), &next),
        ("does not have", Manner::Status(404, None), &next),
        ("", Manner::CutAfter(50_000), &next),
        ("longer than", Manner::Endless, &next),
        ("got another one", Manner::Well, &other),
        ("payload-digest", Manner::Well, &flipped),
        ("rollback", Manner::Well, &file),
    ];
    for (expected, manner, bytes) in faults {
        {
            let mut plane = plane.lock().unwrap();
            plane.snapshot_manner = manner.clone();
            plane.snapshots.insert(digest.clone(), bytes.to_vec());
        }
        // "rollback": the first file again, under the name of the second.
        if expected == "rollback" {
            publish(&plane, &world, 3, &world.snapshot(5, b"five"), &[], &[]);
            bench.sync.attempt().await.unwrap();
            publish(&plane, &world, 4, &world.snapshot(6, b"six"), &[], &[]);
            let name = testing::hex(&mark(&world.snapshot(6, b"six")).digest);
            plane.lock().unwrap().snapshots.insert(name, bytes.to_vec());
        }
        let swaps = bench.status().swaps;
        let error = bench.sync.attempt().await.expect_err(expected);
        assert!(error.message.contains(expected), "{manner:?}: {error}");
        assert_eq!(bench.status().swaps, swaps, "{expected}");
    }
    plane
        .lock()
        .unwrap()
        .snapshots
        .insert(testing::hex(&mark(&world.snapshot(6, b"six")).digest), world.snapshot(6, b"six"));
    bench.sync.attempt().await.unwrap();
    assert_eq!(bench.status().snapshot.unwrap().sequence, 6, "when all is well again it goes on by itself");
}

#[tokio::test]
async fn bad_pulses_are_refused_and_the_last_good_one_stays() {
    let (plane, world, file, address) = plane().await;
    let mut bench = Bench::new(&address).await;
    publish(&plane, &world, 5, &file, &[], &[]);
    bench.sync.attempt().await.unwrap();
    let named = mark(&file);
    let stranger = World { governor: testing::key("acme.example/pulse", 99), ..World::new() };
    let elsewhere = |pulse: &mut flagstone_seal::PulseStatement| pulse.environment = "staging".into();
    let past = |pulse: &mut flagstone_seal::PulseStatement| {
        (pulse.issued, pulse.expires) = (NOW - 600, NOW - 300);
    };
    for (code, note) in [
        ("rollback", world.pulse(4, named, &[], &[])),
        ("threshold", stranger.pulse(6, named, &[], &[])),
        ("wrong-environment", world.pulse_with(6, named, &[], &[], elsewhere)),
        ("expired", world.pulse_with(6, named, &[], &[], past)),
        ("bad-note", b"not a note".to_vec()),
    ] {
        plane.lock().unwrap().pulse = Some(note);
        let error = bench.sync.attempt().await.expect_err(code);
        assert!(error.message.contains(code), "{code}: {error}");
        assert_eq!(bench.status().pulse.unwrap().number, 5);
    }
    plane.lock().unwrap().pulse_manner = Manner::Endless;
    assert!(bench.sync.attempt().await.unwrap_err().message.contains("longer than"));
    plane.lock().unwrap().pulse_manner = Manner::Status(503, Some(30));
    assert_eq!(bench.sync.attempt().await.unwrap_err().retry_after, Some(Duration::from_secs(30)));
}

#[tokio::test]
async fn a_snapshot_that_the_engine_refuses_is_quarantined() {
    let (plane, world, _, address) = plane().await;
    let mut bench = Bench::new(&address).await;
    bench.sync.attempt().await.unwrap();
    let bad = world.snapshot(2, b"bad payload");
    publish(&plane, &world, 2, &bad, &[], &[]);
    seen(&plane);
    bench.sync.attempt().await.unwrap();
    let status = bench.status();
    assert_eq!(status.snapshot.unwrap().sequence, 1);
    assert_eq!(status.quarantined, [testing::hex(&mark(&bad).digest)]);
    assert!(status.last_error.unwrap().contains("it is bad"));
    bench.sync.attempt().await.unwrap();
    assert_eq!(seen(&plane), ["pulse", "snapshot", "pulse 304"], "it is not fetched again");
    assert!(bench.status().last_error.is_some(), "but not forgotten either");
    publish(&plane, &world, 3, &world.snapshot(3, b"good"), &[], &[]);
    bench.sync.attempt().await.unwrap();
    assert_eq!((bench.status().snapshot.unwrap().sequence, bench.status().last_error), (3, None));
}

#[tokio::test]
async fn a_restart_comes_back_from_disk_and_refuses_what_is_older() {
    let (plane, world, first, address) = plane().await;
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::on(&address, folder.path()).await;
    publish(&plane, &world, 7, &world.snapshot(4, b"four"), &[("flag", 1)], &[]);
    bench.sync.attempt().await.unwrap();
    drop(bench);
    // Control plane gone.
    let mut bench = Bench::on("http://127.0.0.1:9", folder.path()).await;
    assert_eq!(bench.notes(), ["swap 4", "pulse"]);
    assert!(bench.sync.attempt().await.is_err());
    assert_eq!(bench.status().state(NOW, true).0, State::Fresh, "the lease from before still runs");
    assert_eq!(bench.status().state(NOW + 301, true).0, State::Stale);
    assert_eq!(bench.status().state(NOW + 8 * DAY, true).0, State::Expired);
    drop(bench);
    // A control plane that plays old files.
    let mut bench = Bench::on(&address, folder.path()).await;
    publish(&plane, &world, 6, &first, &[], &[]);
    assert!(bench.sync.attempt().await.unwrap_err().message.contains("rollback"), "an older pulse");
    publish(&plane, &world, 8, &first, &[], &[]);
    bench.sync.attempt().await.unwrap();
    assert!(
        bench.status().last_error.unwrap().contains("older than"),
        "a new pulse that names an older snapshot"
    );
    assert_eq!(bench.status().snapshot.unwrap().sequence, 4);
}

#[tokio::test]
async fn an_expired_file_on_disk_is_served_as_expired_and_a_clock_wound_back_does_not_help() {
    let (_plane, _, _, address) = plane().await;
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::on(&address, folder.path()).await;
    bench.at(NOW + 8 * DAY);
    assert!(bench.sync.attempt().await.unwrap_err().message.contains("expired"), "the pulse is long over");
    bench.at(NOW);
    bench.sync.attempt().await.unwrap();
    drop(bench);
    let bench = Bench::on("http://127.0.0.1:9", folder.path()).await;
    assert_eq!(bench.status().state(NOW + 8 * DAY, true).0, State::Expired);
    bench.at(5);
    assert_eq!(bench.sync.clock.seconds(), NOW - 1, "not behind the pulse it has accepted");
    // Opened long after its end, it still comes back.
    let (_, kept, _) = {
        drop(bench);
        Store::open(folder.path()).unwrap()
    };
    let (audience, environment) = (AUDIENCE.to_owned(), ENVIRONMENT.to_owned());
    let late = NOW + 900 * DAY;
    let (keeper, _) = Keeper::new(&World::new().trust(), audience, environment, kept, late).unwrap();
    assert_eq!(keeper.recheck_kept(late).unwrap().unwrap().as_of, NOW + 7 * DAY - 1);
}

#[tokio::test]
async fn trust_moves_on_step_by_step_and_is_kept() {
    let (plane, world, file, address) = plane().await;
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::on(&address, folder.path()).await;
    bench.sync.attempt().await.unwrap();
    bench.notes();
    // Version 2 adds a second root key, version 3 gives the pulse to a new key.
    let (next_root, next_governor) = (testing::key("root-b", 50), testing::key("pulse-b", 51));
    let role =
        |kind, key: &flagstone_seal::SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
    let mut second = world.trust_draft(2, 1);
    second.roles[0] = role(RoleKind::Root, &next_root);
    let mut third = second.clone();
    third.version = 3;
    third.roles[2] = role(RoleKind::Pulse(ENVIRONMENT.into()), &next_governor);
    let second = seal_trust(&second, &[&world.root, &next_root]).unwrap();
    let third = seal_trust(&third, &[&next_root]).unwrap();
    {
        let mut plane = plane.lock().unwrap();
        plane.trust = Some(third.clone());
        plane.trust_versions = [(2, second), (3, third)].into();
    }
    let rotated = World { governor: next_governor, ..World::new() };
    plane.lock().unwrap().pulse = Some(rotated.pulse(2, mark(&file), &[], &[]));
    seen(&plane);
    bench.sync.attempt().await.unwrap();
    assert_eq!(
        seen(&plane),
        ["pulse", "trust", "trust/2"],
        "a pulse by an unknown key makes it look at the trust root"
    );
    assert_eq!(bench.status().trust_version, 3);
    assert_eq!(bench.notes(), ["swap 1", "pulse"], "what is in force is opened again under the new root");
    drop(bench);
    let bench = Bench::on("http://127.0.0.1:9", folder.path()).await;
    assert_eq!(
        (bench.status().trust_version, bench.notes()),
        (3, vec!["swap 1".to_owned(), "pulse".to_owned()])
    );
    // A note by the old root key alone goes nowhere.
    let forged = seal_trust(&world.trust_draft(4, 1), &[&world.root]).unwrap();
    drop(bench);
    plane.lock().unwrap().trust = Some(forged);
    let mut bench = Bench::on(&address, folder.path()).await;
    assert!(bench.sync.attempt().await.is_err());
    assert_eq!(bench.status().trust_version, 3);
}

#[tokio::test]
async fn a_walk_of_the_trust_root_that_stops_counts_as_far_as_it_came() {
    let (plane, world, file, address) = plane().await;
    let folder = tempfile::tempdir().unwrap();
    let mut bench = Bench::on(&address, folder.path()).await;
    bench.sync.attempt().await.unwrap();
    bench.notes();
    let next_governor = testing::key("pulse-b", 51);
    let mut draft = world.trust_draft(2, 1);
    draft.roles[2] = Role {
        kind: RoleKind::Pulse(ENVIRONMENT.into()),
        threshold: 1,
        keys: vec![next_governor.verifying_key()],
    };
    let second = seal_trust(&draft, &[&world.root]).unwrap();
    draft.version = 4;
    let fourth = seal_trust(&draft, &[&world.root]).unwrap();
    {
        let mut plane = plane.lock().unwrap();
        plane.trust = Some(fourth);
        plane.trust_versions = [(2, second)].into();
        let rotated = World { governor: next_governor, ..World::new() };
        plane.pulse = Some(rotated.pulse(2, mark(&file), &[], &[]));
    }
    assert!(bench.sync.attempt().await.is_err(), "version 3 is nowhere");
    assert_eq!((bench.status().trust_version, bench.notes()), (2, vec!["swap 1".to_owned()]));
    bench.sync.attempt().await.unwrap();
    assert_eq!(bench.notes(), ["pulse"], "the old pulse key is out, the new one in");
    drop(bench);
    let bench = Bench::on("http://127.0.0.1:9", folder.path()).await;
    assert_eq!(bench.status().trust_version, 2, "and it was kept");
}

#[tokio::test]
async fn folders_and_single_files_are_sources_too() {
    let (world, folder) = (World::new(), tempfile::tempdir().unwrap());
    let file = world.snapshot(1, b"one");
    let named = mark(&file);
    std::fs::create_dir(folder.path().join("snapshots")).unwrap();
    std::fs::write(folder.path().join("snapshots").join(testing::hex(&named.digest)), &file).unwrap();
    std::fs::write(folder.path().join("pulse"), world.pulse(1, named, &[], &[])).unwrap();
    let mut bench = Bench::new(&format!("file:{}", folder.path().display())).await;
    bench.sync.attempt().await.unwrap();
    bench.sync.attempt().await.unwrap();
    assert_eq!(bench.notes(), ["swap 1 with pulse"]);
    let alone = folder.path().join("alone.sealed");
    std::fs::write(&alone, &file).unwrap();
    let mut bench = Bench::new(&format!("file:{}", alone.display())).await;
    bench.sync.attempt().await.unwrap();
    bench.sync.attempt().await.unwrap();
    assert_eq!(bench.notes(), ["swap 1"]);
    assert_eq!(bench.status().state(NOW, false).0, State::Fresh);
    std::fs::write(&alone, world.snapshot(2, b"two")).unwrap();
    bench.sync.attempt().await.unwrap();
    assert_eq!(bench.notes(), ["swap 2"]);
    std::fs::write(&alone, &file).unwrap();
    assert!(bench.sync.attempt().await.unwrap_err().message.contains("rollback"));
}

#[tokio::test]
async fn the_loop_survives_an_outage_with_one_attempt_at_a_time() {
    let (plane, world, _, address) = plane().await;
    plane.lock().unwrap().pulse_manner = Manner::Status(500, None);
    let bench = Bench::new(&address).await;
    let (status, gate) = (bench.sync.status(), Arc::clone(&bench.gate));
    let (first, mut first_attempt) = watch::channel(false);
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(bench.sync.run(first, Arc::new(Notify::new()), stopped));
    first_attempt.wait_for(|done| *done).await.unwrap();
    wait_until(|| status.lock().unwrap().failures >= 3).await;
    plane.lock().unwrap().pulse_manner = Manner::Well;
    wait_until(|| status.lock().unwrap().failures == 0 && status.lock().unwrap().swaps == 1).await;
    publish(&plane, &world, 2, &world.snapshot(2, b"two"), &[], &[]);
    wait_until(|| status.lock().unwrap().swaps == 2).await;
    assert_eq!(*gate.0.lock().unwrap(), ["swap 1 with pulse", "pulse", "swap 2 with pulse"]);
    stop.send(true).unwrap();
    task.await.unwrap();
    let _: &Plane = &plane.lock().unwrap();
}

async fn wait_until(condition: impl Fn() -> bool) {
    for _ in 0..2_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("it did not happen within 10 s");
}
