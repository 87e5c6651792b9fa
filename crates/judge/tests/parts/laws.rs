//! Laws: of choosing among many tests, and of adding counts up.

use flagstone_judge::multiplicity::{
    benjamini_hochberg, benjamini_yekutieli, bonferroni, e_bh, e_bonferroni, holm,
};
use flagstone_judge::prediction_powered::{AuditedScores, SCORE_TOTAL, Trust, corrected_mean};
use flagstone_judge::{Evidence, ExposedSlice, ExposedUnits, Slice, SliceEvidence, SliceRole};
use proptest::prelude::*;

use crate::{cohort, evidence, judged, rule, rules};

const ALPHA: f64 = 0.05;

fn log_e() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(prop_oneof![-5.0f64..12.0, Just(f64::NEG_INFINITY), Just(f64::NAN)], 0..12)
}

fn p_values() -> impl Strategy<Value = Vec<f64>> {
    proptest::collection::vec(prop_oneof![0.0f64..1.0, 0.0f64..0.02], 1..12)
}

fn counts() -> impl Strategy<Value = SliceEvidence> {
    let names = prop_oneof![Just("de"), Just("en"), Just("is"), Just("nn")];
    (names, 0u8..2, 0u64..400, 0u64..400, 0u64..900, 0u64..900).prop_map(|(name, number, tb, cb, tu, cu)| {
        let mut counts = cohort((tb.min(tu), tu), (cb.min(cu), cu));
        counts.cohort = number;
        SliceEvidence {
            metric: "wrong".into(),
            slice: Slice::of("language", name),
            cohorts: vec![counts],
            ..SliceEvidence::default()
        }
    })
}

/// Slices with as many exposed units as were measured.
fn part() -> impl Strategy<Value = Evidence> {
    proptest::collection::vec(counts(), 0..5).prop_map(|slices| {
        let exposed_slices = slices.iter().map(|entry| ExposedSlice {
            slice: entry.slice.clone(),
            exposed: entry
                .cohorts
                .iter()
                .map(|c| ExposedUnits {
                    cohort: c.cohort,
                    probability: c.probability,
                    treated: c.treated_units,
                    control: c.control_units,
                })
                .collect(),
        });
        Evidence { exposed_slices: exposed_slices.collect(), slices, ..Evidence::default() }
    })
}

