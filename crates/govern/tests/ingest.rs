//! Reports: at least once on the wire, exactly once in the evidence, in any order; nothing acknowledged is lost.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use std::collections::BTreeMap;

use common::{FLAG, Traffic, World, answer, definition, flag};
use flagstone_events::{Batch, Body, Event};
use serde_json::{Value, json};

/// What evidence a status shows, without anything that depends on the time.
fn evidence(status: &Value) -> Value {
    let guardrails: Vec<Value> = flag(status)["guardrails"]
        .as_array()
        .expect("guardrails")
        .iter()
        .map(|g| {
            json!([
                g["metric"],
                g["treatedBad"],
                g["controlBad"],
                g["treatedUnits"],
                g["controlUnits"],
                g["logE"]
            ])
        })
        .collect();
    json!({"guardrails": guardrails, "units": flag(status)["units"], "cohorts": flag(status)["cohorts"]})
}

async fn started(world: &World) -> (flagstone_govern::Govern, common::Release) {
    let govern = world.start().await;
    let release = world.release(1, &definition("everyone", "answer@15"));
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    (govern, release)
}

#[tokio::test]
async fn the_same_batch_three_times_counts_once() {
    let world = World::new();
    let (govern, release) = started(&world).await;
    let mut traffic = Traffic::new("edge-1", 2_000, 2_000);
    let pulse = world.pulse(&govern).await;
    let (exposures, outcomes) = traffic.events(&release, &pulse, 0..400, world.now_ms());
    let batches = traffic.batches(exposures.into_iter().chain(outcomes).collect());
    let (status, body) = world.report(&govern, &batches[0]).await;
    assert_eq!((status, &body), (200, &json!({"accepted": 800, "duplicates": 0})));
    govern.tick().await.expect("a tick");
    let once = world.status(&govern).await;
    assert!(flag(&once)["units"]["treatment"].as_u64() > Some(5), "{}", flag(&once)["units"]);
    for _ in 0..2 {
        let (status, body) = world.report(&govern, &batches[0]).await;
        assert_eq!((status, &body), (200, &json!({"accepted": 0, "duplicates": 800})));
    }
    govern.tick().await.expect("a tick");
    let thrice = world.status(&govern).await;
    assert_eq!(evidence(&thrice), evidence(&once));
    assert_eq!(thrice["delivery"]["duplicateEvents"], 1_600);
    govern.shutdown().await;
}

#[tokio::test]
async fn overlapping_batches_and_gaps_are_accounted_for() {
    let world = World::new();
    let (govern, release) = started(&world).await;
    let traffic = Traffic::new("edge-1", 2_000, 2_000);
    let pulse = world.pulse(&govern).await;
    let (exposures, _) = traffic.events(&release, &pulse, 0..100, world.now_ms());
    let batch = |from: usize, to: usize, dropped: &[(&str, u64)]| {
        let events = exposures[from..to].iter().enumerate();
        let events = events.map(|(at, body)| Event { sequence: (from + at + 1) as u64, body: body.clone() });
        let dropped: BTreeMap<String, u64> = dropped.iter().map(|(why, n)| ((*why).to_owned(), *n)).collect();
        Batch::new("edge-1", None, dropped, events.collect()).expect("a batch")
    };
    let (_, body) = world.report(&govern, &batch(0, 40, &[])).await;
    assert_eq!(body, json!({"accepted": 40, "duplicates": 0}));
    // After a crash the host sends the same events in another cut.
    let (_, body) = world.report(&govern, &batch(30, 60, &[])).await;
    assert_eq!(body, json!({"accepted": 20, "duplicates": 10}));
    let (_, body) = world.report(&govern, &batch(80, 100, &[("spool-full", 20)])).await;
    assert_eq!(body, json!({"accepted": 20, "duplicates": 0}));
    // A late batch with an older, smaller declaration does not lower it.
    let (_, body) = world.report(&govern, &batch(70, 80, &[("spool-full", 5)])).await;
    assert_eq!(body, json!({"accepted": 10, "duplicates": 0}));
    govern.tick().await.expect("a tick");
    let status = world.status(&govern).await;
    let instance = &status["instances"][0];
    assert_eq!(
        [
            &instance["lastSequence"],
            &instance["received"],
            &instance["missing"],
            &instance["dropped"]["spool-full"]
        ],
        [100, 90, 10, 20]
    );
    govern.shutdown().await;
}

