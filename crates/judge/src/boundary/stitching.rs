//! Curves stitched together from one fixed-time bound for each epoch, epochs growing by a factor `eta`, error shared out
//! over them like 1/k^s. Never the tightest at any time, never bad at any: they grow like sqrt(V ln ln V).

use crate::special::zeta;

/// How the error is shared out over epochs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epochs {
    /// Power s > 1 by which later epochs get less.
    pub power: f64,
    /// Each epoch is this many times as long as the one before; above 1.
    pub growth: f64,
}

impl Default for Epochs {
    fn default() -> Self {
        Self { power: 1.4, growth: 2.0 }
    }
}

impl Epochs {
    fn factors(self) -> (f64, f64) {
        let root = libm::sqrt(self.growth);
        ((libm::sqrt(root) + 1.0 / libm::sqrt(root)) * core::f64::consts::FRAC_1_SQRT_2, (root + 1.0) / 2.0)
    }
}

/// The polynomial stitched curve for steps of scale `c` (0: as normal; negative: bounded above), valid from variance
/// `v_min` > 0 on and level below it.
pub fn bound(v: f64, alpha: f64, v_min: f64, c: f64, epochs: Epochs) -> f64 {
    let (k1, k2) = epochs.factors();
    let Epochs { power, growth } = epochs;
    let v = v.max(v_min);
    let share = libm::log(zeta(power) / libm::pow(libm::log(growth), power));
    let nats = power * libm::log(libm::log(growth * v / v_min)) + share - libm::log(alpha);
    let step = k2 * c * nats;
    libm::sqrt(k1 * k1 * v * nats + step * step) + step
}

/// ln(p / (1 - p)).
fn log_odds(p: f64) -> f64 {
    libm::log(p) - libm::log1p(-p)
}

/// Doubly stitched, over time and over quantiles: how far the count of observations beneath the `p`-quantile strays from
/// t p after `t` observations, for **every** p in (0, 1) at once. Tightest around `at` observations; `delta` is the
/// spacing of the quantile grid in log-odds.
pub fn quantile_bound(p: f64, t: f64, alpha: f64, at: f64, delta: f64, epochs: Epochs) -> f64 {
    let (k1, k2) = epochs.factors();
    let Epochs { power, growth } = epochs;
    let t = t.max(at);
    let r = if p >= 0.5 {
        p
    } else {
        let moved = log_odds(p) + 2.0 * delta * libm::sqrt(at * growth / t);
        f64::min(0.5, 1.0 / (1.0 + libm::exp(-moved)))
    };
    let variance = r * (1.0 - r);
    let row = libm::sqrt(t / at) * log_odds(p).abs() / (2.0 * delta) + 1.0;
    let z = zeta(power);
    let share = 2.0 * z * (2.0 * z + 1.0) / (alpha * libm::pow(libm::log(growth), power));
    let nats = power * libm::log(libm::log(growth * t / at)) + power * libm::log(row) + libm::log(share);
    let step = k2 * (1.0 - 2.0 * p) / 3.0 * nats;
    delta * libm::sqrt(growth * t * variance / at)
        + libm::sqrt(k1 * k1 * variance * t * nats + step * step)
        + step
}
