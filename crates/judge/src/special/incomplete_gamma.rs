//! The incomplete gamma function: P(a, x) and Q(a, x) = 1 - P(a, x), each where it is small without subtraction.

use super::stirling_remainder;

/// ½ ln 2π.
const HALF_LN_TWO_PI: f64 = 0.918_938_533_204_672_8;

/// Terms before giving up; series and fraction need a few times sqrt(a) of them.
const TERMS: u32 = 1_000_000;

/// ln(x^a e^-x / Γ(a)). Near x = a its parts nearly cancel, so they are collected first.
fn ln_front(a: f64, x: f64) -> f64 {
    let excess = (x - a) / a;
    let bulge = if excess.abs() < 0.1 { log1p_less(excess) } else { libm::log(x / a) - excess };
    a * bulge + 0.5 * libm::log(a) - HALF_LN_TWO_PI - stirling_remainder(a)
}

/// ln(1 + u) - u for small u, by its series.
fn log1p_less(u: f64) -> f64 {
    let (mut sum, mut power) = (0.0, -u);
    for k in 2..40 {
        power *= -u;
        let term = -power / f64::from(k);
        sum += term;
        if term.abs() < 1e-18 * f64::abs(sum) {
            break;
        }
    }
    sum
}

/// P by its series, for x < a + 1: all terms positive.
fn lower_by_series(a: f64, x: f64) -> f64 {
    let (mut term, mut sum) = (1.0 / a, 1.0 / a);
    for n in 1..=TERMS {
        term *= x / (a + f64::from(n));
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    libm::exp(ln_front(a, x) + libm::log(sum))
}

/// Q by Lentz's continued fraction, for x >= a + 1.
fn upper_by_fraction(a: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let guard = |v: f64| if v.abs() < TINY { TINY } else { v };
    let mut b = x + 1.0 - a;
    let mut c = 1.0 / TINY;
    let mut d = 1.0 / guard(b);
    let mut fraction = d;
    for n in 1..=TERMS {
        let n = f64::from(n);
        let numerator = -n * (n - a);
        b += 2.0;
        d = 1.0 / guard(numerator * d + b);
        c = guard(b + numerator / c);
        let step = d * c;
        fraction *= step;
        if (step - 1.0).abs() < 1e-16 {
            break;
        }
    }
    libm::exp(ln_front(a, x) + libm::log(fraction))
}

/// P(a, x) for a > 0, x >= 0: the chance that a Gamma(a) variable is at most `x`.
pub fn gamma_lower(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 0.0;
    }
    if x < a + 1.0 { lower_by_series(a, x) } else { 1.0 - upper_by_fraction(a, x) }
}

/// Q(a, x) = 1 - P(a, x).
pub fn gamma_upper(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if x < a + 1.0 { 1.0 - lower_by_series(a, x) } else { upper_by_fraction(a, x) }
}
