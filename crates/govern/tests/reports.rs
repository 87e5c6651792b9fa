//! Reports that come over OTLP, from samples, and from people who forge them.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops"
)]

mod common;

use std::collections::BTreeMap;
use std::io::Write as _;

use common::{FLAG, Release, Traffic, World, answer, definition, draw, evidence, flag, started};
use flagstone_events::otlp::{Encoding, decode_answer, encode};
use flagstone_events::{
    Arm, Batch, Body, Event, EventId, Inclusion, Pepper, Pseudonym, Sampling, Stream, UnitKey,
};
use flagstone_govern::{Govern, LedgerFile};
use serde_json::{Value, json};

fn numbered(bodies: Vec<Body>) -> Vec<Batch> {
    let mut batches = Vec::new();
    for (chunk, first) in bodies.chunks(1_000).zip((1_u64..).step_by(1_000)) {
        let events =
            (first..).zip(chunk).map(|(sequence, body)| Event { sequence, body: body.clone() }).collect();
        let dropped = BTreeMap::from([("spool-full".to_owned(), 3)]);
        batches.push(Batch::new("edge-1", None, dropped, events).expect("a batch"));
    }
    batches
}

async fn post_logs(
    world: &World,
    govern: &Govern,
    body: Vec<u8>,
    headers: &[(&str, &str)],
) -> (u16, Vec<u8>) {
    let mut request = world.client.post(world.url(govern, "/otlp/v1/logs")).body(body);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.bytes().await.expect("a body").to_vec())
}

const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
const JSON: (&str, &str) = ("content-type", "application/json");

#[tokio::test]
async fn events_over_otlp_are_the_same_evidence() {
    let mut seen = Vec::new();
    for wire in ["batches", "protobuf", "json", "gzip", "all of them"] {
        let world = World::new();
        let (govern, release) = started(&world).await;
        let pulse = world.pulse(&govern).await;
        let (exposures, outcomes) =
            Traffic::new("edge-1", 2_000, 3_000).events(&release, &pulse, 0..1_500, world.now_ms());
        for batch in numbered(exposures.into_iter().chain(outcomes).collect()) {
            if ["batches", "all of them"].contains(&wire) {
                assert_eq!(world.report(&govern, &batch).await.0, 200);
            }
            if ["protobuf", "all of them"].contains(&wire) {
                let body = encode(&batch, "set", Encoding::Protobuf);
                let (status, answer) = post_logs(&world, &govern, body, &[PROTOBUF]).await;
                assert_eq!((status, decode_answer(&answer)), (200, (0, String::new())));
            }
            if ["json", "all of them"].contains(&wire) {
                let body = encode(&batch, "set", Encoding::Json);
                assert_eq!(post_logs(&world, &govern, body, &[JSON]).await, (200, b"{}".to_vec()));
            }
            if wire == "gzip" {
                let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                packed.write_all(&encode(&batch, "set", Encoding::Protobuf)).expect("memory");
                let headers = [PROTOBUF, ("content-encoding", "gzip")];
                assert_eq!(
                    post_logs(&world, &govern, packed.finish().expect("memory"), &headers).await.0,
                    200
                );
            }
        }
        govern.tick().await.expect("a tick");
        let status = world.status(&govern).await;
        let instance = &status["instances"][0];
        assert_eq!(
            [
                &instance["instance"],
                &instance["received"],
                &instance["missing"],
                &instance["dropped"]["spool-full"]
            ],
            [&json!("edge-1"), &json!(3_000), &json!(0), &json!(3)],
            "{wire}"
        );
        assert_eq!(
            (&status["delivery"]["exposures"], &status["delivery"]["outcomes"]),
            (&json!(1_500), &json!(1_500))
        );
        seen.push(evidence(&status));
        govern.shutdown().await;
    }
    assert!(seen[0]["units"]["treatment"].as_u64() > Some(30), "{}", seen[0]["units"]);
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}

