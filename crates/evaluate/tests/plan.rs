//! Laws of rollout plans, over random ladders and units: widening only adds, narrowing gives back the last
//! to come, nobody is in both arms or swaps treatment for control, and the cohort is a function of the
//! bucket alone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flagstone_evaluate::{Arm, Context, Control, Decision, Detail, OpenStage, Reason, decide_key};
use flagstone_snapshot::{
    Draft, DraftFlag, DraftPlan, DraftStage, DraftVariant, FlagKind, Json, OnExpiry, Op, Program,
    SHARE_TOTAL, Snapshot, Value, bucket_salt, encode,
};
use proptest::prelude::*;

const FLAG: &str = "answers";
const NOW: u64 = 1_790_000_000;
const HALF: u32 = SHARE_TOTAL / 2;

fn share(name: &str, treat: u32, control: u32) -> DraftStage {
    DraftStage { name: name.into(), who: None, treat, control, ..DraftStage::default() }
}

fn snapshot(stages: Vec<DraftStage>, ceiling: Option<u8>, change: impl Fn(&mut DraftFlag)) -> Vec<u8> {
    let variant = |name: &str| DraftVariant { name: name.into(), value: name.into() };
    let mut flag = DraftFlag {
        variants: vec![variant("today"), variant("concise")],
        default_variant: Some(0),
        on_expiry: OnExpiry::Safe,
        plan: Some(DraftPlan {
            baseline: 0,
            candidate: 1,
            unit: "targetingKey".into(),
            consent: None,
            data_domains: vec![],
            salt: bucket_salt("rollout", FLAG),
            ceiling,
            stages,
            ..DraftPlan::default()
        }),
        ..DraftFlag::new(FLAG, FlagKind::Text)
    };
    change(&mut flag);
    encode(&Draft { environment: "test".into(), flags: vec![flag], ..Draft::default() }).unwrap()
}

fn context(snapshot: &Snapshot<'_>, attributes: &[(&str, Json)]) -> Context {
    let members = attributes.iter().map(|(key, value)| ((*key).into(), value.clone())).collect();
    let mut packed = Vec::new();
    Value::write(&Json::Object(members), &mut packed);
    Context::from_packed(snapshot, packed).unwrap()
}

fn at(bytes: &[u8], stage: Option<u8>, attributes: &[(&str, Json)]) -> Decision {
    let snapshot = Snapshot::load(bytes).unwrap();
    let stages = stage.map(|stage| OpenStage { flag: FLAG, stage, since: 0 });
    let control = Control::new(&snapshot, NOW + 60, stages.into_iter(), [].into_iter());
    decide_key(&snapshot, &control, &context(&snapshot, attributes), FLAG, NOW)
}

