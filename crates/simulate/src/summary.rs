//! From many endings to numbers with their standard errors, and whether what was promised holds.

use serde::Serialize;

use crate::rivals::Rival;
use crate::rollout::{Ending, Moment};

/// A share of rollouts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rate {
    /// In how many it happened.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// The share, 0 to 1.
    pub rate: f64,
    /// Its standard error, sqrt(p (1 - p) / n).
    pub standard_error: f64,
}

impl Rate {
    /// `count` of `of`.
    #[must_use]
    pub fn new(count: usize, of: usize) -> Self {
        let rate = count as f64 / of.max(1) as f64;
        let standard_error = libm::sqrt(rate * (1.0 - rate) / of.max(1) as f64);
        Self { count: count as u64, of: of as u64, rate, standard_error }
    }

    /// Whether the share may be `limit` or less: it is not above by more than two standard errors, those of a share that
    /// is exactly `limit`.
    #[must_use]
    pub fn may_be_at_most(&self, limit: f64) -> bool {
        self.rate <= limit + 2.0 * libm::sqrt(limit * (1.0 - limit) / self.of.max(1) as f64)
    }

    /// Whether the share may be `limit` or more, likewise.
    #[must_use]
    pub fn may_be_at_least(&self, limit: f64) -> bool {
        self.rate >= limit - 2.0 * libm::sqrt(limit * (1.0 - limit) / self.of.max(1) as f64)
    }
}

/// A quantile of a number of units, over all rollouts: one in which nothing was found counts as infinitely many.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quantile {
    /// The quantile.
    pub value: u64,
    /// Half the distance between the order statistics one standard error of the rank away; none when the upper one is
    /// infinite.
    pub standard_error: Option<f64>,
}

impl Quantile {
    /// The quantile `at` (0 to 1); none when so many were not found.
    #[must_use]
    pub fn of(found: &[u64], rollouts: usize, at: f64) -> Option<Self> {
        let mut sorted = found.to_vec();
        sorted.sort_unstable();
        let n = rollouts as f64;
        let rank = |offset: f64| (libm::floor(n * at + offset).max(0.0)) as usize;
        let spread = libm::sqrt(n * at * (1.0 - at));
        let value = *sorted.get(rank(0.0).min(rollouts.saturating_sub(1)))?;
        let ends = sorted.get(rank(-spread)).zip(sorted.get(rank(spread)));
        let standard_error = ends.map(|(low, high)| high.saturating_sub(*low) as f64 / 2.0);
        Some(Self { value, standard_error })
    }
}

/// What a scenario has to show.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "goal")]
pub enum Goal {
    /// Nothing is wrong: at most 5 % are taken back, and the sample ratio alarms in at most 0.1 %.
    NoHarm,
    /// Harm: at least this share is taken back.
    #[serde(rename_all = "camelCase")]
    Found {
        /// 0 to 1.
        at_least: f64,
        /// Half of them with at most so many treated units; 0: any number.
        median_at_most: u64,
    },
    /// Reports are lost: the sample ratio alarms, or a metric is said to be measured unlike, in at least this share.
    #[serde(rename_all = "camelCase")]
    Alarm {
        /// 0 to 1.
        at_least: f64,
    },
    /// To be looked at.
    Shown,
}

/// Most false rollbacks, over all looks.
pub(crate) const FALSE_ROLLBACKS: f64 = 0.05;
/// Most false alarms of the sample ratio.
pub(crate) const FALSE_ALARMS: f64 = 0.001;

impl Goal {
    /// In words; empty when there is none.
    #[must_use]
    pub fn words(&self) -> String {
        let percent = |share: f64| format!("{:.0} %", share * 100.0);
        match self {
            Goal::NoHarm => format!("at most {} rolled back", percent(FALSE_ROLLBACKS)),
            Goal::Found { at_least, median_at_most: 0 } => format!("at least {} found", percent(*at_least)),
            Goal::Found { at_least, median_at_most } => {
                format!("at least {} found, median at most {median_at_most} treated", percent(*at_least))
            }
            Goal::Alarm { at_least } => format!("at least {} alarmed", percent(*at_least)),
            Goal::Shown => String::new(),
        }
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    /// The scenario's name.
    pub scenario: String,
    /// What it is about.
    pub title: String,
    /// Units of each rollout.
    pub units: u32,
    /// Rollouts.
    pub rollouts: u64,
    /// Taken back.
    pub rolled_back: Rate,
    /// Treated units until then.
    pub treated: Quantiles,
    /// Said not to be split as promised.
    pub sample_ratio: Rate,
    /// Said to be measured in one arm more readily.
    pub measured: Rate,
    /// Units in the comparison until either of these two.
    pub alarm_treated: Quantiles,
    /// The last stage's gate was green.
    pub completed: Rate,
    /// By stage: its name, how many rollouts were taken back in it, how many had it open at the end otherwise.
    pub stages: Vec<StageCount>,
    /// By metric: how many it took back.
    pub by: Vec<Named>,
    /// What the judge said at the end of those that were not taken back, by rule.
    pub rules: Vec<Named>,
    /// Decisions made by the engine and times that the judge was asked, all rollouts together.
    pub decisions: u64,
    /// See `decisions`.
    pub looks: u64,
    /// What it has to show, and whether it does.
    pub goal: Goal,
    /// See `goal`.
    pub met: bool,
    /// What the design measured in the same setting.
    pub design: &'static str,
    /// What others would have done.
    pub rivals: Vec<RivalRow>,
}

/// Median and 90 % quantile.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Quantiles {
    /// None when it was not found in half of the rollouts.
    pub median: Option<Quantile>,
    /// None when it was not found in nine of ten.
    pub p90: Option<Quantile>,
}

