//! What the evidence says of each slice: harm, a place to look at, nothing, or that it is too small to be shown.
//!
//! Every slice runs the rate-ratio e-process of the whole ([`crate::rate_ratio`]) on its own counts, small ones included:
//! leaving a slice out while it is small would be a choice made after looking. Only its display waits until it is large
//! enough not to tell of single people.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::alpha::clears;
use crate::boundary::Sides;
use crate::fairness::{self, Fairness, Group};
use crate::limits::{DISPLAY_BAD, DISPLAY_UNITS, FAIRNESS_HORIZON};
use crate::means::sequence::Sequence;
use crate::merge::{collect_counts, first_latched};
use crate::slice_rule::{SliceRole, SliceRule};
use crate::{CohortCounts, Evidence, Latched, PlanRules, Slice, multiplicity, rate_ratio};

/// What is said of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SliceVerdict {
    /// Evidence of harm beyond the threshold for any slice (e-Bonferroni), now or earlier in the attempt.
    Harmed,
    /// e-BH picks it: a place to look at. Of such picks at most a share alpha is false, on average.
    Suspect,
    /// Large enough, and nothing shown.
    NothingShown,
    /// Fewer than [`DISPLAY_UNITS`] units or [`DISPLAY_BAD`] bad units: no numbers are shown.
    UnableToAssess,
}

/// Counts of one slice, all cohorts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SliceCounts {
    /// Bad treated units.
    pub treated_bad: u64,
    /// Bad control units.
    pub control_bad: u64,
    /// Treated units measured.
    pub treated_units: u64,
    /// Control units measured.
    pub control_units: u64,
}

/// One slice under one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SliceJudgement {
    /// The metric's name.
    pub metric: String,
    /// Which slice.
    pub slice: Slice,
    /// The rule's role.
    pub role: SliceRole,
    /// What the evidence says.
    pub verdict: SliceVerdict,
    /// ln E for "the rate ratio in this slice is above the null ratio"; none where the slice is too small to be shown, unless
    /// it is harmed.
    pub log_e: Option<f64>,
    /// ln E must exceed this: ln(slices / (alpha of the attempt x share)).
    pub log_threshold: f64,
    /// Point estimate of the rate ratio, for display only.
    pub rate_ratio: Option<f64>,
    /// Its counts; none where it is too small to be shown.
    pub counts: Option<SliceCounts>,
    /// Set when the threshold of a rule that rolls back is, or once was, crossed. Store it with the slice's evidence (of
    /// value [`OTHER_VALUES`](crate::OTHER_VALUES) for the others taken together).
    pub latched: Option<Latched>,
}

/// Everything that slices say.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Sliced {
    /// One list for each slice rule, in the plan's order.
    pub(crate) slices: Vec<Vec<SliceJudgement>>,
    pub(crate) fairness: Vec<Fairness>,
}

/// The slices of one rule, collected.
type Collected<'a> = BTreeMap<&'a str, (Vec<CohortCounts>, Option<Latched>)>;

pub(crate) fn judge_slices(rules: &PlanRules, evidence: &Evidence, now: u64) -> Sliced {
    let mut sliced = Sliced::default();
    for rule in &rules.slices {
        let collected = collect(rule, evidence);
        sliced.slices.push(verdicts(rules, rule, &collected, now));
        if rule.role == SliceRole::Fairness {
            sliced.fairness.push(groups_kept(rules, rule, &collected));
        }
    }
    sliced
}

fn collect<'a>(rule: &'a SliceRule, evidence: &'a Evidence) -> Collected<'a> {
    // Values that were named are there from the start: silence is shown as such.
    let named = rule.values.iter().map(|value| (value.as_str(), Default::default()));
    let mut collected: Collected<'a> = named.collect();
    for entry in evidence.slices.iter().filter(|entry| entry.metric == rule.metric) {
        let Some(value) = entry.slice.value_of(&rule.by) else { continue };
        let (cohorts, latched) = collected.entry(rule.place(value)).or_default();
        cohorts.extend(&entry.cohorts);
        *latched = first_latched(*latched, entry.latched);
    }
    for (cohorts, _) in collected.values_mut() {
        *cohorts = collect_counts(std::mem::take(cohorts));
    }
    collected
}

