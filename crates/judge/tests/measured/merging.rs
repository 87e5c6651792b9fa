//! Wherever units were counted, in whatever order: the same judgement, bit for bit.

use flagstone_judge::kind::{Measured, QuantileRule, ScoreBar};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::moments::{CohortMoments, Moments, VALUE_LIMIT};
use flagstone_judge::quantiles::histogram::CohortHistograms;
use flagstone_judge::{
    Action, DriftBatch, DriftRule, Evidence, GuardrailRule, MetricEvidence, MetricKind, MetricVerdict,
    PlanRules, Role, RolloutState, ScoreBatch, StageRule, judge,
};
use proptest::prelude::*;

/// One unit as it was measured.
#[derive(Debug, Clone, Copy)]
struct Unit {
    cohort: u8,
    treated: bool,
    value: i64,
    second: i64,
    batch: u64,
}

/// The evidence of some units, counted in one place.
fn counted(units: &[Unit]) -> Evidence {
    let metric = |name: &str| MetricEvidence {
        metric: name.into(),
        last_outcome: Some(990),
        ..MetricEvidence::default()
    };
    let (mut sums, mut buckets, mut scores) = (metric("cost"), metric("latency"), metric("score"));
    for unit in units {
        let probability = [100_000_000, SHARE_TOTAL / 2][usize::from(unit.cohort)];
        let mut one = CohortMoments { cohort: unit.cohort, probability, ..CohortMoments::default() };
        let mut bucket = CohortHistograms { cohort: unit.cohort, probability, ..CohortHistograms::default() };
        let (arm, histogram) = if unit.treated {
            (&mut one.treated, &mut bucket.treated)
        } else {
            (&mut one.control, &mut bucket.control)
        };
        arm.add(unit.value, unit.second);
        histogram.add(unit.value.unsigned_abs());
        sums.moments.push(one);
        buckets.histograms.push(bucket);
        if unit.treated {
            let score = (unit.value.unsigned_abs() % 1_000_001) as u32;
            scores.scores.push(ScoreBatch { batch: unit.batch, scores: [(score, 1)].into() });
            let bad = u64::from(score.is_multiple_of(10));
            scores.batches.push(DriftBatch { batch: unit.batch, units: 1, bad });
        }
    }
    Evidence { metrics: vec![sums, buckets, scores], last_exposure: Some(990), ..Evidence::default() }
}

fn rules() -> PlanRules {
    let rule = |metric: &str, share, kind| GuardrailRule {
        metric: metric.into(),
        role: Role::Deterioration,
        share,
        not_worse_by: Some(0.1),
        kind,
        ..GuardrailRule::default()
    };
    let measured = Measured { baseline: Some(3.0), ..Measured::default() };
    PlanRules {
        guardrails: vec![
            rule("cost", 0.2, MetricKind::Mean(measured)),
            rule("cost", 0.2, MetricKind::Mean(Measured { adjusted: true, ..measured })),
            rule("cost", 0.2, MetricKind::Ratio(measured)),
            rule(
                "latency",
                0.2,
                MetricKind::Quantile(QuantileRule {
                    quantile: 0.9,
                    baseline: Some(5.0),
                    ..QuantileRule::default()
                }),
            ),
            rule("score", 0.2, MetricKind::Score(ScoreBar { bar: 0.5 })),
        ],
        stages: vec![StageRule {
            name: "half".into(),
            min_units: 100,
            randomised: true,
            ..StageRule::default()
        }],
        ceiling: Some(0),
        drift: vec![DriftRule { metric: "score".into(), baseline: 0.05, ..DriftRule::default() }],
        ..PlanRules::default()
    }
}

fn judged(evidence: &Evidence) -> String {
    let state = RolloutState { stage: Some(0), stage_opened: 100, ..RolloutState::default() };
    let judgement = judge(&rules(), &state, evidence, 1_000);
    if matches!(judgement.action, Action::Advance { .. } | Action::Complete) {
        let passes = |verdict| matches!(verdict, MetricVerdict::NonInferior | MetricVerdict::Improved);
        assert!(judgement.metrics.iter().all(|m| passes(m.verdict)), "{judgement:?}");
    }
    assert!(judgement.metrics.iter().all(|m| m.log_e.is_finite() && m.log_e_improved.is_finite()));
    serde_json::to_string(&judgement).unwrap()
}

fn unit() -> impl Strategy<Value = Unit> {
    (0u8..2, any::<bool>(), -20_000i64..5_000_000, 1i64..3_000_000, 0u64..4).prop_map(
        |(cohort, treated, value, second, batch)| Unit {
            cohort,
            treated,
            value: value.max(0),
            second,
            batch,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn any_order_and_any_partition_judge_alike(
        units in proptest::collection::vec(unit(), 400..700),
        places in proptest::collection::vec(0usize..4, 700),
        turned in any::<bool>(),
    ) {
        let whole = judged(&counted(&units));
        let mut parts: Vec<Vec<Unit>> = vec![Vec::new(); 4];
        for (unit, place) in units.iter().zip(&places) {
            parts[*place].push(*unit);
        }
        let counted_parts: Vec<Evidence> = parts.iter().map(|part| counted(part)).collect();
        let merged = if turned {
            counted_parts.iter().rev().fold(Evidence::default(), |sum, part| part.merged(&sum))
        } else {
            let pairs: Vec<Evidence> = counted_parts.chunks(2).map(|pair| pair[1].merged(&pair[0])).collect();
            pairs[0].merged(&pairs[1])
        };
        prop_assert_eq!(&whole, &judged(&merged));
        // Written down and read again.
        let text = serde_json::to_string(&merged).unwrap();
        prop_assert_eq!(&whole, &judged(&serde_json::from_str(&text).unwrap()));
    }

    /// Sums are exact and free of order at the limits of what is kept, too.
    #[test]
    fn sums_are_exact(values in proptest::collection::vec((any::<i64>(), any::<i64>()), 1..60), cut in 0usize..60) {
        let add = |values: &[(i64, i64)]| {
            let mut moments = Moments::default();
            values.iter().for_each(|(a, b)| moments.add(*a, *b));
            moments
        };
        let (head, tail) = values.split_at(cut.min(values.len()));
        let whole = add(&values);
        prop_assert_eq!(whole, add(tail).merged(&add(head)));
        let clamp = |v: i64| i128::from(v.clamp(-VALUE_LIMIT, VALUE_LIMIT));
        prop_assert_eq!(whole.products, values.iter().map(|(a, b)| clamp(*a) * clamp(*b)).sum::<i128>());
        prop_assert_eq!(whole.problem(), None);
    }
}
