//! How far the whole observed distribution strays from the true one: for all quantiles and all times at once.
//!
//! ```text
//! |F_t(x) - F(x)| <= A sqrt( (ln(1 + ln(t / t_min)) + C) / t )   for every x and every t >= t_min
//! ```
//!
//! with A > 1/sqrt 2 chosen (0.85) and C as small as the level allows (Howard & Ramdas, arXiv:1906.09712, theorem 2).

use crate::search;

/// The leading constant that the paper recommends.
pub const LEADING: f64 = 0.85;

/// Chance that the curve with constant `c` is crossed in some epoch, for the best length of epochs.
fn chance(a: f64, c: f64) -> f64 {
    let chance_for = |growth: f64| {
        let slack = a - libm::sqrt(2.0 * (growth - 1.0) / c);
        let gamma = 2.0 / growth * slack * slack;
        if gamma <= 1.0 {
            return f64::INFINITY;
        }
        4.0 * libm::exp(-gamma * c) * (1.0 + 1.0 / ((gamma - 1.0) * libm::log(growth)))
    };
    let longest = search::root(
        |growth| libm::sqrt(growth / 2.0) + libm::sqrt(2.0 * (growth - 1.0) / c) - a,
        1.0,
        2.0 * a * a,
    );
    chance_for(search::minimum(chance_for, 1.0, longest))
}

/// The radius after `t` observations at level `alpha`, counting from `t_min` >= 1 observations; infinite before. `leading`
/// is A; above 1/sqrt 2.
pub fn radius(t: f64, alpha: f64, t_min: f64, leading: f64) -> f64 {
    let usable = alpha > 0.0 && alpha < 1.0 && t_min >= 1.0 && leading > core::f64::consts::FRAC_1_SQRT_2;
    if !usable {
        return f64::NAN;
    }
    if t < t_min {
        return f64::INFINITY;
    }
    let c = search::root(|c| libm::log(chance(leading, c)) - libm::log(alpha), 0.5, 1_000.0);
    leading * libm::sqrt((libm::log1p(libm::log(t / t_min)) + c) / t)
}
