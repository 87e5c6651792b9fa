//! The engine against the reference evaluator, over random definitions, contexts, pulses and times; and the laws of
//! rollouts over random plans.
//!
//! `PROPTEST_CASES=20000 cargo test -p host-tests --test differential` runs more of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod definitions;
mod engine;
mod laws;
mod rules;

use std::collections::BTreeSet;

use definitions::{FLAGS, NOW, definition, seconds};
use engine::{FULL, Native};
use host_tests::reference::{Pulse, World, decide, floating};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// Cases of one property: `PROPTEST_CASES`, or as many as everyday runs have time for.
fn config(everyday: u32) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: asked.unwrap_or(everyday),
        failure_persistence: None,
        max_shrink_iters: 1_000,
        ..ProptestConfig::default()
    }
}

fn unit() -> impl Strategy<Value = Option<Value>> {
    prop_oneof![
        12 => (0u32..300).prop_map(|unit| Some(json!(format!("user-{unit}")))),
        2 => (0i64..50).prop_map(|unit| Some(json!(unit))),
        1 => Just(Some(json!(""))),
        1 => Just(Some(json!(["user-1"]))),
        1 => Just(None),
    ]
}

/// A context that may remember something of each flag, right or wrong.
fn context() -> impl Strategy<Value = Value> {
    let cohort = prop_oneof![6 => (0u8..6).prop_map(|cohort| cohort.to_string()), 1 => Just("-".to_owned()), 1 => Just("x".into())];
    let fitting = prop::sample::select(vec![("t", "on"), ("c", "off"), ("n", "extra"), ("n", "on")]);
    let any = (
        prop::sample::select(vec!["t", "c", "n", "z"]),
        prop::sample::select(vec!["on", "off", "gone", "a:b"]),
    );
    let version = prop_oneof![5 => Just(1u8), 1 => 2u8..4];
    let token = (version, prop_oneof![4 => fitting, 1 => any], cohort).prop_map(
        |(version, (arm, variant), cohort)| {
            let cohort = if arm == "n" { "-" } else { &cohort };
            json!(format!("{version}:{arm}:{cohort}:{variant}"))
        },
    );
    let token = prop_oneof![8 => token, 1 => Just(json!(7)), 1 => Just(json!(""))];
    let remembered = prop_oneof![
        1 => Just(None),
        1 => vec(prop::option::of(token), FLAGS.len()).prop_map(|tokens| {
            let known = FLAGS.iter().zip(tokens).filter_map(|(flag, token)| Some(((*flag).to_owned(), token?)));
            Some(Value::Object(known.collect::<Map<_, _>>()))
        }),
    ];
    (rules::context(unit()), remembered).prop_map(|(mut context, remembered)| {
        if let Some(remembered) = remembered {
            context.insert("remembered".to_owned(), remembered);
        }
        Value::Object(context)
    })
}

fn pulse() -> impl Strategy<Value = Pulse> {
    let since = prop_oneof![2 => seconds(), 1 => Just(0)];
    let stages =
        btree_map(prop::sample::select(FLAGS.to_vec()).prop_map(str::to_owned), (0u8..8, since), 0..5);
    let halts = prop::sample::subsequence(FLAGS.to_vec(), 0..2);
    (stages, halts, prop_oneof![3 => Just(NOW + 20_000), 1 => seconds()]).prop_map(
        |(mut stages, halts, expires)| {
            if !FULL {
                stages.values_mut().for_each(|(_, since)| *since = 0);
            }
            Pulse { stages, halts: halts.into_iter().map(str::to_owned).collect(), expires }
        },
    )
}

