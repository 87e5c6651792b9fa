//! The counts: equal to a count by hand over the stored events, unbiased when arms change, gated by what was asked for.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use common::{FLAG, Release, Traffic, World, definition, flag};
use flagstone_govern::Govern;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Row};

/// A plan that goes up on time alone: nothing has to be shown, harm still takes it back.
fn on_time_alone(definition: &str) -> String {
    definition.replace(", promote: { notWorseBy: 10% }", "")
}

/// Everybody comes back in every round while the rollout climbs.
async fn climb(world: &World, units: u64, rates: (u64, u64)) -> (Govern, Release, Vec<Value>) {
    climb_by(world, units, rates, str::to_owned).await
}

async fn climb_by(
    world: &World,
    units: u64,
    rates: (u64, u64),
    change: impl Fn(&str) -> String,
) -> (Govern, Release, Vec<Value>) {
    let govern = world.start().await;
    let release = world.release(1, &change(&on_time_alone(&definition("everyone", "answer@15"))));
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    let mut traffic = Traffic::new("edge-1", rates.0, rates.1);
    let mut seen = Vec::new();
    for _ in 0..14 {
        traffic.round(world, &govern, &release, 0..units).await;
        seen.push(flag(&world.status(&govern).await).clone());
    }
    (govern, release, seen)
}

/// By hand, over the raw events: first exposures and first bad outcomes, unit by unit, in SQL that shares nothing with
/// the program's way of counting by differences.
const BY_HAND: &str = "
    WITH evidence AS (
        SELECT unit, min(at_ms) AS at, arm, cohort, probability, min(arm) <> max(arm) AS both FROM exposures
        WHERE arm <> 0 AND probability > 0 AND probability < 1000000000 GROUP BY unit),
    plain AS (
        SELECT unit, min(at_ms) AS at FROM exposures WHERE arm <> 0 AND probability IN (0, 1000000000) GROUP BY unit),
    measured AS (
        SELECT e.cohort, e.probability, e.arm, max(json_extract(o.booleans, '$.wrong')) AS bad
        FROM evidence e LEFT JOIN plain p ON p.unit = e.unit
        JOIN outcomes o ON o.unit = e.unit AND o.at_ms >= e.at AND o.at_ms < coalesce(p.at, 9e18)
        WHERE NOT e.both AND (p.at IS NULL OR e.at < p.at) GROUP BY e.unit)
    SELECT cohort, probability, arm, count(*) AS units, sum(bad) AS bad FROM measured GROUP BY 1, 2, 3 ORDER BY 1, 2, 3";

#[tokio::test]
async fn counting_by_differences_equals_counting_by_hand() {
    let world = World::new();
    let (govern, _, seen) = climb(&world, 1_500, (300, 250)).await;
    assert_eq!(seen.last().expect("a round")["stage"], 3, "it went through all stages");
    govern.shutdown().await;
    let mut file = SqliteConnectOptions::new().filename(world.database()).connect().await.expect("the file");
    let row = |row: sqlx::sqlite::SqliteRow| -> [i64; 5] {
        ["cohort", "probability", "arm", "units", "bad"].map(|column| row.get::<i64, _>(column))
    };
    let by_hand: Vec<_> =
        sqlx::query(BY_HAND).fetch_all(&mut file).await.expect("rows").into_iter().map(row).collect();
    let kept =
        "SELECT cohort, probability, arm, units, bad FROM tallies WHERE kind = 1 AND name = 'answer-wrong'
                AND probability > 0 AND units > 0 ORDER BY 1, 2, 3";
    let kept: Vec<_> =
        sqlx::query(kept).fetch_all(&mut file).await.expect("rows").into_iter().map(row).collect();
    assert!(by_hand.len() >= 4, "several cohorts in two arms: {by_hand:?}");
    assert_eq!(kept, by_hand);
}

#[tokio::test]
async fn a_candidate_that_changes_nothing_is_not_taken_back_while_arms_change() {
    let world = World::new();
    // 3 % bad a visit and everybody comes back: the old pool loses its units to their first bad event, and beyond 50 %
    // controls cross over. A comparison by calendar would see harm here.
    let (govern, _, seen) = climb(&world, 6_000, (300, 300)).await;
    let last = seen.last().expect("a round");
    assert_eq!((&last["phase"], &last["stage"]), (&json!("complete"), &json!(3)), "{:#}", last["reasons"]);
    assert_eq!(last["units"]["both"], 0, "crossing over is not being in both arms");
    for round in &seen {
        let wrong = &round["guardrails"][0];
        assert!(wrong["logE"].as_f64() < wrong["logThreshold"].as_f64(), "{wrong}");
    }
    let counted: u64 =
        last["cohorts"].as_array().expect("cohorts").iter().map(|c| c["treated"].as_u64().unwrap_or(0)).sum();
    assert!(
        last["units"]["treatment"].as_u64() > Some(counted),
        "those who crossed over have it, and are no evidence"
    );
    govern.shutdown().await;
}

