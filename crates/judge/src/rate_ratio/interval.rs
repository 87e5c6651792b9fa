//! The rate ratio with an interval that holds at every look: all ratios that neither side of the e-process has rejected.
//!
//! For a ratio r, "the ratio is at most r" is tested by [`harm_log_e`](super::harm_log_e) with r as its null, and "the ratio
//! is at least r" by the same test with the arms exchanged and 1/r as its null. Each is an e-process, so each is wrong about
//! the true ratio, ever, with probability at most half of `alpha`. Both grow weaker as their null moves away from the
//! estimate, so what is kept is an interval, and halving finds its ends.
//!
//! For display. Rollback and promotion ask the e-processes themselves, whose grids are their own (see
//! [`not_worse_log_e`](super::not_worse_log_e)), so a promotion's test may pass a little before this interval is clear of
//! the margin.

use super::harm_log_e;
use crate::CohortCounts;
use crate::limits::SHARE_TOTAL;

/// Ratios are looked for between e^-20 and e^20; an end beyond is no bound at all.
const FAR: f64 = 20.0;

/// A range of rate ratios.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RatioInterval {
    /// Lower end; 0 while there is none.
    pub lower: f64,
    /// Upper end; none while there is none.
    pub upper: Option<f64>,
}

/// The interval of level `alpha` (0.05: wrong, at any look, with probability at most 0.05). Without a bad unit in a
/// randomised cohort everything is possible. None unless 0 < `alpha` < 1.
pub fn interval(cohorts: &[CohortCounts], alpha: f64) -> Option<RatioInterval> {
    if !(alpha > 0.0 && alpha < 1.0) {
        return None;
    }
    let threshold = libm::log(2.0 / alpha);
    let mirrored: Vec<CohortCounts> = cohorts.iter().filter(|c| c.is_evidence()).map(mirror).collect();
    let upper = largest_rejected(&mirrored, threshold).map(|ratio| 1.0 / ratio);
    Some(RatioInterval { lower: largest_rejected(cohorts, threshold).unwrap_or(0.0), upper })
}

/// The same units with the arms exchanged.
fn mirror(counts: &CohortCounts) -> CohortCounts {
    CohortCounts {
        probability: SHARE_TOTAL.saturating_sub(counts.probability),
        treated_bad: counts.control_bad,
        control_bad: counts.treated_bad,
        treated_units: counts.control_units,
        control_units: counts.treated_units,
        ..*counts
    }
}

/// The largest ratio of which "it is at most this" is rejected.
fn largest_rejected(cohorts: &[CohortCounts], threshold: f64) -> Option<f64> {
    let rejected = |at: f64| harm_log_e(cohorts, libm::exp(at)).is_some_and(|log_e| log_e > threshold);
    if !rejected(-FAR) {
        return None;
    }
    let (mut low, mut high) = (-FAR, FAR);
    // 60 halvings of 40 leave nothing between the ends.
    for _ in 0..60 {
        let middle = low + (high - low) / 2.0;
        *(if rejected(middle) { &mut low } else { &mut high }) = middle;
    }
    Some(libm::exp(low))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rate_ratio::estimate;

    fn counts(probability: u32, treated_bad: u64, control_bad: u64) -> CohortCounts {
        CohortCounts { probability, treated_bad, control_bad, ..CohortCounts::default() }
    }

    #[test]
    fn the_estimate_lies_within_and_more_units_make_it_narrower() {
        let mut before = f64::INFINITY;
        for times in [1, 10, 100] {
            let cohorts =
                [counts(100_000_000, 4 * times, 20 * times), counts(SHARE_TOTAL / 2, 3 * times, 2 * times)];
            let RatioInterval { lower, upper } = interval(&cohorts, 0.05).unwrap();
            let (upper, middle) = (upper.unwrap(), estimate(&cohorts).unwrap());
            assert!(lower < middle && middle < upper, "{lower} {middle} {upper}");
            assert!(upper / lower.max(1e-9) < before);
            before = upper / lower.max(1e-9);
        }
        assert!(before < 1.6, "{before}");
    }

    #[test]
    fn exchanged_arms_give_the_inverse() {
        let cohorts = [counts(250_000_000, 40, 90)];
        let (one, other) =
            (interval(&cohorts, 0.05).unwrap(), interval(&[mirror(&cohorts[0])], 0.05).unwrap());
        assert!((one.lower * other.upper.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_seen_bounds_nothing() {
        let nothing = RatioInterval { lower: 0.0, upper: None };
        assert_eq!(interval(&[], 0.05), Some(nothing));
        assert_eq!(interval(&[counts(0, 9, 9), counts(SHARE_TOTAL, 9, 9)], 0.05), Some(nothing));
        assert_eq!(interval(&[], 0.0), None);
        // Bad units in one arm only bound one side.
        let seen = interval(&[counts(SHARE_TOTAL / 2, 30, 0)], 0.05).unwrap();
        assert!(seen.lower > 1.0 && seen.upper.is_none());
    }
}
