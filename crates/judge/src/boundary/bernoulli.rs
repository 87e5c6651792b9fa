//! The beta-binomial mixture: for steps with two values, -`g` and +`h`. With g = p and h = 1 - p the sum is "events minus
//! expected events" for a chance p, which makes it the exact sequence for shares and, through ranks, for quantiles.

use super::{Sides, reached, spread};
use crate::special::ln_beta_upper;
use crate::{dirichlet, search};

/// How concentrated the prior is, in the units of `g` and `h`.
fn concentration(at: f64, g: f64, h: f64, tuned: f64, sides: Sides) -> f64 {
    (spread(at, tuned, sides) - g * h).max(1e-3 * g * h)
}

/// ln of the mixture at sum `s` and variance `v`, for steps of -`g` and +`h` (both positive).
pub fn log_mixture(s: f64, v: f64, at: f64, (g, h): (f64, f64), tuned: f64, sides: Sides) -> f64 {
    // Steps down and up, as counts: v = gh (down + up) and s = h up - g down.
    let (down, up) = ((v - g * s) / (g * (g + h)), (v + h * s) / (h * (g + h)));
    let r = concentration(at, g, h, tuned, sides);
    let prior = [r / (g * (g + h)), r / (h * (g + h))];
    let shares = [h / (g + h), g / (g + h)];
    let both = dirichlet::log_e(&prior, &[down, up], &shares);
    match sides {
        Sides::Two => both,
        Sides::One => {
            let [a, b] = prior;
            let above = |a: f64, b: f64| ln_beta_upper(b, a, shares[1]);
            both + above(a + down, b + up) - above(a, b)
        }
    }
}

/// Its curve; a sum cannot exceed v / g, which is every step up.
pub fn bound(v: f64, alpha: f64, at: f64, (g, h): (f64, f64), tuned: f64, sides: Sides) -> f64 {
    reached(|s| log_mixture(s, v, at, (g, h), tuned, sides), alpha, v, Some(v / g))
}

/// The share of events that are still plausible after `events` of `trials`: two-sided, anytime-valid at level `alpha`,
/// tightest at `at` trials. (0, 1) without trials.
pub fn share_interval(events: u64, trials: u64, alpha: f64, at: f64, tuned: f64) -> (f64, f64) {
    if trials == 0 || events > trials {
        return (0.0, 1.0);
    }
    let (n, seen) = (trials as f64, events as f64 / trials as f64);
    let excess = |p: f64| {
        let variance = p * (1.0 - p);
        let steps = (p, 1.0 - p);
        log_mixture((seen - p) * n, variance * n, variance * at, steps, tuned, Sides::Two) + libm::log(alpha)
    };
    // At the very ends nothing is computed: what lies beyond the seen share there is taken as excluded.
    let below = |p: f64| {
        if p <= 0.0 {
            1.0
        } else if p >= 1.0 {
            -1.0
        } else {
            excess(p)
        }
    };
    let above = |p: f64| {
        if p >= 1.0 {
            1.0
        } else if p <= 0.0 {
            -1.0
        } else {
            excess(p)
        }
    };
    let low = if events == 0 { 0.0 } else { search::root(below, 0.0, seen) };
    let high = if events == trials { 1.0 } else { search::root(above, seen, 1.0) };
    (low, high)
}