#[tokio::test]
async fn otlp_that_is_partly_or_wholly_wrong() {
    let world = World::new();
    let mut config = world.config();
    config.reporter_token = Some("reporter-reporter".into());
    let govern = Govern::start(config).await.expect("a governor");
    let bearer = ("authorization", "Bearer reporter-reporter");
    let records = json!([{"eventName": "some.log", "attributes": []}, {"body": {"stringValue": "text"}}]);
    let body = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).to_string().into_bytes();
    assert_eq!(post_logs(&world, &govern, body.clone(), &[JSON]).await.0, 401);
    let (status, answer) = post_logs(&world, &govern, body, &[JSON, bearer]).await;
    let answer: Value = serde_json::from_slice(&answer).expect("json");
    assert_eq!((status, &answer["partialSuccess"]["rejectedLogRecords"]), (200, &json!("2")));
    assert!(
        answer["partialSuccess"]["errorMessage"].as_str().is_some_and(|text| !text.is_empty()),
        "{answer}"
    );
    let (status, answer) = post_logs(&world, &govern, b"{".to_vec(), &[JSON, bearer]).await;
    let answer: Value = serde_json::from_slice(&answer).expect("json");
    assert_eq!((status, &answer["code"]), (400, &json!(3)));
    assert_eq!(post_logs(&world, &govern, vec![0xff; 9], &[PROTOBUF, bearer]).await.0, 400);
    assert_eq!(
        post_logs(&world, &govern, Vec::new(), &[("content-type", "text/plain"), bearer]).await.0,
        415
    );
    let gzip = ("content-encoding", "gzip");
    assert_eq!(post_logs(&world, &govern, b"no gzip".to_vec(), &[PROTOBUF, bearer, gzip]).await.0, 400);
    // A small body that unpacks to a large one is not unpacked further than the cap.
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    (0..64).for_each(|_| bomb.write_all(&[0; 1 << 20]).expect("memory"));
    assert_eq!(
        post_logs(&world, &govern, bomb.finish().expect("memory"), &[PROTOBUF, bearer, gzip]).await.0,
        413
    );
    govern.shutdown().await;
}

/// All that is on the disk, as anyone who gets hold of it reads it.
fn file_bytes(folder: &std::path::Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        bytes.extend(if path.is_dir() { file_bytes(&path) } else { std::fs::read(path).expect("a file") });
    }
    bytes
}

/// Exposures and outcomes of a host that keeps only a part of the units.
fn sampled(bodies: Vec<Body>, parts: u32) -> Vec<Body> {
    let sampling = Sampling { inclusion: Inclusion::new(parts).expect("a share") };
    let mut kept: Vec<Body> =
        bodies.into_iter().filter(|body| sampling.keeps(Stream::Production, body.unit())).collect();
    for body in &mut kept {
        match body {
            Body::Exposure(exposure) => exposure.inclusion = sampling.inclusion,
            Body::Outcome(outcome) => outcome.inclusion = sampling.inclusion,
            Body::Withdrawal(_) => {}
        }
    }
    kept
}

async fn round(
    world: &World,
    govern: &Govern,
    release: &Release,
    traffic: &mut Traffic,
    units: std::ops::Range<u64>,
    parts: u32,
) {
    let pulse = world.pulse(govern).await;
    let (exposures, outcomes) = traffic.events(release, &pulse, units, world.now_ms());
    world.pass(30);
    for batch in traffic.batches(sampled(exposures.into_iter().chain(outcomes).collect(), parts)) {
        assert_eq!(world.report(govern, &batch).await.0, 200);
    }
    govern.tick().await.expect("a tick");
}

/// A sample of units has the arms of the whole: what is promoted or taken back on it is so on the whole, only later.
#[tokio::test]
async fn a_sample_bends_no_comparison() {
    // Arms drawn as the engine draws them, kept as a host keeps them, many times over: no look at the ratio is alarmed.
    let pepper = Pepper::from_bytes([3; 32]);
    let mut logs = Vec::new();
    for trial in 0..60_u64 {
        let (mut units, sampling) =
            ([0_u64; 2], Sampling { inclusion: Inclusion::new(200_000_000).expect("a share") });
        for number in 0..3_000_u64 {
            let name = format!("unit {number} of trial {trial}");
            let unit = Pseudonym::of(&pepper, Stream::Production, &UnitKey::new(&name).expect("a key"));
            if sampling.keeps(Stream::Production, unit) {
                units[usize::from(draw(&name) < 3_000)] += 1;
            }
        }
        assert!((450..750).contains(&(units[0] + units[1])), "{units:?}");
        logs.push(flagstone_judge::sample_ratio::averaged_log_e(&units, &[0.7, 0.3]).expect("shares"));
    }
    // An e-value has mean 1 at most when the ratio is as promised.
    let mean = logs.iter().map(|log| log.exp()).sum::<f64>() / 60.0;
    assert!(mean < 1.5, "{mean}");

    let world = World::new();
    let (govern, release) = started(&world).await;
    let mut harmful = Traffic::new("edge-1", 1_000, 6_000);
    for at in 0..30 {
        round(&world, &govern, &release, &mut harmful, at * 1_000..(at + 1) * 1_000, 250_000_000).await;
    }
    let status = world.status(&govern).await;
    assert_eq!(flag(&status)["phase"], "halted", "harm is seen in a quarter of the units too");
    let ratio = &flag(&status)["sampleRatio"];
    assert!(ratio["logE"].as_f64() < ratio["logThreshold"].as_f64(), "{ratio}");
    govern.shutdown().await;
}

