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
    let (possibly, certainly) = (upper_arm.possibly(), lower_arm.certainly());
    let (mut worst, mut floor) = (Vec::new(), 0u64);
    for ceiling in edges(upper_arm, lower_arm, by) {
        // x anywhere in floor..=ceiling: at worst as many of the upper arm as at its end, as few of the lower as before it.
        let upto = possibly.at_most(ceiling.saturating_add_signed(by));
        let under = floor.checked_sub(1).map_or(0, |before| certainly.at_most(before));
        worst.push((n.saturating_sub(upto), under));
        floor = ceiling.saturating_add(1);
    }
    let at = |index: usize| -> Option<(f64, f64)> {
        let (over, under) = worst.get(index)?;
        let upper = log_e(above, 1.0 - p, *over, n, PriorSides::One)?;
        Some((upper, log_e(below, p, *under, m, PriorSides::One)?))
    };
    let last = worst.len().checked_sub(1)?;
    let (first, end) = (at(0)?, at(last)?);
    let mut least = f64::min(first.0 + first.1, end.0 + end.1);
    // The upper arm's evidence only falls from bucket to bucket and the lower arm's only rises, so the sum within a stretch is
    // at least the former's end with the latter's beginning: stretches that cannot hold the minimum are passed over.
    let mut stretches = vec![((0, first), (last, end))];
    while let Some(((from, early), (to, late))) = stretches.pop() {
        let middle = usize::midpoint(from, to);
        if middle == from || late.0 + early.1 >= least {
            continue;
        }
        let between = at(middle)?;
        least = least.min(between.0 + between.1);
        stretches.push(((from, early), (middle, between)));
        stretches.push(((middle, between), (to, late)));
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
