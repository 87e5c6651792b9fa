//! The normal distribution: Φ, ln Φ and Φ⁻¹, accurate far into both tails.

use core::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// ½ ln 2π.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// Φ(x): the chance that a standard normal variable is at most `x`.
pub fn normal_lower(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// 1 - Φ(x) without that subtraction.
pub fn normal_upper(x: f64) -> f64 {
    normal_lower(-x)
}

/// ln of the density at `x`.
pub fn ln_normal_density(x: f64) -> f64 {
    -0.5 * x * x - HALF_LN_TWO_PI
}

/// ln Φ(x), also where Φ itself underflows.
pub fn ln_normal_lower(x: f64) -> f64 {
    if x >= 0.0 {
        return libm::log1p(-normal_upper(x));
    }
    if x > -5.0 {
        return libm::log(normal_lower(x));
    }
    // Φ(-t) = φ(t) / (t + 1/(t + 2/(t + 3/…))), from the inside out; forty terms are exact from t = 5 on.
    let t = -x;
    let mut fraction = t;
    for term in (1..=60).rev() {
        fraction = t + f64::from(term) / fraction;
    }
    ln_normal_density(t) - libm::log(fraction)
}

/// Φ⁻¹(p). Minus and plus infinity at 0 and 1, not a number outside.
pub fn normal_quantile(p: f64) -> f64 {
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        return -normal_quantile(1.0 - p);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    if p < 0.0 || p.is_nan() {
        return f64::NAN;
    }
    // Start: Abramowitz & Stegun 26.2.23, good to 4.5e-4. Then Newton's method on ln Φ, which is nearly a parabola: it
    // doubles the digits at each step, in the far tail as in the middle.
    let ln_p = libm::log(p);
    let t = libm::sqrt(-2.0 * ln_p);
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    let mut x = above / below - t;
    for _ in 0..6 {
        let ln_lower = ln_normal_lower(x);
        let slope = libm::exp(ln_normal_density(x) - ln_lower);
        let step = (ln_lower - ln_p) / slope;
        x -= step;
        if step.abs() < 1e-16 * SQRT_2 * (1.0 + x.abs()) {
            break;
        }
    }
    x
}
