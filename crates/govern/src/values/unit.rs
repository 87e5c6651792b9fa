//! What one unit comes to. A pure function of the unit and of its outcomes, in any order.

use flagstone_events::Arm;
use flagstone_judge::quantiles::histogram;
use serde::{Deserialize, Serialize};

use super::rule::{ComesTo, ValueMetric, Window};
use crate::ingest::arm_number;
use crate::unit::{First, Unit};

/// An outcome of the unit as the metric measures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Value {
    pub(super) at_ms: u64,
    /// When it first came in.
    pub(super) received_ms: u64,
    /// In millionths.
    pub(super) value: i64,
    pub(super) second: i64,
}

/// What a unit adds to the sums of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) enum Part {
    /// One more unit with these values, cut by the registered cap or not.
    Sum { place: Place, value: i64, second: i64, cut: bool },
    /// One more unit in this bucket.
    Bucket { place: Place, bucket: u16 },
    /// One more treated unit with this score.
    Score { batch: u64, score: u32 },
}

/// Which sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) cohort: u8,
    pub(super) probability: u32,
    pub(super) arm: i64,
}

/// One time for which the unit is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Followed {
    /// When it counts, for then its window and the grace are over; 0: at once.
    pub(super) closes_ms: u64,
    /// What it adds then; none when nothing of it was measured in time.
    pub(super) part: Option<Part>,
    /// Outcomes of that time that came in too late.
    pub(super) late: u64,
}

/// The times for which the unit is followed: from its enrolment, to the end of the window or to the first exposure that is no
/// evidence; and from that exposure on, as no evidence, unless the unit just goes on in its arm. Units seen in both arms are
/// left out of evidence. `first_ms` is the unit's first exposure in any attempt at this flag: what came after it was not
/// before any candidate.
pub(super) fn followed(metric: &ValueMetric, unit: &Unit, first_ms: u64, values: &[Value]) -> Vec<Followed> {
    let enrolled = unit.enrolled.filter(|first| {
        unit.in_treatment != unit.in_control && unit.plain.is_none_or(|plain| first.at_ms < plain.at_ms)
    });
    let mut times = Vec::new();
    if let Some(first) = enrolled {
        let until = unit.plain.map_or(u64::MAX, |plain| plain.at_ms);
        times.extend(of_time(metric, first, until, first_ms, values));
    }
    if let Some(plain) = unit.plain
        && enrolled.is_none_or(|first| first.arm != plain.arm)
    {
        let plain = First { probability: 0, ..plain };
        times.extend(of_time(metric, plain, u64::MAX, first_ms, values));
    }
    times
}

fn of_time(
    metric: &ValueMetric,
    from: First,
    until: u64,
    first_ms: u64,
    values: &[Value],
) -> Option<Followed> {
    if matches!(metric.comes_to, ComesTo::Score { .. }) && from.arm != Arm::Treatment {
        return None;
    }
    let end = |window: Window| from.at_ms.saturating_add(window.ms);
    let until = metric.window.map_or(until, |window| until.min(end(window)));
    let closes_ms = metric.window.map_or(0, |window| end(window).saturating_add(window.grace_ms));
    let in_time = |value: &&Value| metric.window.is_none() || value.received_ms <= closes_ms;
    let (mut during, mut before) = (Vec::new(), Vec::new());
    let mut late = 0_u64;
    let earliest = match metric.comes_to {
        ComesTo::Sum { before_ms: Some(long), .. } => from.at_ms.saturating_sub(long),
        _ => from.at_ms,
    };
    for value in values {
        let list = if value.at_ms >= from.at_ms && value.at_ms < until {
            &mut during
        } else if value.at_ms >= earliest && value.at_ms < from.at_ms.min(first_ms) {
            &mut before
        } else {
            continue;
        };
        if in_time(&value) {
            list.push(value);
        } else {
            late = late.saturating_add(1);
        }
    }
    let place =
        Place { cohort: from.cohort.unwrap_or(0), probability: from.probability, arm: arm_number(from.arm) };
    let part = (!during.is_empty()).then(|| comes_to(metric.comes_to, place, closes_ms, &during, &before));
    Some(Followed { closes_ms, part: part.flatten(), late })
}

fn comes_to(
    comes_to: ComesTo,
    place: Place,
    closes_ms: u64,
    during: &[&Value],
    before: &[&Value],
) -> Option<Part> {
    let sum = |list: &[&Value], of: fn(&Value) -> i64| -> i128 {
        list.iter().map(|value| i128::from(of(value))).sum()
    };
    let (value, second) = (sum(during, |v| v.value), sum(during, |v| v.second));
    match comes_to {
        ComesTo::Sum { cap, .. } => {
            let cut = |value: i128| match cap {
                Some(cap) => value.clamp(-i128::from(cap), i128::from(cap)),
                None => value,
            };
            let earlier = sum(before, |v| v.value);
            let is_cut = cut(value) != value || cut(earlier) != earlier;
            Some(Part::Sum { place, value: narrow(cut(value)), second: narrow(cut(earlier)), cut: is_cut })
        }
        ComesTo::Ratio => Some(Part::Sum { place, value: narrow(value), second: narrow(second), cut: false }),
        ComesTo::Score { batch_ms } => {
            let score = value.checked_div(i128::try_from(during.len()).ok()?)?;
            Some(Part::Score { batch: closes_ms.checked_div(batch_ms)?, score: u32::try_from(score).ok()? })
        }
        // Of outcomes at the same moment the smallest, whatever order they came in.
        ComesTo::First => {
            let first = during.iter().min_by_key(|value| (value.at_ms, value.value))?;
            Some(Part::Bucket { place, bucket: histogram::bucket(u64::try_from(first.value).ok()?) })
        }
    }
}

