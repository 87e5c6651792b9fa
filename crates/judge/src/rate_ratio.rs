//! The primary test for bad events: a cohort-stratified e-process for the rate ratio treatment / control.
//! Exact, anytime-valid, without a minimum sample, from two counters per cohort.
//!
//! # Harm
//! Look only at units that turned bad. In cohort e a unit is treated with probability π_e, so when the ratio of
//! the arms' bad rates is r, a new bad unit is a treated one with probability
//! `p_e(r) = π_e r / (π_e r + 1 - π_e)`, whatever the base rate is at the time. Under the null r <= r0 that is at
//! most `p_e(r0)`. Each grid point r_j > 1 is a likelihood ratio of r_j r0 against r0, whose expectation per bad
//! unit is `1` at r0 and smaller below it; their average is a test supermartingale, so it exceeds 1/α with
//! probability at most α however often one looks:
//!
//! ```text
//! log E = logsumexp_j [ ln w_j + Σ_e x_Te ln( p_e(r_j r0)/p_e(r0) ) + x_Ce ln( (1-p_e(r_j r0))/(1-p_e(r0)) ) ]
//! ```
//!
//! Basis: Lindon & Malek (arXiv:2011.03567); the one-sided grid with a margin is Flagstone's own variant of it.
//!
//! # No harm: the mirror image
//! "The ratio is below 1 + margin" is the same statement seen from the control arm: exchange the arms, so that
//! π' = 1 - π and the ratio becomes 1/r; the null r >= 1 + margin becomes r' <= r0' = 1 / (1 + margin). Then
//! `p'_e(r0') = (1-π)/(1 + margin) / ((1-π)/(1 + margin) + π) = (1-π) / ((1-π) + π (1 + margin))`, which is the
//! probability that a new bad unit is a *control* unit when the ratio is exactly 1 + margin, and at most that under
//! the null is `p'_e(r')`. Every step above holds word for word: it is an exact e-process for non-inferiority.
//! The grid differs only in where it puts its points, see [`not_worse_log_e`].
//!
//! # What the ratio is a ratio of
//! Of units with at least one bad event (within the metric's window), not of events. When most units turn bad
//! sooner or later that ratio tends to 1 whatever the events do: harm gets harder to see (conservative) and a
//! margin easier to keep. See [`SATURATED_SHARE`](crate::limits::SATURATED_SHARE) for the warning.

mod interval;

use std::collections::BTreeMap;

use crate::CohortCounts;
use crate::limits::SHARE_TOTAL;
use crate::special::log_sum_exp;

pub use interval::{RatioInterval, interval};

/// Multiples of the null ratio against which harm is tested, with equal weights.
pub const HARM_GRID: [f64; 7] = [1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0];

/// How many times better than the control the candidate is taken to be when non-inferiority is tested, the first
/// point being "no difference".
pub const NOT_WORSE_GRID: [f64; 7] = [1.0, 1.1, 1.25, 1.5, 2.0, 3.0, 5.0];

/// Weight of "no difference" in the non-inferiority test; the rest is shared equally.
pub const NO_DIFFERENCE_WEIGHT: f64 = 0.5;

/// Bad units of one assignment probability. Cohorts with the same probability enter the formula alike, so
/// collecting by probability changes nothing and makes the result independent of the order of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stratum {
    /// Parts of [`SHARE_TOTAL`] for the arm that is tested for excess.
    probability: u32,
    tested_bad: u64,
    other_bad: u64,
}

fn strata(cohorts: &[CohortCounts]) -> Vec<Stratum> {
    let mut by_probability: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for counts in cohorts.iter().filter(|counts| counts.is_evidence()) {
        let sum = by_probability.entry(counts.probability).or_default();
        sum.0 = sum.0.saturating_add(counts.treated_bad);
        sum.1 = sum.1.saturating_add(counts.control_bad);
    }
    by_probability
        .into_iter()
        .map(|(probability, (tested_bad, other_bad))| Stratum { probability, tested_bad, other_bad })
        .collect()
}

/// The same strata with the arms exchanged.
fn mirrored(strata: Vec<Stratum>) -> Vec<Stratum> {
    strata
        .into_iter()
        .map(|s| Stratum {
            probability: SHARE_TOTAL.saturating_sub(s.probability),
            tested_bad: s.other_bad,
            other_bad: s.tested_bad,
        })
        .collect()
}

