//! Drift: the treated units of a metric in batches by when they were first given the candidate.
//!
//! A unit's batch is a function of its exposures, whether it is bad one of its readings; both merge in any order. So batches
//! are kept as the other counts are, in `tallies`, by differences, and come with them in one statement for all plans.

use flagstone_compile::model::{DEFAULT_GRACE, DriftRole, Metric, Rollout};
use flagstone_events::Arm;
use flagstone_judge::drift::DEFAULT_PATIENCE;
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{DriftBatch, DriftRule, Judgement};
use serde_json::{Value, json};

use crate::contribution::{Part, Place, Reading, late_of};
use crate::metric::PlanMetric;
use crate::tally::Count;
use crate::unit::Unit;

/// Treated units by batch, among the kinds of counts; the batch's number stands in place of the arm.
const BATCHED: u8 = 3;

/// How a metric's units are put into batches, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Batches {
    every_ms: u64,
    /// How long a unit is followed after it was first given the candidate.
    window_ms: u64,
    /// How long after that its outcomes may still come in.
    grace_ms: u64,
}

impl Batches {
    /// Those that a plan asks for; none when it does not, or when the metric has no window.
    pub(crate) fn new(rollout: &Rollout, name: &str, authored: Option<&Metric>) -> Option<Self> {
        let watch = rollout.drift.iter().find(|watch| watch.metric.value == name)?;
        let metric = authored.filter(|metric| metric.bad().is_some())?;
        let ms = |seconds: u64| seconds.saturating_mul(1_000);
        Some(Self {
            every_ms: ms(watch.every.max(1)),
            window_ms: ms(metric.window?),
            grace_ms: ms(metric.grace.unwrap_or(DEFAULT_GRACE)),
        })
    }

    /// The first batch that is not over: its last unit's window or the grace after it is still open.
    fn open(self, now_ms: u64) -> u64 {
        let followed = self.window_ms.saturating_add(self.grace_ms);
        now_ms.saturating_sub(followed).checked_div(self.every_ms).unwrap_or(0)
    }
}

/// The rules, as the judge takes them.
pub(crate) fn rules(rollout: &Rollout) -> Vec<DriftRule> {
    let rule = |watch: &flagstone_compile::model::DriftWatch| DriftRule {
        metric: watch.metric.to_string(),
        baseline: f64::from(watch.baseline) / f64::from(SHARE_TOTAL),
        patience: watch.patience.unwrap_or(DEFAULT_PATIENCE),
        holds: watch.role == DriftRole::Signal,
    };
    rollout.drift.iter().map(rule).collect()
}

/// What decides what is counted, for a plan's fingerprint: the rate and the patience may change within an attempt.
pub(crate) fn counted(rollout: &Rollout) -> Vec<Value> {
    rollout.drift.iter().map(|watch| json!([watch.metric, watch.every])).collect()
}

/// What a unit adds beside a metric's own counts: outcomes that came in too late, and its place in a batch.
pub(crate) fn beside(metric: &PlanMetric, unit: &Unit, readings: &[Reading]) -> Vec<Part> {
    let mut parts = late_of(&metric.name, unit, readings, metric.window_ms);
    parts.extend(metric.batches.and_then(|batches| of_unit(&metric.name, batches, unit, readings)));
    parts
}

/// The unit in its batch: once, from when it was first given the candidate, to the end of the window or to when it was
/// shown the baseline. A unit that counted in both arms, or of which nothing was measured, is left out.
fn of_unit(name: &str, batches: Batches, unit: &Unit, readings: &[Reading]) -> Option<Part> {
    if unit.in_treatment && unit.in_control {
        return None;
    }
    let treated =
        [unit.enrolled, unit.plain].into_iter().flatten().filter(|first| first.arm == Arm::Treatment);
    let from_ms = treated.map(|first| first.at_ms).min()?;
    let back = [unit.enrolled, unit.plain].into_iter().flatten().filter(|first| first.arm != Arm::Treatment);
    let back_ms = back.map(|first| first.at_ms).filter(|at_ms| *at_ms >= from_ms).min();
    let end_ms = from_ms.saturating_add(batches.window_ms);
    let until_ms = back_ms.map_or(end_ms, |back_ms| back_ms.min(end_ms));
    let last_ms = end_ms.saturating_add(batches.grace_ms);
    let follows = |reading: &&Reading| {
        reading.at_ms >= from_ms && reading.at_ms < until_ms && reading.received_ms <= last_ms
    };
    let mut seen = readings.iter().filter(follows).peekable();
    seen.peek()?;
    let bad = seen.any(|reading| reading.bad);
    let batch = i64::try_from(from_ms.checked_div(batches.every_ms)?).ok()?;
    let place = Place { kind: BATCHED, name: name.to_owned(), cohort: 0, probability: 0, arm: batch };
    Some((place, bad))
}

