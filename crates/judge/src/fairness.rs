//! Is any group served worse, and did the candidate change that?
//!
//! For each group the **good share**: units without a bad event among those measured. An arm's disparity is the worst
//! group's good share divided by the best group's. Two questions are kept apart:
//!
//! - Is the product unequal? [`disparity`], per arm, with the four-fifths rule. A rollout can inherit that; it is shown.
//! - Did the candidate make it more unequal? [`Fairness::changes`]: a group's good share, treatment over control, divided by
//!   that of all other groups together. That is what a gate asks. (Against the others and not against the best served
//!   group: when it is that one that lost, everybody else would seem to have gained.)
//!
//! A point estimate never decides. A group passes when the lower end of the interval is at or above 0.8, fails when the
//! upper end is below, and is inconclusive between (0.8 unless the rule says otherwise); a group with fewer than [`DISPLAY_UNITS`] units in an arm or fewer than
//! [`DISPLAY_BAD`] bad units cannot be assessed, and that is said instead of a number.
//!
//! How wide an interval must be depends on how often it is read; the caller says it, as a number of standard deviations for
//! a number of units: 1.96 for one look, a confidence sequence's multiplier for many.
//!
//! Sources: EEOC Uniform Guidelines 1978 (four fifths); Katz et al. 1978 (interval of a ratio). That the gate asks for the
//! change, with the control reweighted to the treatment's cohorts, is Flagstone's own.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::intervals::{Share, katz};
use crate::limits::{DISPLAY_BAD, DISPLAY_UNITS, FOUR_FIFTHS};
use crate::merge::collect_counts;
use crate::{CohortCounts, intervals};

/// What an interval says of a bar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bar {
    /// All of it is at or above the bar.
    Pass,
    /// All of it is below.
    Fail,
    /// It straddles the bar.
    Inconclusive,
    /// Too few units or bad units for an interval that means something.
    UnableToAssess,
}

impl Bar {
    fn of(lower: f64, upper: f64, bar: f64) -> Self {
        match (lower >= bar, upper < bar) {
            (true, _) => Self::Pass,
            (_, true) => Self::Fail,
            _ => Self::Inconclusive,
        }
    }
}

/// One group against another.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupRatio {
    /// The group.
    pub group: String,
    /// The estimated ratio; none where it cannot be assessed.
    pub ratio: Option<f64>,
    /// Lower end of its interval.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
    /// Against the bar: [`FOUR_FIFTHS`] within an arm, the rule's own for changes.
    pub verdict: Bar,
}

impl GroupRatio {
    fn unable(group: &str) -> Self {
        Self { group: group.to_owned(), ratio: None, lower: None, upper: None, verdict: Bar::UnableToAssess }
    }

    fn assessed(group: &str, ratio: f64, (lower, upper): (f64, f64), bar: f64) -> Self {
        let verdict = Bar::of(lower, upper, bar);
        Self { group: group.to_owned(), ratio: Some(ratio), lower: Some(lower), upper: Some(upper), verdict }
    }
}

/// How unequal one arm is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Disparity {
    /// The group with the largest share: the reference.
    pub reference: String,
    /// Smallest share divided by largest.
    pub ratio: f64,
    /// Largest share minus smallest.
    pub difference: f64,
    /// Every other group against the reference, by name.
    pub groups: Vec<GroupRatio>,
}

impl Disparity {
    /// Fail when any group fails; Pass when all pass; UnableToAssess when none can be.
    pub fn verdict(&self) -> Bar {
        overall(self.groups.iter().map(|group| group.verdict))
    }
}

fn overall(verdicts: impl Iterator<Item = Bar>) -> Bar {
    let mut all = verdicts.filter(|verdict| *verdict != Bar::UnableToAssess).peekable();
    if all.peek().is_none() {
        return Bar::UnableToAssess;
    }
    let all: Vec<Bar> = all.collect();
    if all.contains(&Bar::Fail) {
        return Bar::Fail;
    }
    if all.iter().all(|verdict| *verdict == Bar::Pass) { Bar::Pass } else { Bar::Inconclusive }
}

