//! What a plan can see, asked before it starts: for each stage the units and bad units to expect, the smallest effect it
//! finds, how many treated units a doubling takes, and the chance of a false rollback.

use flagstone_judge::alpha::{attempt_alpha, log_threshold};
use flagstone_judge::{Role, planning};
use rayon::prelude::*;
use serde::Serialize;

use crate::foresee::{Open, Traffic, climb, ladder, search};
use crate::random::Random;
use crate::summary::{Quantile, Rate};
use crate::table::{count, percent, times};
use crate::trial::{Meter, Trial};

/// A stage sees an effect that it finds in at least this share of rollouts.
pub const POWER: f64 = 0.8;
/// Ratios that are tried, the smallest that is found being reported.
const RATIOS: [f64; 14] = [1.1, 1.2, 1.3, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0, 50.0];

/// What to assume, and how often to try.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Assumed {
    /// Different units that come on a day.
    pub units_per_day: f64,
    /// How many units there are altogether; none: new ones keep coming.
    pub population: Option<f64>,
    /// Where chance comes from.
    pub seed: u64,
    /// Rollouts for each number.
    pub rollouts: u64,
}

/// A plan, checked.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Checked {
    /// The flag's key.
    pub flag: String,
    /// Every randomised stage sees a doubling of every metric that takes the flag back.
    pub sees_doubling: bool,
    /// Rollouts that were taken back while nothing was wrong, over all stages and looks.
    pub false_rollbacks: Rate,
    /// The chance of that is never more than this.
    pub false_rollbacks_at_most: f64,
    /// The randomised stages.
    pub stages: Vec<StageChecked>,
    /// Stages that are not randomised, by name: only tripwires speak there.
    pub not_randomised: Vec<String>,
    /// What should be known besides.
    pub notes: Vec<String>,
}

/// A stage, checked; numbers are of its end, its bake time gone and no more.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StageChecked {
    /// Its name.
    pub stage: String,
    /// Days that it is open.
    pub days: f64,
    /// Treated units to expect, those of the stages below included.
    pub treated_units: f64,
    /// Control units to expect.
    pub control_units: f64,
    /// The metrics that take the flag back.
    pub metrics: Vec<MetricChecked>,
}

/// A metric at a stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricChecked {
    /// Its name.
    pub metric: String,
    /// Part of the units that turn bad, as assumed.
    pub base_rate: f64,
    /// Bad treated units to expect when nothing is wrong.
    pub treated_bad: f64,
    /// Bad control units to expect.
    pub control_bad: f64,
    /// Rollouts in which a doubling was found by the end of this stage.
    pub doubling_found: Rate,
    /// Whether that is enough (80 %).
    pub sees_doubling: bool,
    /// Treated units until a doubling is found, with this stage open for as long as it takes.
    pub doubling_median: Option<Quantile>,
    /// The same for nine rollouts of ten.
    pub doubling_p90: Option<Quantile>,
    /// Smallest of the ratios tried that is found by the end of this stage in 80 % of rollouts; none: not even the largest.
    pub smallest_effect: Option<f64>,
    /// What promotion asks, if anything.
    pub promotion: Option<Promotion>,
    /// The same in a sentence.
    pub words: String,
}

/// The margin that promotion asks to be kept, and whether the stage can show it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// 0.1: at most 10 % worse.
    pub margin: f64,
    /// Bad units of both arms that it takes when nothing changed, at least and at most.
    pub needed: (f64, f64),
    /// Bad units to expect.
    pub expected: f64,
    /// Whether the expected number reaches the upper one.
    pub likely: bool,
}

