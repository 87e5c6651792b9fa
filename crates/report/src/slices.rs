//! Parts of the population, as far as they may be shown.
//!
//! A slice is shown when the judge shows it (50 units and 5 bad ones) and both of its arms have k units. What is left out
//! must not be found by subtraction: when the slices left out have, in an arm, some units but fewer than k, the smallest of
//! the others is left out with them. Units are whole multiples of k, rounded down, so that two reports differ by k units or
//! not at all; bad units are shown as a ratio only. Values that the plan names are public and stay named; a small value that
//! it does not name would tell of a few people by its name alone, and is only counted.

use std::collections::BTreeMap;

use flagstone_judge::{
    CohortCounts, Judgement, OTHER_VALUES, SliceJudgement, SliceRule, SliceVerdict, rate_ratio,
};

use crate::Look;
use crate::model::{Cell, Change, Fair, Gauge, Numbers, Slices};
use crate::words::word;

/// Treated and control units, and the counts that they come from.
type Counts = BTreeMap<String, ([u64; 2], Vec<CohortCounts>)>;

pub(crate) fn of(look: &Look, judgement: &Judgement, k: u64) -> (Vec<Slices>, Vec<Fair>) {
    let (mut slices, mut fairness) = (Vec::new(), Vec::new());
    let mut rest = judgement.slices.as_slice();
    let mut audits = judgement.fairness.iter();
    for rule in &look.rules.slices {
        // The judge lists them rule by rule, each value once.
        let mine = |slice: &SliceJudgement| {
            slice.metric == rule.metric && slice.role == rule.role && slice.slice.value_of(&rule.by).is_some()
        };
        let counts = collect(look, rule);
        let (own, after) =
            rest.split_at(rest.iter().take_while(|slice| mine(slice)).count().min(counts.len()));
        rest = after;
        slices.push(one(look, rule, own, &counts, judgement.attempt_alpha, k));
        if rule.role == flagstone_judge::SliceRole::Fairness
            && let Some(audit) = audits.next()
        {
            fairness.push(fair(rule, audit, &counts, k));
        }
    }
    (slices, fairness)
}

/// The counts of each value, where the rule counts it.
fn collect(look: &Look, rule: &SliceRule) -> Counts {
    let mut counts: Counts = rule.values.iter().map(|value| (value.clone(), Default::default())).collect();
    for entry in look.evidence.slices.iter().filter(|entry| entry.metric == rule.metric) {
        let Some(value) = entry.slice.value_of(&rule.by) else { continue };
        let named = rule.values.is_empty() || rule.values.contains(value);
        let (units, cohorts) = counts.entry(if named { value } else { OTHER_VALUES }.to_owned()).or_default();
        for cohort in &entry.cohorts {
            units[0] = units[0].saturating_add(cohort.treated_units);
            units[1] = units[1].saturating_add(cohort.control_units);
        }
        cohorts.extend(&entry.cohorts);
    }
    counts
}

/// Which of these may be shown: `large` says whether one may by itself.
fn shown(units: &[[u64; 2]], large: impl Fn(usize) -> bool, k: u64) -> Vec<bool> {
    let mut shown: Vec<bool> =
        units.iter().enumerate().map(|(at, arms)| large(at) && arms.iter().all(|arm| *arm >= k)).collect();
    loop {
        let hidden = |arm: usize| {
            let left_out = units.iter().zip(&shown).filter(|(_, shown)| !**shown);
            left_out.fold(0_u64, |sum, (arms, _)| sum.saturating_add(arms.get(arm).copied().unwrap_or(0)))
        };
        let found = |arm| hidden(arm) > 0 && hidden(arm) < k;
        if !(found(0) || found(1)) {
            return shown;
        }
        let smallest = units.iter().enumerate().zip(&shown).filter(|(_, shown)| **shown);
        let Some(at) =
            smallest.min_by_key(|((_, arms), _)| arms[0].saturating_add(arms[1])).map(|((at, _), _)| at)
        else {
            return shown;
        };
        if let Some(shown) = shown.get_mut(at) {
            *shown = false;
        }
    }
}