/// The formula. `grid` holds (multiple of the null ratio, its weight), weights summing to 1.
fn log_mixture(strata: &[Stratum], null_ratio: f64, grid: &[(f64, f64)]) -> f64 {
    if strata.iter().all(|s| s.tested_bad == 0 && s.other_bad == 0) {
        return 0.0;
    }
    let terms: Vec<f64> = grid
        .iter()
        .map(|&(multiple, weight)| {
            // With G = (π r0 r + 1 - π) / (π r0 + 1 - π): p(r r0)/p(r0) = r / G and (1-p(r r0))/(1-p(r0)) = 1 / G.
            let evidence = strata.iter().map(|s| {
                let odds = f64::from(s.probability) * null_ratio;
                let rest = f64::from(SHARE_TOTAL.saturating_sub(s.probability));
                let growth = libm::log1p(odds * (multiple - 1.0) / (odds + rest));
                let (tested, other) = (s.tested_bad as f64, s.other_bad as f64);
                tested * (libm::log(multiple) - growth) - other * growth
            });
            libm::log(weight) + evidence.sum::<f64>()
        })
        .collect();
    log_sum_exp(&terms)
}

/// ln E for "the rate ratio is above `null_ratio`", over [`HARM_GRID`]. 0 without bad units in a randomised cohort.
/// None when `null_ratio` is not a positive finite number.
pub fn harm_log_e(cohorts: &[CohortCounts], null_ratio: f64) -> Option<f64> {
    if !(null_ratio.is_finite() && null_ratio > 0.0) {
        return None;
    }
    let weight = 1.0 / HARM_GRID.len() as f64;
    Some(log_mixture(&strata(cohorts), null_ratio, &HARM_GRID.map(|multiple| (multiple, weight))))
}

/// ln E for "the rate ratio is below 1 + `margin`": non-inferiority. None when `margin` is not a non-negative finite
/// number.
///
/// A candidate that is just as good sits at `1 + margin` times the mirrored null, so that is where the test's first
/// grid point lies, with half the weight; the others ([`NOT_WORSE_GRID`]) are candidates that are better. Any grid
/// above 1 that is fixed beforehand is exact; this one asks for the fewest bad units when nothing changed, while the
/// grid of the harm test would hardly ever pass a margin below 10 %. At margin 0 ("the candidate is better") that
/// point carries no evidence, and [`HARM_GRID`] is used.
pub fn not_worse_log_e(cohorts: &[CohortCounts], margin: f64) -> Option<f64> {
    if !(margin.is_finite() && margin >= 0.0) {
        return None;
    }
    let strata = mirrored(strata(cohorts));
    if margin == 0.0 {
        let weight = 1.0 / HARM_GRID.len() as f64;
        return Some(log_mixture(&strata, 1.0, &HARM_GRID.map(|multiple| (multiple, weight))));
    }
    let limit = 1.0 + margin;
    let others = (1.0 - NO_DIFFERENCE_WEIGHT) / (NOT_WORSE_GRID.len() - 1) as f64;
    let grid = NOT_WORSE_GRID
        .map(|better| (limit * better, if better == 1.0 { NO_DIFFERENCE_WEIGHT } else { others }));
    Some(log_mixture(&strata, 1.0 / limit, &grid))
}

/// Point estimate of the rate ratio, `Σ_e x_Te (1 - π_e) / Σ_e x_Ce π_e`, the root of the unbiased equation
/// Σ_e [x_Te (1 - π_e) - r x_Ce π_e] = 0. For display: it says nothing about its own uncertainty and steers nothing.
/// None without a bad control unit in a randomised cohort.
pub fn estimate(cohorts: &[CohortCounts]) -> Option<f64> {
    let (mut above, mut below) = (0.0, 0.0);
    for s in strata(cohorts) {
        above += s.tested_bad as f64 * f64::from(SHARE_TOTAL.saturating_sub(s.probability));
        below += s.other_bad as f64 * f64::from(s.probability);
    }
    (below > 0.0).then(|| above / below)
}