/// A ladder that compile would accept: treatment and control grow, control gives way past one half.
fn ladder() -> impl Strategy<Value = Vec<DraftStage>> {
    prop::collection::vec((0..=SHARE_TOTAL, 0..=HALF), 1..8).prop_map(|mut shares| {
        shares.sort_by_key(|(treat, _)| *treat);
        let mut highest = 0;
        shares
            .into_iter()
            .enumerate()
            .map(|(index, (treat, control))| {
                let control =
                    if treat > HALF { highest.min(SHARE_TOTAL - treat) } else { highest.max(control) };
                highest = if treat > HALF { control } else { highest.max(control) };
                share(&format!("stage-{index}"), treat, control)
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn widening_only_adds_and_nobody_swaps_treatment_for_control(stages in ladder(), unit in "[a-z0-9]{1,12}") {
        let last = stages.len() as u8 - 1;
        let bytes = snapshot(stages, Some(last), |_| {});
        let key = [("targetingKey", Json::Text(unit))];
        let mut before: Option<Decision> = None;
        for stage in 0..=last {
            let decision = at(&bytes, Some(stage), &key);
            // The same question gets the same answer.
            prop_assert_eq!(decision, at(&bytes, Some(stage), &key));
            if let Some(before) = before {
                if before.arm == Arm::Treatment {
                    prop_assert_eq!(decision.arm, Arm::Treatment);
                }
                if before.arm != Arm::None {
                    prop_assert_ne!(decision.arm, Arm::None, "a unit that took part stays part of it");
                    prop_assert_eq!(before.cohort, decision.cohort);
                }
                if before.arm == Arm::Control && decision.arm == Arm::Treatment {
                    prop_assert_eq!(decision.probability, 0, "who crossed is no evidence");
                }
            }
            if decision.arm != Arm::None {
                let cohort = decision.cohort.unwrap();
                prop_assert!(cohort <= stage);
                // Not yet there at the stage below its cohort.
                if cohort > 0 {
                    prop_assert_eq!(at(&bytes, Some(cohort - 1), &key).arm, Arm::None);
                }
            }
            before = Some(decision);
        }
    }

    #[test]
    fn a_pulse_never_opens_more_than_was_signed(stages in ladder(), ceiling in 0u8..8, pulse in any::<u8>(), unit in "[a-z0-9]{1,12}") {
        let ceiling = ceiling.min(stages.len() as u8 - 1);
        let bytes = snapshot(stages, Some(ceiling), |_| {});
        let key = [("targetingKey", Json::Text(unit))];
        let signed = at(&bytes, Some(ceiling), &key);
        let decision = at(&bytes, Some(pulse), &key);
        if decision.arm == Arm::Treatment {
            prop_assert_eq!(signed.arm, Arm::Treatment);
        }
        prop_assert!(decision.stage.unwrap() <= ceiling);
    }
}

#[test]
fn the_default_plans_shares_and_probabilities_come_out() {
    // The ladder of evidence-and-control section 5.
    let percent = SHARE_TOTAL / 100;
    let stages = vec![
        share("1%", percent, 9 * percent),
        share("5%", 5 * percent, 20 * percent),
        share("25%", 25 * percent, 40 * percent),
        share("50%", 50 * percent, 50 * percent),
        share("everyone", 99 * percent, percent),
    ];
    let bytes = snapshot(stages, Some(4), |_| {});
    let probabilities = [100_000_000, 266_666_666, 500_000_000, 714_285_714, 0];
    let expected = [(1, 9), (5, 20), (25, 40), (50, 50), (99, 1)];
    let units = 20_000;
    for (stage, (treat, control)) in expected.into_iter().enumerate() {
        let (mut treated, mut controls) = (0u32, 0u32);
        for unit in 0..units {
            let decision =
                at(&bytes, Some(stage as u8), &[("targetingKey", Json::Text(format!("unit-{unit}")))]);
            treated += u32::from(decision.arm == Arm::Treatment);
            controls += u32::from(decision.arm == Arm::Control);
            if decision.arm != Arm::None && stage < 4 {
                assert_eq!(decision.probability, probabilities[usize::from(decision.cohort.unwrap())]);
            }
            if stage == 4 && decision.cohort == Some(3) {
                assert_eq!(decision.probability, 0, "its controls were given up");
            }
        }
        // Five standard deviations of a binomial.
        for (count, share) in [(treated, treat), (controls, control)] {
            let share = f64::from(share) / 100.0;
            let slack = 5.0 * (f64::from(units) * share * (1.0 - share)).sqrt();
            assert!(
                (f64::from(count) - f64::from(units) * share).abs() <= slack,
                "stage {stage}: {count} of {share}"
            );
        }
    }
}

#[test]
fn consent_and_data_domain_come_before_everything_that_hashes() {
    let stages = vec![share("all", SHARE_TOTAL, 0)];
    let bytes = snapshot(stages, Some(0), |flag| {
        let plan = flag.plan.as_mut().unwrap();
        plan.consent = Some("evaluation".into());
        plan.data_domains = vec!["public-docs".into()];
    });
    let key = ("targetingKey", Json::from("u"));
    let domain = ("dataDomain", Json::from("public-docs"));
    let grants: [(Json, bool); 8] = [
        (Json::Text("evaluation".into()), true),
        (Json::List(vec!["marketing".into(), "evaluation".into()]), true),
        (Json::Object(vec![("evaluation".into(), Json::Bool(true))]), true),
        (Json::Object(vec![("evaluation".into(), Json::Bool(false))]), false),
        (Json::Object(vec![("evaluation".into(), Json::Integer(1))]), false),
        (Json::Bool(true), false),
        (Json::Text("evaluation, marketing".into()), false),
        (Json::Null, false),
    ];
    for (consent, granted) in grants {
        let decision = at(&bytes, Some(0), &[key.clone(), domain.clone(), ("consent", consent.clone())]);
        assert_eq!(decision.arm == Arm::Treatment, granted, "{consent:?}");
        assert_eq!(decision.detail == Detail::Consent, !granted, "{consent:?}");
        assert_eq!(decision.variant, Some(u16::from(granted)), "{consent:?}");
    }
    let granted = ("consent", Json::from("evaluation"));
    for other in [Json::Null, "customer-records".into(), Json::List(vec!["public-docs".into()])] {
        let decision = at(&bytes, Some(0), &[key.clone(), granted.clone(), ("dataDomain", other)]);
        assert_eq!((decision.detail, decision.variant), (Detail::DataDomain, Some(0)));
    }
}

#[test]
fn without_a_usable_unit_key_the_plan_is_closed() {
    let bytes = snapshot(vec![share("all", SHARE_TOTAL, 0)], Some(0), |_| {});
    for key in [Json::Null, "".into(), Json::Bool(true), Json::Number(1.5), Json::List(vec![])] {
        let decision = at(&bytes, Some(0), &[("targetingKey", key)]);
        assert_eq!((decision.arm, decision.detail, decision.variant), (Arm::None, Detail::Closed, Some(0)));
    }
    // A number and its text are one unit.
    assert_eq!(at(&bytes, Some(0), &[("targetingKey", Json::Integer(-7))]).arm, Arm::Treatment);
}

#[test]
fn halts_and_expiry_serve_the_baseline() {
    let bytes = snapshot(vec![share("all", SHARE_TOTAL, 0)], Some(0), |_| {});
    let loaded = Snapshot::load(&bytes).unwrap();
    let unit = context(&loaded, &[("targetingKey", "u".into())]);
    let open = || [OpenStage { flag: FLAG, stage: 0, since: 0 }].into_iter();
    let halted = Control::new(&loaded, NOW + 60, open(), [FLAG, "unknown"].into_iter());
    let decision = decide_key(&loaded, &halted, &unit, FLAG, NOW);
    assert_eq!((decision.detail, decision.variant, decision.arm), (Detail::Halt, Some(0), Arm::None));

    let control = Control::new(&loaded, NOW + 60, open(), [].into_iter());
    assert_eq!(decide_key(&loaded, &control, &unit, FLAG, NOW + 59).variant, Some(1));
    let decision = decide_key(&loaded, &control, &unit, FLAG, NOW + 60);
    assert_eq!(
        (decision.reason, decision.detail, decision.variant),
        (Reason::Stale, Detail::Expired, Some(0))
    );
    let decision = decide_key(&loaded, &Control::closed(&loaded), &unit, FLAG, NOW);
    assert_eq!((decision.detail, decision.variant), (Detail::Expired, Some(0)));

    // `hold` goes on as last told.
    let bytes = snapshot(vec![share("all", SHARE_TOTAL, 0)], Some(0), |flag| flag.on_expiry = OnExpiry::Hold);
    let loaded = Snapshot::load(&bytes).unwrap();
    let unit = context(&loaded, &[("targetingKey", "u".into())]);
    let control = Control::new(&loaded, NOW + 60, open(), [].into_iter());
    assert_eq!(decide_key(&loaded, &control, &unit, FLAG, NOW + 3_600).variant, Some(1));
}

#[test]
fn allow_lists_are_treated_and_are_no_evidence() {
    let who =
        Program(vec![Op::Attribute("email".into()), Op::Constant("@acme.example".into()), Op::EndsWith]);
    let stages = vec![
        DraftStage { name: "staff".into(), who: Some(who), treat: 0, control: 0, ..DraftStage::default() },
        share("half", HALF, HALF),
    ];
    let bytes = snapshot(stages, Some(1), |_| {});
    let staff = |unit: &str| [("targetingKey", Json::from(unit)), ("email", "a@acme.example".into())];
    for unit in ["a", "b", "c", "d"] {
        let decision = at(&bytes, Some(0), &staff(unit));
        assert_eq!((decision.arm, decision.cohort, decision.probability), (Arm::Treatment, Some(0), 0));
        assert_eq!(decision.reason, Reason::TargetingMatch);
        assert_eq!(at(&bytes, Some(1), &staff(unit)).cohort, Some(0), "the lowest stage that holds it");
        let other = at(&bytes, Some(0), &[("targetingKey", unit.into())]);
        assert_eq!((other.arm, other.detail), (Arm::None, Detail::Closed));
    }
}

#[test]
fn a_plan_without_ceiling_stays_closed_whatever_the_pulse_says() {
    let bytes = snapshot(vec![share("all", SHARE_TOTAL, 0)], None, |_| {});
    let decision = at(&bytes, Some(0), &[("targetingKey", "u".into())]);
    assert_eq!((decision.arm, decision.stage, decision.variant), (Arm::None, None, Some(0)));
}
