//! Chaos: real hosts, killed again and again, behind proxies that do everything proxies can do wrong, with clocks that are off,
//! while snapshots are published all the time. Nothing may be decided wrongly, nothing may be torn, and every event that
//! was numbered must arrive or be declared lost. `cargo xtask chaos` runs it for longer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "../../../crates/host/tests/common/mod.rs"]
mod common;

#[path = "../threats/chance.rs"]
mod chance;
mod host;
mod receiver;

use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chance::Chance;
use common::{Shared, World, payload, publish};
use host::{CHILD, Told, run_and_kill};
use host_tests::fault::{Fault, Proxy, Rule};
use receiver::Receiver;
use serde_json::json;

/// Hosts at once.
const HOSTS: usize = 2;

/// One of the things that go wrong between two machines.
fn fault(chance: &mut Chance) -> Fault {
    let bytes = chance.below(600);
    match chance.below(12) {
        0 => Fault::Delay(Duration::from_millis(50 + bytes as u64)),
        1 => Fault::SlowBody(64, Duration::from_millis(20)),
        2 => Fault::CutAfter(bytes),
        3 => Fault::ResetAfter(bytes),
        4 | 5 => Fault::Corrupt(bytes),
        6 => Fault::Replay,
        7 => Fault::Endless,
        8 => Fault::WrongFile("/v1/environments/production/trust".into()),
        9 => Fault::Status(500 + chance.below(5) as u16, None),
        10 => Fault::Garbage,
        _ => Fault::Drop,
    }
}

/// Makes faults at both proxies until told to stop.
fn misbehave(sync: &Proxy, reports: &Proxy, stop: &AtomicBool) -> u64 {
    let mut chance = Chance(std::process::id().into());
    let mut made = 0;
    while !stop.load(Ordering::Relaxed) {
        if chance.one_in(12) {
            let proxy = if chance.one_in(2) { sync } else { reports };
            proxy.refuse();
            std::thread::sleep(Duration::from_millis(100 + chance.next() % 400));
            proxy.accept().unwrap();
            made += 1;
        }
        for path in ["/pulse", "/snapshots/", "/trust"] {
            if chance.one_in(3) {
                let times = 1 + chance.below(3) as u32;
                sync.add(Rule::new(path, fault(&mut chance)).times(times));
            }
        }
        if chance.one_in(2) {
            let times = 1 + chance.below(3) as u32;
            reports.add(Rule::new("/events", fault(&mut chance)).times(times));
        }
        std::thread::sleep(Duration::from_millis(30 + chance.next() % 150));
    }
    for proxy in [sync, reports] {
        proxy.clear();
        made += proxy.seen().iter().filter(|seen| seen.fault.is_some()).count() as u64;
    }
    made
}

/// Publishes one snapshot after another until told to stop; now and then a halt, now and then a bad one.
fn release(plane: &Shared, world: &World, stop: &AtomicBool) -> u64 {
    let mut chance = Chance(3);
    let mut sequence = 1;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(100 + chance.next() % 300));
        sequence += 1;
        let payload = match chance.below(10) {
            0 => b"signed, but no snapshot".to_vec(),
            _ => payload(&format!("release {sequence}")),
        };
        let halts: &[&str] = if chance.one_in(5) { &["assistant"] } else { &[] };
        publish(plane, world, sequence, &world.snapshot(sequence, &payload), &[("assistant", 0)], halts);
    }
    sequence += 1;
    let last = world.snapshot(sequence, &payload("the last one"));
    publish(plane, world, sequence, &last, &[("assistant", 0)], &[]);
    sequence
}

