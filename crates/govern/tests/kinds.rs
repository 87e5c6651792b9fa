//! Rollouts steered by what is measured: costs, ratios, scores and latencies, with windows that close in virtual time.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops"
)]

mod common;
#[path = "kinds/drift.rs"]
mod drift;

use common::{FLAG, Release, Traffic, World, definition, draw, flag};
use flagstone_events::{Arm, Body};
use flagstone_govern::Govern;
use serde_json::{Value, json};

const METRICS: &str = "metrics:
  cost: { event: answer, mean: cost, better: lower, winsorise: 9, baseline: 0.2, planned: 2000 units, window: 60s, grace: 10s }
  each: { event: answer, ratio: { of: cost }, better: lower, baseline: 0.2, window: 60s, grace: 10s }
  adjusted: { event: answer, mean: cost, better: lower, adjust: 1h, window: 60s, grace: 10s }
  grounded: { event: answer, score: { of: score, bar: 0.9, batch: 60s }, window: 60s, grace: 10s }
  median: { event: answer, quantile: { of: latency, at: 50% }, better: lower, window: 60s, grace: 10s }
";

/// The set under test with these guardrails beside `answer-wrong`; every unit is drawn at the first stage.
fn with(guardrails: &str) -> String {
    let text = definition("everyone", "answer@15").replace("metrics:\n", METRICS);
    let (head, rest) = text.split_once("      guardrails:\n").expect("the plan's guardrails");
    let (_, tail) =
        rest.split_once("everyone, treat: 99%, control: 1%, bake: 60s }\n").expect("its last stage");
    format!(
        "{head}      guardrails:
        - {{ metric: answer-wrong, role: deterioration }}
{guardrails}
      stages:
        - {{ name: half, treat: 50%, control: 50%, bake: 60s, need: {{ units: 100 }} }}
        - {{ name: everyone, treat: 99%, control: 1%, bake: 60s }}
{tail}"
    )
}

/// What the candidate does to what is measured: factors on cost and latency, and the mean score.
#[derive(Clone, Copy)]
struct Candidate {
    cost: i64,
    latency: i64,
    score: i64,
}

const SAME: Candidate = Candidate { cost: 100, latency: 100, score: 960_000 };

struct Rollout {
    world: World,
    govern: Govern,
    release: Release,
    traffic: Traffic,
    units: u64,
}

impl Rollout {
    async fn start(guardrails: &str) -> Self {
        let world = World::new();
        let govern = world.start().await;
        let release = world.release(1, &with(guardrails));
        world.publish(&govern, &release).await;
        world.order(&govern, FLAG, "start").await;
        Self { world, govern, release, traffic: Traffic::new("edge-1", 200, 200), units: 0 }
    }

    /// What the next units do now: their exposures, and their outcomes as measured.
    async fn events(&mut self, candidate: Candidate, units: u64) -> (Vec<Body>, Vec<Body>) {
        let pulse = self.world.pulse(&self.govern).await;
        let range = self.units..self.units + units;
        self.units = range.end;
        let (exposures, mut outcomes) =
            self.traffic.events(&self.release, &pulse, range.clone(), self.world.now_ms());
        for ((exposure, outcome), unit) in exposures.iter().zip(&mut outcomes).zip(range) {
            let (Body::Exposure(exposure), Body::Outcome(outcome)) = (exposure, outcome) else { continue };
            let treated = exposure.arm == Arm::Treatment;
            let drawn = |what: &str| i64::try_from(draw(&format!("{what} {unit}"))).unwrap_or(0);
            let factor = |factor: i64| if treated { factor } else { 100 };
            let cost = (100_000 + 20 * drawn("cost")) * factor(candidate.cost) / 100;
            let latency = (500_000 + 100 * drawn("latency")) * factor(candidate.latency) / 100;
            let mean = if treated { candidate.score } else { SAME.score };
            outcome.measures.insert("cost".into(), cost);
            outcome.measures.insert("latency".into(), latency);
            outcome.measures.insert("score".into(), mean - 30_000 + 6 * drawn("score"));
        }
        (exposures, outcomes)
    }

    async fn report(&mut self, bodies: Vec<Body>) {
        for batch in self.traffic.batches(bodies) {
            let (status, body) = self.world.report(&self.govern, &batch).await;
            assert_eq!(status, 200, "{body}");
        }
    }

    /// Units ask, everything is reported, thirty seconds pass, the governor ticks.
    async fn round(&mut self, candidate: Candidate, units: u64) -> Value {
        let (exposures, outcomes) = self.events(candidate, units).await;
        self.world.pass(1);
        self.report(exposures.into_iter().chain(outcomes).collect()).await;
        self.world.pass(29);
        self.govern.tick().await.expect("a tick");
        flag(&self.world.status(&self.govern).await).clone()
    }

    /// Rounds until the flag is in this phase, or at this stage; the last status. Panics when that never happens.
    async fn until(&mut self, candidate: Candidate, done: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..14 {
            last = self.round(candidate, 300).await;
            if done(&last) {
                return last;
            }
        }
        panic!("{:#} {:#}", last["guardrails"], last["requirements"]);
    }

