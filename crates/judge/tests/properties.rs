//! Evidence adds up in any order, and the judge answers by what was counted, not by how it was written down.

use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{
    Action, CohortCounts, Evidence, ExposedUnits, GuardrailRule, Latched, MetricEvidence, MetricVerdict,
    PlanRules, Role, RolloutState, StageRule, judge, rate_ratio,
};
use proptest::prelude::*;

fn cohort_counts() -> impl Strategy<Value = CohortCounts> {
    (0u8..5, 0usize..6, 0u64..60, 0u64..60, 0u64..900, 0u64..900).prop_map(|(cohort, p, tb, cb, tu, cu)| {
        let probability = [0, 10_000_000, 100_000_000, SHARE_TOTAL / 2, 700_000_000, SHARE_TOTAL][p];
        CohortCounts {
            cohort,
            probability,
            treated_bad: tb,
            control_bad: cb,
            treated_units: tu,
            control_units: cu,
        }
    })
}

fn metric_evidence() -> impl Strategy<Value = MetricEvidence> {
    let latched = proptest::option::weighted(0.1, (0u64..9, 0u64..9));
    let cohorts = proptest::collection::vec(cohort_counts(), 0..6);
    let name = prop_oneof![Just("wrong"), Just("slow"), Just("unsafe")];
    (name, cohorts, 0u64..50, proptest::option::of(900u64..2_000), latched).prop_map(
        |(metric, cohorts, maturing_units, last_outcome, latched)| MetricEvidence {
            metric: metric.to_owned(),
            cohorts,
            maturing_units,
            last_outcome,
            latched: latched.map(|(log_e, at)| Latched { log_e: log_e as f64, at }),
            ..MetricEvidence::default()
        },
    )
}

fn evidence() -> impl Strategy<Value = Evidence> {
    let exposed = cohort_counts().prop_map(|c| ExposedUnits {
        cohort: c.cohort,
        probability: c.probability,
        treated: c.treated_units,
        control: c.control_units,
    });
    let metrics = proptest::collection::vec(metric_evidence(), 0..5);
    let sample_ratio = proptest::collection::vec(exposed, 0..5);
    (metrics, sample_ratio, 0u64..20, proptest::option::of(900u64..2_000)).prop_map(
        |(metrics, sample_ratio, multi_exposure, last_exposure)| Evidence {
            metrics,
            sample_ratio,
            multi_exposure,
            last_exposure,
            ..Evidence::default()
        },
    )
}

fn rules() -> PlanRules {
    let rule = |metric: &str, role, share, not_worse_by| GuardrailRule {
        metric: metric.into(),
        role,
        share,
        not_worse_by,
        ..GuardrailRule::default()
    };
    let stage = |name: &str, randomised| StageRule {
        name: name.into(),
        bake: 60,
        min_units: 200,
        min_bad: 10,
        randomised,
        ..StageRule::default()
    };
    PlanRules {
        guardrails: vec![
            rule("wrong", Role::Deterioration, 0.6, Some(0.5)),
            rule("slow", Role::Guardrail, 1.0, Some(1.0)),
            rule("unsafe", Role::Tripwire, 1.0, None),
        ],
        stages: vec![stage("internal", false), stage("some", true), stage("everyone", true)],
        ceiling: Some(1),
        ..PlanRules::default()
    }
}

fn state(stage: u8) -> RolloutState {
    RolloutState { stage: Some(stage), stage_opened: 1_000, ..RolloutState::default() }
}