/// The batches of a metric that are over, in order.
pub(crate) fn over(counts: &[Count], metric: &PlanMetric, now_ms: u64) -> Vec<DriftBatch> {
    let Some(open) = metric.batches.map(|batches| batches.open(now_ms)) else { return Vec::new() };
    let own = counts.iter().filter(|count| count.place.kind == BATCHED && count.place.name == metric.name);
    let batches = own.filter_map(|count| {
        let batch = u64::try_from(count.place.arm).ok()?;
        Some(DriftBatch { batch, units: count.units, bad: count.bad })
    });
    batches.filter(|batch| batch.batch < open && batch.units > 0).collect()
}

/// What the status says: each judgement with what was asked, and since when in unix milliseconds.
pub(crate) fn status(rules: &[DriftRule], metrics: &[PlanMetric], judgement: &Judgement) -> Vec<Value> {
    let one = |(rule, found): (&DriftRule, &flagstone_judge::DriftJudgement)| {
        let batches = metrics.iter().find(|metric| metric.name == rule.metric).and_then(|one| one.batches);
        let every_ms = batches.map(|batches| batches.every_ms);
        let since = found.since.zip(every_ms).map(|(batch, every_ms)| batch.saturating_mul(every_ms));
        let mut json = serde_json::to_value(found).unwrap_or_default();
        if let Some(members) = json.as_object_mut() {
            members.insert("since".to_owned(), json!(since));
            members.insert("every".to_owned(), json!(every_ms.map(|every_ms| every_ms / 1_000)));
            members.insert("patience".to_owned(), json!(rule.patience));
            members.insert("holds".to_owned(), json!(rule.holds));
        }
        json
    };
    rules.iter().zip(&judgement.drift).map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::First;

    const HOURLY: Batches = Batches { every_ms: 1_000, window_ms: 300, grace_ms: 50 };

    fn exposure(at_ms: u64, arm: Arm, probability: u32) -> Unit {
        Unit::of(First { at_ms, by: [1; 16], arm, cohort: Some(1), probability })
    }

    fn read(at_ms: u64, bad: bool) -> Reading {
        Reading { at_ms, bad, received_ms: at_ms }
    }

    /// (batch, bad) of the unit.
    fn counted(unit: &Unit, readings: &[Reading]) -> Option<(i64, bool)> {
        of_unit("m", HOURLY, unit, readings).map(|(place, bad)| (place.arm, bad))
    }

    #[test]
    fn a_treated_unit_counts_once_in_the_batch_of_its_first_exposure() {
        let unit = exposure(2_900, Arm::Treatment, 5);
        assert_eq!(counted(&unit, &[read(2_899, true)]), None, "before it had anything");
        assert_eq!(counted(&unit, &[read(2_950, false), read(3_200, true)]), Some((2, false)), "too late");
        assert_eq!(counted(&unit, &[read(2_950, false), read(3_199, true)]), Some((2, true)));
        let late = Reading { received_ms: 3_251, ..read(3_000, true) };
        assert_eq!(counted(&unit, &[late]), None, "it came in after the grace");
        let again = unit.merge(exposure(5_000, Arm::Treatment, 0));
        assert_eq!(counted(&again, &[read(2_950, false), read(5_001, true)]), Some((2, false)));
        let listed = exposure(1_100, Arm::Treatment, 0).merge(unit);
        assert_eq!(counted(&listed, &[read(1_101, true)]), Some((1, true)), "drawn or not");
    }

    #[test]
    fn controls_and_units_in_both_arms_are_left_out() {
        let control = exposure(100, Arm::Control, 5);
        assert_eq!(counted(&control, &[read(150, true)]), None);
        let both = control.merge(exposure(200, Arm::Treatment, 5));
        assert_eq!(counted(&both, &[read(250, true)]), None);
        let later = control.merge(exposure(1_200, Arm::Treatment, 0));
        assert_eq!(counted(&later, &[read(150, true), read(1_250, false)]), Some((1, false)));
        let back = exposure(100, Arm::Treatment, 5).merge(exposure(200, Arm::Control, 0));
        assert_eq!(counted(&back, &[read(150, false), read(250, true)]), Some((0, false)));
    }

    #[test]
    fn a_batch_is_over_with_the_window_and_the_grace_of_its_last_unit() {
        assert_eq!([2_349, 2_350, 3_349, 100].map(|now_ms| HOURLY.open(now_ms)), [1, 2, 2, 0]);
    }
}
