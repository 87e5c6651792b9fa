//! Whatever bytes come: a snapshot or a typed error, never a panic; and what loads reads as it was written.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flagstone_snapshot::limits::{MAX_LOOPS, MAX_STACK, MAX_STAGES};
use flagstone_snapshot::{
    Draft, DraftFlag, DraftPlan, DraftStage, DraftVariant, EncodeError, FlagKind, Iteration, Json, LoadError,
    Op, Program, SHARE_TOTAL, Snapshot, encode,
};
use proptest::prelude::*;

fn draft() -> Draft {
    let variant = |name: &str, value: Json| DraftVariant { name: name.into(), value };
    let rule = Program(vec![
        Op::Attribute("country".into()),
        Op::Constant(Json::List(vec!["DE".into(), "FR".into()])),
        Op::In,
        Op::JumpIfFalse(6),
        Op::Constant("b".into()),
        Op::Jump(7),
        Op::Constant(Json::Null),
    ]);
    let plan = DraftPlan {
        baseline: 0,
        candidate: 1,
        unit: "targetingKey".into(),
        consent: Some("evaluation".into()),
        data_domains: vec!["public".into()],
        salt: 7,
        ceiling: Some(0),
        stages: vec![
            DraftStage {
                name: "staff".into(),
                who: Some(rule.clone()),
                treat: 0,
                control: 0,
                ..DraftStage::default()
            },
            DraftStage {
                name: "half".into(),
                who: None,
                treat: SHARE_TOTAL / 2,
                control: SHARE_TOTAL / 2,
                ..DraftStage::default()
            },
        ],
        ..DraftPlan::default()
    };
    Draft {
        flag_set: "assistant".into(),
        environment: "test".into(),
        definition: [9; 32],
        metadata: Some(Json::Object(vec![("team".into(), "x".into())])),
        flags: vec![
            DraftFlag {
                variants: vec![variant("a", 1.into()), variant("b", Json::Number(2.5))],
                default_variant: Some(0),
                targeting: Some(rule),
                plan: Some(plan),
                metadata: Some(Json::Object(vec![])),
                ..DraftFlag::new("zebra", FlagKind::Number)
            },
            DraftFlag {
                variants: vec![variant("on", true.into())],
                ..DraftFlag::new("ant", FlagKind::Boolean)
            },
        ],
        ..Draft::default()
    }
}

fn with_rule(program: Vec<Op>) -> Draft {
    let flag = DraftFlag { targeting: Some(Program(program)), ..DraftFlag::new("f", FlagKind::Boolean) };
    Draft { flags: vec![flag], ..Draft::default() }
}

#[test]
fn what_was_written_reads_back() {
    let bytes = encode(&draft()).unwrap();
    assert_eq!(bytes, encode(&draft()).unwrap(), "equal drafts give equal bytes");
    let snapshot = Snapshot::load(&bytes).unwrap();
    assert_eq!((snapshot.flag_set(), snapshot.environment()), ("assistant", "test"));
    assert_eq!(snapshot.definition(), [9; 32]);
    assert_eq!(snapshot.metadata(), r#"{"team":"x"}"#);
    assert_eq!(snapshot.flags().map(|flag| flag.key()).collect::<Vec<_>>(), ["ant", "zebra"]);
    let flag = snapshot.flag(snapshot.find("zebra").unwrap()).unwrap();
    assert_eq!(flag.variant(1).unwrap().json, "2.5");
    assert_eq!(flag.find_variant("b"), Some(1));
    let plan = flag.plan().unwrap();
    assert_eq!((plan.salt(), plan.ceiling(), plan.stage_count()), (7, Some(0), 2));
    assert_eq!(plan.stage(1).unwrap().probability, SHARE_TOTAL / 2);
    assert_eq!(plan.domains().collect::<Vec<_>>(), ["public"]);
    assert_eq!(snapshot.find("nobody"), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn changed_bytes_load_or_are_refused(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let mut bytes = encode(&draft()).unwrap();
        for (at, with) in changes {
            let at = at.index(bytes.len());
            bytes[at] = with;
        }
        if let Ok(snapshot) = Snapshot::load(&bytes) {
            // Everything that loads must also be readable to the end.
            for flag in snapshot.flags() {
                let _ = (flag.key(), flag.metadata(), flag.baseline(), flag.kind());
                for variant in 0..flag.variant_count() {
                    prop_assert!(flag.variant(variant).is_some());
                }
                if let Some(plan) = flag.plan() {
                    for stage in 0..plan.stage_count() {
                        prop_assert!(plan.stage(stage).is_some());
                    }
                }
                if let Some(rule) = flag.targeting() {
                    prop_assert!(snapshot.rule(rule).is_some());
                }
            }
        }
    }

    #[test]
    fn cut_or_lengthened_bytes_are_refused(cut in any::<prop::sample::Index>()) {
        let bytes = encode(&draft()).unwrap();
        prop_assert!(Snapshot::load(&bytes[..cut.index(bytes.len())]).is_err());
        let mut longer = bytes.clone();
        longer.push(0);
        prop_assert_eq!(Snapshot::load(&longer).unwrap_err(), LoadError::Length);
    }

    #[test]
    fn arbitrary_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Snapshot::load(&bytes).is_err());
    }
}

