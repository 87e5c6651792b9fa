//! Gamma mixtures, one-sided: for sums whose steps are bounded on one side only, where the normal curve would be too low.
//!
//! `exponential` is for steps like those of an exponential variable of scale `c` (an observation in [0, 1] seen against its
//! running mean: empirical Bernstein, c = 1); `poisson` for counts with jumps of `c` at most.

use super::{Sides, reached, spread};
use crate::special::{gamma_lower, gamma_upper, ln_gamma};

fn leading(rho: f64, c: f64, part: fn(f64, f64) -> f64) -> f64 {
    let r = rho / (c * c);
    r * libm::log(r) - ln_gamma(r) - libm::log(part(r, r))
}

/// ln of the gamma-exponential mixture at sum `s` and variance `v`, for steps of scale `c` > 0.
pub fn exponential_log_mixture(s: f64, v: f64, at: f64, c: f64, tuned: f64) -> f64 {
    let (rho, square) = (spread(at, tuned, Sides::One), c * c);
    let (shape, moved) = ((v + rho) / square, (c * s + v) / square);
    let rate = moved + rho / square;
    leading(rho, c, gamma_lower) + ln_gamma(shape) + libm::log(gamma_lower(shape, rate))
        - shape * libm::log(rate)
        + moved
}

/// Its curve.
pub fn exponential_bound(v: f64, alpha: f64, at: f64, c: f64, tuned: f64) -> f64 {
    reached(|s| exponential_log_mixture(s, v, at, c, tuned), alpha, v, None)
}

/// ln of the gamma-Poisson mixture at sum `s` and variance `v`, for jumps of at most `c` > 0.
pub fn poisson_log_mixture(s: f64, v: f64, at: f64, c: f64, tuned: f64) -> f64 {
    let (rho, square) = (spread(at, tuned, Sides::One), c * c);
    let rate = (v + rho) / square;
    let shape = s / c + rate;
    leading(rho, c, gamma_upper) + ln_gamma(shape) + libm::log(gamma_upper(shape, rate))
        - shape * libm::log(rate)
        + v / square
}

/// Its curve.
pub fn poisson_bound(v: f64, alpha: f64, at: f64, c: f64, tuned: f64) -> f64 {
    reached(|s| poisson_log_mixture(s, v, at, c, tuned), alpha, v, None)
}
