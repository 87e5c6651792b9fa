//! Student's t distribution, central and not: for fixed-sample tests, and for how many units they need.

use super::{beta_lower_parts, log_one_minus_exp, normal_lower, normal_quantile};
use crate::search;

/// ln of the chance that |T| with `degrees` degrees of freedom exceeds |t|.
fn ln_two_tails(t: f64, degrees: f64) -> f64 {
    let grow = libm::log1p(t * t / degrees);
    let x = degrees / (degrees + t * t);
    let ln_y = 2.0 * libm::log(t.abs()) - libm::log(degrees) - grow;
    beta_lower_parts(degrees / 2.0, 0.5, x, t * t / (degrees + t * t), -grow, ln_y).min(0.0)
}

/// ln P(T <= t) for `degrees` > 0 (any positive number), also where the chance itself underflows.
pub fn ln_t_lower(t: f64, degrees: f64) -> f64 {
    if t == 0.0 {
        return -core::f64::consts::LN_2;
    }
    let tail = ln_two_tails(t, degrees) - core::f64::consts::LN_2;
    if t < 0.0 { tail } else { log_one_minus_exp(tail) }
}

/// P(T <= t).
pub fn t_lower(t: f64, degrees: f64) -> f64 {
    libm::exp(ln_t_lower(t, degrees))
}

/// 1 - P(T <= t), without that subtraction.
pub fn t_upper(t: f64, degrees: f64) -> f64 {
    t_lower(-t, degrees)
}

/// The `p`-quantile of T. Infinite at 0 and 1, not a number outside or when `degrees` is not positive.
pub fn t_quantile(p: f64, degrees: f64) -> f64 {
    if p == 0.5 {
        return 0.0;
    }
    if p > 0.5 {
        return -t_quantile(1.0 - p, degrees);
    }
    if p == 0.0 {
        return f64::NEG_INFINITY;
    }
    if !(p > 0.0 && degrees > 0.0) {
        return f64::NAN;
    }
    // T's tails are heavier than the normal's, so the normal quantile is the nearer end of the bracket. The chance
    // falls like |t|^-degrees: searched on the scale of ln |t|.
    let ln_p = libm::log(p);
    let low = libm::log(-normal_quantile(p));
    let missing = |ln_t: f64| ln_p - ln_t_lower(-libm::exp(ln_t), degrees);
    let high = low + 1.0 - ln_p / degrees + 1.0 / degrees;
    -libm::exp(search::root(missing, low - 1e-9, high.min(708.0)))
}

/// P(T <= t) for the noncentral T with `degrees` degrees of freedom and noncentrality `shift` (Lenth, AS 243): what
/// a t statistic is when there is an effect. For |shift| up to 37, beyond which the answer is 0 or 1.
pub fn noncentral_t_lower(t: f64, degrees: f64, shift: f64) -> f64 {
    if t < 0.0 {
        return 1.0 - noncentral_t_lower(-t, degrees, -shift);
    }
    let below_zero = normal_lower(-shift);
    if t == 0.0 {
        return below_zero;
    }
    let (x, y) = (t * t / (degrees + t * t), degrees / (degrees + t * t));
    let (ln_x, ln_y) = (-libm::log1p(degrees / (t * t)), -libm::log1p(t * t / degrees));
    let half = shift * shift / 2.0;
    let odd = |a: f64| libm::exp(beta_lower_parts(a, degrees / 2.0, x, y, ln_x, ln_y).min(0.0));
    let (mut p, mut q) =
        (libm::exp(-half), libm::exp(-half) * shift * libm::sqrt(2.0 / core::f64::consts::PI));
    let mut sum = 0.0;
    for term in 0..3_000u32 {
        let j = f64::from(term);
        let step = p * odd(j + 0.5) + q * odd(j + 1.0);
        sum += step;
        p *= half / (j + 1.0);
        q *= half / (j + 1.5);
        if j > half && step.abs() < 1e-17 * (1.0 + f64::abs(sum)) {
            break;
        }
    }
    (below_zero + 0.5 * sum).clamp(0.0, 1.0)
}