#[test]
fn rules_that_could_not_run_are_refused() {
    let text = |text: &str| Op::Constant(text.into());
    for (name, program) in [
        ("empty", vec![]),
        ("nothing left", vec![text("a"), Op::JumpIfFalse(2)]),
        ("two left", vec![text("a"), text("b")]),
        ("underflow", vec![Op::Not]),
        ("jump backwards", vec![text("a"), Op::Jump(0)]),
        ("jump outside", vec![text("a"), Op::Jump(9), text("b")]),
        ("paths that disagree", vec![text("a"), Op::JumpIfFalse(3), text("b"), text("c")]),
        ("unclosed loop", vec![Op::List(0), Op::Each(Iteration::Map), text("a")]),
        ("unopened loop", vec![text("a"), Op::EndEach]),
        (
            "jump into a loop",
            vec![text("a"), Op::JumpIfTrue(4), Op::List(0), Op::Each(Iteration::Map), text("x"), Op::EndEach],
        ),
        ("unreachable", vec![text("a"), Op::Jump(3), text("b"), Op::Not]),
        (
            "body that sees outside",
            vec![
                text("a"),
                Op::List(0),
                Op::Each(Iteration::Map),
                Op::Compare(flagstone_snapshot::Comparison::Equal),
                Op::EndEach,
            ],
        ),
        ("substring of four", vec![text("a"), text("a"), text("a"), text("a"), Op::Substring(4)]),
    ] {
        assert!(matches!(encode(&with_rule(program)), Err(EncodeError::Program { .. })), "{name}");
    }
}

#[test]
fn stack_and_loops_stop_at_their_limits() {
    let deep = |count: usize| {
        let mut program = vec![Op::Constant(1.into()); count];
        program.push(Op::List(count as u16));
        with_rule(program)
    };
    assert!(encode(&deep(MAX_STACK)).is_ok());
    assert!(matches!(encode(&deep(MAX_STACK + 1)), Err(EncodeError::Program { .. })));

    let nested = |depth: usize| {
        let mut program = Vec::new();
        for _ in 0..depth {
            program.push(Op::List(0));
            program.push(Op::Each(Iteration::Map));
        }
        program.push(Op::Constant(1.into()));
        program.extend(std::iter::repeat_n(Op::EndEach, depth));
        with_rule(program)
    };
    let bytes = encode(&nested(MAX_LOOPS)).unwrap();
    assert!(Snapshot::load(&bytes).is_ok());
    assert!(matches!(encode(&nested(MAX_LOOPS + 1)), Err(EncodeError::Program { .. })));
}

#[test]
fn ladders_that_do_not_climb_are_refused() {
    let stage = |treat, control| DraftStage {
        name: format!("{treat}/{control}"),
        treat,
        control,
        ..DraftStage::default()
    };
    let half = SHARE_TOTAL / 2;
    let ladder = |stages: Vec<DraftStage>| {
        let mut draft = draft();
        let plan = draft.flags[0].plan.as_mut().unwrap();
        (plan.stages, plan.ceiling) = (stages, None);
        encode(&draft)
    };
    for (name, stages) in [
        ("treatment shrinks", vec![stage(100, 0), stage(99, 0)]),
        ("control shrinks below one half", vec![stage(100, 50), stage(200, 49)]),
        ("arms overlap", vec![stage(half + 1, half)]),
        ("more than all", vec![stage(SHARE_TOTAL + 1, 0)]),
        ("control above one half", vec![stage(0, half + 1)]),
    ] {
        assert!(matches!(ladder(stages), Err(EncodeError::Shares { .. })), "{name}");
    }
    assert!(ladder(vec![stage(half, half), stage(SHARE_TOTAL, 0)]).is_ok());
    let many: Vec<_> = (0..=MAX_STAGES as u32).map(|index| stage(index, 0)).collect();
    assert!(matches!(ladder(many), Err(EncodeError::TooMany { what: "stages", .. })));
}

#[test]
fn a_text_in_a_rule_stops_at_its_limit() {
    let rule = |bytes: usize| encode(&with_rule(vec![Op::Constant("x".repeat(bytes).as_str().into())]));
    assert!(rule(flagstone_snapshot::limits::MAX_VALUE_BYTES).is_ok());
    let over = rule(flagstone_snapshot::limits::MAX_VALUE_BYTES + 1);
    assert!(matches!(over, Err(EncodeError::TooMany { what: "bytes of a value", .. })));
}