/// Checks a plan.
#[must_use]
pub fn check(trial: &Trial, assumed: &Assumed) -> Checked {
    let traffic = Traffic { units_per_day: assumed.units_per_day, population: assumed.population };
    let opens = ladder(trial);
    let alpha = attempt_alpha(trial.rules.alpha, trial.rules.attempt);
    let harm: Vec<&Meter> = trial.meters.iter().filter(|meter| meter.role == Role::Deterioration).collect();
    let foreseen: Vec<Foreseen> = harm
        .iter()
        .map(|meter| Foreseen::new(&opens, &traffic, meter, log_threshold(alpha, meter.share), assumed))
        .collect();
    let stages: Vec<StageChecked> = opens
        .iter()
        .enumerate()
        .map(|(at, open)| {
            let (treated_units, control_units) = open.units(&traffic, open.to);
            let metrics = foreseen.iter().map(|seen| seen.at(at, open, &traffic, trial.rules.alpha));
            StageChecked {
                stage: stage_name(trial, open),
                days: open.to - open.from,
                treated_units,
                control_units,
                metrics: metrics.collect(),
            }
        })
        .collect();
    let falsely = (0..assumed.rollouts).filter(|number| {
        let at = usize::try_from(*number).unwrap_or(usize::MAX);
        foreseen.iter().any(|seen| seen.same.get(at).copied().flatten().is_some())
    });
    Checked {
        flag: trial.flag.clone(),
        sees_doubling: !harm.is_empty()
            && stages.iter().all(|stage| stage.metrics.iter().all(|metric| metric.sees_doubling)),
        false_rollbacks: Rate::new(falsely.count(), usize::try_from(assumed.rollouts).unwrap_or(usize::MAX)),
        false_rollbacks_at_most: alpha,
        stages,
        not_randomised: trial
            .stages
            .iter()
            .filter(|stage| !stage.randomised)
            .map(|stage| stage.name.clone())
            .collect(),
        notes: notes(trial, &harm, &opens),
    }
}

fn stage_name(trial: &Trial, open: &Open) -> String {
    trial.stages.get(usize::from(open.position)).map_or_else(String::new, |stage| stage.name.clone())
}

/// What was found of one metric in all rollouts.
struct Foreseen<'a> {
    meter: &'a Meter,
    threshold: f64,
    alpha_of_metric: f64,
    assumed: &'a Assumed,
    /// For each ratio the position of the stage in which each rollout found it.
    found: Vec<(f64, Vec<Option<usize>>)>,
    /// The same when nothing is wrong.
    same: Vec<Option<usize>>,
}

impl<'a> Foreseen<'a> {
    fn new(
        opens: &[Open],
        traffic: &Traffic,
        meter: &'a Meter,
        threshold: f64,
        assumed: &'a Assumed,
    ) -> Self {
        let climbs = |ratio: f64| -> Vec<Option<usize>> {
            let one = |number: u64| {
                let mut random =
                    Random::new(assumed.seed.wrapping_add(u64::from(meter.source) << 32), number);
                climb(opens, traffic, (meter.base_rate, ratio), threshold, &mut random)
            };
            (0..assumed.rollouts).into_par_iter().map(one).collect()
        };
        let found = RATIOS.iter().map(|ratio| (*ratio, climbs(*ratio))).collect();
        Self { meter, threshold, alpha_of_metric: libm::exp(-threshold), assumed, found, same: climbs(1.0) }
    }

    fn found_by(&self, ratio: f64, stage: usize) -> Rate {
        let found = self.found.iter().find(|(tried, _)| *tried == ratio);
        let by = found.map_or(0, |(_, stages)| stages.iter().flatten().filter(|at| **at <= stage).count());
        Rate::new(by, found.map_or(0, |(_, stages)| stages.len()))
    }