/// The generators reach every way of deciding; otherwise what follows would prove little.
#[test]
fn every_way_of_deciding_is_met() {
    let mut runner = TestRunner::deterministic();
    let strategy = (definition(FULL), vec((context(), prop::option::weighted(0.8, pulse()), seconds()), 30));
    let mut met = BTreeSet::new();
    for _ in 0..600 {
        let (definition, questions) = strategy.new_tree(&mut runner).unwrap().current();
        for (context, pulse, now) in &questions {
            for key in FLAGS {
                let world = World { definition: &definition, context, pulse: pulse.as_ref(), now: *now };
                let answer = decide(world, key);
                met.insert(
                    [Some(answer.reason), answer.error, answer.detail, answer.arm]
                        .map(Option::unwrap_or_default),
                );
            }
        }
    }
    let expected = [
        ["ERROR", "FLAG_NOT_FOUND", "", ""],
        ["ERROR", "PARSE_ERROR", "", ""],
        ["ERROR", "GENERAL", "", ""],
        ["ERROR", "GENERAL", "closed", ""],
        ["ERROR", "GENERAL", "paused", ""],
        ["DISABLED", "", "", ""],
        ["DEFAULT", "", "halt", ""],
        ["STALE", "", "expired", ""],
        ["DEFAULT", "", "consent", ""],
        ["DEFAULT", "", "data-domain", ""],
        ["DEFAULT", "", "ended", ""],
        ["DEFAULT", "", "prerequisite", ""],
        ["DEFAULT", "", "holdout", ""],
        ["DEFAULT", "", "layer", ""],
        ["TARGETING_MATCH", "", "override", ""],
        ["SPLIT", "", "remembered", "treatment"],
        ["SPLIT", "", "remembered", "control"],
        ["TARGETING_MATCH", "", "remembered", ""],
        ["TARGETING_MATCH", "", "stage", "treatment"],
        ["SPLIT", "", "stage", "treatment"],
        ["SPLIT", "", "control", "control"],
        ["TARGETING_MATCH", "", "", ""],
        ["TARGETING_MATCH", "", "closed", ""],
        ["TARGETING_MATCH", "", "paused", ""],
        ["DEFAULT", "", "", ""],
        ["DEFAULT", "", "closed", ""],
        ["STATIC", "", "", ""],
        ["STATIC", "", "closed", ""],
        ["STATIC", "", "paused", ""],
    ];
    let missed: Vec<_> = expected.iter().filter(|way| !met.contains(*way)).collect();
    assert!(missed.is_empty(), "never met: {missed:?}");
}

proptest! {
    #![proptest_config(config(300))]

    /// Every flag of a definition, and one that is not there, for a few contexts, pulses and times.
    #[test]
    fn the_engine_answers_what_the_definition_says(
        definition in definition(FULL),
        contexts in vec(context(), 4),
        pulses in vec(prop::option::weighted(0.8, pulse()), 3),
        times in vec(seconds(), 3),
    ) {
        let native = Native::new(&definition);
        for context in &contexts {
            for pulse in &pulses {
                for now in &times {
                    for key in FLAGS {
                        let world = World { definition: &definition, context, pulse: pulse.as_ref(), now: *now };
                        let expected = decide(world, key).json(&definition, key);
                        let text = native.text(context, pulse.as_ref(), key, *now);
                        let found = floating(&serde_json::from_str(&text).unwrap());
                        prop_assert_eq!(
                            &found, &expected,
                            "flag `{}` for {} at {} under {:?}\nengine:    {}\nreference: {}\n{}\nSAID {}",
                            key, context, now, pulse, found, expected, definition, native.said
                        );
                    }
                }
            }
        }
    }

    /// Whatever the rule: its answer is the reference's. Denser in rules than whole definitions are.
    #[test]
    fn rules_answer_what_json_logic_says(
        rules in vec(rules::targeting(FULL), 8),
        contexts in vec(rules::context(unit()), 6),
    ) {
        let mut definition = json!({
            "$evaluators": {"europe": {"in": [{"var": "country"}, ["de", "fr"]]}, "adult": {">=": [{"var": "age"}, 17]}},
            "segments": {
                "volunteers": {"when": {"var": "beta"}, "include": ["user-1"], "exclude": ["user-2"]},
                "nested": {"when": {"segment": "volunteers"}},
            },
            "flags": {},
        });
        definition["$evaluators"]["circle"] = json!({"!": [{"$ref": "circle"}]});
        for (index, rule) in rules.iter().enumerate() {
            definition["flags"][format!("f{index}")] = json!({
                "state": "ENABLED",
                "variants": {"on": 1, "off": 2, "extra": 3, "true": 4, "false": 5},
                "targeting": rule,
            });
        }
        let native = Native::new(&definition);
        for context in contexts {
            let context = Value::Object(context);
            for (index, rule) in rules.iter().enumerate() {
                let key = format!("f{index}");
                let world = World { definition: &definition, context: &context, pulse: None, now: NOW };
                let expected = decide(world, &key).json(&definition, &key);
                let text = native.text(&context, None, &key, NOW);
                let found = floating(&serde_json::from_str(&text).unwrap());
                prop_assert_eq!(
                    &found, &expected,
                    "{} for {}\nengine:    {}\nreference: {}", rule, context, found, expected
                );
            }
        }
    }
}
