//! Laws of rollouts over random plans and times, by the engine alone: what people may rely on whatever a plan says.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use host_tests::reference::Pulse;

use super::config;
use super::definitions::{FLAGS, NOW, definition, plan, seconds};
use super::engine::{FULL, Native};
use super::rules;

const FLAG: &str = "assistant";
const UNITS: u32 = 60;

/// A flag with a plan that is open to everybody, and units that may be on its allow-lists.
fn open_plan() -> impl Strategy<Value = Value> {
    plan(FULL).prop_map(|mut plan| {
        if let Some(members) = plan.as_object_mut() {
            for name in ["consent", "dataDomains", "unit", "until", "intake"] {
                members.remove(name);
            }
            if members.get("ceiling").is_none_or(Value::is_null) {
                let last = members["stages"].as_array().and_then(|stages| stages.last()).cloned();
                members.insert("ceiling".into(), last.unwrap_or_default()["name"].clone());
            }
        }
        plan
    })
}

fn with_plan(plan: &Value) -> Native {
    Native::new(&json!({
        "metrics": {"unsupported": {"event": "answer", "bad": {"unsupported": true}}},
        "$evaluators": {"europe": {"in": [{"var": "targetingKey"}, ["user-1", "user-2"]]}},
        "segments": {"volunteers": {"include": ["user-3", "user-4"]}},
        "flags": {FLAG: {
            "state": "ENABLED", "variants": {"on": 1, "off": 2}, "defaultVariant": "off", "rollout": plan,
            "owner": "o", "rationale": "r", "expectedImpact": "e", "worstCase": "w", "rollbackPlan": "p",
        }},
    }))
}

/// A unit's decision.
fn asked(native: &Native, unit: u32, stage: u8, since: u64, now: u64) -> Value {
    let stages = [(FLAG.to_owned(), (stage, since))].into();
    let pulse = Pulse { stages, halts: Vec::new(), expires: NOW + 1_000_000 };
    let text = native.text(&json!({"targetingKey": format!("user-{unit}")}), Some(&pulse), FLAG, now);
    let decision: Value = serde_json::from_str(&text).unwrap();
    assert!(decision["errorCode"].is_null(), "{text}\n{}", native.said);
    decision
}

proptest! {
    #![proptest_config(config(60))]

    /// While time passes under one pulse nobody who has the candidate loses it, so nobody goes from it to the control.
    #[test]
    fn treatment_only_grows_in_time(
        plan in open_plan(),
        stage in 0u8..8,
        since in prop_oneof![2 => seconds(), 1 => Just(0)],
        mut times in vec(seconds(), 6),
    ) {
        times.sort_unstable();
        let native = with_plan(&plan);
        for unit in 0..UNITS {
            let mut treated = None;
            for now in &times {
                let decision = asked(&native, unit, stage, since, *now);
                let is = decision["arm"] == "treatment";
                prop_assert!(is || treated.is_none(), "user-{} at {:?}, then at {}: {}\n{}", unit, treated, now, decision, plan);
                treated = treated.or(is.then_some(*now));
            }
        }
    }

    /// Who has the candidate at a stage has it at every later one, at the same time.
    #[test]
    fn stages_are_nested(plan in open_plan(), since in prop_oneof![seconds(), Just(0)], now in seconds()) {
        let native = with_plan(&plan);
        for unit in 0..UNITS {
            let mut treated = false;
            for stage in 0..8 {
                let decision = asked(&native, unit, stage, since, now);
                let is = decision["arm"] == "treatment";
                prop_assert!(is || !treated, "user-{} loses it at stage {}: {}\n{}", unit, stage, decision, plan);
                treated = is;
            }
        }
    }

    /// A step back takes the candidate from exactly those cohorts that it steps behind: the last to come go first. Stages
    /// are fully grown here.
    #[test]
    fn a_step_back_takes_back_the_last_to_come(mut plan in open_plan(), top in 0u8..8) {
        for name in ["schedule", "advance", "notBefore"] {
            plan.as_object_mut().map(|members| members.remove(name));
        }
        let native = with_plan(&plan);
        for unit in 0..UNITS {
            let above = asked(&native, unit, top, 0, NOW);
            let Some(cohort) = above["cohort"]["index"].as_u64() else { continue };
            for stage in 0..top {
                let below = asked(&native, unit, stage, 0, NOW);
                let held = u64::from(stage) >= cohort;
                prop_assert_eq!(
                    !below["arm"].is_null(), held,
                    "user-{} of cohort {} at stage {}: {}\n{}", unit, cohort, stage, below, plan
                );
                prop_assert!(!held || below["cohort"]["index"] == cohort, "user-{} changes cohort: {}", unit, below);
            }
        }
    }

    /// The order of flags in the definition, and asking before, change nothing.
    #[test]
    fn the_same_question_has_the_same_answer(
        definition in definition(FULL),
        contexts in vec(super::context(), 4),
        pulse in super::pulse(),
        now in seconds(),
    ) {
        let mut listed = Vec::new();
        for key in FLAGS.iter().rev() {
            if let Some(mut flag) = definition["flags"].get(*key).cloned() {
                flag["key"] = json!(key);
                listed.push(flag);
            }
        }
        let mut turned = definition.clone();
        turned["flags"] = json!(listed);
        let (native, turned) = (Native::new(&definition), Native::new(&turned));
        for context in &contexts {
            for key in FLAGS {
                let text = native.text(context, Some(&pulse), key, now);
                prop_assert_eq!(&text, &turned.text(context, Some(&pulse), key, now));
                prop_assert_eq!(&text, &native.text(context, Some(&pulse), key, now));
            }
        }
    }

    /// Tests that answer true or false may stand in any order within `and`, `or` and the lists of our operators.
    #[test]
    fn the_order_of_tests_does_not_matter(
        tests in vec(rules::expression(FULL, false), 2..5).prop_map(|tests| {
            tests.into_iter().map(|test| json!({"!!": [test]})).collect::<Vec<_>>()
        }),
        turn in 1usize..4,
        operator in prop::sample::select(vec!["and", "or"]),
        contexts in vec(rules::context(super::unit()), 6),
    ) {
        let mut turned = tests.clone();
        turned.rotate_left(turn % tests.len());
        let flag = |tests: &[Value]| json!({
            "state": "ENABLED", "variants": {"on": 1, "off": 2}, "targeting": {"if": [{operator: tests}, "on", "off"]},
        });
        let native = Native::new(&json!({"flags": {"one": flag(&tests), "other": flag(&turned)}}));
        for context in contexts {
            let context = Value::Object(context);
            let variant = |key: &str| {
                let text = native.text(&context, None, key, NOW);
                serde_json::from_str::<Value>(&text).map(|decision| decision["variant"].clone()).unwrap()
            };
            // `$flagd.flagKey` is the one thing in which the two differ.
            if !json!(tests).to_string().contains("flagKey") && !json!(tests).to_string().contains("fractional") {
                prop_assert_eq!(variant("one"), variant("other"), "{:?} for {}", tests, context);
            }
        }
    }
}