impl Quantiles {
    fn of(found: &[u64], rollouts: usize) -> Self {
        Self { median: Quantile::of(found, rollouts, 0.5), p90: Quantile::of(found, rollouts, 0.9) }
    }
}

/// A stage's part of the endings.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageCount {
    /// The stage's name.
    pub stage: String,
    /// Rollouts taken back in it.
    pub rolled_back: u64,
    /// Rollouts that ended in it otherwise.
    pub ended: u64,
}

/// A count with a name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Named {
    /// Of what.
    pub name: String,
    /// How many.
    pub count: u64,
}

/// What one of the others would have done in the same rollouts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RivalRow {
    /// Who.
    pub rule: Rival,
    /// In words.
    pub title: &'static str,
    /// Stopped.
    pub stopped: Rate,
    /// Treated units until then.
    pub treated: Quantiles,
}

fn named<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Named> {
    let mut counts = std::collections::BTreeMap::new();
    names.for_each(|name| *counts.entry(name).or_insert(0) += 1);
    counts.into_iter().map(|(name, count)| Named { name: name.to_owned(), count }).collect()
}

/// What a row is told about itself.
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    pub(crate) units: u32,
    pub(crate) stages: Vec<String>,
    pub(crate) goal: Goal,
    pub(crate) design: &'static str,
}

pub(crate) fn summarise(about: About<'_>, endings: &[Ending]) -> Row {
    let n = endings.len();
    let rate =
        |happened: &dyn Fn(&Ending) -> bool| Rate::new(endings.iter().filter(|e| happened(e)).count(), n);
    let treated = |pick: &dyn Fn(&Ending) -> Option<Moment>| -> Quantiles {
        let found: Vec<u64> = endings.iter().filter_map(pick).map(|moment| moment.treated).collect();
        Quantiles::of(&found, n)
    };
    let stages = about.stages.into_iter().enumerate().map(|(position, stage)| {
        let stage_of = |ending: &Ending| ending.rolled_back.map_or(ending.stage, |moment| moment.stage);
        let here = |ending: &&Ending| usize::from(stage_of(ending)) == position;
        let rolled_back = endings.iter().filter(here).filter(|e| e.rolled_back.is_some()).count() as u64;
        let ended = endings.iter().filter(here).count() as u64 - rolled_back;
        StageCount { stage, rolled_back, ended }
    });
    let rivals = Rival::ALL.iter().enumerate().filter(|_| endings.iter().any(|e| !e.rivals.is_empty()));
    let rivals = rivals.map(|(position, rival)| {
        let at = |ending: &Ending| ending.rivals.get(position).copied().flatten();
        RivalRow {
            rule: *rival,
            title: rival.title(),
            stopped: rate(&|ending| at(ending).is_some()),
            treated: treated(&at),
        }
    });
    let mut row = Row {
        scenario: about.name.to_owned(),
        title: about.title.to_owned(),
        units: about.units,
        rollouts: n as u64,
        rolled_back: rate(&|ending| ending.rolled_back.is_some()),
        treated: treated(&|ending| ending.rolled_back),
        sample_ratio: rate(&|ending| ending.sample_ratio.is_some()),
        measured: rate(&|ending| ending.measured.is_some()),
        alarm_treated: treated(&|ending| ending.sample_ratio.or(ending.measured)),
        completed: rate(&|ending| ending.completed.is_some()),
        stages: stages.collect(),
        by: named(endings.iter().filter_map(|ending| ending.by.as_deref())),
        rules: named(endings.iter().filter(|ending| ending.rolled_back.is_none()).map(|ending| ending.rule)),
        decisions: endings.iter().map(|ending| ending.decisions).sum(),
        looks: endings.iter().map(|ending| ending.looks).sum(),
        goal: about.goal,
        met: true,
        design: about.design,
        rivals: rivals.collect(),
    };
    row.met = met(&row);
    row
}

fn met(row: &Row) -> bool {
    match row.goal {
        Goal::NoHarm => {
            row.rolled_back.may_be_at_most(FALSE_ROLLBACKS) && row.sample_ratio.may_be_at_most(FALSE_ALARMS)
        }
        Goal::Found { at_least, median_at_most } => {
            // A median of few rollouts is given two of its standard errors.
            let quick = row.treated.median.is_some_and(|median| {
                median.value as f64 - 2.0 * median.standard_error.unwrap_or(0.0) <= median_at_most as f64
            });
            row.rolled_back.may_be_at_least(at_least) && (median_at_most == 0 || quick)
        }
        Goal::Alarm { at_least } => {
            row.sample_ratio.may_be_at_least(at_least) || row.measured.may_be_at_least(at_least)
        }
        Goal::Shown => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_binomial_errors_and_two_of_them() {
        let rate = Rate::new(22, 1_000);
        assert!((rate.standard_error - 0.004_638).abs() < 1e-6);
        assert!(rate.may_be_at_most(0.05) && !rate.may_be_at_least(0.05));
        // 5 % + 2 x 0.689 % of 1,000 rollouts.
        assert!(Rate::new(63, 1_000).may_be_at_most(0.05));
        assert!(!Rate::new(64, 1_000).may_be_at_most(0.05));
        assert!(!Rate::new(280, 1_000).may_be_at_most(0.05));
        assert!(Rate::new(0, 0).may_be_at_most(0.05));
    }

    #[test]
    fn quantiles_count_what_was_not_found_as_infinite() {
        let found: Vec<u64> = (1..=80).collect();
        assert_eq!(Quantile::of(&found, 100, 0.5).map(|q| q.value), Some(51));
        assert_eq!(Quantile::of(&found, 100, 0.9), None);
        let median = Quantile::of(&found, 100, 0.5).and_then(|q| q.standard_error);
        assert_eq!(median, Some(5.0));
    }
}
