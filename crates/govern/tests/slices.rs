//! Parts of the population, from the events to the verdict: harm in one language alone, counts that no order changes, and
//! nothing told of fewer than k.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops"
)]

mod common;

use std::collections::BTreeMap;

use common::{FLAG, Release, Traffic, World, definition, draw, flag};
use flagstone_events::{Batch, Body, Event, Pepper, Stream, UnitKey, Withdrawal};
use flagstone_govern::Govern;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

const WATCHED: &str = "
      slices:
        - { metric: answer-wrong, by: language, role: deterioration, share: 40%, values: [de, en] }
        - { metric: answer-slow, by: language }
        - { metric: answer-wrong, by: [intent, language] }
      guardrails:";

/// The usual set, with slices and with a share of the error budget for them.
fn watched() -> String {
    let text = definition("everyone", "answer@15").replace("\n      guardrails:", WATCHED);
    let text = text.replace("deterioration, share: 60%", "deterioration, share: 20%");
    text.replace("metrics:\n", "slices: { language: [de, en, fr], intent: [ask, tell] }\nmetrics:\n")
}

fn pick<'v>(what: &str, unit: &Body, values: &[&'v str]) -> &'v str {
    let drawn = draw(&format!("{what} {:?}", unit.unit().as_bytes()));
    values[usize::try_from(drawn).unwrap_or(0) % values.len()]
}

/// Gives the outcomes the slices of their units.
fn sliced(outcomes: &mut [Body]) {
    for body in outcomes {
        // Nine in ten speak English; a few speak what no plan names.
        let languages = ["en", "en", "en", "en", "en", "en", "en", "de", "fr", "da"];
        let slices = [
            ("language", pick("language", body, &languages)),
            ("intent", pick("intent", body, &["ask", "tell"])),
        ];
        if let Body::Outcome(outcome) = body {
            outcome.slices = slices.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        }
    }
}

async fn begun(world: &World) -> (Govern, Release) {
    let govern = world.start().await;
    let release = world.release(1, &watched());
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    (govern, release)
}

fn cell<'s>(status: &'s Value, metric: &str, language: &str) -> &'s Value {
    let all = flag(status)["slices"].as_array().expect("slices");
    let found = all.iter().find(|one| one["metric"] == metric && one["slice"]["language"] == language);
    found.unwrap_or_else(|| panic!("no {metric} in {language}: {all:?}"))
}

#[tokio::test]
async fn harm_in_one_language_takes_the_flag_back_while_the_whole_shows_nothing() {
    let world = World::new();
    let (govern, release) = begun(&world).await;
    let mut traffic = Traffic::new("edge-1", 400, 400);
    let mut rounds = 0;
    loop {
        let pulse = world.pulse(&govern).await;
        if !pulse.halts.is_empty() {
            break;
        }
        let units = rounds * 2_000..(rounds + 1) * 2_000;
        let (exposures, mut outcomes) = traffic.events(&release, &pulse, units, world.now_ms());
        sliced(&mut outcomes);
        for (body, exposure) in outcomes.iter_mut().zip(&exposures) {
            let Body::Exposure(exposure) = exposure else { continue };
            if let Body::Outcome(outcome) = body
                && exposure.variant == "concise"
                && outcome.slices["language"] == "de"
            {
                // German is five times worse; all others are better, so that the whole is no worse.
                outcome.booleans.insert("wrong".into(), draw(&format!("{:?}", outcome.id)) < 2_000);
            } else if let Body::Outcome(outcome) = body
                && exposure.variant == "concise"
                && draw(&format!("better {:?}", outcome.id)) < 9_000
            {
                outcome.booleans.insert("wrong".into(), false);
            }
        }
        world.pass(30);
        for batch in traffic.batches(exposures.into_iter().chain(outcomes).collect()) {
            assert_eq!(world.report(&govern, &batch).await.0, 200);
        }
        govern.tick().await.expect("a tick");
        rounds += 1;
        assert!(rounds < 60, "{:#}", flag(&world.status(&govern).await)["slices"]);
    }
    let status = world.status(&govern).await;
    let halted = flag(&status);
    assert_eq!((&halted["phase"], &halted["settled"]["rule"]), (&json!("halted"), &json!("2-deterioration")));
    let reason = halted["settled"]["reasons"][0].as_str().expect("a reason");
    assert!(reason.starts_with("`answer-wrong` in language=de: "), "{reason}");
    let whole = &halted["guardrails"][0];
    assert_eq!(whole["latched"], Value::Null);
    let nothing = whole["logE"].as_f64() < whole["logThreshold"].as_f64();
    assert!(nothing && whole["verdict"] != "regressed", "the whole shows nothing: {whole}");
    let de = cell(&status, "answer-wrong", "de");
    assert_eq!(de["verdict"], "harmed", "{de}");
    assert!(de["latched"]["logE"].as_f64() > de["logThreshold"].as_f64(), "{de}");
    assert_ne!(cell(&status, "answer-wrong", "en")["verdict"], "harmed");
    let table = &halted["crossings"][0];
    assert_eq!(
        (&table["metric"], &table["rows"], &table["columns"]),
        (&json!("answer-wrong"), &json!("intent"), &json!("language"))
    );
    assert!(
        halted["sampleRatioSlices"].as_array().expect("a list").iter().all(|one| one["suspect"] == false)
    );

    // Good days do not wash it away, a restart does not forget it, and the record replays to the last bit.
    let pulse = world.pulse(&govern).await;
    let (_, mut outcomes) = traffic.events(&release, &pulse, 0..4_000, world.now_ms());
    sliced(&mut outcomes);
    for batch in traffic.batches(outcomes) {
        assert_eq!(world.report(&govern, &batch).await.0, 200);
    }
    govern.tick().await.expect("a tick");
    govern.shutdown().await;
    let govern = world.start().await;
    govern.tick().await.expect("a tick");
    let again = world.status(&govern).await;
    assert_eq!(flag(&again)["phase"], "halted");
    assert_eq!(cell(&again, "answer-wrong", "de")["latched"], de["latched"]);
    let audit = govern.audit(None).await.expect("a sound ledger");
    assert!(audit.decisions >= 1, "{audit:?}");
    let records = world.ledger(&govern).await;
    let decision =
        records.iter().rev().find(|entry| entry["record"]["kind"] == "decision").expect("a decision");
    let told = decision["record"]["data"]["judgement"]["slices"].to_string();
    assert!(told.contains("harmed") && !told.contains("Bad"), "no bad units by slice: {told}");
    govern.shutdown().await;
}

