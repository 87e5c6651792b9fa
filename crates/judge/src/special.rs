//! The special functions that the statistics need, in log space, on `libm` alone.
//!
//! No platform mathematics: `f64::ln`, `exp` and their like differ between systems in the last bit, `libm` does
//! not, so native and wasm builds give the same evidence to the last bit.

mod incomplete_gamma;
mod normal;
mod student;
mod zeta;

use core::f64::consts::PI;

pub use incomplete_gamma::{gamma_lower, gamma_upper};
pub use normal::{ln_normal_density, ln_normal_lower, normal_lower, normal_quantile, normal_upper};
pub use student::{ln_t_lower, noncentral_t_lower, t_lower, t_quantile, t_upper};
pub use zeta::zeta;

/// ln Γ(x), x > 0.
pub fn ln_gamma(x: f64) -> f64 {
    libm::lgamma(x)
}

/// ½ ln 2π.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// What Stirling's formula leaves of ln Γ: ln Γ(x) - [(x - ½) ln x - x + ½ ln 2π], x > 0. Small and smooth, so
/// differences of it are accurate where differences of ln Γ cancel.
pub fn stirling_remainder(x: f64) -> f64 {
    if x < 10.0 {
        return ln_gamma(x) - ((x - 0.5) * libm::log(x) - x + HALF_LN_TWO_PI);
    }
    // Bernoulli series; the first term left out is below 7e-16 at x = 10.
    let square = 1.0 / (x * x);
    let series = 1.0 / 1188.0 - square * (691.0 / 360_360.0);
    let series = 1.0 / 1680.0 - square * series;
    let series = 1.0 / 1260.0 - square * series;
    let series = 1.0 / 360.0 - square * series;
    (1.0 / 12.0 - square * series) / x
}

/// ln B(a, b) = ln Γ(a) + ln Γ(b) - ln Γ(a + b), a, b > 0, without the cancellation of that formula.
pub fn ln_beta(a: f64, b: f64) -> f64 {
    let (small, large) = if a <= b { (a, b) } else { (b, a) };
    if large < 10.0 {
        return ln_gamma(small) + ln_gamma(large) - ln_gamma(small + large);
    }
    // ln Γ(large) - ln Γ(small + large)
    let grow = libm::log1p(small / large);
    let remainders = stirling_remainder(large) - stirling_remainder(small + large);
    if small < 10.0 {
        let ratio = small - small * libm::log(large) - (small + large - 0.5) * grow + remainders;
        return ln_gamma(small) + ratio;
    }
    let portion = libm::log1p(large / small);
    HALF_LN_TWO_PI - 0.5 * libm::log(large) - (small - 0.5) * portion - large * grow
        + stirling_remainder(small)
        + remainders
}

/// ln Σ exp(term). Minus infinity when there are no terms.
pub fn log_sum_exp(terms: &[f64]) -> f64 {
    let top = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if !top.is_finite() {
        return top;
    }
    top + libm::log(terms.iter().map(|term| libm::exp(term - top)).sum())
}

/// ln(1 - exp(x)) for x <= 0, accurate at both ends.
pub fn log_one_minus_exp(x: f64) -> f64 {
    if x > -core::f64::consts::LN_2 { libm::log(-libm::expm1(x)) } else { libm::log1p(-libm::exp(x)) }
}

/// ln(1 - I_x(a, b)): the log of the upper tail of a Beta(a, b) at x, a, b > 0, 0 < x < 1.
///
/// Far tails (-1,000 and beyond) come out as accurate as near ones, which no `1 - I` can give.
pub fn ln_beta_upper(a: f64, b: f64, x: f64) -> f64 {
    if x > (a + 1.0) / (a + b + 2.0) {
        ln_beta_lower_by_fraction(b, a, 1.0 - x)
    } else {
        log_one_minus_exp(ln_beta_lower_by_fraction(a, b, x).min(0.0))
    }
}

/// I_x(a, b): the lower tail of a Beta(a, b) at x, a, b > 0, 0 <= x <= 1.
pub fn beta_lower(a: f64, b: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x >= 1.0 {
        return 1.0;
    }
    libm::exp(beta_lower_parts(a, b, x, 1.0 - x, libm::log(x), libm::log1p(-x)).min(0.0))
}

/// ln I_x(a, b) for a caller who knows x, y = 1 - x and their logarithms better than a subtraction would.
pub(crate) fn beta_lower_parts(a: f64, b: f64, x: f64, y: f64, ln_x: f64, ln_y: f64) -> f64 {
    let front = |c: f64| a * ln_x + b * ln_y - libm::log(c) - ln_beta(a, b);
    if x > (a + 1.0) / (a + b + 2.0) {
        log_one_minus_exp((front(b) + libm::log(beta_fraction(b, a, y))).min(0.0))
    } else {
        front(a) + libm::log(beta_fraction(a, b, x))
    }
}

/// ln I_x(a, b) by the continued fraction; quick for x <= (a + 1) / (a + b + 2).
fn ln_beta_lower_by_fraction(a: f64, b: f64, x: f64) -> f64 {
    a * libm::log(x) + b * libm::log1p(-x) - libm::log(a) - ln_beta(a, b) + libm::log(beta_fraction(a, b, x))
}

/// Lentz's continued fraction for I_x(a, b) (Numerical Recipes 6.4).
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    // The fraction needs about sqrt(max(a, b)) terms: this is enough for ten thousand million units.
    const TERMS: u32 = 100_000;
    let guard = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut c = 1.0;
    let mut d = 1.0 / guard(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for term in 1..=TERMS {
        let m = f64::from(term);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / guard(1.0 + even * d);
        c = guard(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / guard(1.0 + odd * d);
        c = guard(1.0 + odd / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// Upper tail of the chi-square distribution with `degrees` degrees of freedom at `x` >= 0, by the closed form
/// for whole degrees (Abramowitz & Stegun 26.4.4-5): all terms positive, so the far tail is exact until it
/// underflows. 1 with no degrees of freedom.
pub fn chi_square_upper(x: f64, degrees: u32) -> f64 {
    if degrees == 0 || x <= 0.0 {
        return 1.0;
    }
    let half = x / 2.0;
    let odd = degrees % 2 == 1;
    let (mut tail, mut term, mut order) = if odd {
        (libm::erfc(libm::sqrt(half)), libm::exp(-half) * 2.0 * libm::sqrt(half / PI), 1.5)
    } else {
        (0.0, libm::exp(-half), 1.0)
    };
    for _ in 0..degrees / 2 {
        tail += term;
        term *= half / order;
        order += 1.0;
    }
    tail
}
