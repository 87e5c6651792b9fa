//! Threat 26: markers in every attribute, id and prompt, and a search for them in everything that leaves the process: over either
//! wire, on the disk, in logs, in the status, in the answers of the doors.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod common;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::{AUDIENCE, ENVIRONMENT, Manner, NOW, Shared, World, engine, payload, publish};
use flagstone_events::Pepper;
use flagstone_host::{Consent, Host, HostConfig, OutcomeReport, Time};
use serde_json::json;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

const MARKERS: [&str; 7] =
    ["mark-unit", "mark-mail@", "mark-prompt", "mark-nested", "mark-request", "mark-list", "mark-key"];

/// Keeps everything that anybody logs, at every level.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<String>>);

impl Visit for Logs {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        writeln!(self.0.lock().unwrap(), "{field}={value:?}").unwrap();
    }
}

impl Subscriber for Logs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test(flavor = "multi_thread")]
async fn threat_26_no_marker_leaves_the_process() {
    let logs = Logs::default();
    tracing::subscriber::set_global_default(logs.clone()).unwrap();
    let mut seen: Vec<(String, Vec<u8>)> = Vec::new();
    for otlp in [false, true] {
        let (plane, world) = (Shared::default(), World::new());
        plane.lock().unwrap().trust = Some(world.trust());
        publish(&plane, &world, 1, &world.snapshot(1, &payload("one")), &[("assistant", 0)], &[]);
        let address = common::serve(Arc::clone(&plane)).await;
        let folder = tempfile::tempdir().unwrap();
        let pepper = Pepper::from_bytes([9; 32]);
        let mut config =
            HostConfig::new(&address, world.trust(), AUDIENCE, ENVIRONMENT, folder.path(), pepper);
        config.time = Time::from_fn(|| NOW * 1_000);
        config.backoff_first = Duration::from_millis(5);
        config.linger = Duration::from_millis(5);
        config.reporting.otlp = otlp.then(|| address.clone());
        config.reporting.consent = Consent::Stated;
        let host = Arc::new(Host::start_with(config, engine()).await.unwrap());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(flagstone_host::http::serve(Arc::clone(&host), listener, std::future::pending()));
        let client = reqwest::Client::new();
        // Every way there is to go wrong is one in which something could be said that must not be.
        plane.lock().unwrap().events_manner = Manner::Status(503, None);
        for number in 0..40 {
            let unit = format!("mark-unit-{number}");
            let context = json!({
                "targetingKey": unit, "email": "mark-mail@example.com", "mark-key": 1,
                "prompt": "mark-prompt: my landlord ...", "nested": {"deep": {"er": "mark-nested"}},
                "list": ["mark-list", {"x": "mark-list"}],
            });
            let evaluation = host.evaluate("assistant", &context);
            host.expose(&evaluation);
            seen.push(("decision".into(), evaluation.text.into_bytes()));
            let report = OutcomeReport {
                name: "answer".into(),
                request: format!("mark-request-{number}"),
                booleans: BTreeMap::from([("wrong".into(), number % 3 == 0)]),
                measures: BTreeMap::from([("latency".into(), if number == 7 { f64::NAN } else { 0.5 })]),
                ..OutcomeReport::default()
            };
            host.outcome(&unit, report.clone());
            host.outcome(&"mark-unit".repeat(1_000), report);
            for (path, body) in [
                ("/ofrep/v1/evaluate/flags/assistant", json!({"context": context, "exposureToken": true})),
                ("/ofrep/v1/evaluate/flags/nope", json!({"context": context})),
                ("/ofrep/v1/evaluate/flags", json!({"context": context, "exposureToken": true})),
                ("/v1/exposures", json!({"flag": "plain", "context": context})),
                ("/v1/outcomes", json!({"targetingKey": unit, "name": "x", "request": "mark-request"})),
                ("/v1/withdrawals", json!({"targetingKey": unit})),
            ] {
                let answer = client.post(format!("{base}{path}")).json(&body).send().await.unwrap();
                let headers = format!("{:?}", answer.headers());
                let text = format!("{headers} {}", answer.text().await.unwrap());
                seen.push((path.to_owned(), text.into_bytes()));
            }
        }
        assert!(host.flush(Duration::from_secs(10)));
        for entry in walk(folder.path()) {
            seen.push(entry);
        }
        seen.push(("status".into(), serde_json::to_vec(&host.status()).unwrap()));
        plane.lock().unwrap().events_manner = Manner::Status(422, None); // into the folder of poison
        let poisoned = async || {
            while !host.status().events.dropped.contains_key("poison") {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), poisoned()).await.unwrap();
        plane.lock().unwrap().events_manner = Manner::Well;
        host.outcome("mark-unit", OutcomeReport { name: "x".into(), ..OutcomeReport::default() });
        let status = host.shutdown(Duration::from_secs(10)).await;
        assert!(status.events.delivered > 0);
        seen.push(("last status".into(), serde_json::to_vec(&status).unwrap()));
        seen.extend(walk(folder.path()));
        let plane = plane.lock().unwrap();
        let wire = if otlp { &plane.logs } else { &plane.batches };
        assert!(!wire.is_empty());
        seen.extend(wire.iter().map(|body| ("wire".to_owned(), body.clone())));
    }
    let logged = logs.0.lock().unwrap().clone();
    assert!(logged.contains("out of range"), "the logs were not seen: {logged}");
    seen.push(("logs".into(), logged.into_bytes()));
    for (place, bytes) in &seen {
        for marker in MARKERS {
            let found = bytes.windows(marker.len()).any(|window| window == marker.as_bytes());
            assert!(
                !found,
                "`{marker}` is in {place}: {}",
                String::from_utf8_lossy(bytes).chars().take(2_000).collect::<String>()
            );
        }
    }
}

fn walk(folder: &std::path::Path) -> Vec<(String, Vec<u8>)> {
    let (mut folders, mut files) = (vec![folder.to_owned()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((path.display().to_string(), std::fs::read(path).unwrap_or_default()));
            }
        }
    }
    files
}