/// The nearest value of 64 bits; the judge's own limit is far below.
fn narrow(value: i128) -> i64 {
    i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::values::rule::test_metric;

    fn exposure(at_ms: u64, arm: Arm, probability: u32) -> Unit {
        Unit::of(First { at_ms, by: [1; 16], arm, cohort: Some(1), probability })
    }

    fn value(at_ms: u64, value: i64) -> Value {
        Value { at_ms, received_ms: at_ms + 1, value, second: 1_000_000 }
    }

    const MEAN: ComesTo = ComesTo::Sum { cap: None, before_ms: None };
    const WINDOW: Option<Window> = Some(Window { ms: 800, grace_ms: 100 });

    /// (probability, arm, value, second) of each part.
    fn sums(metric: &ValueMetric, unit: &Unit, values: &[Value]) -> Vec<(u32, i64, i64, i64)> {
        let times = followed(metric, unit, u64::MAX, values);
        let sums = times.iter().filter_map(|time| match time.part? {
            Part::Sum { place, value, second, .. } => Some((place.probability, place.arm, value, second)),
            _ => None,
        });
        sums.collect()
    }

    #[test]
    fn a_unit_is_the_sum_of_its_outcomes_in_the_window() {
        let (metric, unit) = (test_metric(MEAN, WINDOW), exposure(100, Arm::Treatment, 5));
        let values = [value(99, 1), value(100, 2), value(899, 4), value(900, 8)];
        assert_eq!(sums(&metric, &unit, &values), [(5, 1, 6, 0)]);
        assert_eq!(followed(&metric, &unit, 100, &values)[0].closes_ms, 1_000);
        assert_eq!(sums(&metric, &unit, &[value(99, 1)]), [], "nothing of it was measured");
        assert_eq!(sums(&test_metric(ComesTo::Ratio, WINDOW), &unit, &values), [(5, 1, 6, 2_000_000)]);
    }

    #[test]
    fn what_comes_in_after_the_grace_is_late() {
        let (metric, unit) = (test_metric(MEAN, WINDOW), exposure(100, Arm::Control, 5));
        let at = |received_ms| Value { received_ms, ..value(500, 3) };
        let times = followed(&metric, &unit, 100, &[at(1_000), at(1_001)]);
        assert_eq!((times[0].late, sums(&metric, &unit, &[at(1_000), at(1_001)])), (1, vec![(5, 2, 3, 0)]));
        let always = test_metric(MEAN, None);
        assert_eq!(sums(&always, &unit, &[at(1_000), at(99_999)]), [(5, 2, 6, 0)]);
    }

    #[test]
    fn adjustment_looks_back_from_the_first_exposure_of_any_attempt() {
        let metric = test_metric(ComesTo::Sum { cap: Some(50), before_ms: Some(90) }, WINDOW);
        let unit = exposure(100, Arm::Treatment, 5);
        let values = [value(9, 1), value(10, 2), value(40, 4), value(99, 100), value(100, 7)];
        let with = |first_ms| match followed(&metric, &unit, first_ms, &values)[0].part {
            Some(Part::Sum { value, second, cut, .. }) => (value, second, cut),
            _ => panic!("a sum"),
        };
        assert_eq!(with(100), (7, 50, true), "capped as the value is");
        assert_eq!(with(40), (7, 2, false), "an earlier candidate may have had its hand in what came later");
    }

    #[test]
    fn crossing_over_and_both_arms_are_treated_as_for_rates() {
        let metric = test_metric(MEAN, None);
        let crossed = exposure(100, Arm::Control, 5).merge(exposure(200, Arm::Treatment, 0));
        let values = [value(150, 1), value(250, 2)];
        assert_eq!(sums(&metric, &crossed, &values), [(5, 2, 1, 0), (0, 1, 2, 0)]);
        let on = exposure(100, Arm::Treatment, 5).merge(exposure(200, Arm::Treatment, 0));
        assert_eq!(sums(&metric, &on, &values), [(5, 1, 1, 0)], "it goes on in its arm");
        let both = exposure(100, Arm::Treatment, 5).merge(exposure(200, Arm::Control, 5));
        assert_eq!(sums(&metric, &both, &values), []);
    }

    #[test]
    fn scores_are_means_of_treated_units_and_quantiles_take_the_first() {
        let score = test_metric(ComesTo::Score { batch_ms: 300 }, WINDOW);
        let values = [value(150, 900_000), value(120, 400_000), value(120, 300_000)];
        let part = |metric: &ValueMetric, arm| {
            followed(metric, &exposure(100, arm, 5), 100, &values).first().and_then(|time| time.part)
        };
        assert_eq!(part(&score, Arm::Treatment), Some(Part::Score { batch: 3, score: 533_333 }));
        assert_eq!(part(&score, Arm::Control), None);
        let first = test_metric(ComesTo::First, WINDOW);
        let bucket = histogram::bucket(300_000);
        let place = Place { cohort: 1, probability: 5, arm: 2 };
        assert_eq!(part(&first, Arm::Control), Some(Part::Bucket { place, bucket }));
    }
}
