//! Numbers that the design or a publication states, and the identities that the derivations claim. These need no
//! vector files.

mod support;

use flagstone_judge::alpha::{attempt_alpha, log_threshold};
use flagstone_judge::beta_binomial::{self, Prior, Sides};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::rate_ratio::{estimate, harm_log_e, not_worse_log_e};
use flagstone_judge::{CohortCounts, ExposedUnits, planning, sample_ratio, special};
use statrs::distribution::{Beta, ChiSquared, ContinuousCDF};
use support::close;

fn cohort(cohort: u8, pi: f64, treated_bad: u64, control_bad: u64) -> CohortCounts {
    let probability = (pi * f64::from(SHARE_TOTAL)).round() as u32;
    CohortCounts { cohort, probability, treated_bad, control_bad, ..CohortCounts::default() }
}

#[test]
fn the_designs_reference_values() {
    let one = [cohort(2, 0.01, 10, 200)];
    close("x = 10 of 210 at 1 %", harm_log_e(&one, 1.0).unwrap(), 6.297_398_548, 1e-9);
    let three = [cohort(2, 0.01, 3, 250), cohort(3, 0.05, 12, 190), cohort(4, 0.1, 30, 170)];
    close("three cohorts", harm_log_e(&three, 1.0).unwrap(), 1.054_688_050, 1e-9);
    close("against 1.5", harm_log_e(&three, 1.5).unwrap(), -2.066_200_564, 1e-9);
}

#[test]
fn cohorts_that_were_not_randomised_are_no_evidence() {
    let mut counts = vec![cohort(2, 0.01, 10, 200)];
    let alone = harm_log_e(&counts, 1.0).unwrap();
    counts.extend([cohort(0, 0.0, 500, 0), cohort(6, 1.0, 700, 3)]);
    assert_eq!(harm_log_e(&counts, 1.0).unwrap(), alone);
    assert_eq!(harm_log_e(&[], 1.0), Some(0.0));
    assert_eq!(harm_log_e(&[cohort(1, 0.5, 0, 0)], 1.0), Some(0.0));
    assert_eq!([0.0, -1.0, f64::NAN, f64::INFINITY].map(|r0| harm_log_e(&counts, r0)), [None; 4]);
    assert_eq!([-0.1, f64::NAN, f64::INFINITY].map(|margin| not_worse_log_e(&counts, margin)), [None; 3]);
}

/// The mirror image, written out in terms of the ratio treatment / control: likelihood of `better` against 1 + margin.
#[test]
fn non_inferiority_is_the_likelihood_ratio_it_claims_to_be() {
    let (pi, x, y, margin): (f64, u64, u64, f64) = (0.25, 40, 160, 0.2);
    let p = |ratio: f64| pi * ratio / (pi * ratio + 1.0 - pi);
    let log_ratio = |r: f64| {
        x as f64 * (p(r) / p(1.0 + margin)).ln() + y as f64 * ((1.0 - p(r)) / (1.0 - p(1.0 + margin))).ln()
    };
    let weight = |better: f64| if better == 1.0 { 0.5 } else { 1.0 / 12.0 };
    let mixture: f64 = [1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0]
        .iter()
        .map(|better| weight(*better) * log_ratio(1.0 / better).exp())
        .sum();
    close("mirror", not_worse_log_e(&[cohort(0, pi, x, y)], margin).unwrap(), mixture.ln(), 1e-12);
    // "Better" is harm with the arms exchanged.
    let exchanged = [cohort(0, 1.0 - pi, y, x)];
    assert_eq!(not_worse_log_e(&[cohort(0, pi, x, y)], 0.0), harm_log_e(&exchanged, 1.0));
}