fn scores() -> impl Strategy<Value = Vec<(u64, Option<u64>, bool)>> {
    let score = 0..=SCORE_TOTAL;
    proptest::collection::vec(
        (score.clone(), proptest::option::weighted(0.5, score), any::<bool>()),
        400..500,
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever e-Bonferroni acts on is on e-BH's list; every pick is as strong as the number of picks asks for, and one
    /// pick more would not be.
    #[test]
    fn e_bh_is_the_largest_list_that_holds(log_e in log_e()) {
        let (listed, acted) = (e_bh(&log_e, ALPHA), e_bonferroni(&log_e, ALPHA));
        prop_assert!(acted.iter().zip(&listed).all(|(acted, listed)| *listed || !acted));
        let count = listed.iter().filter(|listed| **listed).count();
        let needed = |picks: usize| (log_e.len() as f64 / (ALPHA * picks as f64)).ln();
        for (value, listed) in log_e.iter().zip(&listed) {
            prop_assert!(!listed || *value >= needed(count) - 1e-8);
        }
        for picks in count + 1..=log_e.len() {
            let strong = log_e.iter().filter(|value| **value >= needed(picks) + 1e-8).count();
            prop_assert!(strong < picks);
        }
    }

    /// More evidence never takes a pick away, and the order of the tests does not matter.
    #[test]
    fn e_bh_is_monotone_and_orderless(log_e in log_e(), at in any::<prop::sample::Index>(), more in 0.0f64..5.0) {
        prop_assume!(!log_e.is_empty());
        let before = e_bh(&log_e, ALPHA);
        let mut stronger = log_e.clone();
        stronger[at.index(log_e.len())] += more;
        let after = e_bh(&stronger, ALPHA);
        prop_assert!(before.iter().zip(&after).all(|(before, after)| *after || !before));
        let mut reversed = log_e;
        reversed.reverse();
        let mut turned = e_bh(&reversed, ALPHA);
        turned.reverse();
        prop_assert_eq!(before, turned);
    }

    /// e-BH of 1/p is Benjamini and Hochberg of p.
    #[test]
    fn e_bh_of_one_over_p(p in p_values()) {
        let log_e: Vec<f64> = p.iter().map(|p| -p.ln()).collect();
        let adjusted = benjamini_hochberg(&p);
        // Away from the threshold itself.
        prop_assume!(adjusted.iter().all(|p| (p / ALPHA - 1.0).abs() > 1e-6));
        let picked: Vec<bool> = adjusted.iter().map(|p| *p <= ALPHA).collect();
        prop_assert_eq!(e_bh(&log_e, ALPHA), picked);
    }

    /// The stricter the promise, the larger the adjusted value; none is below the value itself, and order is kept.
    #[test]
    fn adjusted_p_values_are_ordered(p in p_values()) {
        let (b, h) = (bonferroni(&p), holm(&p));
        let (bh, by) = (benjamini_hochberg(&p), benjamini_yekutieli(&p));
        for i in 0..p.len() {
            prop_assert!(p[i] <= bh[i] + 1e-15 && bh[i] <= h[i] + 1e-15 && h[i] <= b[i] + 1e-15 && b[i] <= 1.0);
            prop_assert!(bh[i] <= by[i] + 1e-15 && by[i] <= 1.0);
            for j in 0..p.len() {
                prop_assert!(p[i] > p[j] || (h[i] <= h[j] && bh[i] <= bh[j]));
            }
        }
    }

    /// Parts merged in any order, or written down as one heap: the same judgement of slices, groups and sample ratios.
    #[test]
    fn slices_add_up_in_any_order(parts in proptest::collection::vec(part(), 1..4)) {
        let mut fair = rule(SliceRole::Fairness, &[]);
        fair.metric = "wrong".into();
        let plan = rules(vec![rule(SliceRole::Deterioration, &["de", "en"]), fair]);
        let base = evidence(Vec::new());
        let forwards = parts.iter().fold(base.clone(), |sum, part| sum.merged(part));
        let backwards = parts.iter().rev().fold(base.clone(), |sum, part| part.merged(&sum));
        prop_assert_eq!(&forwards, &backwards);
        let mut heap = base;
        for part in parts.iter().rev() {
            heap.slices.extend(part.slices.iter().rev().cloned());
            heap.exposed_slices.extend(part.exposed_slices.iter().cloned());
        }
        let judgement = judged(&plan, &forwards);
        prop_assert_eq!(&judgement, &judged(&plan, &heap));
        prop_assert!(judgement.slices.iter().all(|slice| slice.log_threshold.is_finite()));
    }

    /// Scores counted in two places and added up correct the mean as one count does.
    #[test]
    fn audited_scores_add_up(scores in scores()) {
        let empty = AuditedScores { audit_probability: 500_000_000, ..AuditedScores::default() };
        let (mut one, mut two, mut all) = (empty.clone(), empty.clone(), empty);
        for (judged, human, here) in scores {
            all.add(judged, human);
            if here { &mut one } else { &mut two }.add(judged, human);
        }
        let whole = corrected_mean(&[all], Trust::Optimal);
        prop_assert_eq!(&whole, &corrected_mean(&[one.clone(), two.clone()], Trust::Optimal));
        prop_assert_eq!(&whole, &corrected_mean(&[two, one], Trust::Optimal));
        if let Ok(mean) = whole {
            prop_assert!(mean.variance >= 0.0 && (0.0..=1.0).contains(&mean.trust));
        }
    }
}