#[tokio::test]
async fn unequal_sampling_within_a_cohort_promotes_nothing_and_still_takes_back() {
    for (wrong, phase, rule) in [(1_000, "held", Some("6-mixed-sampling")), (7_000, "halted", None)] {
        let world = World::new();
        let govern = world.start().await;
        let plan = definition("everyone", "answer@15").replace(", promote: { notWorseBy: 10% }", "");
        let release = world.release(1, &plan);
        world.publish(&govern, &release).await;
        world.order(&govern, FLAG, "start").await;
        let mut traffic = Traffic::new("edge-1", 1_000, wrong);
        for at in 0..12 {
            let parts = if at % 2 == 0 { 1_000_000_000 } else { 500_000_000 };
            round(&world, &govern, &release, &mut traffic, at * 800..(at + 1) * 800, parts).await;
        }
        let status = world.status(&govern).await;
        assert_eq!((&flag(&status)["phase"], &flag(&status)["stage"]), (&json!(phase), &json!(0)));
        if let Some(rule) = rule {
            assert_eq!(flag(&status)["settled"]["rule"], rule);
        }
        govern.shutdown().await;
    }
}

/// Threat 24: forged exposures and outcomes that flatter one arm. Without the token they are refused; with a stolen one, a twentieth
/// more units in one arm bends the ratio, and nothing is promoted.
#[tokio::test]
async fn threat_24_forged_reports_are_refused_or_show() {
    let world = World::new();
    let mut config = world.config();
    config.reporter_token = Some("reporter-reporter".into());
    let govern = Govern::start(config).await.expect("a governor");
    let plan = definition("everyone", "answer@15").replace(", promote: { notWorseBy: 10% }", "");
    // Arms of equal shares in the first stage, where a twentieth shows soonest.
    let plan = plan.replace("treat: 5%, control: 10%", "treat: 40%, control: 40%");
    let plan = plan.replace("treat: 20%, control: 30%", "treat: 45%, control: 45%");
    let release = world.release(1, &plan);
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    let pulse = world.pulse(&govern).await;
    let mut traffic = Traffic::new("edge-1", 1_000, 1_000);
    let (exposures, outcomes) = traffic.events(&release, &pulse, 0..20_000, world.now_ms());
    let mut forged = Vec::new();
    let made_up = exposures
        .iter()
        .zip(&outcomes)
        .filter(|(body, _)| matches!(body, Body::Exposure(exposure) if exposure.arm == Arm::Treatment));
    for ((exposure, outcome), number) in made_up.take(1_000).zip(0_u128..) {
        let unit = Pseudonym::from_bytes((number | 1 << 100).to_be_bytes());
        let (Body::Exposure(mut exposure), Body::Outcome(mut outcome)) = (exposure.clone(), outcome.clone())
        else {
            panic!("an exposure and an outcome")
        };
        (exposure.unit, outcome.unit) = (unit, unit);
        exposure.id = EventId::from_bytes((number | 2 << 100).to_be_bytes());
        outcome.id = EventId::from_bytes((number | 3 << 100).to_be_bytes());
        outcome.booleans.insert("wrong".into(), false);
        forged.extend([Body::Exposure(exposure), Body::Outcome(outcome)]);
    }
    let report = async |bodies: Vec<Body>, traffic: &mut Traffic, token: &str| {
        for batch in traffic.batches(bodies) {
            let request =
                world.client.post(world.url(&govern, "/events")).header("content-type", "application/json");
            let request = request.bearer_auth(token).body(batch.to_json().expect("within limits"));
            let (status, _) = answer(request).await;
            if status != 200 {
                return status;
            }
        }
        200
    };
    assert_eq!(report(forged.clone(), &mut Traffic::new("forger", 0, 0), "a wrong token").await, 401);
    let honest = exposures.into_iter().chain(outcomes).collect();
    assert_eq!(report(honest, &mut traffic, "reporter-reporter").await, 200);
    govern.tick().await.expect("a tick");
    let status = world.status(&govern).await;
    let ratio = |status: &Value| {
        let ratio = &flag(status)["sampleRatio"];
        (ratio["logE"].as_f64().expect("a number"), ratio["logThreshold"].as_f64().expect("a number"))
    };
    let (log_e, threshold) = ratio(&status);
    assert!(log_e < threshold, "honest: {log_e} < {threshold}");
    assert_eq!(report(forged, &mut Traffic::new("forger", 0, 0), "reporter-reporter").await, 200);
    world.pass(120);
    govern.tick().await.expect("a tick");
    let status = world.status(&govern).await;
    let (log_e, threshold) = ratio(&status);
    assert!(log_e > threshold, "forged: {log_e} > {threshold}");
    assert_eq!(
        (&flag(&status)["action"]["do"], &flag(&status)["stage"]),
        (&json!("hold"), &json!(0)),
        "{}",
        flag(&status)["reasons"]
    );
    govern.shutdown().await;
}

