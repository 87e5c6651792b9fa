//! Rates: bad units, by the rate-ratio e-process.

use super::{Reading, Units};
use crate::merge::collect_counts;
use crate::{CohortCounts, GuardrailRule, rate_ratio};

pub(super) fn read(rule: &GuardrailRule, entries: &[CohortCounts]) -> Reading {
    let cohorts = collect_counts(entries.iter().copied());
    let sum = |wanted: bool, count: fn(&CohortCounts) -> u64| {
        let picked = cohorts.iter().filter(|counts| !wanted || counts.is_evidence());
        picked.fold(0u64, |sum, counts| sum.saturating_add(count(counts)))
    };
    let (control_units, control_bad) = (sum(true, |c| c.control_units), sum(true, |c| c.control_bad));
    let units = |c: &CohortCounts| Units {
        cohort: c.cohort,
        probability: c.probability,
        treated: c.treated_units,
        control: c.control_units,
    };
    Reading {
        harm: rate_ratio::harm_log_e(&cohorts, rule.null_in_force()).unwrap_or(0.0),
        improved: rate_ratio::not_worse_log_e(&cohorts, 0.0).unwrap_or(0.0),
        non_inferior: rule.not_worse_by.and_then(|margin| rate_ratio::not_worse_log_e(&cohorts, margin)),
        both_arms: true,
        treated_bad: sum(false, |c| c.treated_bad),
        control_bad: sum(false, |c| c.control_bad),
        bad: Some(sum(true, |c| c.treated_bad.saturating_add(c.control_bad))),
        rate_ratio: rate_ratio::estimate(&cohorts),
        control_share: if control_units == 0 { 0.0 } else { control_bad as f64 / control_units as f64 },
        cohorts: cohorts.iter().map(units).collect(),
        ..Reading::default()
    }
}
