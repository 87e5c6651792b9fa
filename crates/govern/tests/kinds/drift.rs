//! Drift, from the definition to the status: both arms get worse together, which no comparison sees and the signal finds.

use flagstone_events::{Arm, Body, Pepper, Stream, UnitKey, Withdrawal};
use flagstone_govern::Govern;
use serde_json::{Value, json};

use crate::common::{FLAG, Release, Traffic, World, definition, flag};

/// Seconds of a batch.
const EVERY: u64 = 600;

/// A stage with half of all units treated, and one above it that nobody has approved.
fn drifting() -> String {
    let text = definition("half", "answer@15")
        .replace(", promote: { notWorseBy: 10% }", "")
        .replace("bad: { wrong: true } }", "bad: { wrong: true }, window: 60s, grace: 10s }");
    let (head, rest) = text.split_once("      stages:\n").expect("the plan's stages");
    let (_, tail) = rest.split_once("  banner:\n").expect("the next flag");
    format!(
        "{head}      drift: [{{ metric: answer-wrong, baseline: 4%, every: 10m, patience: 200 }}]
      stages:
        - {{ name: half, treat: 50%, control: 50%, bake: 60s, need: {{ units: 20 }} }}
        - {{ name: everyone, treat: 99%, control: 1%, bake: 60s }}
  banner:
{tail}"
    )
}

struct Rollout {
    world: World,
    govern: Govern,
    release: Release,
    traffic: Traffic,
    units: u64,
    /// Treated units of each batch, and bad ones, as they were sent.
    sent: Vec<(u64, u64)>,
}

impl Rollout {
    async fn start() -> Self {
        let world = World::new();
        let govern = world.start().await;
        let release = world.release(1, &drifting());
        world.publish(&govern, &release).await;
        world.order(&govern, FLAG, "start").await;
        Self { world, govern, release, traffic: Traffic::new("edge-1", 0, 0), units: 0, sent: Vec::new() }
    }

    /// A batch of units of both arms, of which so many in ten thousand go wrong; outcomes come in before exposures.
    async fn batch(&mut self, wrong: u64) -> Value {
        self.world.pass(EVERY);
        self.govern.tick().await.expect("a tick");
        (self.traffic.wrong_today, self.traffic.wrong_concise) = (wrong, wrong);
        let pulse = self.world.pulse(&self.govern).await;
        let range = self.units..self.units + 160;
        self.units = range.end;
        let (exposures, outcomes) = self.traffic.events(&self.release, &pulse, range, self.world.now_ms());
        let (mut treated, mut bad) = (0, 0);
        for (exposure, outcome) in exposures.iter().zip(&outcomes) {
            let (Body::Exposure(exposure), Body::Outcome(outcome)) = (exposure, outcome) else { continue };
            if exposure.arm == Arm::Treatment {
                treated += 1;
                bad += u64::from(outcome.booleans["wrong"]);
            }
        }
        self.sent.push((treated, bad));
        self.world.pass(1);
        for bodies in [outcomes, exposures] {
            for batch in self.traffic.batches(bodies) {
                assert_eq!(self.world.report(&self.govern, &batch).await.0, 200);
            }
            self.govern.tick().await.expect("a tick");
        }
        flag(&self.world.status(&self.govern).await).clone()
    }

    /// What the status says once so many batches are over.
    fn expect(&self, status: &Value, batches: usize) {
        let over = &self.sent[..batches];
        let drift = &status["drift"][0];
        let found = ["batches", "units", "bad"].map(|name| drift[name].as_u64().expect("a count"));
        let sum = |of: fn(&(u64, u64)) -> u64| over.iter().map(of).sum::<u64>();
        assert_eq!(found, [batches as u64, sum(|one| one.0), sum(|one| one.1)], "{drift}");
        assert_eq!(
            (&drift["every"], &drift["patience"], &drift["holds"]),
            (&json!(600), &json!(200), &json!(true))
        );
    }
}

#[tokio::test]
async fn a_rise_in_both_arms_is_found_held_and_dated_and_the_record_replays() {
    let mut rollout = Rollout::start().await;
    let mut status = Value::Null;
    for _ in 0..6 {
        status = rollout.batch(200).await;
    }
    rollout.expect(&status, 5);
    assert_eq!((&status["drift"][0]["alarmed"], &status["drift"][0]["since"]), (&json!(false), &Value::Null));
    assert_eq!(status["phase"], "awaiting-approval", "{status:#}");
    let risen_ms = rollout.world.now_ms();
    for _ in 0..8 {
        status = rollout.batch(1_500).await;
        if status["drift"][0]["alarmed"] == true {
            break;
        }
    }
    let drift = &status["drift"][0];
    assert_eq!(
        (&drift["alarmed"], &status["rule"], &status["phase"]),
        (&json!(true), &json!("7-signal"), &json!("held")),
        "{status:#}"
    );
    let since = drift["since"].as_u64().expect("a time");
    assert!(since.abs_diff(risen_ms + EVERY * 1_000) <= EVERY * 1_000, "{since}, {risen_ms}");
    assert_eq!(status["guardrails"][0]["latched"], Value::Null, "the comparison sees nothing");

    // A restart forgets nothing, and the decision to hold comes out the same again.
    let Rollout { world, govern, .. } = rollout;
    govern.shutdown().await;
    let govern = world.start().await;
    govern.tick().await.expect("a tick");
    assert_eq!(flag(&world.status(&govern).await)["drift"][0]["since"], drift["since"]);
    let audit = govern.audit(None).await.expect("a sound ledger whose decisions replay");
    assert!(audit.decisions >= 1, "{audit:?}");
    let records = world.ledger(&govern).await;
    let held = records.iter().rev().find(|entry| entry["record"]["kind"] == "decision").expect("a decision");
    assert_eq!(held["record"]["data"]["judgement"]["drift"][0]["alarmed"], true);
    govern.shutdown().await;
}

#[tokio::test]
async fn without_a_rise_there_is_no_alarm_and_a_withdrawal_takes_out_what_was_counted() {
    let mut rollout = Rollout::start().await;
    let mut status = Value::Null;
    for _ in 0..8 {
        status = rollout.batch(300).await;
        assert_eq!(status["drift"][0]["alarmed"], false, "{status:#}");
    }
    rollout.expect(&status, 7);
    assert_eq!(status["phase"], "awaiting-approval", "{status:#}");

    // Those of the first batch withdraw: it is as if it had never been.
    let at_ms = rollout.world.now_ms();
    let withdrawn = |number: u64| {
        let key = UnitKey::new(format!("user-{number}")).expect("a key");
        let pepper = Pepper::from_bytes([7; 32]);
        Withdrawal::of_unit(&pepper, Stream::Production, &key, at_ms).expect("a withdrawal")
    };
    for batch in rollout.traffic.batches((0..160).map(|number| Body::Withdrawal(withdrawn(number))).collect())
    {
        assert_eq!(rollout.world.report(&rollout.govern, &batch).await.0, 200);
    }
    rollout.govern.tick().await.expect("a tick");
    rollout.sent.remove(0);
    let status = rollout.world.status(&rollout.govern).await;
    rollout.expect(flag(&status), 6);
    rollout.govern.shutdown().await;
}