/// The disparity of `groups` (name and share of good units), with intervals `z` standard deviations to each side. The
/// reference is the group with the largest share; of equals the larger group, then the first by name. None for fewer than
/// two groups, or when no group has a good unit.
pub fn disparity(groups: &[(&str, Share)], z: f64) -> Option<Disparity> {
    let by_value = |a: &(&str, Share), b: &(&str, Share)| {
        a.1.value().total_cmp(&b.1.value()).then(a.1.of.cmp(&b.1.of)).then(b.0.cmp(a.0))
    };
    let (reference, best) = groups.iter().copied().max_by(by_value)?;
    let (_, worst) = groups.iter().copied().min_by(by_value)?;
    if groups.len() < 2 || best.count == 0 {
        return None;
    }
    let mut others: Vec<GroupRatio> = groups
        .iter()
        .filter(|(name, _)| *name != reference)
        .map(|(name, share)| {
            let against = katz(*share, best, z);
            let intervals::Interval { lower, upper } = against.interval;
            GroupRatio::assessed(name, share.value() / best.value(), (lower, upper), FOUR_FIFTHS)
        })
        .collect();
    others.sort_by(|a, b| a.group.cmp(&b.group));
    Some(Disparity {
        reference: reference.to_owned(),
        ratio: worst.value() / best.value(),
        difference: best.value() - worst.value(),
        groups: others,
    })
}

/// One group's counts, all cohorts.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// Its name: the value of the dimension.
    pub name: String,
    /// Counts of bad and measured units.
    pub cohorts: Vec<CohortCounts>,
}

/// One metric over the groups of one dimension.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fairness {
    /// The metric's name.
    pub metric: String,
    /// The dimension whose values are the groups.
    pub by: String,
    /// Disparity among the treated; none for fewer than two groups that can be assessed.
    pub treatment: Option<Disparity>,
    /// Disparity among the controls.
    pub control: Option<Disparity>,
    /// For every group: its good share, treatment over control, divided by that of all other groups that can be assessed,
    /// taken together. Below 1 it lost ground. By name.
    pub changes: Vec<GroupRatio>,
}

impl Fairness {
    /// Whether the groups kept their ground: as [`Disparity::verdict`], over the changes.
    pub fn verdict(&self) -> Bar {
        overall(self.changes.iter().map(|change| change.verdict))
    }
}

/// Audits one metric. `multiplier` says for a number of units how many standard deviations an interval extends to each
/// side, `bar` what share of its ratio to the others a group must have kept. Randomised cohorts only; the order of groups and
/// counts does not matter.
pub fn audit(
    metric: &str,
    by: &str,
    groups: &[Group],
    bar: f64,
    multiplier: impl Fn(u64) -> f64,
) -> Fairness {
    let mut collected: BTreeMap<&str, Vec<CohortCounts>> = BTreeMap::new();
    for group in groups {
        collected.entry(&group.name).or_default().extend(group.cohorts.iter().filter(|c| c.is_evidence()));
    }
    let sides: Vec<Sides<'_>> =
        collected.into_iter().map(|(name, counts)| Sides { name, cohorts: collect_counts(counts) }).collect();
    let able: Vec<&Sides<'_>> = sides.iter().filter(|sides| sides.assessable()).collect();
    let arm = |pick: fn(&CohortCounts) -> (u64, u64)| {
        let shares: Vec<(&str, Share)> =
            able.iter().filter_map(|sides| Some((sides.name, sides.good(pick)?))).collect();
        disparity(&shares, multiplier(able.iter().map(|sides| sides.units()).sum()))
    };
    let everyone = collect_counts(able.iter().flat_map(|sides| sides.cohorts.iter().copied()));
    Fairness {
        metric: metric.to_owned(),
        by: by.to_owned(),
        treatment: arm(TREATED),
        control: arm(CONTROL),
        changes: sides.iter().map(|sides| change(sides, &everyone, bar, &multiplier)).collect(),
    }
}

