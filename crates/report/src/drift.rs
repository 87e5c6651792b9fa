//! Has the mix of what comes in changed? Exposures by dimension, those until the middle against those since, and charts.
//!
//! Exposures are counted before any outcome, so a changed mix is nobody's effect: it explains outcomes, it is not one. Both
//! are signals for one look (docs/statistics.md, section 23); they steer nothing.

use std::collections::BTreeMap;

use flagstone_judge::Judgement;
use flagstone_judge::charts::Cusum;
use flagstone_judge::stability::{Smoothing, stability};

use crate::Look;
use crate::model::{Chart, Drift, DriftRate, Mix};

/// Looks, without the first quarter, that a chart needs.
const LEAST_LOOKS: usize = 8;

/// Units by value of one dimension.
type Units = BTreeMap<String, u64>;

pub(crate) fn of(looks: &[&Look], judgement: &Judgement, k: u64) -> Drift {
    let mut drift = Drift::default();
    let Some(last) = looks.last() else { return drift };
    drift.rates = rates(last, judgement);
    let mut dimensions: Vec<String> = Vec::new();
    for entry in &last.evidence.exposed_slices {
        if let (1, Some(by)) = (entry.slice.0.len(), entry.slice.0.keys().next())
            && !dimensions.contains(by)
        {
            dimensions.push(by.clone());
        }
    }
    dimensions.sort();
    if dimensions.is_empty() {
        drift
            .notes
            .push("exposures are not counted by any dimension, so a changed mix cannot be seen".to_owned());
    }
    for by in dimensions {
        let counted: Vec<(u64, Units)> = looks.iter().map(|look| (look.now, units(look, &by))).collect();
        match mix(&by, &counted, k) {
            Some(mix) => drift.inputs.push(mix),
            None => drift.notes.push(format!("{by}: too few units or looks so far to tell of a change")),
        }
    }
    drift
}

/// What the plan's own rules found.
fn rates(look: &Look, judgement: &Judgement) -> Vec<DriftRate> {
    let rates = look.rules.drift.iter().zip(&judgement.drift).map(|(rule, found)| DriftRate {
        metric: found.metric.clone(),
        baseline: found.baseline,
        batches: found.batches,
        units: found.units,
        bad: found.bad,
        log_evidence: found.log_evidence,
        log_threshold: found.log_threshold,
        alarmed: found.alarmed,
        holds: rule.holds,
    });
    rates.collect()
}

fn units(look: &Look, by: &str) -> Units {
    let mut units = Units::new();
    for entry in &look.evidence.exposed_slices {
        let Some(value) = entry.slice.value_of(by) else { continue };
        let sum = units.entry(value.to_owned()).or_default();
        for cohort in &entry.exposed {
            *sum = sum.saturating_add(cohort.treated).saturating_add(cohort.control);
        }
    }
    units
}

fn total(units: &Units) -> u64 {
    units.values().fold(0, |sum, one| sum.saturating_add(*one))
}

/// What came between two looks. Units that were erased meanwhile make nothing negative.
fn between(before: &Units, after: &Units) -> Units {
    let known = |value: &str| before.get(value).copied().unwrap_or(0);
    after.iter().map(|(value, units)| (value.clone(), units.saturating_sub(known(value)))).collect()
}

fn mix(by: &str, counted: &[(u64, Units)], k: u64) -> Option<Mix> {
    let (_, last) = counted.last()?;
    let half = total(last) / 2;
    let (split, before) = counted.iter().min_by_key(|(_, units)| total(units).abs_diff(half))?;
    let after = between(before, last);
    // Values with fewer than k units on either side are one bin; when even that is small, it takes the smallest along.
    let mut values: Vec<&String> = last.keys().collect();
    let least = |value: &&String| {
        let side = |units: &Units| units.get(*value).copied().unwrap_or(0);
        side(before).min(side(&after))
    };
    values.sort_by_key(|value| std::cmp::Reverse(least(value)));
    let mut large: Vec<&String> = values.iter().copied().filter(|value| least(value) >= k).collect();
    let rest = |large: &[&String], units: &Units| {
        units
            .iter()
            .filter(|(value, _)| !large.contains(value))
            .fold(0_u64, |sum, (_, one)| sum.saturating_add(*one))
    };
    let smaller = |large: &[&String]| {
        let (a, b) = (rest(large, before), rest(large, &after));
        (a > 0 || b > 0) && a.min(b) < k
    };
    while smaller(&large) && large.pop().is_some() {}
    let bins = |units: &Units| -> Vec<u64> {
        let named = large.iter().map(|value| units.get(*value).copied().unwrap_or(0));
        let rest = rest(&large, units);
        named.chain((large.len() < last.len()).then_some(rest)).collect()
    };
    let (p, q) = (bins(before), bins(&after));
    let found = stability(&p, &q, Smoothing::AddHalf)?;
    let sum = |bins: &[u64]| bins.iter().fold(0_u64, |sum, one| sum.saturating_add(*one)) / k * k;
    Some(Mix {
        by: by.to_owned(),
        split: *split,
        units: [sum(&p), sum(&q)],
        bins: p.len(),
        psi: found.psi,
        p: found.p,
        alarm: found.alarm,
        chart: chart(counted, &large),
    })
}

