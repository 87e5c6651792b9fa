//! Withdrawals: a unit that takes its consent back leaves rows and counts, whenever it does.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops"
)]

mod common;

use std::collections::BTreeMap;

use common::{Traffic, World, evidence, flag, started};
use flagstone_events::{Batch, Body, Event, EventId, Pepper, Stream, UnitKey, Withdrawal};
use serde_json::json;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

fn withdrawal(number: u64, at_ms: u64) -> Body {
    // The same pepper as the traffic's, as one host would have it.
    let key = UnitKey::new(format!("user-{number}")).expect("a key");
    let pepper = Pepper::from_bytes([7; 32]);
    Body::Withdrawal(Withdrawal::of_unit(&pepper, Stream::Production, &key, at_ms).expect("a withdrawal"))
}

fn is_of(body: &Body, numbers: std::ops::Range<u64>) -> bool {
    numbers.into_iter().any(|number| withdrawal(number, 0).unit() == body.unit())
}

#[tokio::test]
async fn a_unit_that_withdraws_is_erased_as_if_it_had_never_been_there() {
    let mut seen = Vec::new();
    for order in ["never there", "withdrawn after", "withdrawn before", "withdrawn in between"] {
        let world = World::new();
        let (govern, release) = started(&world).await;
        let pulse = world.pulse(&govern).await;
        let at_ms = world.now_ms();
        let (exposures, outcomes) =
            Traffic::new("edge-1", 2_000, 3_000).events(&release, &pulse, 0..600, at_ms);
        let gone = 0..40_u64;
        let withdrawals: Vec<Body> = gone.clone().map(|number| withdrawal(number, at_ms + 1_000)).collect();
        let withdrawn = exposures.iter().filter(|body| is_of(body, gone.clone())).count();
        assert_eq!(withdrawn, 40);
        let mut steps: Vec<Vec<Body>> = match order {
            "never there" => vec![exposures, outcomes],
            "withdrawn after" => vec![exposures, outcomes, withdrawals],
            "withdrawn before" => vec![withdrawals, exposures, outcomes],
            _ => vec![exposures, withdrawals, outcomes],
        };
        if order == "never there" {
            steps.iter_mut().for_each(|step| step.retain(|body| !is_of(body, gone.clone())));
        }
        let mut sequence = 1;
        for step in &steps {
            let events: Vec<Event> = (sequence..)
                .zip(step)
                .map(|(sequence, body)| Event { sequence, body: body.clone() })
                .collect();
            sequence += events.len() as u64;
            let batch = Batch::new("edge-1", None, BTreeMap::new(), events).expect("a batch");
            assert_eq!(world.report(&govern, &batch).await.0, 200);
            govern.tick().await.expect("a tick");
        }
        // Sent again, as at-least-once allows: the erased events are known, and do not come back.
        let again: Vec<Event> = (sequence..)
            .zip(&steps[0])
            .map(|(sequence, body)| Event { sequence, body: body.clone() })
            .collect();
        let total = again.len();
        let batch = Batch::new("edge-1", None, BTreeMap::new(), again).expect("a batch");
        assert_eq!(world.report(&govern, &batch).await, (200, json!({"accepted": 0, "duplicates": total})));
        govern.tick().await.expect("a tick");
        let status = world.status(&govern).await;
        let mut counted = evidence(&status);
        counted["units"]["exposures"].take(); // how many events came in is not about anybody
        seen.push(counted);
        if order != "never there" {
            let delivery = &status["delivery"];
            assert_eq!(
                (&delivery["withdrawals"], &delivery["erasedEvents"]),
                (&json!(40), &json!(80)),
                "{order}"
            );
        }
        govern.shutdown().await;
        let mut file =
            SqliteConnectOptions::new().filename(world.database()).connect().await.expect("the file");
        for table in ["exposures", "outcomes", "units", "readings"] {
            let rows =
                sqlx::query(sqlx::AssertSqlSafe(format!("SELECT unit FROM {table}"))).fetch_all(&mut file);
            for row in rows.await.expect("rows") {
                let unit: Vec<u8> = row.get("unit");
                let left =
                    gone.clone().any(|number| withdrawal(number, 0).unit().as_bytes().as_slice() == unit);
                assert!(!left, "{order}: `{table}` still has a unit that withdrew");
            }
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:#?}");
}

#[tokio::test]
async fn who_consents_again_counts_from_then_on() {
    let world = World::new();
    let (govern, release) = started(&world).await;
    let pulse = world.pulse(&govern).await;
    let mut traffic = Traffic::new("edge-1", 2_000, 3_000);
    let (first, mut outcomes) = traffic.events(&release, &pulse, 0..400, world.now_ms());
    // The same people a day later: another exposure window, and so another event.
    let mut second = first.clone();
    for (body, number) in second.iter_mut().chain(&mut outcomes).zip(0_u128..) {
        match body {
            Body::Exposure(exposure) => {
                exposure.id = EventId::from_bytes((number | 1 << 100).to_be_bytes());
                exposure.at_ms += 90_000_000;
            }
            Body::Outcome(outcome) => outcome.at_ms += 90_000_000,
            Body::Withdrawal(_) => {}
        }
    }
    let withdrawals = (0..400).map(|number| withdrawal(number, world.now_ms() + 10)).collect();
    for step in [first, second, outcomes, withdrawals] {
        for batch in traffic.batches(step) {
            assert_eq!(world.report(&govern, &batch).await.0, 200);
        }
        govern.tick().await.expect("a tick");
    }
    let status = world.status(&govern).await;
    let units = |arm: &str| flag(&status)["units"][arm].as_u64().unwrap_or(0);
    assert!(units("treatment") > 5 && units("control") > 5, "{}", flag(&status)["units"]);
    assert_eq!(
        status["delivery"]["erasedEvents"], 400,
        "the first exposures; the second ones and their outcomes stay"
    );
    let measured = flag(&status)["guardrails"][0]["treatedUnits"].as_u64();
    assert_eq!(measured, Some(units("treatment")));
    govern.shutdown().await;
}
