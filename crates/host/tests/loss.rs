//! Threat 22: two hosts killed a hundred times each in the middle of its work, behind a receiver that fails, that takes batches while
//! saying that it failed, and that refuses some for good. What was numbered is received once or declared as lost, to the last event.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use common::{AUDIENCE, ENVIRONMENT, NOW, Shared, World, engine, payload, publish};
use flagstone_events::{Batch, Body, EventId, Pepper};
use flagstone_host::{Host, HostConfig, OutcomeReport, Recorded, Report, Time};

/// Each of the two tests, which run side by side.
const KILLS: usize = 100;
/// Tells the child process what it is: the folder it works in, the source, the receiver, the number of the run.
const CHILD: &str = "FLAGSTONE_LOSS";

fn config(folder: &str, source: &str, receiver: &str) -> HostConfig {
    let pepper = Pepper::from_bytes([9; 32]);
    let mut config = HostConfig::new(source, World::new().trust(), AUDIENCE, ENVIRONMENT, folder, pepper);
    config.report = Report::To(receiver.to_owned());
    config.time = Time::from_fn(|| NOW * 1_000);
    config.backoff_first = Duration::from_millis(5);
    config.linger = Duration::from_millis(5);
    config.batch_events = 40;
    // Many segments, and room enough for all: what is given up at the cap after a lost answer would count on both sides.
    config.segment_bytes = 12_000;
    config
}

fn outcome(request: String) -> OutcomeReport {
    let booleans = BTreeMap::from([("wrong".to_owned(), false)]);
    OutcomeReport { name: "answer".into(), request, booleans, ..OutcomeReport::default() }
}

/// The child: records one outcome after another until it is killed, and says how many are on the disk.
#[test]
fn child() {
    let Ok(told) = std::env::var(CHILD) else { return };
    let told: Vec<&str> = told.split('|').collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let host = Host::start_with(config(told[0], told[1], told[2]), engine()).await.unwrap();
        let mut made = 0_u64;
        loop {
            for _ in 0..25 {
                let recorded = host.outcome("ana", outcome(format!("run {} outcome {made}", told[3])));
                assert_eq!(recorded, Recorded::Queued);
                made += 1;
            }
            assert!(tokio::task::block_in_place(|| host.flush(Duration::from_secs(10))));
            let mut out = std::io::stdout();
            writeln!(out, "kept {made}").unwrap();
            out.flush().unwrap();
        }
    });
}

#[derive(Default)]
struct Receiver {
    requests: u64,
    well: bool,
    /// Unique events by id, with their sequence number.
    events: BTreeMap<EventId, u64>,
    repeated: u64,
    dropped: BTreeMap<String, u64>,
    instances: BTreeSet<String>,
}

async fn receive(State(receiver): State<Arc<Mutex<Receiver>>>, body: Bytes) -> (StatusCode, String) {
    let mut receiver = receiver.lock().unwrap();
    receiver.requests += 1;
    let manner = if receiver.well { 3 } else { receiver.requests % 4 };
    if manner == 0 {
        return (StatusCode::SERVICE_UNAVAILABLE, "not now".into());
    }
    let batch = Batch::from_json(&body).unwrap();
    receiver.instances.insert(batch.instance.clone());
    // Refused for good, unless any of it was taken before: no receiver takes a batch and refuses it later.
    if manner == 1 && !batch.events.iter().any(|event| receiver.events.contains_key(&event.body.id())) {
        return (StatusCode::UNPROCESSABLE_ENTITY, "never".into());
    }
    for (reason, count) in &batch.dropped {
        let known = receiver.dropped.entry(reason.clone()).or_default();
        *known = (*known).max(*count);
    }
    for event in &batch.events {
        let Body::Outcome(outcome) = &event.body else { panic!("an outcome") };
        if let Some(before) = receiver.events.insert(outcome.id, event.sequence) {
            assert_eq!(before, event.sequence, "one event has one number");
            receiver.repeated += 1;
        }
    }
    if manner == 2 {
        (StatusCode::INTERNAL_SERVER_ERROR, "taken, but it does not say so".into())
    } else {
        (StatusCode::OK, common::receipt(&batch))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn threat_22_a_hundred_kills_lose_nothing_that_is_not_declared() {
    kills_lose_nothing_that_is_not_declared(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn threat_22_another_hundred_kills_lose_nothing_that_is_not_declared() {
    kills_lose_nothing_that_is_not_declared(KILLS).await;
}

async fn kills_lose_nothing_that_is_not_declared(first: usize) {
    if std::env::var_os(CHILD).is_some() {
        return;
    }
    let (plane, world) = (Shared::default(), World::new());
    plane.lock().unwrap().trust = Some(world.trust());
    publish(&plane, &world, 1, &world.snapshot(1, &payload("one")), &[], &[]);
    let source = common::serve(Arc::clone(&plane)).await;
    let receiver = Arc::new(Mutex::new(Receiver::default()));
    let app = Router::new()
        .route("/v1/environments/production/events", post(receive))
        .with_state(Arc::clone(&receiver));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let sink = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });

    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap().to_owned();
    let mut kept = 0;
    for kill in first..first + KILLS {
        let told = format!("{data}|{source}|{sink}|{kill}");
        kept += tokio::task::spawn_blocking(move || run_and_kill(&told, kill)).await.unwrap();
    }

    // The last run delivers what is left, to a receiver that is well.
    receiver.lock().unwrap().well = true;
    let host = Host::start_with(config(&data, &source, &sink), engine()).await.unwrap();
    assert_eq!(host.outcome("ana", outcome("the last one".into())), Recorded::Queued);
    let status = host.shutdown(Duration::from_secs(60)).await;
    assert_eq!(status.events.pending, 0, "{:?}", status.events);
    let receiver = receiver.lock().unwrap();
    let received = receiver.events.len() as u64;
    let numbered = receiver.events.values().max().copied().unwrap();
    let declared: u64 = status.events.dropped.values().sum();
    assert_eq!(received + declared, numbered, "received {received}, declared {:?}", status.events.dropped);
    assert!(
        numbered > kept,
        "everything that was said to be kept was numbered: {numbered} of {kept} and more"
    );
    assert_eq!(receiver.instances.len(), 1);
    assert_eq!(receiver.dropped, status.events.dropped, "the receiver was told of every loss");
    assert!(declared > 0, "no batch was ever refused: the test tests less than it says");
    assert!(receiver.repeated > 0, "no batch ever came twice: the test tests nothing");
    assert!(kept > (KILLS * 25) as u64, "the children hardly ever got to work: {kept}");
}

/// Events that the child said are on the disk when it was killed.
fn run_and_kill(told: &str, kill: usize) -> u64 {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(CHILD, told)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut kept = 0;
    // After one round of work, or two, or more; then a few microseconds into the next.
    let kept_lines =
        lines.filter_map(|line| line.unwrap().rsplit_once("kept ")?.1.trim().parse::<u64>().ok());
    for told in kept_lines.take(1 + kill % 5) {
        kept = told;
    }
    std::thread::sleep(Duration::from_micros((kill as u64 * 104_729) % 3_000));
    child.kill().unwrap();
    child.wait().unwrap();
    kept
}
