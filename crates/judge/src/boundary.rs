//! Curves that a random walk stays beneath for ever with a promised chance: what all sequences of intervals are made of.
//!
//! A sum S of fair bets whose variance so far is V cannot be caught out by looking often: P(S ever reaches the curve
//! u(V)) <= α. Each curve comes from averaging a likelihood ratio over alternatives (a mixture: [`normal`], [`gamma`],
//! [`bernoulli`]) or from stitching fixed-time bounds together over epochs ([`stitching`], [`distribution`]). They differ
//! in what they assume of one step: about normal; bounded below or above by a step `c`; two values; a whole distribution.
//! Source: Howard, Ramdas, McAuliffe, Sekhon, arXiv:1810.08240; Howard & Ramdas, arXiv:1906.09712 (quantiles).
//! `docs/statistics.md` says which statistic uses which.
//!
//! Common arguments: `v` the variance of the sum so far (V > 0); `alpha` the chance in (0, 1); `at` the V at which the curve
//! is tightest, chosen before looking; `tuned` the level it is tuned for, mostly `alpha` itself. Numbers outside these
//! ranges give a number that is not one (NaN), which no comparison ever clears.

pub mod bernoulli;
pub mod distribution;
pub mod gamma;
pub mod normal;
pub mod stitching;

use crate::search;

/// One or two sides: whether only "too much" counts as caught, or "too little" as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// Only large sums.
    One,
    /// Large and small ones.
    Two,
}

/// How spread out the alternatives of a mixture are, so that its curve is tightest at variance `at` for level `tuned`.
pub fn spread(at: f64, tuned: f64, sides: Sides) -> f64 {
    let alpha = if sides == Sides::One { 2.0 * tuned } else { tuned };
    let nats = -2.0 * libm::log(alpha);
    at / (nats + libm::log1p(nats))
}

/// The sum at which the log of a mixture reaches -ln `alpha`, searched from 0 up; `most` where the sum cannot be larger.
fn reached(log_mixture: impl Fn(f64) -> f64, alpha: f64, v: f64, most: Option<f64>) -> f64 {
    let missing = |s: f64| log_mixture(s) + libm::log(alpha);
    if let Some(most) = most {
        return if missing(most) < 0.0 { most } else { search::root(missing, 0.0, most) };
    }
    let mut high = if v > 0.0 { v } else { 1.0 };
    for _ in 0..1_000 {
        if missing(high) > 0.0 {
            return search::root(missing, 0.0, high);
        }
        high *= 2.0;
    }
    f64::NAN
}