/// The tables that slices are counted in, whole.
async fn tables(world: &World) -> Vec<String> {
    let mut file = SqliteConnectOptions::new().filename(world.database()).connect().await.expect("the file");
    let tallies = sqlx::query(
        "SELECT kind || ' ' || name || ' ' || dimension || '=' || value || ' ' || second || '=' || second_value || ' '
         || cohort || ' ' || probability || ': ' || treated || ' ' || treated_bad || ' ' || control || ' ' || control_bad AS line
         FROM slice_tallies WHERE treated <> 0 OR control <> 0 OR treated_bad <> 0 OR control_bad <> 0
         UNION ALL SELECT hex(unit) || ' ' || known FROM unit_slices ORDER BY line",
    );
    tallies.fetch_all(&mut file).await.expect("rows").iter().map(|row| row.get("line")).collect()
}

/// Sends the events in these steps, each followed by a tick, and gives back what was counted.
async fn counted(steps: Vec<Vec<Body>>, world: World, govern: Govern) -> (Vec<String>, Value) {
    let mut sequence = 1;
    for step in &steps {
        for some in step.chunks(1_000) {
            let events =
                (sequence..).zip(some).map(|(sequence, body)| Event { sequence, body: body.clone() });
            let events: Vec<Event> = events.collect();
            sequence += events.len() as u64;
            let batch = Batch::new("edge-1", None, BTreeMap::new(), events).expect("a batch");
            assert_eq!(world.report(&govern, &batch).await.0, 200);
        }
        govern.tick().await.expect("a tick");
    }
    let status = world.status(&govern).await;
    let told = flag(&status);
    let told = json!([told["slices"], told["sampleRatioSlices"], told["crossings"]]);
    govern.shutdown().await;
    (tables(&world).await, told)
}

fn withdrawal(body: &Body, at_ms: u64) -> Body {
    let pepper = Pepper::from_bytes([7; 32]);
    let number = (0..600).find(|number| {
        let key = UnitKey::new(format!("user-{number}")).expect("a key");
        Withdrawal::of_unit(&pepper, Stream::Production, &key, at_ms)
            .is_ok_and(|one| Body::Withdrawal(one).unit() == body.unit())
    });
    let key = UnitKey::new(format!("user-{}", number.expect("a unit of the traffic"))).expect("a key");
    Body::Withdrawal(Withdrawal::of_unit(&pepper, Stream::Production, &key, at_ms).expect("a withdrawal"))
}