    async fn end(self) {
        let audit = self.govern.audit(None).await.expect("a sound ledger whose decisions replay");
        assert!(audit.decisions >= 1, "{audit:?}");
        self.govern.shutdown().await;
    }
}

fn guardrail<'s>(status: &'s Value, metric: &str) -> &'s Value {
    let all = status["guardrails"].as_array().expect("guardrails");
    all.iter().find(|one| one["metric"] == metric).expect("the guardrail")
}

fn halted(status: &Value) -> bool {
    status["phase"] == "halted"
}

#[tokio::test]
async fn a_cost_guardrail_lets_through_what_is_shown_to_keep_its_margin_and_holds_what_is_not() {
    let guardrails = "        - { metric: cost, role: guardrail, promote: { notWorseBy: 20% } }
        - { metric: adjusted, role: observe }";
    let mut dear = Rollout::start(guardrails).await;
    let held = dear.until(Candidate { cost: 130, ..SAME }, |status| status["phase"] == "held").await;
    assert_eq!((&held["stage"], &held["rule"]), (&json!(0), &json!("8-inconclusive")), "{held:#}");
    let cost = guardrail(&held, "cost");
    assert_eq!((&cost["kind"]["measure"], &cost["role"]), (&json!("mean"), &json!("guardrail")));
    let estimate = &cost["estimate"];
    let by = |name: &str| estimate[name].as_f64().expect("a number");
    assert!((by("treatment") / by("control") - 1.3).abs() < 0.05, "{estimate}");
    assert!(by("lower") < by("difference") && by("difference") < by("upper"), "{estimate}");
    let known = held["units"]["treatment"].as_u64().expect("units");
    let counted = cost["treatedUnits"].as_u64().expect("units");
    assert!(counted > 100 && counted < known, "windows are open for some of {known}: {counted}");
    dear.end().await;

    let mut same = Rollout::start(guardrails).await;
    let on = same.until(SAME, |status| status["stage"] == 1).await;
    assert_eq!(guardrail(&on, "cost")["verdict"], "non-inferior");
    same.end().await;
}

#[tokio::test]
async fn what_is_measured_takes_back_a_dearer_slower_or_poorer_candidate() {
    for (metric, candidate, words) in [
        ("cost", Candidate { cost: 200, ..SAME }, "`cost` is worse, 0.4"),
        ("each", Candidate { cost: 200, ..SAME }, "`each` is worse, 0.4"),
        ("adjusted", Candidate { cost: 200, ..SAME }, "`adjusted` is worse, 0.4"),
        ("median", Candidate { latency: 250, ..SAME }, "`median` is worse, "),
        ("grounded", Candidate { score: 700_000, ..SAME }, "`grounded` is below its bar of 0.9, 0.69"),
    ] {
        let mut rollout =
            Rollout::start(&format!("        - {{ metric: {metric}, role: deterioration }}")).await;
        let status = rollout.until(candidate, halted).await;
        let sentence = status["sentence"].as_str().expect("a sentence");
        assert!(sentence.contains(words), "{metric}: {sentence}");
        assert_eq!((&status["stage"], &status["settled"]["rule"]), (&json!(0), &json!("2-deterioration")));
        rollout.end().await;
    }
}

#[tokio::test]
async fn a_score_under_its_bar_holds_as_a_signal_and_one_above_goes_on() {
    let signal = "        - { metric: grounded, role: signal }";
    let mut poor = Rollout::start(signal).await;
    let held = poor.until(Candidate { score: 700_000, ..SAME }, |status| status["rule"] == "7-signal").await;
    assert_eq!((&held["stage"], &held["phase"]), (&json!(0), &json!("held")), "{held:#}");
    poor.end().await;
    let mut good = Rollout::start(signal).await;
    good.until(SAME, |status| status["stage"] == 1).await;
    good.end().await;
}

#[tokio::test]
async fn what_comes_in_after_the_grace_is_counted_as_late_and_changes_nothing() {
    let mut rollout = Rollout::start("        - { metric: cost, role: signal }").await;
    let (exposures, outcomes) = rollout.events(SAME, 40).await;
    let (in_time, late) = outcomes.split_at(30);
    rollout.report(exposures.into_iter().chain(in_time.to_vec()).collect()).await;
    rollout.world.pass(75);
    let before = rollout.round(SAME, 0).await;
    let measured = |status: &Value| {
        let cost = guardrail(status, "cost");
        cost["treatedUnits"].as_u64().expect("units") + cost["controlUnits"].as_u64().expect("units")
    };
    assert_eq!((measured(&before), &guardrail(&before, "cost")["late"]), (30, &json!(0)));
    rollout.report(late.to_vec()).await;
    let after = rollout.round(SAME, 0).await;
    assert_eq!((measured(&after), &guardrail(&after, "cost")["late"]), (30, &json!(10)));
    rollout.govern.shutdown().await;
}
