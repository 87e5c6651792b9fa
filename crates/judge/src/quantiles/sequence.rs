//! Which order statistics of `t` observations bracket the true quantile, at all times together.

use crate::boundary::{Sides, bernoulli, distribution};

/// Ranks (1 is the smallest observation) of the two ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranks {
    /// How far the share below may be under `p`.
    pub lower_radius: f64,
    /// How far it may be over `p`.
    pub upper_radius: f64,
    /// The lower end: this order statistic. 0 and below: no lower bound.
    pub lower: i64,
    /// The upper end. Above `t`: no upper bound; say so and do not show the largest observation in its place.
    pub upper: i64,
    /// Whether the lower end is a bound at all: the share below may not be 0.
    pub has_lower: bool,
    /// Whether the upper end is one: the share below may not be 1. (Published ranks stop at `t` all the same.)
    pub has_upper: bool,
}

fn ranks(p: f64, t: f64, lower_radius: f64, upper_radius: f64) -> Ranks {
    let lower = libm::floor(t * (p - lower_radius) + 1.0);
    let upper = libm::ceil(t * (p + upper_radius));
    Ranks {
        lower_radius,
        upper_radius,
        lower: lower as i64,
        upper: upper as i64,
        has_lower: p - lower_radius > 1e-12,
        has_upper: p + upper_radius < 1.0 - 1e-12 && upper <= t,
    }
}

/// For one quantile `p` fixed beforehand, two-sided at level `alpha`, tightest at `at` observations: one beta-binomial
/// mixture, whose two ends hold together. None unless 0 < `p` < 1, 0 < `alpha` < 1, `at` > 0 and `t` > 0.
pub fn fixed(p: f64, t: u64, alpha: f64, at: f64) -> Option<Ranks> {
    let inside = |v: f64| v > 0.0 && v < 1.0;
    if !(inside(p) && inside(alpha) && at > 0.0 && at.is_finite() && t > 0) {
        return None;
    }
    let (n, variance) = (t as f64, p * (1.0 - p));
    let radius = |steps| bernoulli::bound(variance * n, alpha, variance * at, steps, alpha, Sides::Two) / n;
    Some(ranks(p, n, radius((1.0 - p, p)), radius((p, 1.0 - p))))
}

/// For every quantile at once, two-sided at level `alpha`, from `t_min` observations on. None where it says nothing.
pub fn uniform(p: f64, t: u64, alpha: f64, t_min: f64) -> Option<Ranks> {
    let radius = distribution::radius(t as f64, alpha, t_min, distribution::LEADING);
    (p > 0.0 && p < 1.0 && radius.is_finite()).then(|| ranks(p, t as f64, radius, radius))
}

/// The value at a rank among sorted values: minus or plus infinity beyond them.
pub fn at_rank(sorted: &[f64], rank: i64) -> f64 {
    match usize::try_from(rank) {
        Ok(rank) if rank >= 1 => sorted.get(rank - 1).copied().unwrap_or(f64::INFINITY),
        _ => f64::NEG_INFINITY,
    }
}