fn one(
    look: &Look,
    rule: &SliceRule,
    judged: &[SliceJudgement],
    counts: &Counts,
    attempt_alpha: f64,
    k: u64,
) -> Slices {
    let units: Vec<[u64; 2]> = counts.values().map(|(units, _)| *units).collect();
    let may = |at: usize| judged.get(at).is_some_and(|slice| slice.counts.is_some());
    let shown = shown(&units, may, k);
    let level = look.rules.alpha.clamp(1e-9, 0.5) / counts.len().max(1) as f64;
    let level = if look.rules.alpha.is_nan() { attempt_alpha } else { level };
    let (mut cells, mut unnamed) = (Vec::new(), 0);
    for ((slice, shown), (value, (units, cohorts))) in judged.iter().zip(shown).zip(counts) {
        let numbers = shown.then(|| {
            let interval = rate_ratio::interval(cohorts, level);
            Numbers {
                treated: units[0] / k * k,
                control: units[1] / k * k,
                harm: Gauge::new(slice.log_e.unwrap_or(0.0), slice.log_threshold),
                ratio: slice.rate_ratio,
                lower: interval.map_or(0.0, |interval| interval.lower),
                upper: interval.and_then(|interval| interval.upper),
            }
        });
        let public = rule.values.contains(value) || value == OTHER_VALUES;
        if numbers.is_none() && !public && slice.verdict != SliceVerdict::Harmed {
            unnamed += 1;
            continue;
        }
        let told = numbers.is_some() || slice.verdict == SliceVerdict::Harmed;
        let verdict = if told { slice.verdict } else { SliceVerdict::UnableToAssess };
        cells.push(Cell { value: value.clone(), verdict: word(verdict), numbers });
    }
    Slices { metric: rule.metric.clone(), by: rule.by.clone(), role: word(rule.role), level, cells, unnamed }
}

fn fair(rule: &SliceRule, audit: &flagstone_judge::fairness::Fairness, counts: &Counts, k: u64) -> Fair {
    let large = |group: &str| counts.get(group).is_some_and(|(units, _)| units.iter().all(|arm| *arm >= k));
    let (mut changes, mut unnamed, mut hidden) = (Vec::new(), 0, false);
    for change in &audit.changes {
        let assessed = change.ratio.is_some() && large(&change.group);
        hidden |= change.ratio.is_some() && !assessed;
        if !assessed && !rule.values.contains(&change.group) {
            unnamed += 1;
            continue;
        }
        let keep = |value: Option<f64>| value.filter(|_| assessed);
        changes.push(Change {
            group: change.group.clone(),
            verdict: if assessed { word(change.verdict) } else { "unable-to-assess".to_owned() },
            ratio: keep(change.ratio),
            lower: keep(change.lower),
            upper: keep(change.upper),
        });
    }
    let disparity = |arm: &Option<flagstone_judge::fairness::Disparity>| {
        arm.as_ref().filter(|_| !hidden).map(|disparity| disparity.ratio)
    };
    Fair {
        metric: audit.metric.clone(),
        by: audit.by.clone(),
        verdict: word(audit.verdict()),
        treatment: disparity(&audit.treatment),
        control: disparity(&audit.control),
        changes,
        unnamed,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_left_out_is_nobody_or_many() {
        let units = [[500, 900], [60, 70], [3, 200], [0, 0]];
        assert_eq!(
            shown(&units, |_| true, 20),
            [true, false, false, false],
            "the second hides the third's three"
        );
        assert_eq!(shown(&units, |_| true, 1), [true, true, true, false]);
        assert_eq!(shown(&units[..1], |_| false, 20), [false]);
        assert_eq!(shown(&[[30, 30], [5, 5]], |_| true, 20), [false, false]);
    }

    proptest! {
        #[test]
        fn no_subtraction_tells_of_fewer_than_k(
            units in proptest::collection::vec([0..90_u64, 0..90_u64], 0..8),
            k in 1..60_u64,
        ) {
            let shown = shown(&units, |_| true, k);
            for arm in 0..2 {
                let named = units.iter().zip(&shown).filter(|(_, shown)| **shown);
                prop_assert!(named.clone().all(|(units, _)| units[arm] >= k));
                let hidden: u64 = units.iter().zip(&shown).filter(|(_, shown)| !**shown).map(|(units, _)| units[arm]).sum();
                prop_assert!(hidden == 0 || hidden >= k || named.count() == 0, "{hidden}");
            }
        }
    }
}