#[tokio::test]
async fn no_order_partition_duplicate_or_withdrawal_changes_what_is_counted_by_slice() {
    let mut seen: Vec<(String, (Vec<String>, Value))> = Vec::new();
    for order in [
        "as they come",
        "outcomes first",
        "shuffled",
        "thrice and in pieces",
        "withdrawn and again",
        "never there",
    ] {
        let world = World::new();
        let (govern, release) = begun(&world).await;
        let pulse = world.pulse(&govern).await;
        let traffic = Traffic::new("edge-1", 2_000, 3_000);
        let (exposures, mut outcomes) = traffic.events(&release, &pulse, 0..600, world.now_ms());
        // A second visit, in another language for some: they stay where they were first seen. And one before the
        // enrolment, which is earlier still and comes in whenever it comes in.
        let (_, mut second) = traffic.events(&release, &pulse, 0..600, world.now_ms() + 60_000);
        let (_, mut before) = traffic.events(&release, &pulse, 0..90, world.now_ms() - 60_000);
        sliced(&mut outcomes);
        for body in &mut second {
            let language = pick("second", body, &["en", "de", "fr"]).to_owned();
            if let Body::Outcome(outcome) = body {
                outcome.slices = BTreeMap::from([("language".to_owned(), language)]);
            }
        }
        for body in &mut before {
            if let Body::Outcome(outcome) = body {
                outcome.slices = BTreeMap::from([("language".to_owned(), "de".to_owned())]);
            }
        }
        // Some first outcomes say nothing of the language: the next one that does decides.
        for body in outcomes.iter_mut().skip(500) {
            if let Body::Outcome(outcome) = body {
                outcome.slices.clear();
            }
        }
        let gone: Vec<Body> = outcomes.iter().skip(100).take(25).cloned().collect();
        let is_gone = |body: &Body| gone.iter().any(|other| other.unit() == body.unit());
        let all: Vec<Body> = [exposures.clone(), outcomes.clone(), second.clone(), before.clone()].concat();
        let withdrawals: Vec<Body> =
            gone.iter().map(|body| withdrawal(body, world.now_ms() + 1_000)).collect();
        let mut shuffled = all.clone();
        shuffled.sort_by_key(|body| draw(&format!("{body:?}")));
        let steps: Vec<Vec<Body>> = match order {
            "as they come" => vec![before, exposures, outcomes, second, withdrawals],
            "outcomes first" => vec![second, outcomes, withdrawals, before, exposures],
            "shuffled" => vec![shuffled, withdrawals],
            "thrice and in pieces" => {
                let pieces: Vec<Vec<Body>> = shuffled.chunks(97).map(<[Body]>::to_vec).collect();
                [pieces, vec![all.clone(), withdrawals.clone(), withdrawals, all]].concat()
            }
            "withdrawn and again" => vec![withdrawals, second, shuffled],
            // Only what they did after they took it back, which was a second visit without an exposure.
            _ => vec![
                all.into_iter()
                    .filter(|body| !is_gone(body) || body.at_ms() > world.now_ms() + 1_000)
                    .collect(),
            ],
        };
        seen.push((order.to_owned(), counted(steps, world, govern).await));
    }
    let (_, first) = &seen[0];
    assert!(first.0.len() > 600, "units and counts: {}", first.0.len());
    assert!(
        first.0.iter().any(|line| line.contains("language=(other)")),
        "Danish is counted with the others"
    );
    assert!(
        first
            .0
            .iter()
            .any(|line| line.contains("intent=ask language=de") || line.contains("ask language=de"))
    );
    for (order, other) in &seen {
        assert_eq!(other.0, first.0, "{order}");
        assert_eq!(other.1, first.1, "{order}");
    }
}

#[tokio::test]
async fn nothing_is_told_of_fewer_than_k() {
    let world = World::new();
    let (govern, release) = begun(&world).await;
    let pulse = world.pulse(&govern).await;
    let (exposures, mut outcomes) =
        Traffic::new("edge-1", 3_000, 3_000).events(&release, &pulse, 0..1_500, world.now_ms());
    sliced(&mut outcomes);
    let (_, told) = counted(vec![exposures, outcomes], world, govern).await;
    let cells = told[0].as_array().expect("cells");
    assert_eq!(cells.len(), 3 + 4, "two values and the others, three values and the others");
    let shown: Vec<&Value> = cells.iter().filter(|cell| !cell["units"].is_null()).collect();
    assert!(!shown.is_empty() && shown.len() < cells.len(), "some are large enough, some are not: {told:#}");
    for cell in shown.iter().chain(
        &told[1].as_array().expect("ratios").iter().filter(|one| !one["units"].is_null()).collect::<Vec<_>>(),
    ) {
        for arm in ["treatment", "control"] {
            let units = cell["units"][arm].as_u64().expect("a count");
            assert!(units >= 20 && units % 20 == 0, "{cell}");
        }
    }
    for hidden in cells.iter().filter(|cell| cell["units"].is_null()) {
        assert_eq!(hidden["rateRatio"], Value::Null);
    }
}
