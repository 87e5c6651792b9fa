//! Whole rollouts through the real HTTP API: a better candidate is promoted beneath the ceiling, a worse one is halted.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use common::{DAY, FLAG, Traffic, World, definition, flag};
use serde_json::json;

#[tokio::test]
async fn a_better_candidate_climbs_to_its_ceiling_and_no_further_without_a_signature() {
    let world = World::new();
    let govern = world.start().await;
    let first = world.release(1, &definition("20%", "answer@15"));
    world.publish(&govern, &first).await;
    assert_eq!(world.pulse(&govern).await.stages, vec![], "nothing opens by itself");

    let (status, body) = world.order(&govern, FLAG, "start").await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)), "{body}");
    let (_, again) = world.order(&govern, FLAG, "start").await;
    assert_eq!(again["changed"], json!(false), "starting twice changes nothing");
    assert_eq!(world.pulse(&govern).await.stages.iter().map(|open| open.stage).collect::<Vec<_>>(), vec![0]);

    let mut traffic = Traffic::new("edge-1", 2_000, 600);
    let mut reached = Vec::new();
    for round in 0..40_u64 {
        traffic.round(&world, &govern, &first, round * 1_000..(round + 1) * 1_000).await;
        let stage = world.pulse(&govern).await.stages[0].stage;
        assert!(stage <= 1, "the ceiling is stage 1, the pulse says {stage}");
        if reached.last() != Some(&stage) {
            reached.push(stage);
        }
        if flag(&world.status(&govern).await)["phase"] == "awaiting-approval" {
            break;
        }
    }
    assert_eq!(reached, vec![0, 1]);
    let before = world.status(&govern).await;
    assert_eq!(flag(&before)["phase"], "awaiting-approval", "{:#}", flag(&before)["requirements"]);

    // People raise the ceiling: a new signature over the same plan. The attempt and its evidence go on.
    let second = world.release(2, &definition("everyone", "answer@15"));
    world.publish(&govern, &second).await;
    let after = world.status(&govern).await;
    assert_eq!(flag(&after)["attempt"], 1);
    assert_eq!(flag(&after)["units"], flag(&before)["units"]);
    for (new, old) in [0, 1].map(|at| (&flag(&after)["guardrails"][at], &flag(&before)["guardrails"][at])) {
        assert_eq!(new["logE"], old["logE"]);
        assert_eq!(new["treatedBad"], old["treatedBad"]);
    }
    for round in 40..120_u64 {
        traffic.round(&world, &govern, &second, round * 1_000..(round + 1) * 1_000).await;
        let stage = world.pulse(&govern).await.stages[0].stage;
        if reached.last() != Some(&stage) {
            reached.push(stage);
        }
        if flag(&world.status(&govern).await)["phase"] == "complete" {
            break;
        }
    }
    let end = world.status(&govern).await;
    assert_eq!(flag(&end)["phase"], "complete", "{:#}", flag(&end)["requirements"]);
    assert_eq!(reached, vec![0, 1, 2, 3], "one stage at a time, none skipped");

    // People take approval back: the stage goes down with the very next pulse, whatever the evidence says.
    let third = world.release(3, &definition("20%", "answer@15"));
    world.publish(&govern, &third).await;
    assert_eq!(world.pulse(&govern).await.stages.iter().map(|open| open.stage).collect::<Vec<_>>(), vec![1]);
    let fourth = definition("20%", "answer@15").replace("      ceiling: 20%\n", "");
    world.publish(&govern, &world.release(4, &fourth)).await;
    assert_eq!(
        world.pulse(&govern).await.stages.iter().map(|open| open.stage).collect::<Vec<_>>(),
        vec![0],
        "without a ceiling, the first stage"
    );
    assert_eq!(flag(&world.status(&govern).await)["attempt"], 1);
    let audit = govern.audit(None).await.expect("a sound ledger");
    assert!(audit.decisions >= 4, "every step is a decision that replays, {audit:?}");
    govern.shutdown().await;
}