/// One host's folder: run, kill, run again, until told to stop.
fn live(folder: &Path, ways: (&str, &str), number: usize, stop: &AtomicBool, kills: &AtomicU64) -> Told {
    let mut chance = Chance(number as u64 + 40);
    let mut all = Told::default();
    while !stop.load(Ordering::Relaxed) {
        // Clocks that are right, behind by a day, and ahead by minutes.
        let skew = [0, 0, 0, -86_400, -3_600, 250, 1_000][chance.below(7)];
        let run = kills.fetch_add(1, Ordering::Relaxed);
        let told = format!("{}|{}|{}|{skew}|{run}", folder.display(), ways.0, ways.1);
        all.add(&run_and_kill(&told, Duration::from_millis(400 + chance.next() % 2_500)));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_wrong_torn_or_lost_in_chaos() {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let seconds =
        std::env::var("FLAGSTONE_CHAOS_SECONDS").ok().and_then(|seconds| seconds.parse().ok()).unwrap_or(15);
    let (plane, world) = (Shared::default(), World::new());
    plane.lock().unwrap().trust = Some(world.trust());
    publish(&plane, &world, 1, &world.snapshot(1, &payload("release 1")), &[("assistant", 0)], &[]);
    let upstream = |address: &str| address.trim_start_matches("http://").parse().unwrap();
    let sync = Proxy::start(upstream(&common::serve(Arc::clone(&plane)).await)).unwrap();
    let receiver = Arc::new(Mutex::new(Receiver::default()));
    let reports = Proxy::start(upstream(&receiver::serve(Arc::clone(&receiver)).await)).unwrap();
    let folders: Vec<_> = (0..HOSTS).map(|_| tempfile::tempdir().unwrap()).collect();
    let (stop, kills) = (AtomicBool::new(false), AtomicU64::new(0));

    let began = Instant::now();
    let (told, faults, published) = tokio::task::block_in_place(|| {
        std::thread::scope(|scope| {
            let faults = scope.spawn(|| misbehave(&sync, &reports, &stop));
            let published = scope.spawn(|| release(&plane, &world, &stop));
            let hosts: Vec<_> = folders
                .iter()
                .enumerate()
                .map(|(number, folder)| {
                    let (stop, kills) = (&stop, &kills);
                    let ways = (sync.url(), reports.url());
                    scope.spawn(move || live(folder.path(), (&ways.0, &ways.1), number, stop, kills))
                })
                .collect();
            let mut shown = 0;
            while began.elapsed() < Duration::from_secs(seconds) {
                std::thread::sleep(Duration::from_millis(500));
                let minute = began.elapsed().as_secs() / 15;
                if minute > shown {
                    shown = minute;
                    println!(
                        "chaos: {} of {seconds} s, {} runs",
                        began.elapsed().as_secs(),
                        kills.load(Ordering::Relaxed)
                    );
                }
            }
            stop.store(true, Ordering::Relaxed);
            let mut told = Told::default();
            for host in hosts {
                told.add(&host.join().unwrap());
            }
            (told, faults.join().unwrap(), published.join().unwrap())
        })
    });

    // All is well again: every host comes to the last snapshot and gets rid of what it kept.
    let mut declared = 0;
    let mut unnumbered = 0;
    for folder in &folders {
        let (sequence, dropped) = host::last_run(folder.path(), &sync.url(), &reports.url(), published).await;
        assert_eq!(sequence, published, "it came to the last snapshot by itself");
        for (reason, count) in dropped {
            let numbered = ["spool-full", "corrupt", "poison"].contains(&reason.as_str());
            *(if numbered { &mut declared } else { &mut unnumbered }) += count;
        }
    }
    let receiver = receiver.lock().unwrap();
    let (received, numbered) = (receiver.received(), receiver.numbered());
    let summary = json!({
        "seconds": began.elapsed().as_secs(), "hosts": HOSTS, "kills": kills.load(Ordering::Relaxed), "faults": faults,
        "snapshots": published, "decisions": told.decisions, "wrong": told.wrong, "torn": told.torn,
        "events": {"numbered": numbered, "received": received, "repeated": receiver.repeated, "declaredLost": declared,
            "lostBeforeTheyWereNumbered": unnumbered},
    });
    println!("{summary}");
    assert_eq!((told.wrong, told.torn), (0, 0), "{summary}\n{}", told.words);
    assert_eq!(received + declared, numbered, "{summary}");
    assert!(
        faults > seconds && told.decisions > 100 * seconds && told.swaps > 0,
        "too little happened: {summary}"
    );
}