/// Threat 25: a metric that falls silent is missing data, and missing data promotes nothing.
#[tokio::test]
async fn threat_25_a_metric_that_falls_silent_holds() {
    let world = World::new();
    let govern = world.start().await;
    let plan = definition("everyone", "answer@15").replace(", promote: { notWorseBy: 10% }", "");
    let release = world.release(1, &plan.replace("bake: 60s, need", "bake: 3600s, need"));
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    let mut traffic = Traffic::new("edge-1", 300, 300);
    for at in 0..4 {
        traffic.round(&world, &govern, &release, at * 500..(at + 1) * 500).await;
    }
    assert_eq!(flag(&world.status(&govern).await)["phase"], "open");
    for at in 4..200 {
        let pulse = world.pulse(&govern).await;
        let (exposures, _) = traffic.events(&release, &pulse, at * 20..(at + 1) * 20, world.now_ms());
        world.pass(30);
        for batch in traffic.batches(exposures) {
            assert_eq!(world.report(&govern, &batch).await.0, 200);
        }
        govern.tick().await.expect("a tick");
    }
    let status = world.status(&govern).await;
    assert_eq!(
        (&flag(&status)["phase"], &flag(&status)["stage"]),
        (&json!("held"), &json!(0)),
        "{}",
        flag(&status)["reasons"]
    );
    let said = flag(&status)["settled"].to_string();
    assert!(said.contains("answer-"), "it names the metric: {said}");
    govern.shutdown().await;
}

/// Threat 26 here: names of units are nowhere in the file; slices leave in cells of at least k units only.
#[tokio::test]
async fn threat_26_no_names_in_the_file_and_no_small_cells_over_http() {
    let world = World::new();
    let mut config = world.config();
    config.operator_token = Some("operator-operator".into());
    let govern = Govern::start(config).await.expect("a governor");
    let release = world.release(1, &definition("everyone", "answer@15"));
    let operator = |request: reqwest::RequestBuilder| request.bearer_auth("operator-operator");
    let file = world
        .client
        .post(world.url(&govern, "/snapshots"))
        .header("content-type", "application/octet-stream");
    assert_eq!(answer(operator(file.body(release.file.clone()))).await.0, 201);
    let path = format!("/definitions/{}", flagstone_events::to_hex(&release.mark.digest));
    let request = world.client.put(world.url(&govern, &path)).body(release.definition.clone());
    assert_eq!(answer(operator(request)).await.0, 201);
    let order = world.client.post(world.url(&govern, &format!("/flags/{FLAG}/start")));
    assert_eq!(answer(operator(order.json(&json!({"by": "ana", "reason": "a test"})))).await.0, 200);
    let pulse = world.pulse(&govern).await;
    let mut traffic = Traffic::new("edge-1", 2_000, 3_000);
    let (exposures, mut outcomes) = traffic.events(&release, &pulse, 0..3_000, world.now_ms());
    for (body, number) in outcomes.iter_mut().zip(0_u64..) {
        let Body::Outcome(outcome) = body else { panic!("an outcome") };
        let language = match number % 100 {
            0..=59 => "en",
            60..=90 => "de",
            _ => "marker-sw",
        };
        outcome.slices.insert("language".into(), language.into());
        if number % 500 == 0 {
            outcome.slices.insert("marker-rare".into(), "x".into());
        }
    }
    for batch in traffic.batches(exposures.into_iter().chain(outcomes).collect()) {
        assert_eq!(world.report(&govern, &batch).await.0, 200);
    }
    govern.tick().await.expect("a tick");
    let url = world.url(&govern, &format!("/flags/{FLAG}/slices"));
    assert_eq!(answer(world.client.get(&url)).await.0, 401);
    let (status, body) = answer(operator(world.client.get(&url))).await;
    assert_eq!((status, &body["k"]), (200, &json!(20)), "{body}");
    let arms = body["slices"]["language"].as_object().expect("both arms");
    assert!(arms.contains_key("treatment") && arms.contains_key("control"), "{body}");
    for cells in arms.values() {
        for (value, units) in cells.as_object().expect("cells") {
            let units = units.as_u64().expect("a count");
            assert!(units >= 20 && units % 20 == 0, "{value}: {units}");
        }
    }
    assert!(!body.to_string().contains("marker-rare"), "{body}");
    let status = world.status(&govern).await.to_string();
    assert!(!status.contains("marker-") && !status.contains("language"), "no slices in the status");
    let (code, _) = answer(operator(world.client.get(world.url(&govern, "/flags/banner/slices")))).await;
    assert_eq!(code, 404);
    govern.shutdown().await;
    let bytes = file_bytes(world.folder.path());
    assert!(bytes.len() > 100_000);
    assert!(!bytes.windows(5).any(|window| window == b"user-"), "a unit's name is in the file");
    let mut config = world.config();
    config.k_anonymity = 1;
    assert!(Govern::start(config).await.is_err_and(|error| error.to_string().contains("k_anonymity")));
}