fn verdicts(rules: &PlanRules, rule: &SliceRule, collected: &Collected<'_>, now: u64) -> Vec<SliceJudgement> {
    let slices = rule.slices(collected.len());
    let log_threshold = rule.threshold(rules, slices);
    let log_e: Vec<f64> = collected
        .values()
        .map(|(cohorts, _)| rate_ratio::harm_log_e(cohorts, rule.null_in_force()).unwrap_or(0.0))
        .collect();
    // Slices not seen have E = 1; they count, so that the list does not depend on what was seen.
    let mut padded = log_e.clone();
    padded.resize(slices.max(log_e.len()), 0.0);
    let picked = multiplicity::e_bh(&padded, rules.rollback_alpha());
    let each = collected.iter().zip(log_e.into_iter().zip(picked));
    each.map(|((value, (cohorts, latched)), (log_e, suspect))| {
        let crossed = clears(log_e, log_threshold);
        let latched = match rule.role {
            SliceRole::Deterioration => latched.or(crossed.then_some(Latched { log_e, at: now })),
            SliceRole::Fairness | SliceRole::Observe => None,
        };
        let harmed = crossed || latched.is_some();
        let counts = shown(cohorts, rules.display_units.max(DISPLAY_UNITS));
        let verdict = match counts {
            _ if harmed => SliceVerdict::Harmed,
            None => SliceVerdict::UnableToAssess,
            Some(_) if suspect => SliceVerdict::Suspect,
            Some(_) => SliceVerdict::NothingShown,
        };
        SliceJudgement {
            metric: rule.metric.clone(),
            slice: Slice::of(&rule.by, value),
            role: rule.role,
            verdict,
            log_e: (harmed || counts.is_some()).then_some(log_e),
            log_threshold,
            rate_ratio: counts.and_then(|_| rate_ratio::estimate(cohorts)),
            counts,
            latched,
        }
    })
    .collect()
}

/// The counts where there are enough to be shown.
fn shown(cohorts: &[CohortCounts], least: u64) -> Option<SliceCounts> {
    let counts = cohorts.iter().fold(SliceCounts::default(), |sum, one| SliceCounts {
        treated_bad: sum.treated_bad.saturating_add(one.treated_bad),
        control_bad: sum.control_bad.saturating_add(one.control_bad),
        treated_units: sum.treated_units.saturating_add(one.treated_units),
        control_units: sum.control_units.saturating_add(one.control_units),
    });
    let units = counts.treated_units.saturating_add(counts.control_units);
    let bad = counts.treated_bad.saturating_add(counts.control_bad);
    (units >= least && bad >= DISPLAY_BAD).then_some(counts)
}

/// The fairness audit of one rule. What lies in [`OTHER_VALUES`](crate::OTHER_VALUES) is no group, and left out.
fn groups_kept(rules: &PlanRules, rule: &SliceRule, collected: &Collected<'_>) -> Fairness {
    let named = |value: &&str| rule.values.is_empty() || rule.values.contains(*value);
    let groups: Vec<Group> = collected
        .iter()
        .filter(|(value, _)| named(value))
        .map(|(value, (cohorts, _))| Group { name: (*value).to_owned(), cohorts: cohorts.clone() })
        .collect();
    let alpha = rules.promotion_alpha();
    let sequence = Sequence::tuned(FAIRNESS_HORIZON, alpha, Sides::Two);
    // Without a sequence there is no alpha, and nothing is narrow enough to pass.
    fairness::audit(&rule.metric, &rule.by, &groups, rule.bar_in_force(), |units| {
        sequence.map_or(f64::INFINITY, |sequence| sequence.factor(units as f64, alpha))
    })
}

/// The values of a rule that were named and cannot be assessed.
pub(crate) fn unassessed<'a>(fairness: &'a Fairness) -> BTreeSet<&'a str> {
    let unable = |change: &&'a fairness::GroupRatio| change.verdict == fairness::Bar::UnableToAssess;
    fairness.changes.iter().filter(unable).map(|change| change.group.as_str()).collect()
}