/// Measured and bad units of an arm.
const TREATED: fn(&CohortCounts) -> (u64, u64) = |c| (c.treated_units, c.treated_bad);
const CONTROL: fn(&CohortCounts) -> (u64, u64) = |c| (c.control_units, c.control_bad);

/// A group's counts in both arms.
struct Sides<'a> {
    name: &'a str,
    cohorts: Vec<CohortCounts>,
}

impl Sides<'_> {
    fn total(&self, pick: fn(&CohortCounts) -> (u64, u64)) -> (u64, u64) {
        self.cohorts
            .iter()
            .map(pick)
            .fold((0, 0), |sum, one| (u64::saturating_add(sum.0, one.0), u64::saturating_add(sum.1, one.1)))
    }

    fn units(&self) -> u64 {
        self.total(TREATED).0.saturating_add(self.total(CONTROL).0)
    }

    fn good(&self, pick: fn(&CohortCounts) -> (u64, u64)) -> Option<Share> {
        let (units, bad) = self.total(pick);
        Share::new(units.checked_sub(bad)?, units)
    }

    fn assessable(&self) -> bool {
        let ((treated, treated_bad), (control, control_bad)) = (self.total(TREATED), self.total(CONTROL));
        treated.min(control) >= DISPLAY_UNITS && treated_bad.saturating_add(control_bad) >= DISPLAY_BAD
    }

    /// ln of (good share treated / good share control) and its variance, the control's cohorts weighted as the treated
    /// units are spread over them: when the base rate moved between cohorts of different probability, pooled arms differ
    /// without any effect (Simpson's paradox). None when treated units have no controls in their cohort.
    fn log_effect(&self) -> Option<(f64, f64)> {
        let (treated, _) = self.total(TREATED);
        let (mut rates, mut variances) = ([0.0; 2], [0.0; 2]);
        for counts in self.cohorts.iter().filter(|counts| counts.treated_units > 0) {
            let weight = counts.treated_units as f64 / treated as f64;
            for ((rate, variance), (units, bad)) in
                rates.iter_mut().zip(&mut variances).zip([TREATED(counts), CONTROL(counts)])
            {
                let share = Share::new(units.checked_sub(bad)?, units)?;
                // Half a unit more on both sides keeps cohorts without bad units from looking certain.
                let p = (share.count as f64 + 0.5) / (share.of as f64 + 1.0);
                *rate += weight * share.value();
                *variance += weight * weight * p * (1.0 - p) / share.of as f64;
            }
        }
        let [a, b] = rates;
        let [u, v] = variances;
        (a > 0.0 && b > 0.0).then(|| (libm::log(a / b), u / (a * a) + v / (b * b)))
    }
}

/// What is left of a cohort's counts without those of `part`.
fn without(all: CohortCounts, part: &[CohortCounts]) -> CohortCounts {
    let own = part.iter().find(|own| (own.cohort, own.probability) == (all.cohort, all.probability));
    own.map_or(all, |own| CohortCounts {
        treated_bad: all.treated_bad.saturating_sub(own.treated_bad),
        control_bad: all.control_bad.saturating_sub(own.control_bad),
        treated_units: all.treated_units.saturating_sub(own.treated_units),
        control_units: all.control_units.saturating_sub(own.control_units),
        ..all
    })
}