/// The chart that went furthest, over the large values. Target: the share in the first quarter of the looks.
fn chart(counted: &[(u64, Units)], large: &[&String]) -> Option<Chart> {
    let quarter = counted.len() / 4;
    let (_, base) = counted.get(quarter)?;
    let after: Vec<&(u64, Units)> = counted.iter().skip(quarter).collect();
    if after.len() <= LEAST_LOOKS || total(base) == 0 {
        return None;
    }
    let mut furthest: Option<Chart> = None;
    for value in large {
        let count = |units: &Units| units.get(*value).copied().unwrap_or(0) as f64;
        let share = count(base) / total(base) as f64;
        if share <= 0.0 || share >= 1.0 {
            continue;
        }
        let mut chart = Cusum::new(0.0, 1.0, 0.5, 5.0);
        let mut since = None;
        let (mut times, mut at) = (0.0_f64, None);
        for pair in after.windows(2) {
            let [(begin, before), (_, now)] = pair else { continue };
            let new = between(before, now);
            let units = total(&new) as f64;
            // The target itself was measured, on `base`; its own error is part of the spread.
            let spread = share * (1.0 - share) * units * (1.0 + units / total(base) as f64);
            if units <= 0.0 || spread <= 0.0 {
                continue;
            }
            chart.observe((count(&new) - share * units) / libm::sqrt(spread));
            since = if chart.since() == Some(1) || since.is_none() { Some(*begin) } else { since };
            let reach = chart.up.0.max(chart.down.0) / chart.interval;
            if reach > times {
                (times, at) = (reach, since);
            }
        }
        if furthest.as_ref().is_none_or(|known| times > known.times) {
            let since = at.filter(|_| times > 1.0);
            furthest = Some(Chart { value: (*value).clone(), times, since });
        }
    }
    furthest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Looks at which de has this share of the next 200 units.
    fn counted(shares: &[f64]) -> Vec<(u64, Units)> {
        let mut sum = [0_u64; 2];
        let mut all = Vec::new();
        for (number, share) in shares.iter().enumerate() {
            let german = (share * 200.0) as u64;
            sum = [sum[0] + german, sum[1] + 200 - german];
            let units = [("de", sum[0]), ("en", sum[1]), ("is", 3)];
            all.push((
                number as u64 * 60,
                units.map(|(value, units)| (value.to_owned(), units)).into_iter().collect(),
            ));
        }
        all
    }

    #[test]
    fn a_changed_mix_is_seen_and_a_steady_one_is_not() {
        let steady = mix("language", &counted(&[0.3; 20]), 20).unwrap();
        assert!(!steady.alarm && steady.psi < 0.01, "{steady:?}");
        assert_eq!(steady.bins, 2, "three Icelandic units are in a bin with others");
        let chart = steady.chart.unwrap();
        assert!(chart.times < 0.2 && chart.since.is_none(), "{chart:?}");

        let shares: Vec<f64> = (0..20).map(|look| if look < 10 { 0.3 } else { 0.55 }).collect();
        let moved = mix("language", &counted(&shares), 20).unwrap();
        assert!(moved.alarm, "{moved:?}");
        let chart = moved.chart.unwrap();
        assert!(chart.times > 1.0, "{chart:?}");
        assert_eq!(chart.since, Some(9 * 60), "it changed after the tenth look");
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(mix("language", &counted(&[0.3]), 20), None);
        let none = mix("language", &[], 20);
        assert_eq!(none, None);
    }
}
