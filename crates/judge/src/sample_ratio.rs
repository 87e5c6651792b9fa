//! Are units split between the arms as promised? A sample-ratio mismatch says that the comparison itself is broken
//! (lost events, crashing variants, a wrong bucketing), so nothing may be promoted on it; it never keeps a rollback
//! from happening.
//!
//! Two forms: the chi-square test for one look at the end, and the sequential Dirichlet-multinomial e-process
//! (Lindon & Malek, arXiv:2011.03567) that may be looked at for ever, which is the one that verdicts use.

use std::collections::BTreeMap;

use crate::limits::{SAMPLE_RATIO_CONCENTRATIONS, SHARE_TOTAL};
use crate::special::{chi_square_upper, log_sum_exp};
use crate::{ExposedUnits, dirichlet};

/// Arms that are expected to get units, with their shares normalised. None when the shares are unusable; the flag
/// says that an arm of share 0 got units after all.
fn expected(units: &[u64], shares: &[f64]) -> Option<(Vec<f64>, Vec<f64>, bool)> {
    let total: f64 = shares.iter().sum();
    let usable = units.len() == shares.len()
        && shares.iter().all(|share| share.is_finite() && *share >= 0.0)
        && total.is_finite()
        && total > 0.0;
    if !usable {
        return None;
    }
    let (mut counts, mut normalised, mut impossible) = (Vec::new(), Vec::new(), false);
    for (&unit, &share) in units.iter().zip(shares) {
        if share > 0.0 {
            counts.push(unit as f64);
            normalised.push(share / total);
        } else {
            impossible |= unit > 0;
        }
    }
    Some((counts, normalised, impossible))
}

/// The chi-square statistic of `units` per arm against `shares` and its degrees of freedom. Infinite when an arm of share 0
/// has units.
fn chi_square(units: &[u64], shares: &[f64]) -> Option<(f64, u32)> {
    let (counts, shares, impossible) = expected(units, shares)?;
    let degrees = u32::try_from(counts.len().saturating_sub(1)).ok()?;
    if impossible {
        return Some((f64::INFINITY, degrees));
    }
    let total: f64 = counts.iter().sum();
    if total == 0.0 {
        return Some((0.0, degrees));
    }
    let statistic = counts.iter().zip(&shares).map(|(count, share)| {
        let expected = total * share;
        (count - expected) * (count - expected) / expected
    });
    Some((statistic.sum(), degrees))
}

/// p-value of the chi-square test of `units` per arm against `shares` (any positive scale). Arms of share 0 are left
/// out and reduce the degrees of freedom; units in one give 0. 1 without units. Valid for a single look only.
/// None when the shares are negative, all zero or not as many as the arms.
pub fn chi_square_p(units: &[u64], shares: &[f64]) -> Option<f64> {
    let (statistic, degrees) = chi_square(units, shares)?;
    Some(if statistic.is_infinite() { 0.0 } else { chi_square_upper(statistic, degrees) })
}

/// ln E of the sequential test with the prior Dirichlet(`concentration` x shares):
/// `lnB(kθ + n) - lnB(kθ) - Σ n_i ln θ_i`. Units in an arm of share 0 give infinity.
/// None when the shares or the concentration are unusable.
pub fn log_e(units: &[u64], shares: &[f64], concentration: f64) -> Option<f64> {
    if !(concentration.is_finite() && concentration > 0.0) {
        return None;
    }
    let (counts, shares, impossible) = expected(units, shares)?;
    if impossible {
        return Some(f64::INFINITY);
    }
    let prior: Vec<f64> = shares.iter().map(|share| concentration * share).collect();
    Some(dirichlet::log_e(&prior, &counts, &shares))
}

/// ln of the average of E over [`SAMPLE_RATIO_CONCENTRATIONS`]; a mean of e-values is an e-value.
pub fn averaged_log_e(units: &[u64], shares: &[f64]) -> Option<f64> {
    let mut terms = Vec::with_capacity(SAMPLE_RATIO_CONCENTRATIONS.len());
    for concentration in SAMPLE_RATIO_CONCENTRATIONS {
        terms.push(log_e(units, shares, concentration)?);
    }
    if terms.iter().all(|term| *term == 0.0) {
        return Some(0.0);
    }
    Some(log_sum_exp(&terms) - libm::log(terms.len() as f64))
}

/// ln E over all randomised cohorts: the product of the cohorts' averaged e-values. Cohorts that were not randomised
/// say nothing. Independent of the order of the entries.
pub fn cohorts_log_e(cohorts: &[ExposedUnits]) -> f64 {
    strata(cohorts).into_iter().filter_map(|(units, shares)| averaged_log_e(&units, &shares)).sum()
}

/// p-value of the chi-square test over all randomised cohorts: statistics and degrees of freedom added up over those that
/// have units. For one look, beside [`cohorts_log_e`]; the usual alarm is p < 0.001. 1 without units.
pub fn cohorts_chi_square_p(cohorts: &[ExposedUnits]) -> f64 {
    let seen = strata(cohorts).into_iter().filter(|(units, _)| units.iter().any(|count| *count > 0));
    let each = seen.filter_map(|(units, shares)| chi_square(&units, &shares));
    let (statistic, degrees) =
        each.fold((0.0, 0u32), |sum, one| (sum.0 + one.0, sum.1.saturating_add(one.1)));
    chi_square_upper(statistic, degrees)
}

/// Treated and control units with their shares, one entry for each randomised cohort and probability.
fn strata(cohorts: &[ExposedUnits]) -> Vec<([u64; 2], [f64; 2])> {
    let mut sums: BTreeMap<(u8, u32), [u64; 2]> = BTreeMap::new();
    for units in cohorts.iter().filter(|units| units.probability > 0 && units.probability < SHARE_TOTAL) {
        let [treated, control] = sums.entry((units.cohort, units.probability)).or_default();
        *treated = treated.saturating_add(units.treated);
        *control = control.saturating_add(units.control);
    }
    let shares =
        |probability: u32| [f64::from(probability), f64::from(SHARE_TOTAL.saturating_sub(probability))];
    sums.into_iter().map(|((_, probability), units)| (units, shares(probability))).collect()
}
