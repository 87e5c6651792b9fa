//! The normal mixture: for sums whose steps are about normal, or bounded as tightly as normal ones (Hoeffding).

use super::{Sides, reached, spread};
use crate::special::ln_normal_lower;

/// ln of the mixture at sum `s` and variance `v`: an e-value for "the steps are not fair", and with [`Sides::One`] for
/// "they lean upwards".
pub fn log_mixture(s: f64, v: f64, at: f64, tuned: f64, sides: Sides) -> f64 {
    let rho = spread(at, tuned, sides);
    let both = s * s / (2.0 * (v + rho)) + 0.5 * libm::log(rho / (v + rho));
    match sides {
        Sides::Two => both,
        Sides::One => both + core::f64::consts::LN_2 + ln_normal_lower(s / libm::sqrt(v + rho)),
    }
}

/// The curve: the sum exceeds it (either sign, with [`Sides::Two`]) with chance at most `alpha`, ever.
pub fn bound(v: f64, alpha: f64, at: f64, tuned: f64, sides: Sides) -> f64 {
    match sides {
        Sides::Two => {
            let rho = spread(at, tuned, sides);
            libm::sqrt((v + rho) * (libm::log1p(v / rho) - 2.0 * libm::log(alpha)))
        }
        Sides::One => reached(|s| log_mixture(s, v, at, tuned, sides), alpha, v, None),
    }
}