/// `everyone` holds the counts of all groups that can be assessed, this one among them if it can.
fn change(
    sides: &Sides<'_>,
    everyone: &[CohortCounts],
    bar: f64,
    multiplier: impl Fn(u64) -> f64,
) -> GroupRatio {
    if !sides.assessable() {
        return GroupRatio::unable(sides.name);
    }
    let rest =
        Sides { name: "", cohorts: everyone.iter().map(|all| without(*all, &sides.cohorts)).collect() };
    let both = Some(&rest).filter(|rest| rest.assessable()).and_then(|rest| {
        let ((own, own_variance), (other, variance)) = (sides.log_effect()?, rest.log_effect()?);
        Some((own - other, own_variance + variance, sides.units().saturating_add(rest.units())))
    });
    let Some((log_change, variance, units)) = both else { return GroupRatio::unable(sides.name) };
    let half = multiplier(units) * libm::sqrt(variance);
    let [low, middle, high] = [log_change - half, log_change, log_change + half].map(libm::exp);
    GroupRatio::assessed(sides.name, middle, (low, high), bar)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SHARE_TOTAL;

    fn group(name: &str, treated: (u64, u64), control: (u64, u64)) -> Group {
        let counts = CohortCounts {
            cohort: 1,
            probability: SHARE_TOTAL / 2,
            treated_bad: treated.0,
            treated_units: treated.1,
            control_bad: control.0,
            control_units: control.1,
        };
        Group { name: name.into(), cohorts: vec![counts] }
    }

    #[test]
    fn an_inherited_disparity_is_no_change() {
        // German answers are as bad in both arms: unequal, and not the candidate's doing.
        let groups =
            [group("en", (1_000, 10_000), (1_000, 10_000)), group("de", (4_000, 10_000), (4_000, 10_000))];
        let fairness = audit("wrong", "language", &groups, FOUR_FIFTHS, |_| 3.0);
        assert_eq!(fairness.treatment.as_ref().unwrap().verdict(), Bar::Fail);
        assert_eq!((fairness.verdict(), fairness.changes.len()), (Bar::Pass, 2));
        assert!((fairness.changes[0].ratio.unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn lost_ground_is_found_and_small_groups_are_named() {
        let groups = [
            group("en", (100, 5_000), (100, 5_000)),
            group("de", (2_500, 5_000), (100, 5_000)),
            group("is", (4, 20), (0, 30)),
        ];
        let fairness = audit("wrong", "language", &groups, FOUR_FIFTHS, |_| 3.0);
        let verdicts: Vec<(&str, Bar)> =
            fairness.changes.iter().map(|c| (c.group.as_str(), c.verdict)).collect();
        assert_eq!(verdicts, [("de", Bar::Fail), ("en", Bar::Pass), ("is", Bar::UnableToAssess)]);
        assert_eq!((fairness.changes[2].ratio, fairness.verdict()), (None, Bar::Fail));
        let alone = audit("wrong", "language", &groups[2..], FOUR_FIFTHS, |_| 3.0);
        assert_eq!((alone.verdict(), alone.treatment), (Bar::UnableToAssess, None));
    }

    /// Base rate 10 % in a cohort with few treated, 50 % in one with many: no effect, for either group.
    #[test]
    fn moving_base_rates_are_no_change() {
        let two = |name: &str, scale: u64| {
            let mut group = group(name, (100 * scale, 1_000 * scale), (900 * scale, 9_000 * scale));
            group.cohorts[0].probability = SHARE_TOTAL / 10;
            let late = CohortCounts {
                cohort: 2,
                probability: SHARE_TOTAL / 2,
                treated_bad: 2_500,
                treated_units: 5_000,
                control_bad: 2_500,
                control_units: 5_000,
            };
            group.cohorts.push(late);
            group
        };
        let fairness = audit("wrong", "language", &[two("en", 5), two("de", 1)], FOUR_FIFTHS, |_| 3.0);
        assert!((fairness.changes[0].ratio.unwrap() - 1.0).abs() < 1e-12, "{fairness:?}");
    }

    #[test]
    fn the_interval_decides_and_not_the_point() {
        let share = |count, of| Share::new(count, of).unwrap();
        // EEOC's example: a ratio of a half, whose interval reaches above four fifths.
        let disparity = disparity(&[("a", share(48, 80)), ("b", share(12, 40))], 1.96).unwrap();
        assert_eq!((disparity.ratio, disparity.verdict()), (0.5, Bar::Inconclusive));
        assert_eq!(super::disparity(&[("a", share(1, 2))], 1.96), None);
        assert_eq!(super::disparity(&[("a", share(0, 2)), ("b", share(0, 2))], 1.96), None);
    }
}