    fn at(&self, stage: usize, open: &Open, traffic: &Traffic, alpha: f64) -> MetricChecked {
        let meter = self.meter;
        let (treated, control) = open.units(traffic, open.to);
        let (treated_bad, control_bad) = (treated * meter.base_rate, control * meter.base_rate);
        let needed = planning::to_find_harm(open.share(), 2.0, self.alpha_of_metric);
        let expected_bad = needed.map_or(0.0, |needed| needed.high);
        let one = |number: u64| {
            let mut random = Random::new(self.assumed.seed ^ 0x5eed, number);
            search(open, (meter.base_rate, 2.0), (self.threshold, expected_bad), &mut random)
        };
        let searched: Vec<Option<u64>> = (0..self.assumed.rollouts).into_par_iter().map(one).collect();
        let units: Vec<u64> = searched.iter().flatten().copied().collect();
        let doubling_found = self.found_by(2.0, stage);
        let seen = RATIOS.iter().find(|ratio| self.found_by(**ratio, stage).rate >= POWER);
        let promotion = meter.not_worse_by.and_then(|margin| {
            let needed = planning::to_show_not_worse(open.share(), margin, alpha)?;
            let expected = treated_bad + control_bad;
            Some(Promotion {
                margin,
                needed: (needed.low, needed.high),
                expected,
                likely: expected >= needed.high,
            })
        });
        let mut checked = MetricChecked {
            metric: meter.name.clone(),
            base_rate: meter.base_rate,
            treated_bad,
            control_bad,
            doubling_found,
            sees_doubling: doubling_found.rate >= POWER,
            doubling_median: Quantile::of(&units, searched.len(), 0.5),
            doubling_p90: Quantile::of(&units, searched.len(), 0.9),
            smallest_effect: seen.copied(),
            promotion,
            words: String::new(),
        };
        checked.words = words(&checked, open, treated, traffic);
        checked
    }
}

fn words(metric: &MetricChecked, open: &Open, treated: f64, traffic: &Traffic) -> String {
    let name = &metric.metric;
    if open.cohorts.is_empty() {
        return format!("`{name}`: this stage compares nothing, so it cannot see a doubling");
    }
    let found = percent(metric.doubling_found.rate);
    let mut words = if metric.sees_doubling {
        format!("`{name}`: sees a doubling; it is found by the end of this stage in {found} of rollouts")
    } else {
        format!("`{name}`: this stage cannot see a doubling; by its end it is found in {found} of rollouts")
    };
    if let Some((median, p90)) = metric.doubling_median.zip(metric.doubling_p90) {
        words += &format!(
            ". It takes {} treated units (nine times in ten at most {}), and there are {} by then",
            count(median.value as f64),
            count(p90.value as f64),
            count(treated),
        );
        let a_day = open.cohorts.iter().map(|cohort| cohort.treat).sum::<f64>() * traffic.units_per_day;
        if !metric.sees_doubling && a_day > 0.0 && traffic.population.is_none() {
            words += &format!("; at this share that is {:.1} days", p90.value as f64 / a_day);
        }
    }
    words += &match metric.smallest_effect {
        Some(ratio) => format!(". The smallest effect it finds in four of five rollouts: {}", times(ratio)),
        None => ". Nothing that was tried is found in four of five rollouts, not even fifty times as many"
            .to_owned(),
    };
    if let Some(promotion) = metric.promotion.filter(|promotion| !promotion.likely) {
        words += &format!(
            ". It can hardly show \"at most {} worse\": that takes {} to {} bad units, and there are {}",
            percent(promotion.margin),
            count(promotion.needed.0),
            count(promotion.needed.1),
            count(promotion.expected),
        );
    }
    words
}

fn notes(trial: &Trial, harm: &[&Meter], opens: &[Open]) -> Vec<String> {
    let mut notes = Vec::new();
    if harm.is_empty() {
        notes.push("no metric takes this flag back by evidence of harm".to_owned());
    }
    for meter in harm.iter().filter(|meter| meter.base_rate <= 0.0) {
        notes.push(format!(
            "`{}` is assumed never to be bad: nothing can be said of a doubling of nothing",
            meter.name
        ));
    }
    for meter in harm {
        let late = opens
            .iter()
            .filter(|open| meter.window.is_some_and(|window| window as f64 / 86_400.0 > open.to - open.from));
        let stages: Vec<String> = late.map(|open| format!("`{}`", stage_name(trial, open))).collect();
        if !stages.is_empty() {
            notes.push(format!(
                "the window of `{}` is longer than the bake time of {}: units that came late are not followed to its end by then",
                meter.name,
                stages.join(", ")
            ));
        }
    }
    notes
}
