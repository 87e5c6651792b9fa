//! What a thief of the pulse key can do: nothing that people have not approved.

use flagstone_evaluate::{Arm, Context, Control, Decision, OpenStage, decide_key, decision_json};
use flagstone_seal::{Mark, PulsePolicy, PulseStage, PulseStatement, open_pulse};
use flagstone_snapshot::Snapshot;
use host_tests::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, World, snapshot};
use serde_json::{Value, json};

use super::chance::Chance;

/// Four plans: one with a ramp, a sticky one, one behind another flag and in a layer, and one that people have closed.
fn definition() -> String {
    let stages = json!([
        { "name": "staff", "who": { "ends_with": [{ "var": "email" }, "@acme.example"] } },
        { "name": "a hundredth", "treat": "1%", "control": "1%" },
        { "name": "a tenth", "treat": "10%", "control": "10%", "ramp": "1h" },
        { "name": "half", "treat": "50%", "control": "50%" },
        { "name": "all", "treat": "100%", "control": "0%" },
    ]);
    let governed = |ceiling: Value, more: Value| {
        let mut flag = json!({
            "state": "ENABLED", "owner": "a@acme.example", "rationale": "r", "expectedImpact": "e", "worstCase": "w",
            "rollbackPlan": "p", "onExpiry": "safe", "variants": { "old": 1, "new": 2 }, "defaultVariant": "old",
            "rollout": { "baseline": "old", "candidate": "new", "ceiling": ceiling, "stages": stages,
                "guardrails": [{ "metric": "bad", "role": "deterioration" }] },
        });
        flag.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        flag
    };
    let young = json!({ "if": [{ "<": [{ "var": "age" }, 60] }, "on"] });
    let set = json!({
        "metrics": { "bad": { "event": "answer", "bad": { "unsupported": true } } },
        "layers": { "page": { "flags": { "layered": { "from": "20%", "to": "70%" } } } },
        "flags": {
            "ramped": governed(json!("a tenth"), json!({})),
            "remembered": governed(json!("a tenth"), json!({ "sticky": true })),
            "layered": governed(json!("a tenth"), json!({ "prerequisites": { "gate": "off" } })),
            "gate": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "off",
                "targeting": young, "prerequisites": { "outer": "on" } },
            "outer": { "state": "ENABLED", "variants": { "on": true, "off": false }, "defaultVariant": "on" },
            "closed": governed(Value::Null, json!({})),
        },
    });
    set.to_string()
}

const PLANNED: [&str; 4] = ["ramped", "remembered", "layered", "closed"];
/// The signed ceiling of each.
const CEILING: [Option<u8>; 4] = [Some(2), Some(2), Some(2), None];

fn treated(decision: &Decision) -> bool {
    decision.arm == Arm::Treatment
}

/// The decisions under a pulse, which goes all the way: signed, verified, applied.
fn under<'s>(world: &World, snapshot: &Snapshot<'s>, pulse: &PulseStatement, now: u64) -> Control {
    let note = flagstone_seal::seal_pulse(pulse, &world.pulse).unwrap();
    let policy = PulsePolicy { audience: AUDIENCE, environment: ENVIRONMENT, now, last_number: None };
    let pulse = open_pulse(&note, &world.pinned().unwrap(), &policy).unwrap();
    let stages =
        pulse.stages.iter().map(|open| OpenStage { flag: &open.flag, stage: open.stage, since: open.since });
    Control::new(snapshot, pulse.expires, stages, pulse.halts.iter().map(String::as_str))
}

