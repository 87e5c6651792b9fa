//! Is a quantile larger in one arm than in the other? Both questions are answered by e-values that may be looked at at any
//! time, because each arm's is one for every x and the arms are independent.
//!
//! # Equal or not (two-sided, all values known): [`equality_p`]
//! For each x, E_A(x) and E_B(x) say how badly "x is the arm's p-quantile" fits. If the quantiles are equal there is an x
//! that is both, so `min over x of E_A(x) E_B(x)` is below an e-value (Howard & Ramdas, arXiv:1906.09712, section 5).
//!
//! # Larger (one-sided, from histograms): [`larger_log_e`]
//! "The treatment's quantile exceeds the control's by more than d": if it does not, then for x = the control's quantile,
//! neither is the control's below x nor the treatment's above x + d. So the product of the two one-sided e-values, at the x
//! where it is least, is below an e-value as well. A bucket's inside is not known, so each bucket is taken at its worst.

use super::histogram::{Histogram, upper};
use crate::beta_binomial::{Prior, Sides as PriorSides, log_e};
use crate::boundary::{Sides, bernoulli};
use crate::search;

/// Anytime-valid two-sided p-value for "the `p`-quantiles of `a` and `b` are equal", tightest at `at` observations in each.
/// 1 when an arm is empty. None unless 0 < `p` < 1, `at` > 0, 0 < `tuned` < 1 and all values are numbers.
pub fn equality_p(a: &[f64], b: &[f64], p: f64, at: f64, tuned: f64) -> Option<f64> {
    let inside = |v: f64| v > 0.0 && v < 1.0;
    if !(inside(p) && inside(tuned) && at > 0.0) || a.iter().chain(b).any(|v| v.is_nan()) {
        return None;
    }
    if a.is_empty() || b.is_empty() {
        return Some(1.0);
    }
    let arms = [ArmFit::new(a, p, at, tuned), ArmFit::new(b, p, at, tuned)];
    let both = |x: f64| arms.iter().map(|arm| arm.least_at(x)).sum::<f64>();
    // Each arm's fit falls to its floor and rises again, in steps at its own values: between the floors lies the minimum,
    // at a value of either arm.
    let least =
        arms.iter().flat_map(|arm| arm.sorted.iter().copied()).map(both).fold(f64::INFINITY, f64::min);
    Some(libm::exp(-least).min(1.0))
}

/// How badly each x fits as one arm's quantile.
struct ArmFit {
    sorted: Vec<f64>,
    p: f64,
    at: f64,
    tuned: f64,
    /// The share below that fits best.
    best: f64,
}

impl ArmFit {
    fn new(values: &[f64], p: f64, at: f64, tuned: f64) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_unstable_by(f64::total_cmp);
        let mut fit = Self { sorted, p, at, tuned, best: p };
        fit.best = search::minimum(|share| fit.log_mixture(share), 0.0, 1.0);
        fit
    }

    fn log_mixture(&self, share: f64) -> f64 {
        let (n, p, variance) = (self.sorted.len() as f64, self.p, self.p * (1.0 - self.p));
        let s = (share - p) * n;
        bernoulli::log_mixture(s, variance * n, variance * self.at, (p, 1.0 - p), self.tuned, Sides::Two)
    }

    /// The best fit that the share strictly below x, the share at most x, or anything between allows.
    fn least_at(&self, x: f64) -> f64 {
        let n = self.sorted.len() as f64;
        let below = self.sorted.partition_point(|v| *v < x) as f64 / n;
        let upto = self.sorted.partition_point(|v| *v <= x) as f64 / n;
        self.log_mixture(self.best.clamp(below, upto))
    }
}

/// ln E for "`upper_arm`'s `p`-quantile exceeds `lower_arm`'s by more than `by`" (micros; may be negative), tightest at `at`
/// units in each arm for level `tuned`. 0 while an arm is empty. None when `p`, `at` or `tuned` is out of range.
pub fn larger_log_e(
    upper_arm: &Histogram,
    lower_arm: &Histogram,
    p: f64,
    by: i64,
    at: f64,
    tuned: f64,
) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    // Above x: few of the upper arm lie at most at x + by, so many lie above: more than 1 - p of them.
    let above = Prior::tuned(1.0 - p, at, tuned, PriorSides::One)?;
    // Below x: many of the lower arm lie at most at x: more than p of them.
    let below = Prior::tuned(p, at, tuned, PriorSides::One)?;
    let (n, m) = (upper_arm.units(), lower_arm.units());
    if n == 0 || m == 0 {
        return Some(0.0);
    }
    let mut least = f64::INFINITY;
    let mut floor = 0u64;
    for bucket in edges(upper_arm, lower_arm, by) {
        let ceiling = bucket;
        // x anywhere in floor..=ceiling: at worst as many of the upper arm as at its end, as few of the lower as before it.
        let moved = ceiling.saturating_add_signed(by);
        let upto = n - upper_arm.possibly_at_most(moved).min(n);
        let under = if floor == 0 { 0 } else { lower_arm.certainly_at_most(floor - 1) };
        let evidence =
            log_e(above, 1.0 - p, upto, n, PriorSides::One)? + log_e(below, p, under, m, PriorSides::One)?;
        least = least.min(evidence);
        floor = ceiling.saturating_add(1);
    }
    Some(least)
}

/// Ends of intervals within which neither count changes.
fn edges(upper_arm: &Histogram, lower_arm: &Histogram, by: i64) -> std::collections::BTreeSet<u64> {
    let lower = lower_arm.buckets.keys().map(|b| upper(*b));
    let before = |b: &u16| b.checked_sub(1).map_or(0, upper);
    let moved = upper_arm.buckets.keys().map(|b| before(b).saturating_add_signed(by.saturating_neg()));
    lower.chain(moved).chain([u64::MAX]).collect()
}