#[tokio::test]
async fn harm_that_shows_late_takes_back_what_had_passed_everything() {
    let world = World::new();
    let (govern, release, seen) = climb_by(&world, 4_000, (20, 20), |text| {
        text.replace("        - { name: everyone, treat: 99%, control: 1%, bake: 60s }\n", "")
            .replace("everyone", "50%")
    })
    .await;
    assert_eq!(seen.last().expect("a round")["phase"], "complete");
    let mut traffic = Traffic::new("edge-2", 20, 2_000);
    traffic.round(&world, &govern, &release, 0..4_000).await;
    let status = world.status(&govern).await;
    assert_eq!(flag(&status)["phase"], "halted", "{:#}", flag(&status)["guardrails"]);
    govern.shutdown().await;
}

#[tokio::test]
async fn a_stage_that_gives_up_its_controls_says_so() {
    let world = World::new();
    let (govern, _, seen) = climb(&world, 900, (20, 20)).await;
    let last = seen.last().expect("a round");
    let compared: Vec<&Value> =
        last["stages"].as_array().expect("stages").iter().map(|s| &s["compared"]).collect();
    assert_eq!(compared, [true, true, true, false]);
    assert!(last["next"].as_str().expect("words").contains("only tripwires"), "{}", last["next"]);
    govern.shutdown().await;
}

#[tokio::test]
async fn what_nothing_can_see_holds_the_stage() {
    let world = World::new();
    let govern = world.start().await;
    let text = on_time_alone(&definition("everyone", "answer@15"))
        .replace("need: { units: 20 }", "need: { units: 20, suite: red-team@7 }");
    let release = world.release(1, &text);
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    let mut traffic = Traffic::new("edge-1", 100, 100);
    for round in 0..6 {
        traffic.round(&world, &govern, &release, round * 500..(round + 1) * 500).await;
    }
    let status = world.status(&govern).await;
    assert_eq!((&flag(&status)["phase"], &flag(&status)["stage"]), (&json!("held"), &json!(0)));
    assert_eq!(flag(&status)["settled"]["reasons"][0], "not seen: suite `red-team@7` passed");
    govern.shutdown().await;
}

#[tokio::test]
async fn an_outage_is_not_time_that_a_stage_was_watched() {
    let world = World::new();
    let govern = world.start().await;
    let release = world.release(1, &on_time_alone(&definition("everyone", "answer@15")));
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    let mut traffic = Traffic::new("edge-1", 100, 100);
    traffic.round(&world, &govern, &release, 0..2_000).await;
    govern.shutdown().await;

    // Thirty seconds of sixty had passed; the pulse ran out after five minutes; the governor comes back a day later.
    world.pass(common::DAY);
    let govern = world.start().await;
    let pulse = world.pulse(&govern).await;
    let (_, outcomes) = traffic.events(&release, &pulse, 0..100, world.now_ms());
    for batch in traffic.batches(outcomes) {
        world.report(&govern, &batch).await;
    }
    govern.tick().await.expect("a tick");
    let status = world.status(&govern).await;
    assert_eq!(
        flag(&status)["stage"],
        1,
        "five minutes with a live pulse were enough: {:#}",
        flag(&status)["requirements"]
    );
    let opened = flag(&status)["since"].as_u64().expect("a time");
    assert_eq!(opened, world.now_ms());
    let kinds: Vec<Value> = world.ledger(&govern).await.iter().map(|e| e["record"]["kind"].clone()).collect();
    assert!(kinds.contains(&json!("outage")), "{kinds:?}");

    // A minute later, most of it without a governor: the lease ran out again, and the bake time did not.
    govern.shutdown().await;
    world.pass(3_600);
    let govern = world.start().await;
    let (_, outcomes) = traffic.events(&release, &world.pulse(&govern).await, 0..100, world.now_ms());
    for batch in traffic.batches(outcomes) {
        world.report(&govern, &batch).await;
    }
    let since = flag(&world.status(&govern).await)["since"].as_u64().expect("a time");
    assert_eq!(world.now_ms() - since, 300_000, "watched for as long as the pulse lived");
    govern.shutdown().await;
}