#[tokio::test]
async fn a_worse_candidate_is_halted_at_once_and_stays_so() {
    let mut world = World::new();
    world.auto_start = true;
    let govern = world.start().await;
    let release = world.release(1, &definition("everyone", "answer@15"));
    world.publish(&govern, &release).await;
    assert_eq!(
        world.pulse(&govern).await.stages.iter().map(|open| open.stage).collect::<Vec<_>>(),
        vec![0],
        "started by itself as configured"
    );

    let mut traffic = Traffic::new("edge-1", 1_000, 4_000);
    let mut rounds = 0;
    while world.pulse(&govern).await.halts.is_empty() {
        traffic.round(&world, &govern, &release, rounds * 1_000..(rounds + 1) * 1_000).await;
        rounds += 1;
        assert!(rounds < 20, "{:#}", flag(&world.status(&govern).await)["guardrails"]);
    }
    let pulse = world.pulse(&govern).await;
    assert_eq!((pulse.halts.as_slice(), pulse.stages.len()), ([FLAG.to_owned()].as_slice(), 0));
    let status = world.status(&govern).await;
    let halted = flag(&status);
    assert_eq!(
        (&halted["phase"], &halted["stage"]),
        (&json!("halted"), &json!(0)),
        "before anything was widened"
    );
    assert!(
        halted["sentence"].as_str().expect("a sentence").contains("`answer-wrong`"),
        "{}",
        halted["sentence"]
    );

    // Nobody resumes over evidence, and good days do not wash it away.
    let (status, body) = world.order(&govern, FLAG, "resume").await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("latched")));
    traffic.wrong_concise = 0;
    traffic.round(&world, &govern, &release, 50_000..52_000).await;
    assert_eq!(world.pulse(&govern).await.halts, vec![FLAG.to_owned()]);

    // The same plan signed again is the same attempt; a changed candidate is the next one, with a smaller budget.
    world.pass(DAY);
    let same = world.release(2, &definition("everyone", "answer@15"));
    world.publish(&govern, &same).await;
    assert_eq!(world.pulse(&govern).await.halts, vec![FLAG.to_owned()]);
    let first_alpha = flag(&world.status(&govern).await)["alpha"]["attempt"].as_f64().expect("a number");
    let changed = world.release(3, &definition("everyone", "answer@16"));
    world.publish(&govern, &changed).await;
    let status = world.status(&govern).await;
    let next = flag(&status);
    assert_eq!(
        (&next["attempt"], &next["phase"], &next["units"]["treatment"]),
        (&json!(2), &json!("open"), &json!(0))
    );
    let second_alpha = next["alpha"]["attempt"].as_f64().expect("a number");
    assert!((first_alpha / second_alpha - 4.0).abs() < 1e-9, "alpha_k falls as 1/k^2");
    assert!(world.pulse(&govern).await.halts.is_empty());
    govern.shutdown().await;
}

#[tokio::test]
async fn anyone_halts_and_only_people_lift_it() {
    let world = World::new();
    let govern = world.start().await;
    let release = world.release(1, &definition("20%", "answer@15"));
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    let before = world.pulse(&govern).await;

    let (status, body) = world.order(&govern, FLAG, "halt").await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)));
    let halted = world.pulse(&govern).await;
    assert_eq!(halted.halts, vec![FLAG.to_owned()], "published before the order was answered");
    assert_eq!(body["pulse"], json!(halted.number));
    assert!(halted.number > before.number);
    let (_, again) = world.order(&govern, FLAG, "halt").await;
    assert_eq!((&again["changed"], &again["pulse"]), (&json!(false), &json!(halted.number)));

    // A person's halt outlives restarts and new attempts.
    govern.shutdown().await;
    let govern = world.start().await;
    world.publish(&govern, &world.release(2, &definition("20%", "answer@16"))).await;
    assert_eq!(world.pulse(&govern).await.halts, vec![FLAG.to_owned()]);
    let (_, resumed) = world.order(&govern, FLAG, "resume").await;
    assert_eq!(resumed["changed"], json!(true));
    assert!(world.pulse(&govern).await.halts.is_empty());

    // Flags without a plan have a kill switch too.
    let (status, _) = world.order(&govern, "banner", "halt").await;
    assert_eq!(status, 200);
    assert_eq!(world.pulse(&govern).await.halts, vec!["banner".to_owned()]);
    let (status, body) = world.order(&govern, "nothing", "halt").await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("unknown-flag")));
    let (status, body) = world.order(&govern, "banner", "start").await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("no-plan")));
    govern.shutdown().await;
}
