//! The conjugate form for a single cohort: a Beta prior over "the share of bad units that are treated", instead of
//! the grid of [`crate::rate_ratio`]. Verdicts use the grid, which takes any number of cohorts; this form has a tuning
//! knob, agrees with an independent implementation (confseq's beta-binomial mixture), and is the oracle for it.
//!
//! ```text
//! log E = lnB(a+x, b+n-x) - lnB(a, b) - x ln m - (n-x) ln(1-m)
//!         [ + ln(1 - I_m(a+x, b+n-x)) - ln(1 - I_m(a, b))   when one-sided ]
//! ```
//!
//! with x treated bad units of n, and m = p(r0) their share under the null (Howard, Ramdas, McAuliffe, Sekhon,
//! arXiv:1810.08240). One-sided: the prior is cut to shares above m.

use crate::dirichlet;
use crate::special::ln_beta_upper;

/// A Beta prior over the treated share of bad units; both positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// First parameter, "treated".
    pub treated: f64,
    /// Second parameter, "control".
    pub control: f64,
}

/// Whether the alternative is "more than the null share" or "another share".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sides {
    /// More bad units among the treated than the null says.
    One,
    /// More or fewer.
    Two,
}

impl Prior {
    /// confseq's tuning: tightest near `at` bad units for level `alpha`, around the null share `null_share`.
    /// None unless 0 < `null_share` < 1, 0 < `alpha` < 0.5 and `at` > 0.
    pub fn tuned(null_share: f64, at: f64, alpha: f64, sides: Sides) -> Option<Self> {
        let inside = null_share > 0.0 && null_share < 1.0 && alpha > 0.0 && alpha < 0.5 && at > 0.0;
        if !inside || !at.is_finite() {
            return None;
        }
        let spread = null_share * (1.0 - null_share);
        let alpha = if sides == Sides::One { 2.0 * alpha } else { alpha };
        let nats = -2.0 * libm::log(alpha);
        let rho = at * spread / (nats + libm::log1p(nats));
        let r = (rho - spread).max(1e-3 * spread);
        Some(Self { treated: r / (1.0 - null_share), control: r / null_share })
    }
}

/// The share of bad units that are treated under rate ratio `ratio` in a cohort of assignment probability
/// `probability`: `π r / (π r + 1 - π)`.
pub fn treated_share(probability: f64, ratio: f64) -> f64 {
    let odds = probability * ratio;
    odds / (odds + (1.0 - probability))
}

/// ln E for `treated_bad` of `bad` bad units being treated, against the share `null_share`.
/// None when more are treated than there are, or the prior or the share is out of range.
pub fn log_e(prior: Prior, null_share: f64, treated_bad: u64, bad: u64, sides: Sides) -> Option<f64> {
    let control_bad = bad.checked_sub(treated_bad)?;
    let Prior { treated, control } = prior;
    let positive = |v: f64| v.is_finite() && v > 0.0;
    if !(positive(treated) && positive(control) && null_share > 0.0 && null_share < 1.0) {
        return None;
    }
    if bad == 0 {
        return Some(0.0);
    }
    let (x, y) = (treated_bad as f64, control_bad as f64);
    let both = dirichlet::log_e(&[treated, control], &[x, y], &[null_share, 1.0 - null_share]);
    if sides == Sides::Two {
        return Some(both);
    }
    let after = ln_beta_upper(treated + x, control + y, null_share);
    Some(both + after - ln_beta_upper(treated, control, null_share))
}