#[tokio::test]
async fn the_order_of_arrival_does_not_matter() {
    let mut seen = Vec::new();
    for order in ["outcomes first", "exposures first", "shuffled"] {
        let world = World::new();
        let (govern, release) = started(&world).await;
        let mut traffic = Traffic::new("edge-1", 3_000, 3_000);
        let pulse = world.pulse(&govern).await;
        let mut bodies: Vec<Body> = Vec::new();
        // Two visits of the same units, a minute apart.
        for visit in 0..2 {
            let (exposures, outcomes) =
                traffic.events(&release, &pulse, 0..2_000, world.now_ms() + visit * 60_000);
            bodies.extend(exposures);
            bodies.extend(outcomes);
        }
        match order {
            "outcomes first" => bodies.sort_by_key(|body| matches!(body, Body::Exposure(_))),
            "exposures first" => bodies.sort_by_key(|body| matches!(body, Body::Outcome(_))),
            _ => bodies.sort_by_key(|body| common::draw(&body.id().to_string())),
        }
        for batch in traffic.batches(bodies) {
            assert_eq!(world.report(&govern, &batch).await.0, 200);
            govern.tick().await.expect("a tick between, so that halves are derived apart");
        }
        world.pass(120);
        govern.tick().await.expect("a tick");
        seen.push(evidence(&world.status(&govern).await));
        govern.shutdown().await;
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    let bad = seen[0]["guardrails"][0][1].as_u64().expect("a count");
    let treated = seen[0]["units"]["treatment"].as_u64().expect("a count");
    assert!(
        bad > treated / 3 && bad < treated * 6 / 10,
        "two visits at 30 % make about 51 % bad: {bad} of {treated}"
    );
}

#[tokio::test]
async fn a_poisoned_batch_is_refused_whole_and_names_its_event() {
    let world = World::new();
    let (govern, release) = started(&world).await;
    let mut traffic = Traffic::new("edge-1", 2_000, 2_000);
    let pulse = world.pulse(&govern).await;
    let (exposures, _) = traffic.events(&release, &pulse, 0..3, world.now_ms());
    let batch = traffic.batches(exposures).remove(0);
    let mut text: Value = serde_json::to_value(&batch).expect("json");
    text["events"][1]["flag"] = json!("");
    let send = |body: String| {
        let request = world.client.post(world.url(&govern, "/events"));
        answer(request.header("content-type", "application/json").body(body))
    };
    let (status, body) = send(text.to_string()).await;
    assert_eq!(status, 422);
    let message = body["error"]["message"].as_str().expect("a message");
    assert!(message.starts_with("event 1 (sequence 2, id `"), "{message}");
    let (status, body) = send("{".to_owned()).await;
    assert_eq!((status, &body["error"]["code"]), (422, &json!("malformed")));
    let (status, body) = send(batch.to_json().expect("text").replace("production", "evaluation")).await;
    assert_eq!((status, &body["error"]["code"]), (422, &json!("wrong-id")), "altered on the way");
    let (status, _) = send("x".repeat(2 << 20)).await;
    assert_eq!(status, 413);
    govern.tick().await.expect("a tick");
    let status = world.status(&govern).await;
    assert_eq!([&status["delivery"]["exposures"], &status["delivery"]["refusedBatches"]], [0, 3]);
    govern.shutdown().await;
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_stop_and_the_pulse_number_rises() {
    let world = World::new();
    let (govern, release) = started(&world).await;
    let mut traffic = Traffic::new("edge-1", 2_000, 2_500);
    traffic.round(&world, &govern, &release, 0..3_000).await;
    let before = world.status(&govern).await;
    let pulse = world.pulse(&govern).await;
    // These are acknowledged and then the process is gone, before any tick has looked at them.
    let (exposures, outcomes) = traffic.events(&release, &pulse, 3_000..3_400, world.now_ms());
    for batch in traffic.batches(exposures.into_iter().chain(outcomes).collect()) {
        assert_eq!(world.report(&govern, &batch).await.0, 200);
    }
    drop(govern);

    let govern = world.start().await;
    let after = world.status(&govern).await;
    let exposures = |status: &Value| flag(status)["units"]["exposures"].as_u64().expect("a count");
    assert!(exposures(&after) > exposures(&before), "{} then {}", exposures(&before), exposures(&after));
    assert_eq!(after["delivery"]["exposures"], 3_400);
    assert_eq!(
        [&flag(&after)["phase"], &flag(&after)["stage"]],
        [&flag(&before)["phase"], &flag(&before)["stage"]]
    );
    let next = world.pulse(&govern).await;
    assert_eq!((next.stages, next.snapshot), (pulse.stages, pulse.snapshot));
    assert!(next.number >= pulse.number);
    world.pass(200);
    govern.tick().await.expect("a tick");
    assert!(world.pulse(&govern).await.number > pulse.number, "renewed before it runs out");
    govern.shutdown().await;
}