/// E[E] after one bad unit is 1 at the null and below 1 further inside it, for every test: an e-value.
#[test]
fn expectations_do_not_exceed_one() {
    for pi in [0.01, 0.1, 4.0 / 15.0, 0.5, 25.0 / 35.0] {
        let expectation = |ratio: f64, log_e: &dyn Fn(&[CohortCounts]) -> f64| {
            let p = pi * ratio / (pi * ratio + 1.0 - pi);
            p * log_e(&[cohort(0, pi, 1, 0)]).exp() + (1.0 - p) * log_e(&[cohort(0, pi, 0, 1)]).exp()
        };
        for null in [1.0, 1.1, 1.5] {
            let harm = |c: &[CohortCounts]| harm_log_e(c, null).unwrap();
            close("harm at its null", expectation(null, &harm), 1.0, 1e-8);
            assert!(expectation(0.8 * null, &harm) < 1.0);
            assert!(expectation(1.3 * null, &harm) > 1.0);
        }
        for margin in [0.0, 0.05, 0.1, 0.5] {
            let good = |c: &[CohortCounts]| not_worse_log_e(c, margin).unwrap();
            close("non-inferiority at its null", expectation(1.0 + margin, &good), 1.0, 1e-8);
            assert!(expectation(1.3 * (1.0 + margin), &good) < 1.0);
            assert!(expectation(0.8, &good) > 1.0);
        }
    }
}

#[test]
fn the_estimate_is_the_ratio_of_rates() {
    // 20 of 1,000 treated against 90 of 9,000 controls: twice the rate, at probability 0.1.
    close("estimate", estimate(&[cohort(0, 0.1, 20, 90)]).unwrap(), 2.0, 1e-12);
    assert_eq!(estimate(&[cohort(0, 0.1, 20, 0)]), None);
    // Cohorts of different rates and probabilities, ratio 2 in each.
    close("strata", estimate(&[cohort(0, 0.1, 20, 90), cohort(1, 0.5, 300, 150)]).unwrap(), 2.0, 1e-12);
}

#[test]
fn attempts_share_one_budget() {
    close("first", attempt_alpha(0.05, 1), 0.030_396_355_092_701_33, 1e-12);
    close("third", attempt_alpha(0.05, 3), attempt_alpha(0.05, 1) / 9.0, 1e-12);
    assert_eq!(attempt_alpha(0.05, 0), attempt_alpha(0.05, 1));
    let spent: f64 = (1..=100_000).map(|k| attempt_alpha(0.05, k)).sum();
    assert!(spent < 0.05 && spent > 0.049_999, "{spent}");
    close("20", log_threshold(0.05, 1.0), 20f64.ln(), 1e-12);
    close("weighted", log_threshold(0.05, 0.4), 50f64.ln(), 1e-12);
}

#[test]
fn savvis_documented_stop_and_the_average_over_concentrations() {
    let log_e = sample_ratio::log_e(&[40, 129, 233], &[0.1, 0.4, 0.5], 100.0).unwrap();
    close("p at n = 402", (-log_e).exp(), 0.048_455_911_059_695_17, 1e-9);
    // Subtle skew in millions: k = 100 alone says 6.53, k = 1e4 says 8.77; the average is dominated by the best.
    let units = [821_588, 815_482];
    let each = [1e2, 1e4, 1e6].map(|k| sample_ratio::log_e(&units, &[0.5, 0.5], k).unwrap());
    let average = sample_ratio::averaged_log_e(&units, &[0.5, 0.5]).unwrap();
    close("mean", average, (each.iter().map(|e| e.exp()).sum::<f64>() / 3.0).ln(), 1e-9);
    assert!(average > 1000f64.ln(), "{average} sounds the alarm, {each:?}");
    assert!((sample_ratio::chi_square_p(&units, &[1.0, 1.0]).unwrap() - 1.8e-6).abs() < 0.05e-6);
    // Shares of zero: no units expected, and none tolerated.
    assert_eq!(
        sample_ratio::log_e(&[5, 5, 0], &[1.0, 1.0, 0.0], 1e2),
        sample_ratio::log_e(&[5, 5], &[1.0, 1.0], 1e2)
    );
    assert_eq!(sample_ratio::log_e(&[5, 5, 1], &[1.0, 1.0, 0.0], 1e2), Some(f64::INFINITY));
    assert_eq!(sample_ratio::chi_square_p(&[5, 5, 1], &[1.0, 1.0, 0.0]), Some(0.0));
    assert_eq!(sample_ratio::chi_square_p(&[5, 5], &[0.0, 0.0]), None);
    assert_eq!(sample_ratio::log_e(&[5, 5], &[1.0, -1.0], 1e2), None);
}