/// The report of `flagstone report`: from the running governor, at an earlier moment, and from its database afterwards.
#[tokio::test]
async fn a_report_has_the_evidence_and_its_path() {
    let world = World::new();
    let (govern, release) = started(&world).await;
    let mut traffic = Traffic::new("edge-1", 2_000, 3_000);
    let mut between = 0;
    for round in 0..6_u64 {
        traffic.round(&world, &govern, &release, round * 300..round * 300 + 300).await;
        // Nothing new: no look more.
        govern.tick().await.expect("a tick");
        if round == 2 {
            between = world.now_ms() / 1_000;
        }
        world.pass(100);
    }
    let url = world.url(&govern, &format!("/flags/{FLAG}/report"));
    let (code, report) = answer(world.client.get(&url)).await;
    assert_eq!((code, &report["report"], &report["flag"]), (200, &json!(1), &json!(FLAG)), "{report}");
    let status = world.status(&govern).await;
    let shown = flag(&status);
    let metric = &report["metrics"][0];
    assert_eq!(metric["harm"]["logE"], shown["guardrails"][0]["logE"], "what the dashboard says");
    assert_eq!(metric["treatment"]["units"], shown["guardrails"][0]["treatedUnits"]);
    assert!(metric["effect"]["lower"].as_f64() < metric["effect"]["estimate"].as_f64(), "{metric}");
    let path = report["path"].as_array().expect("a path").len();
    assert!((6..=14).contains(&path), "{path} looks: one a round, and those of decisions");
    assert!(report["drift"]["notes"][0].as_str().is_some_and(|note| !note.is_empty()));

    let (code, earlier) = answer(world.client.get(format!("{url}?at={between}"))).await;
    assert_eq!(code, 200);
    assert!(
        earlier["at"].as_u64() <= Some(between) && earlier["path"].as_array().map(Vec::len) < Some(path),
        "{earlier}"
    );
    assert_eq!(answer(world.client.get(format!("{url}?at=7"))).await.0, 404);
    assert_eq!(
        answer(world.client.get(world.url(&govern, "/flags/banner/report"))).await.1["error"]["code"],
        "no-report"
    );
    govern.shutdown().await;

    let mut file = LedgerFile::open(&world.database()).await.expect("the database");
    let later = file.report(FLAG, None, 20).await.expect("a report").expect("something was judged");
    assert_eq!(
        (later.metrics.len(), later.attempt),
        (report["metrics"].as_array().expect("metrics").len(), 1)
    );
    assert_eq!(json!(later.metrics[0].harm.log_e), metric["harm"]["logE"]);
    assert_eq!(json!(later.path.last().map(|point| point.harm.clone())), report["path"][path - 1]["harm"]);
    let at = file.report(FLAG, Some(between), 20).await.expect("a report").expect("something was judged");
    assert_eq!(json!(at), earlier, "the same from the file");
}