fn contexts(snapshot: &Snapshot<'_>, chance: &mut Chance, memories: &[String]) -> Vec<Context> {
    let one = |number: usize| {
        let email = if chance.one_in(8) { "staff@acme.example" } else { "someone@other.example" };
        let remembered = match memories.get(chance.below(memories.len() + 4)) {
            Some(text) => format!(r#","remembered":{{"remembered":{text:?}}}"#),
            None => String::new(),
        };
        let age = chance.below(100);
        let text = format!(r#"{{"targetingKey":"unit-{number}","email":"{email}","age":{age}{remembered}}}"#);
        Context::from_json(snapshot, &text).unwrap()
    };
    (0..120).map(one).collect()
}

/// What decisions of the sticky flag said to remember at any stage, approved or not: a thief writes them all.
fn memories(snapshot: &Snapshot<'_>) -> Vec<String> {
    let mut texts: Vec<String> =
        (0..5).flat_map(|cohort| [format!("1:t:{cohort}:new"), format!("1:c:{cohort}:old")]).collect();
    for unit in 0..400 {
        let control = Control::new(
            snapshot,
            u64::MAX,
            [OpenStage { flag: "remembered", stage: 2, since: 0 }].into_iter(),
            [].into_iter(),
        );
        let context = Context::from_json(snapshot, &format!(r#"{{"targetingKey":"other-{unit}"}}"#)).unwrap();
        let decision = decide_key(snapshot, &control, &context, "remembered", ISSUED);
        let text = decision_json(snapshot, &decision, "remembered");
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        if let Some(text) = value["remember"].as_str() {
            texts.push(text.to_owned());
        }
    }
    texts.sort();
    texts.dedup();
    texts
}

/// Threat 7: whatever a stolen pulse key signs, nobody is treated who would not be at the signed ceiling, and a halt
/// raises nobody.
#[test]
fn a_stolen_pulse_key_exposes_nobody_beyond_the_ceiling() {
    let world = World::new(ISSUED).unwrap();
    let payload = snapshot("flags.json", &definition()).unwrap();
    let loaded = Snapshot::load(&payload).unwrap();
    let mut chance = Chance(7);
    let contexts = contexts(&loaded, &mut chance, &memories(&loaded));
    let mark = Mark { epoch: 1, sequence: 1, digest: [9; 32] };
    let (mut raised, mut at_ceiling, mut under_halt) = (0, 0, 0);
    for number in 1..=1_500 {
        let now = ISSUED + chance.below(800) as u64;
        let mut statement = PulseStatement {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            number,
            issued: now,
            expires: now + 1 + chance.below(900) as u64,
            snapshot: mark,
            stages: Vec::new(),
            halts: Vec::new(),
        };
        let mut flags =
            ["aaa unknown", "closed", "gate", "layered", "outer", "ramped", "remembered", "zzz unknown"]
                .to_vec();
        flags.sort_unstable();
        for flag in &flags {
            if !chance.one_in(4) {
                let stage = if chance.one_in(3) { chance.next() as u8 } else { chance.below(6) as u8 };
                let since = if chance.one_in(2) {
                    0
                } else {
                    now.saturating_add(chance.next() % 9_000).saturating_sub(7_000)
                };
                statement.stages.push(PulseStage { flag: (*flag).into(), stage, since });
            }
        }
        let stolen = under(&world, &loaded, &statement, now);
        let approved: Vec<_> = PLANNED
            .iter()
            .zip(CEILING)
            .filter_map(|(flag, ceiling)| Some(OpenStage { flag, stage: ceiling?, since: 0 }))
            .collect();
        let ceiling = Control::new(&loaded, u64::MAX, approved.into_iter(), [].into_iter());
        statement.halts = flags.iter().filter(|_| chance.one_in(2)).map(|flag| (*flag).to_owned()).collect();
        let halting = under(&world, &loaded, &statement, now);
        for context in &contexts {
            for flag in PLANNED {
                let decided = |control| decide_key(&loaded, control, context, flag, now);
                let (asked, most, halted) = (decided(&stolen), decided(&ceiling), decided(&halting));
                assert!(
                    !treated(&asked) || treated(&most),
                    "pulse {number} raised {flag}: {asked:?}, {most:?}"
                );
                assert!(
                    !treated(&halted) || treated(&asked),
                    "halt of pulse {number} raised {flag}: {halted:?}"
                );
                let halt = statement.halts.iter().any(|name| name == flag);
                assert!(!(halt && treated(&halted)), "{flag} is halted and served all the same");
                raised += usize::from(treated(&asked));
                at_ceiling += usize::from(treated(&most));
                under_halt += usize::from(treated(&halted));
            }
        }
    }
    // It opens a good part of what is approved, and halts take a part of that back: the test sees both.
    assert!(raised > at_ceiling / 4 && raised < at_ceiling, "{raised} of {at_ceiling}");
    assert!(under_halt > 0 && under_halt < raised, "{under_halt} of {raised}");
}