#[test]
fn sample_ratio_multiplies_over_cohorts() {
    let a = ExposedUnits { cohort: 2, probability: 100_000_000, treated: 140, control: 900 };
    let b = ExposedUnits { cohort: 3, probability: 500_000_000, treated: 510, control: 500 };
    let not_randomised = ExposedUnits { cohort: 0, probability: 0, treated: 70, control: 0 };
    let sum = sample_ratio::cohorts_log_e(&[a]) + sample_ratio::cohorts_log_e(&[b]);
    close("product", sample_ratio::cohorts_log_e(&[b, not_randomised, a]), sum, 1e-12);
}

#[test]
fn planning_reproduces_the_designs_bracket() {
    // 1 % treated, a doubling, alpha 0.05: 794 to 1,310 bad units.
    let needed = planning::to_find_harm(0.01, 2.0, 0.05).unwrap();
    assert!((needed.low - 794.0).abs() < 1.5 && (needed.high - 1_310.0).abs() < 1.5, "{needed:?}");
    // 10 % worse at most, half and half: some three thousand bad units, and a larger margin is much cheaper.
    let tight = planning::to_show_not_worse(0.5, 0.1, 0.05).unwrap();
    let loose = planning::to_show_not_worse(0.5, 0.5, 0.05).unwrap();
    assert!(tight.high > 3_000.0 && tight.high < 3_500.0, "{tight:?}");
    assert!(loose.high < 200.0, "{loose:?}");
    assert_eq!(planning::to_find_harm(0.0, 2.0, 0.05), None);
    assert_eq!(planning::to_find_harm(0.5, 1.0, 0.05), None);
    assert_eq!(planning::to_show_not_worse(0.5, 0.0, 0.05), None);
}

/// The conjugate form and the grid are different priors on the same evidence: they agree on what is strong.
#[test]
fn the_two_forms_of_the_test_tell_the_same_story() {
    let prior = Prior::tuned(0.1, 500.0, 0.05, Sides::One).unwrap();
    for (x, y, harmful) in [(10, 90, false), (30, 90, true), (100, 450, true), (50, 450, false)] {
        let beta = beta_binomial::log_e(prior, 0.1, x, x + y, Sides::One).unwrap();
        let grid = harm_log_e(&[cohort(0, 0.1, x, y)], 1.0).unwrap();
        assert_eq!(
            (beta > 20f64.ln(), grid > 20f64.ln()),
            (harmful, harmful),
            "{x} of {}: {beta} {grid}",
            x + y
        );
    }
    assert_eq!(beta_binomial::log_e(prior, 0.1, 3, 2, Sides::One), None);
    assert_eq!(beta_binomial::log_e(prior, 1.0, 1, 2, Sides::One), None);
    assert_eq!(beta_binomial::log_e(prior, 0.1, 0, 0, Sides::One), Some(0.0));
    assert_eq!(Prior::tuned(0.0, 500.0, 0.05, Sides::Two), None);
}

#[test]
fn special_functions_agree_with_statrs() {
    for a in [0.3, 1.0, 4.5, 9.99, 10.01, 37.0, 900.0, 1e5] {
        close("ln Γ", special::ln_gamma(a), statrs::function::gamma::ln_gamma(a), 1e-11);
        for b in [0.2, 2.0, 9.5, 55.0, 4_000.0] {
            close("ln B", special::ln_beta(a, b), statrs::function::beta::ln_beta(a, b), 1e-9);
            for x in [0.1, 0.5, 0.9] {
                let upper = 1.0 - Beta::new(a, b).unwrap().cdf(x);
                if upper > 1e-6 {
                    close("1 - I", special::ln_beta_upper(a, b, x).exp(), upper, 1e-8);
                }
            }
        }
    }
    for degrees in 1..12 {
        for x in [0.1, 1.0, 5.0, 30.0] {
            let reference = ChiSquared::new(f64::from(degrees)).unwrap().sf(x);
            close("chi-square", special::chi_square_upper(x, degrees), reference, 1e-9);
        }
    }
    assert_eq!(special::log_sum_exp(&[]), f64::NEG_INFINITY);
    close("sum", special::log_sum_exp(&[-1000.0, -1000.0]), -1000.0 + 2f64.ln(), 1e-15);
}
