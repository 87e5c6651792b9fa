//! The whole host against a control plane in the same process.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::bench::Bench;
use common::{Manner, NOW, engine, payload, publish, sum, wait_until};
use flagstone_events::{Batch, Body};
use flagstone_host::{Host, HostConfig, HostError, OutcomeReport, Recorded, Report, State, http};
use serde_json::{Value, json};

fn user(number: usize) -> Value {
    json!({"targetingKey": format!("user-{number}"), "email": "canary@example.com"})
}

fn outcome(request: usize) -> OutcomeReport {
    OutcomeReport {
        name: "answer".into(),
        request: format!("request-{request}"),
        measures: BTreeMap::from([("latency_ms".into(), 12.5)]),
        booleans: BTreeMap::from([("unsupported".into(), false)]),
        slices: BTreeMap::from([("language".into(), "en".into())]),
        ..OutcomeReport::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_circle_from_snapshot_to_report() {
    let bench = Bench::new().await;
    let host = bench.host().await;
    assert_eq!(host.flags(), ["assistant", "plain"]);
    assert_eq!(host.status().state, State::Fresh);
    let mut treated = 0;
    for number in 0..200 {
        let evaluation = host.evaluate("assistant", user(number));
        treated += usize::from(evaluation.value().unwrap()["order"] == 3);
        assert_eq!(host.expose(&evaluation), Recorded::Queued);
        assert_eq!(host.expose(&host.evaluate("assistant", user(number))), Recorded::Queued);
        assert_eq!(host.outcome(&format!("user-{number}"), outcome(number)), Recorded::Queued);
    }
    assert!((60..140).contains(&treated), "{treated}");
    let status = host.shutdown(Duration::from_secs(10)).await;
    let events = &status.events;
    assert_eq!((events.made, events.repeated, events.delivered, events.pending), (600, 200, 400, 0));
    assert_eq!((sum(events), events.dropped.len()), (events.made, 0));
    let received = bench.received();
    assert_eq!(received.len(), 400);
    let mut units: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for body in received.values() {
        match body {
            Body::Exposure(exposure) => {
                assert_eq!((exposure.flag.as_str(), exposure.probability), ("assistant", 500_000_000));
                assert_eq!(
                    (exposure.stage, exposure.cohort, exposure.snapshot.sequence),
                    (Some(0), Some(0), 1)
                );
                units.entry(exposure.unit.to_string()).or_default().push("exposure");
            }
            Body::Outcome(outcome) => {
                assert_eq!(outcome.measures["latency_ms"], 12_500_000);
                units.entry(outcome.unit.to_string()).or_default().push("outcome");
            }
            Body::Withdrawal(_) => panic!("nobody withdrew"),
        }
    }
    assert_eq!(units.len(), 200);
    assert!(
        units.values().all(|kinds| kinds.len() == 2),
        "exposure and outcome of a unit have one pseudonym"
    );
    // Nothing of the context leaves: not over the wire, not onto the disk.
    let mut seen: Vec<Vec<u8>> = bench.plane.lock().unwrap().batches.clone();
    let mut folders = vec![bench.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { seen.push(std::fs::read(path).unwrap()) }
        }
    }
    for canary in ["user-1", "canary@", "request-1"] {
        let found =
            seen.iter().any(|bytes| bytes.windows(canary.len()).any(|window| window == canary.as_bytes()));
        assert!(!found, "`{canary}` left the process");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_arrives_and_a_lost_control_plane_goes_to_the_safe_side() {
    let bench = Bench::new().await;
    let host = bench.host().await;
    let all = |variant: &str| {
        (0..100).all(|n| host.evaluate("assistant", user(n)).decision.variant.as_deref() == Some(variant))
    };
    assert!(!all("baseline"));
    let file = bench.world.snapshot(1, &payload("one"));
    publish(&bench.plane, &bench.world, 2, &file, &[("assistant", 0)], &["assistant"]);
    wait_until("halted", || all("baseline")).await;
    publish(&bench.plane, &bench.world, 3, &file, &[("assistant", 0)], &[]);
    wait_until("open again", || !all("baseline")).await;
    bench.plane.lock().unwrap().pulse_manner = Manner::Status(503, None);
    wait_until("failing", || host.status().sync.failures > 2).await;
    assert!(!all("baseline"), "within the lease the stage stays open");
    assert_eq!(host.status().state, State::Fresh);
    bench.time.store((NOW + 301) * 1000, Ordering::Relaxed);
    assert_eq!(host.status().state, State::Stale);
    assert!(all("baseline"), "without a lease the flag is on its safe side");
    bench.time.store((NOW + 30 * 86_400) * 1000, Ordering::Relaxed);
    assert_eq!(host.status().state, State::Expired);
    assert_eq!(host.evaluate("plain", user(1)).value(), Some(&json!(true)), "expired is not an outage");
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_network_goes_on_where_it_was() {
    let bench = Bench::new().await;
    let host = bench.host().await;
    let before: Vec<String> = (0..50).map(|n| host.evaluate("assistant", user(n)).text).collect();
    host.shutdown(Duration::from_secs(5)).await;
    drop(host);
    let mut config = bench.config();
    config.source = "http://127.0.0.1:9".into();
    let host = Host::start_with(config, engine()).await.unwrap();
    let after: Vec<String> = (0..50).map(|n| host.evaluate("assistant", user(n)).text).collect();
    assert_eq!(after, before);
    assert!(
        matches!(Host::start_with(bench.config(), engine()).await, Err(HostError::Store(_))),
        "one host a folder"
    );
    host.shutdown(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_snapshot_the_callers_defaults_are_meant() {
    let bench = Bench::new().await;
    bench.plane.lock().unwrap().pulse = None;
    let host = bench.host().await;
    let evaluation = host.evaluate("plain", user(1));
    assert_eq!(evaluation.decision.error_code.as_deref(), Some("PROVIDER_NOT_READY"));
    assert_eq!((evaluation.value(), host.expose(&evaluation)), (None, Recorded::Nothing));
    assert_eq!(host.status().state, State::Empty);
    publish(&bench.plane, &bench.world, 1, &bench.world.snapshot(1, &payload("one")), &[], &[]);
    wait_until("a first snapshot", || host.status().state == State::Fresh).await;
    assert_eq!(host.evaluate("plain", user(1)).value(), Some(&json!(true)));
    assert_eq!(
        host.evaluate("plain", "x".repeat(200_000).as_str()).decision.error_code.as_deref(),
        Some("INVALID_CONTEXT")
    );
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_that_fails_loses_nothing() {
    let bench = Bench::new().await;
    let mut config = bench.config();
    config.batch_events = 10;
    let host = Host::start_with(config, engine()).await.unwrap();
    let record = |from: usize| {
        (from..from + 100).for_each(|n| assert_eq!(host.outcome("u", outcome(n)), Recorded::Queued))
    };
    bench.plane.lock().unwrap().events_manner = Manner::Status(503, None);
    record(0);
    wait_until("failures", || host.status().events.failures > 1).await;
    assert_eq!((host.status().events.delivered, bench.received().len()), (0, 0));
    bench.plane.lock().unwrap().events_manner = Manner::Well;
    wait_until("delivery", || host.status().events.delivered == 100).await;
    // Stop with the sink down: the rest stays on disk and is delivered after the next start.
    bench.plane.lock().unwrap().events_manner = Manner::Status(500, None);
    record(100);
    let status = host.shutdown(Duration::from_millis(300)).await;
    assert_eq!((status.events.pending, status.events.dropped.len()), (100, 0));
    assert_eq!(host.outcome("u", outcome(999)), Recorded::Dropped("shutdown"));
    assert_eq!(host.status().events.dropped["shutdown"], 1);
    drop(host);
    bench.plane.lock().unwrap().events_manner = Manner::Well;
    let host = bench.host().await;
    wait_until("the rest", || host.status().events.delivered == 100).await;
    assert_eq!(bench.received().len(), 200);
    host.shutdown(Duration::from_secs(1)).await;
    let plane = bench.plane.lock().unwrap();
    let batches: Vec<Batch> = plane.batches.iter().map(|text| Batch::from_json(text).unwrap()).collect();
    let mut next = 1;
    let mut previous = None;
    for batch in &batches {
        assert_eq!((batch.first_sequence, &batch.previous), (next, &previous), "a chain without gaps");
        (next, previous) = (next + batch.count, Some(batch.id.clone()));
    }
    assert_eq!(batches.iter().map(|batch| batch.instance.as_str()).collect::<BTreeSet<_>>().len(), 1);
}

/// A portal, a cache, a wrong address: 200 to anything, and the batch is gone if it is believed.
#[tokio::test(flavor = "multi_thread")]
async fn only_an_answer_that_names_the_batch_is_a_receipt() {
    let bench = Bench::new().await;
    let host = bench.host().await;
    bench.plane.lock().unwrap().events_manner = Manner::Status(200, None);
    (0..50).for_each(|n| assert_eq!(host.outcome("u", outcome(n)), Recorded::Queued));
    wait_until("failures", || host.status().events.failures > 2).await;
    let events = host.status().events;
    assert_eq!((events.delivered, events.pending), (0, 50), "{events:?}");
    assert!(events.last_error.unwrap().contains("without naming the batch"));
    bench.plane.lock().unwrap().events_manner = Manner::Well;
    wait_until("delivery", || host.status().events.delivered == 50).await;
    assert_eq!(bench.received().len(), 50);
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_that_waited_out_an_outage_does_not_wait_out_a_long_back_off_too() {
    let bench = Bench::new().await;
    let mut config = bench.config();
    config.backoff_first = Duration::from_secs(3_600); // a wait, drawn up to this, that no test outlasts
    let host = Host::start_with(config, engine()).await.unwrap();
    let manner = |manner: Manner| {
        let mut plane = bench.plane.lock().unwrap();
        (plane.pulse_manner, plane.events_manner) = (manner.clone(), manner);
    };
    manner(Manner::Status(503, None));
    assert_eq!(host.outcome("u", outcome(1)), Recorded::Queued);
    wait_until("a failed delivery", || host.status().events.failures == 1).await;
    host.sync_now();
    // Not `== 1`: a poll of its own may have failed just before the one that was asked for.
    wait_until("a failed sync", || host.status().sync.failures >= 1).await;
    manner(Manner::Well);
    host.sync_now();
    wait_until("delivery", || host.status().events.delivered == 1).await;
    host.shutdown(Duration::from_secs(1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_batch_is_set_aside_and_the_next_ones_go_on() {
    let bench = Bench::new().await;
    let host = bench.host().await;
    bench.plane.lock().unwrap().events_manner = Manner::Status(400, None);
    (0..5).for_each(|n| assert_eq!(host.outcome("u", outcome(n)), Recorded::Queued));
    wait_until("set aside", || host.status().events.dropped.get("poison") == Some(&5)).await;
    bench.plane.lock().unwrap().events_manner = Manner::Well;
    (5..10).for_each(|n| assert_eq!(host.outcome("u", outcome(n)), Recorded::Queued));
    let status = host.shutdown(Duration::from_secs(5)).await;
    assert_eq!((status.events.delivered, sum(&status.events)), (5, status.events.made));
    let files: Vec<_> = std::fs::read_dir(bench.folder.path().join("poison")).unwrap().collect();
    assert!(!files.is_empty());
    for file in files {
        Batch::from_json(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
    }
    let last = Batch::from_json(bench.plane.lock().unwrap().batches.last().unwrap()).unwrap();
    assert_eq!(last.dropped["poison"], 5, "the loss is declared to the receiver");
}

#[tokio::test(flavor = "multi_thread")]
async fn threat_23_under_overload_made_is_delivered_plus_dropped() {
    let bench = Bench::new().await;
    let mut config = bench.config();
    (config.queue_events, config.spool_bytes, config.segment_bytes) = (64, 60_000, 10_000);
    let host = Arc::new(Host::start_with(config, engine()).await.unwrap());
    bench.plane.lock().unwrap().events_manner = Manner::Status(500, None);
    // First slower than the queue, so that the spool overflows; then from four threads, so that the queue does.
    for n in 0..1_000 {
        assert_eq!(host.outcome("u", outcome(n)), Recorded::Queued);
        assert!(n % 50 != 0 || host.flush(Duration::from_secs(5)));
    }
    let flood = |thread: usize| {
        let host = Arc::clone(&host);
        move || {
            (0..5_000)
                .filter(|n| host.outcome(&format!("u{thread}"), outcome(*n)) == Recorded::Queued)
                .count()
        }
    };
    let threads: Vec<_> = (0..4).map(|thread| std::thread::spawn(flood(thread))).collect();
    let queued: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
    assert!(queued < 20_000);
    assert_eq!(host.outcome("", outcome(1)), Recorded::Dropped("invalid"));
    bench.plane.lock().unwrap().events_manner = Manner::Well;
    let status = host.shutdown(Duration::from_secs(20)).await;
    let events = &status.events;
    assert_eq!(events.made, 21_001);
    assert_eq!(sum(events), events.made, "{events:?}");
    assert!(events.dropped["spool-full"] > 0 && events.dropped["queue-full"] > 0, "{:?}", events.dropped);
    assert_eq!((events.pending, bench.received().len() as u64), (0, events.delivered));
}

#[tokio::test(flavor = "multi_thread")]
async fn doors_for_other_languages() {
    let bench = Bench::new().await;
    let host = Arc::new(bench.host().await);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tokio::spawn(http::serve(Arc::clone(&host), listener, async { drop(stopped.await) }));
    let client = reqwest::Client::new();
    let post = async |path: &str, body: Value| {
        let answer = client.post(format!("{base}{path}")).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, body) = post("/ofrep/v1/evaluate/flags/plain", json!({"context": user(1)})).await;
    assert_eq!(
        (status, body),
        (
            200,
            json!({
                "key": "plain", "value": true, "variant": "on", "reason": "STATIC",
                "metadata": {"flagstone.state": "fresh"},
            })
        )
    );
    let (status, body) = post("/ofrep/v1/evaluate/flags/assistant", json!({"context": user(1)})).await;
    assert_eq!((status, &body["metadata"]["flagstone.stage"]), (200, &json!("half")));
    let (status, body) = post("/ofrep/v1/evaluate/flags/nope", json!({"context": {}})).await;
    assert_eq!((status, &body["key"], &body["errorCode"]), (404, &json!("nope"), &json!("FLAG_NOT_FOUND")));
    let (status, body) = post("/ofrep/v1/evaluate/flags/plain", json!({"context": 5})).await;
    assert_eq!((status, &body["errorCode"]), (400, &json!("INVALID_CONTEXT")));
    let text = client.post(format!("{base}/ofrep/v1/evaluate/flags/plain")).body("{").send().await.unwrap();
    assert_eq!(text.json::<Value>().await.unwrap()["errorCode"], "PARSE_ERROR");
    let large = json!({"context": {"targetingKey": "x".repeat(200_000)}});
    let answer =
        client.post(format!("{base}/ofrep/v1/evaluate/flags/plain")).json(&large).send().await.unwrap();
    assert_eq!(answer.status().as_u16(), 413);

    assert!(host.flush(Duration::from_secs(5)));
    assert_eq!(host.status().events.made, 2, "one for each evaluation that gave a variant to a unit");
    post("/ofrep/v1/evaluate/flags/plain", json!({"context": user(2), "apply": false})).await;
    assert_eq!(host.status().events.made, 2);
    let exposure = post("/v1/exposures", json!({"flag": "plain", "context": user(2)})).await;
    assert_eq!(exposure, (200, json!({"recorded": "yes"})));
    let told =
        json!({"targetingKey": "user-2", "name": "answer", "request": "r", "measures": {"latency_ms": 3.5}});
    assert_eq!(post("/v1/outcomes", told).await, (200, json!({"recorded": "yes"})));
    assert_eq!(host.status().events.spooled, 4, "the answer means that it is on disk");
    assert_eq!(post("/v1/outcomes", json!({"targetingKey": "u", "name": "", "request": "r"})).await.0, 400);
    assert_eq!(post("/v1/outcomes", json!({"targetingKey": "u"})).await.0, 400);

    let get = async |path: &str| {
        let answer = client.get(format!("{base}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(get("/healthz").await.1["state"], "fresh");
    let (_, status) = get("/v1/status").await;
    assert_eq!((&status["state"], &status["serving"]["sequence"]), (&json!("fresh"), &json!(1)));
    let answer = client.get(format!("{base}/metrics")).send().await.unwrap();
    let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
    assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let text = answer.text().await.unwrap();
    for line in [
        "flagstone_state{state=\"fresh\"} 1",
        "flagstone_state{state=\"stale\"} 0",
        "feature_flag_evaluation_requests_total 5",
        "flagstone_snapshot_sequence 1",
        "flagstone_lease_expires_timestamp_seconds 1787300300",
        "flagstone_sync_failures_total 0",
        "flagstone_events_made_total 5",
        "flagstone_push_live 0",
        "# UNIT flagstone_spool_bytes bytes",
    ] {
        assert!(text.lines().any(|found| found == line), "`{line}` is not in\n{text}");
    }
    assert!(text.contains("target_info{service_name=\"flagstone-host\"") && text.ends_with("# EOF\n"));
    drop(stop);
    server.await.unwrap().unwrap();
    host.shutdown(Duration::from_secs(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_used_are_refused() {
    let bench = Bench::new().await;
    let refused = async |change: fn(&mut HostConfig)| {
        let mut config = bench.config();
        change(&mut config);
        Host::start_with(config, engine()).await.unwrap_err().to_string()
    };
    assert!(refused(|config| config.trust = b"nonsense".to_vec()).await.contains("pinned trust statement"));
    assert!(refused(|config| config.source = "ftp://x".into()).await.contains("is no source"));
    assert!(refused(|config| config.root_certificates = Some(vec![1])).await.contains("hint: PEM"));
    assert!(refused(|config| config.report = Report::To("file:x".into())).await.contains("over http only"));
    assert!(refused(|config| config.request_time = Duration::ZERO).await.contains("request_time"));
    assert!(refused(|config| config.batch_events = 0).await.contains("batch_events"));
    assert!(refused(|config| config.exposure_window_ms = 0).await.contains("exposure_window_ms"));
}
