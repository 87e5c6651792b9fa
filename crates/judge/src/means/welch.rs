//! Welch's t test: the fixed-sample comparison of two averages with variances of their own. Right for **one** look whose
//! moment was fixed beforehand; here as a reference, for reports and for planning. No verdict uses it.

use super::Average;
use super::compare::Difference;
use crate::special::{t_lower, t_quantile, t_upper};

/// Welch and Satterthwaite's degrees of freedom.
pub fn degrees(treatment: &Average, control: &Average) -> f64 {
    let (t, c) = (treatment.squared_error(), control.squared_error());
    (t + c) * (t + c) / (t * t / (treatment.units - 1.0) + c * c / (control.units - 1.0))
}

/// p-values of a difference against `null`: (two-sided, treatment greater, treatment lesser).
pub fn p_values(difference: &Difference, degrees: f64, null: f64) -> (f64, f64, f64) {
    let t = (difference.estimate - null) / difference.error;
    ((2.0 * t_upper(t.abs(), degrees)).min(1.0), t_upper(t, degrees), t_lower(t, degrees))
}

/// The two-sided interval at level `alpha`.
pub fn interval(difference: &Difference, degrees: f64, alpha: f64) -> (f64, f64) {
    let half = difference.error * t_quantile(1.0 - alpha / 2.0, degrees);
    (difference.estimate - half, difference.estimate + half)
}

/// The ends of the two one-sided intervals at level `alpha`: (lower end of "greater", upper end of "lesser").
pub fn one_sided(difference: &Difference, degrees: f64, alpha: f64) -> (f64, f64) {
    interval(difference, degrees, 2.0 * alpha)
}
