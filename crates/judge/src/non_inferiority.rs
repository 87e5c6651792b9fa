//! "Not worse by more than δ": shown when the whole plausible range of the difference keeps clear of the margin.
//!
//! The margin δ is fixed **when the plan is written**: a share (10 %) of a baseline that was measured before, not of the
//! control arm as it moves. Some tools use the moving control ([`moving_margin`]); then a control that does badly today
//! makes today's margin wider in one direction and the test is no longer of a fixed question.
//!
//! For sequences of looks the judge takes the bound of [`means::sequence`](crate::means::sequence). The z tests here are for
//! one look whose moment was fixed beforehand: references, and what a reader of other tools will want to compare with.

use core::f64::consts::PI;

use crate::special::{normal_lower, normal_upper};

/// Which direction is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Better {
    /// Less is better: errors, latency, cost.
    #[default]
    Lower,
    /// More is better: satisfaction, conversions.
    Higher,
}

/// δ from a relative margin and the baseline frozen at plan time.
pub fn frozen_margin(relative: f64, baseline: f64) -> f64 {
    relative * baseline.abs()
}

/// δ from a relative margin and the control arm's estimate at this moment.
pub fn moving_margin(relative: f64, control: f64) -> f64 {
    relative * control.abs()
}

/// Whether an interval for treatment - control shows non-inferiority at margin `delta`: its harmful end is short of it.
pub fn shown(interval: (f64, f64), delta: f64, better: Better) -> bool {
    match better {
        Better::Lower => interval.1 < delta,
        Better::Higher => interval.0 > -delta,
    }
}

/// A z statistic with its one-sided p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZTest {
    /// Positive when the treatment is better than the margin's edge.
    pub z: f64,
    /// Chance of as much or more at the edge.
    pub p: f64,
}

fn shares(treatment: (u64, u64), control: (u64, u64)) -> Option<(f64, f64, f64, f64)> {
    let usable = |(events, units): (u64, u64)| units > 0 && events <= units;
    (usable(treatment) && usable(control)).then(|| {
        let (n, m) = (treatment.1 as f64, control.1 as f64);
        (treatment.0 as f64 / n, n, control.0 as f64 / m, m)
    })
}

/// Wald's test of shares (events, units) against "treatment - control = `edge`", for more being better: each arm's
/// variance at its own estimate. For less being better take the lower p, 1 - `p`. None without units.
pub fn wald(treatment: (u64, u64), control: (u64, u64), edge: f64) -> Option<ZTest> {
    let (t, n, c, m) = shares(treatment, control)?;
    let z = (t - c - edge) / libm::sqrt(t * (1.0 - t) / n + c * (1.0 - c) / m);
    Some(ZTest { z, p: normal_upper(z) })
}

/// The same seen from below: the chance of as little or less at the edge.
pub fn wald_lesser(treatment: (u64, u64), control: (u64, u64), edge: f64) -> Option<ZTest> {
    let ZTest { z, .. } = wald(treatment, control, edge)?;
    Some(ZTest { z, p: normal_lower(z) })
}

/// Farrington and Manning's score test: the variance at the likeliest pair of shares that lies exactly `edge` apart, which
/// keeps its level where Wald's does not (few events).
pub fn score(treatment: (u64, u64), control: (u64, u64), edge: f64) -> Option<ZTest> {
    score_with(treatment, control, edge, control.1 as f64)
}

/// The score test as statsmodels 0.15 computes it, for agreement with its digits. Its cubic has the control's *events* where
/// Miettinen and Nurminen (1985) have its *units*, so the pair of shares is not quite the likeliest, and z differs from
/// [`score`] in the third digit. Nothing here uses it.
pub fn score_as_statsmodels(treatment: (u64, u64), control: (u64, u64), edge: f64) -> Option<ZTest> {
    score_with(treatment, control, edge, control.0 as f64)
}

fn score_with(treatment: (u64, u64), control: (u64, u64), edge: f64, weight: f64) -> Option<ZTest> {
    let (t, n, c, m) = shares(treatment, control)?;
    let other = likeliest_control((t * n, n), (c * m, m), edge, weight);
    let at_edge = other + edge;
    let variance = at_edge * (1.0 - at_edge) / n + other * (1.0 - other) / m;
    let z = (t - c - edge) / libm::sqrt(variance);
    Some(ZTest { z, p: normal_upper(z) })
}

/// The likeliest control share when the treatment's is that plus `edge`: a root of a cubic (Miettinen & Nurminen 1985).
/// `weight` is the control's units.
fn likeliest_control((events, n): (f64, f64), (other, m): (f64, f64), edge: f64, weight: f64) -> f64 {
    let (units, all) = (n + m, events + other);
    let cubic = units;
    let square = (n + 2.0 * m) * edge - units - all;
    let linear = (weight * edge - units - 2.0 * other) * edge + all;
    let constant = other * edge * (1.0 - edge);
    let third = square / (3.0 * cubic);
    let v = third * third * third - square * linear / (6.0 * cubic * cubic) + constant / (2.0 * cubic);
    let u = libm::sqrt((third * third - linear / (3.0 * cubic)).max(0.0)) * if v < 0.0 { -1.0 } else { 1.0 };
    if u == 0.0 {
        return -third;
    }
    let angle = (PI + libm::acos((v / (u * u * u)).clamp(-1.0, 1.0))) / 3.0;
    (2.0 * u * libm::cos(angle) - third).clamp((-edge).max(0.0), (1.0 - edge).min(1.0))
}