proptest! {
    #[test]
    fn merging_is_commutative_and_associative(a in evidence(), b in evidence(), c in evidence()) {
        prop_assert_eq!(a.merged(&b), b.merged(&a));
        prop_assert_eq!(a.merged(&b).merged(&c), a.merged(&b.merged(&c)));
        prop_assert_eq!(a.merged(&Evidence::default()), Evidence::default().merged(&a));
    }

    /// One after the other, merged in another order, or as one heap of entries: the same judgement to the last bit.
    #[test]
    fn the_order_of_evidence_does_not_matter(parts in proptest::collection::vec(evidence(), 1..4), stage in 0u8..3) {
        let forwards = parts.iter().fold(Evidence::default(), |sum, part| sum.merged(part));
        let backwards = parts.iter().rev().fold(Evidence::default(), |sum, part| part.merged(&sum));
        let mut heap = Evidence::default();
        for part in parts.iter().rev() {
            heap.metrics.extend(part.metrics.iter().rev().cloned());
            heap.sample_ratio.extend(part.sample_ratio.iter().rev().copied());
            heap.multi_exposure += part.multi_exposure;
            heap.last_exposure = heap.last_exposure.max(part.last_exposure);
        }
        let judged = judge(&rules(), &state(stage), &forwards, 1_900);
        prop_assert_eq!(&judged, &judge(&rules(), &state(stage), &backwards, 1_900));
        prop_assert_eq!(&judged, &judge(&rules(), &state(stage), &heap, 1_900));
    }

    /// A stream of bad units, cut into batches anywhere, gives the evidence of the whole; and the e-value is the
    /// product of its steps, as a sequential likelihood ratio must be for a single grid point (here: bounded by them).
    #[test]
    fn a_stream_may_be_cut_anywhere(units in proptest::collection::vec((0u8..3, any::<bool>()), 0..120), cut in 0usize..120) {
        let counts = |stream: &[(u8, bool)]| -> MetricEvidence {
            let cohorts = stream.iter().map(|&(cohort, treated)| CohortCounts {
                cohort,
                probability: [100_000_000, 266_666_667, SHARE_TOTAL / 2][usize::from(cohort)],
                treated_bad: u64::from(treated),
                control_bad: u64::from(!treated),
                ..CohortCounts::default()
            });
            MetricEvidence { cohorts: cohorts.collect(), ..MetricEvidence::default() }
        };
        let (head, tail) = units.split_at(cut.min(units.len()));
        let whole = counts(&units);
        let merged = counts(tail).merged(&counts(head));
        for null in [1.0, 1.2] {
            prop_assert_eq!(
                rate_ratio::harm_log_e(&whole.cohorts, null),
                rate_ratio::harm_log_e(&merged.cohorts, null)
            );
        }
        for margin in [0.0, 0.1] {
            prop_assert_eq!(
                rate_ratio::not_worse_log_e(&whole.cohorts, margin),
                rate_ratio::not_worse_log_e(&merged.cohorts, margin)
            );
        }
    }

    /// One more bad treated unit never makes harm less likely, one more bad control unit never makes it more so.
    #[test]
    fn evidence_moves_the_right_way(counts in cohort_counts(), null in 1.0f64..2.0, margin in 0.0f64..1.0) {
        prop_assume!(counts.is_evidence());
        let treated = [CohortCounts { treated_bad: counts.treated_bad + 1, ..counts }];
        let control = [CohortCounts { control_bad: counts.control_bad + 1, ..counts }];
        let (harm, good) = (rate_ratio::harm_log_e, rate_ratio::not_worse_log_e);
        prop_assert!(harm(&treated, null) > harm(&[counts], null) || counts.treated_bad + counts.control_bad == 0);
        prop_assert!(harm(&control, null) < harm(&[counts], null));
        prop_assert!(good(&treated, margin) < good(&[counts], margin));
        prop_assert!(good(&control, margin) > good(&[counts], margin));
    }

    /// Whatever was counted: never more than one stage up, never above the ceiling, never up over a regression or
    /// without data, and always a reason.
    #[test]
    fn no_evidence_opens_what_it_must_not(evidence in evidence(), stage in 0u8..4, now in 900u64..3_000) {
        let judgement = judge(&rules(), &state(stage), &evidence, now);
        prop_assert!(!judgement.reasons.is_empty());
        prop_assert!(judgement.metrics.iter().all(|m| m.log_e.is_finite() && m.log_threshold.is_finite()));
        if let Action::Advance { to } = judgement.action {
            prop_assert_eq!(to, stage + 1);
            prop_assert!(to <= 1);
            prop_assert!(judgement.requirements.iter().all(|r| r.met));
            for m in &judgement.metrics {
                prop_assert!(m.latched.is_none());
                prop_assert!(!matches!(m.verdict, MetricVerdict::NoData | MetricVerdict::Stale | MetricVerdict::Invalid));
            }
        }
        prop_assert_ne!(judgement.action, Action::Complete);
        if judgement.metrics.iter().any(|m| m.latched.is_some()) {
            prop_assert_eq!(judgement.action, Action::RollBack);
        }
    }
}
