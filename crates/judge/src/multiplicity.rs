//! Many tests at once: how sure must one be of each, when any of them may be wrong?
//!
//! | rule | input | what it promises |
//! | --- | --- | --- |
//! | [`e_bonferroni`] | e-values | no false alarm at all, with probability at least 1 - alpha: for what acts |
//! | [`e_bh`] | e-values | at most a share alpha of the alarms is false, on average: for lists that people read |
//! | [`bonferroni`], [`holm`] | p-values | as e-Bonferroni |
//! | [`benjamini_yekutieli`] | p-values | as e-BH |
//! | [`benjamini_hochberg`] | p-values | as e-BH, for tests that are independent or positively dependent only |
//!
//! The e-value rules hold whatever the tests have to do with each other (slices of the same units overlap) and however
//! often one looks; p-values of a single look keep neither promise under peeking.
//!
//! Sources: Wang & Ramdas, arXiv:2009.02824 (e-BH); Holm 1979; Benjamini & Hochberg 1995; Benjamini & Yekutieli 2001.

use crate::alpha::{clears, log_threshold};
use crate::limits::LOG_SLACK;

/// What ln E of one test out of `tests` must exceed, so that any of them acts by mistake with probability at most `alpha`:
/// ln(`tests` / `alpha`). No tests are read as one.
pub fn e_bonferroni_log_threshold(tests: usize, alpha: f64) -> f64 {
    log_threshold(alpha, 1.0 / tests.max(1) as f64)
}

/// Which tests exceed the threshold of [`e_bonferroni_log_threshold`], in the order given. Ties do not, NaN does not.
pub fn e_bonferroni(log_e: &[f64], alpha: f64) -> Vec<bool> {
    let threshold = e_bonferroni_log_threshold(log_e.len(), alpha);
    log_e.iter().map(|log_e| clears(*log_e, threshold)).collect()
}

/// Which tests the e-BH rule picks, in the order given: the k* largest, with k* the largest k for which the k-th largest E
/// is at least K / (`alpha` k). `log_e` holds ln E. NaN is never picked; a tie within [`LOG_SLACK`] is.
pub fn e_bh(log_e: &[f64], alpha: f64) -> Vec<bool> {
    let tests = log_e.len();
    let value = |log_e: f64| if log_e.is_nan() { f64::NEG_INFINITY } else { log_e };
    let mut order: Vec<(usize, f64)> = log_e.iter().copied().map(value).enumerate().collect();
    order.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let needed = |picked: usize| log_threshold(alpha, picked as f64 / tests as f64);
    let mut enough =
        order.iter().enumerate().filter(|(rank, (_, log_e))| *log_e >= needed(rank + 1) - LOG_SLACK);
    let count = enough.next_back().map_or(0, |(rank, _)| rank + 1);
    let mut picked = vec![false; tests];
    for (position, _) in order.into_iter().take(count) {
        if let Some(slot) = picked.get_mut(position) {
            *slot = true;
        }
    }
    picked
}

/// Adjusted p-values: each times the number of tests, at most 1. A test counts when its adjusted value is at most alpha.
pub fn bonferroni(p: &[f64]) -> Vec<f64> {
    let tests = p.len() as f64;
    p.iter().map(|p| (p * tests).min(1.0)).collect()
}

/// Adjusted p-values of Holm's step-down rule: never weaker than [`bonferroni`], for the same promise.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let tests = p.len();
    let mut largest = 0.0_f64;
    let steps = ascending(p).into_iter().enumerate().map(|(rank, (position, p))| {
        largest = largest.max((tests - rank) as f64 * p).min(1.0);
        (position, largest)
    });
    placed(tests, steps)
}

/// Adjusted p-values of the Benjamini-Hochberg step-up rule.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    step_up(p, 1.0)
}

/// Adjusted p-values of Benjamini and Yekutieli: as [`benjamini_hochberg`], times 1 + 1/2 + ... + 1/K, which makes it hold
/// under any dependence.
pub fn benjamini_yekutieli(p: &[f64]) -> Vec<f64> {
    step_up(p, (1..=p.len()).map(|k| 1.0 / k as f64).sum())
}

fn step_up(p: &[f64], factor: f64) -> Vec<f64> {
    let tests = p.len();
    let mut smallest = 1.0_f64;
    let steps = ascending(p).into_iter().enumerate().rev().map(|(rank, (position, p))| {
        smallest = smallest.min(factor * p * tests as f64 / (rank + 1) as f64);
        (position, smallest)
    });
    placed(tests, steps)
}

/// Positions and values, smallest first; NaN is read as 1, which never counts.
fn ascending(p: &[f64]) -> Vec<(usize, f64)> {
    let value = |p: f64| if p.is_nan() { 1.0 } else { p };
    let mut order: Vec<(usize, f64)> = p.iter().copied().map(value).enumerate().collect();
    order.sort_by(|(_, a), (_, b)| a.total_cmp(b));
    order
}

/// Values back at their positions.
fn placed(tests: usize, values: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
    let mut all = vec![1.0; tests];
    for (position, value) in values {
        if let Some(slot) = all.get_mut(position) {
            *slot = value;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e_bonferroni_acts_beyond_its_threshold_only() {
        let threshold = e_bonferroni_log_threshold(4, 0.05);
        assert!((threshold - libm::log(80.0)).abs() < 1e-12);
        let picked = e_bonferroni(&[threshold, threshold + 1e-6, f64::NAN, f64::INFINITY], 0.05);
        assert_eq!(picked, [false, true, false, true]);
        assert_eq!(e_bonferroni(&[], 0.05), Vec::<bool>::new());
    }

    #[test]
    fn e_bh_takes_the_largest_set_that_holds() {
        // Four tests at 0.05: one alone needs 80, two 40 each, three 26.7, all four 20.
        let ln = libm::log;
        assert_eq!(e_bh(&[ln(41.0), ln(79.0), ln(1.0), ln(40.5)], 0.05), [true, true, false, true]);
        assert_eq!(e_bh(&[ln(79.0), ln(1.0), ln(2.0), ln(39.0)], 0.05), [false; 4]);
        assert_eq!(e_bh(&[ln(20.0); 4], 0.05), [true; 4]);
        assert_eq!(e_bh(&[f64::NAN, ln(200.0)], 0.05), [false, true]);
    }

    #[test]
    fn adjusted_values_stay_in_the_order_of_the_tests() {
        assert_eq!(holm(&[0.5, 0.01]), [0.5, 0.02]);
        assert_eq!(benjamini_hochberg(&[0.5, 0.01, f64::NAN]), [0.75, 0.03, 1.0]);
        assert_eq!(bonferroni(&[0.4, 0.01]), [0.8, 0.02]);
        assert_eq!(benjamini_yekutieli(&[0.01]), [0.01]);
    }
}
