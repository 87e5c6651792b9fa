//! The process ends at every single step of writing the log. What it left is never torn, what it served is in the log, and
//! the next start goes on.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot go on stops"
)]

mod common;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use common::logs::copy;
use common::{ENVIRONMENT, FLAG, World};
use flagstone_events::to_hex;
use flagstone_govern::{Govern, log};
use flagstone_seal::{Statement, inspect};
use serde_json::{Value, json};

const FOLDER: &str = "FLAGSTONE_CRASH_FOLDER";
const STEP: &str = "FLAGSTONE_CRASH_STEP";
const ORDERS: &str = "FLAGSTONE_CRASH_ORDERS";

/// Entries of the log as its checkpoint on the disk has them; none when there is no checkpoint.
fn logged(world: &World, folder: &Path) -> Vec<Value> {
    let log = folder.join("govern.ledger");
    let mut entries = Vec::new();
    if !log.join("checkpoint").exists() {
        return entries;
    }
    let keys = [world.log.verifying_key()];
    let mut each = |_: u64, entry: &[u8]| entries.push(serde_json::from_slice(entry).unwrap());
    log::verify(log::folder(log), &keys, &mut each).unwrap_or_else(|error| panic!("torn: {error}"));
    entries
}

/// GET without any runtime: it is asked from within the writing.
fn get(address: SocketAddr, path: &str) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(20))).ok()?;
    let request =
        format!("GET /v1/environments/{ENVIRONMENT}{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n")?;
    answer.starts_with(b"HTTP/1.1 200").then(|| answer.split_off(at + 4))
}

/// What is served at this moment and is not in the log on the disk.
fn unlogged(world: &World, folder: &Path, address: SocketAddr, digest: &str) -> Option<String> {
    let entries = logged(world, folder);
    let has = |kind: &str, is: &dyn Fn(&Value) -> bool| {
        entries.iter().any(|entry| entry["kind"] == kind && is(&entry["data"]))
    };
    if get(address, &format!("/snapshots/{digest}")).is_some()
        && !has("snapshot-posted", &|data| data["snapshot"]["digest"] == digest)
    {
        return Some(format!("snapshot {digest}"));
    }
    let note = get(address, "/pulse")?;
    let Statement::Pulse(pulse) = inspect(&note, 0).unwrap().statement else { panic!("a pulse") };
    let stages: Vec<Value> = pulse
        .stages
        .iter()
        .map(|one| json!({"flag": one.flag, "stage": one.stage, "since": one.since}))
        .collect();
    // The entry in force for this number: later pulses that say nothing new have none of their own.
    let pulses = entries.iter().filter(|entry| entry["kind"] == "pulse").map(|entry| &entry["data"]);
    let told =
        pulses.take_while(|data| data["number"].as_u64().is_some_and(|number| number <= pulse.number)).last();
    let same = told.is_some_and(|data| {
        data["snapshot"]["digest"] == to_hex(&pulse.snapshot.digest)
            && data["stages"] == json!(stages)
            && data["halts"] == json!(pulse.halts)
    });
    (!same).then(|| format!("pulse {}", pulse.number))
}

/// The child: a governor that ends at the given step. Run by hand it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test below, as a process of its own"]
async fn child() {
    let folder = PathBuf::from(std::env::var(FOLDER).expect("a folder"));
    let last: u64 = std::env::var(STEP).unwrap().parse().unwrap();
    let world = Arc::new(World::new());
    let release = world.release(1, &common::definition("everyone", "answer@15"));
    let digest = to_hex(&release.mark.digest);
    let (address, steps) = (Arc::new(OnceLock::new()), AtomicU64::new(0));
    let mut config = world.config_in(&folder);
    let (asked, seen) = (Arc::clone(&address), Arc::clone(&world));
    let inner = folder.clone();
    config.log_probe = Some(Arc::new(move |name: &str, path: &Path| {
        if let Some(found) = asked.get().and_then(|address| unlogged(&seen, &inner, *address, &digest)) {
            std::fs::write(inner.join("violation"), format!("{found} before `{name}` of {}", path.display()))
                .unwrap();
            std::process::abort();
        }
        if steps.fetch_add(1, Ordering::SeqCst) == last {
            std::process::abort();
        }
    }));
    let govern = Govern::start(config).await.unwrap();
    address.set(govern.address()).unwrap();
    for order in std::env::var(ORDERS).unwrap().split(' ').filter(|order| !order.is_empty()) {
        if order == "publish" {
            world.publish(&govern, &release).await;
        } else {
            let (status, body) = world.order(&govern, FLAG, order).await;
            assert_eq!(status, 200, "{body}");
        }
        let found = unlogged(&world, &folder, govern.address(), &to_hex(&release.mark.digest));
        assert_eq!(found, None);
    }
    govern.shutdown().await;
}

/// Ends the child at every step until it lives through all of its orders. Returns how often it was ended.
async fn every_step(world: &World, base: &Path, orders: &str) -> u64 {
    for step in 0.. {
        let folder = tempfile::tempdir().unwrap();
        copy(base, folder.path());
        let before = logged(world, folder.path());
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--ignored", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(STEP, step.to_string())
            .env(ORDERS, orders)
            .output()
            .unwrap();
        let violation = std::fs::read_to_string(folder.path().join("violation"));
        assert!(
            violation.is_err(),
            "step {step}: served before it was logged: {}",
            violation.unwrap_or_default()
        );
        let done = output.status.success();
        if !done {
            // Ended by its own hand, not by an assertion.
            assert_eq!(
                output.status.code(),
                None,
                "step {step}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        let left = logged(world, folder.path());
        assert!(left.starts_with(&before), "step {step}: history grew only");
        let govern = Govern::start(world.config_in(folder.path()))
            .await
            .unwrap_or_else(|error| panic!("step {step}: {error}"));
        let after = logged(world, folder.path());
        assert!(after.starts_with(&left), "step {step}");
        let audit = govern.audit(None).await.unwrap();
        assert_eq!(u64::try_from(after.len()).unwrap(), audit.head.entries, "step {step}");
        govern.shutdown().await;
        if done {
            return step;
        }
    }
    unreachable!("the loop has no end")
}

#[tokio::test]
async fn ended_at_every_step_from_nothing() {
    let world = World::new();
    let base = tempfile::tempdir().unwrap();
    let ends = every_step(&world, base.path(), "publish start").await;
    println!("ended at {ends} steps");
    assert!(ends > 60, "{ends}");
}

/// The same where a tile becomes full and the next level begins.
#[tokio::test]
async fn ended_at_every_step_where_a_tile_fills() {
    let world = World::new();
    let govern = world.start().await;
    world.begin(&govern).await;
    world.fill(&govern, 253).await;
    govern.shutdown().await;
    let size = logged(&world, world.folder.path()).len();
    assert!((253..256).contains(&size), "{size}");
    let ends = every_step(&world, world.folder.path(), "halt resume").await;
    println!("ended at {ends} steps");
    assert!(ends > 40, "{ends}");
}
