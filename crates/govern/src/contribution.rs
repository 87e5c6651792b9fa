//! What one unit adds to the counts of its attempt. A pure function of the unit and its readings.

use std::collections::BTreeSet;

use flagstone_events::Arm;

use crate::ingest::arm_number;
use crate::metric::Window;
use crate::unit::Unit;

/// An outcome of the unit as one metric read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reading {
    pub(crate) at_ms: u64,
    pub(crate) bad: bool,
    /// When it first came in; 0 when that was not kept.
    pub(crate) received_ms: u64,
}

/// All readings, each once, with when it first came in.
pub(crate) fn joined<'r>(known: &[Reading], more: impl IntoIterator<Item = &'r Reading>) -> Vec<Reading> {
    let mut all = known.to_vec();
    all.extend(more);
    all.sort_unstable();
    all.dedup_by_key(|reading| (reading.at_ms, reading.bad));
    all
}

/// Which count, within an attempt. The fields are the columns of the table `tallies`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) kind: u8,
    pub(crate) name: String,
    pub(crate) cohort: u8,
    pub(crate) probability: u32,
    pub(crate) arm: i64,
}

/// First exposures, for the sample ratio.
pub(crate) const DRAWN: u8 = 0;
/// Units that a metric measured.
pub(crate) const MEASURED: u8 = 1;
/// Units of the whole attempt.
pub(crate) const WHOLE: u8 = 2;
/// Outcomes of a metric that came in too late to count.
pub(crate) const LATE: u8 = 9;

/// One more unit at a place, bad or not.
pub(crate) type Part = (Place, bool);

/// The unit in the counts that do not depend on any metric.
pub(crate) fn of_exposure(unit: &Unit) -> Vec<Part> {
    let mut parts = Vec::new();
    let place = |kind, cohort: Option<u8>, probability, arm| Place {
        kind,
        name: String::new(),
        cohort: cohort.unwrap_or(0),
        probability,
        arm,
    };
    // As they were drawn, also when the unit was later seen in the other arm: leaving those out would bend the ratio.
    match (unit.enrolled, unit.plain) {
        (Some(first), _) => {
            parts.push((place(DRAWN, first.cohort, first.probability, arm_number(first.arm)), false))
        }
        (None, Some(first)) => parts.push((place(DRAWN, first.cohort, 0, arm_number(first.arm)), false)),
        (None, None) => return parts,
    }
    parts.push((place(WHOLE, None, 0, if unit.treated { 1 } else { 2 }), false));
    if unit.in_treatment && unit.in_control {
        parts.push((place(WHOLE, None, 0, 3), false));
    }
    parts
}

/// The unit in one metric's counts: as enrolled, and as a unit that is no evidence (any more).
///
/// Enrolled: its follow-up runs to the end of the window or to the first exposure that is no evidence; units seen in both
/// arms are left out. No evidence: for tripwires and allow-lists; a unit that goes on in the same arm is counted again
/// only when it turns bad for the first time.
pub(crate) fn of_metric(name: &str, unit: &Unit, readings: &[Reading], window: Option<Window>) -> Vec<Part> {
    let within = |from: u64, until: u64| {
        let last_ms = last_received(from, window);
        let follows = |reading: &&Reading| {
            reading.at_ms >= from && reading.at_ms < until && reading.received_ms <= last_ms
        };
        let mut seen = readings.iter().filter(follows).peekable();
        seen.peek().is_some().then(|| seen.any(|reading| reading.bad))
    };
    let end = |from: u64| window.map_or(u64::MAX, |window| from.saturating_add(window.ms));
    let part = |cohort: Option<u8>, probability, arm: Arm, bad| {
        let place = Place {
            kind: MEASURED,
            name: name.to_owned(),
            cohort: cohort.unwrap_or(0),
            probability,
            arm: arm_number(arm),
        };
        (place, bad)
    };
    let mut parts = Vec::new();
    let enrolled = unit.enrolled.filter(|first| {
        unit.in_treatment != unit.in_control && unit.plain.is_none_or(|plain| first.at_ms < plain.at_ms)
    });
    let mut before = None;
    if let Some(first) = enrolled {
        let until = unit.plain.map_or(u64::MAX, |plain| plain.at_ms).min(end(first.at_ms));
        before = within(first.at_ms, until);
        if let Some(bad) = before {
            parts.push(part(first.cohort, first.probability, first.arm, bad));
        }
    }
    if let Some(plain) = unit.plain
        && let Some(bad) = within(plain.at_ms, end(plain.at_ms))
    {
        let goes_on = enrolled.is_some_and(|first| first.arm == plain.arm);
        if !goes_on || (bad && before != Some(true)) {
            parts.push(part(plain.cohort, 0, plain.arm, bad));
        }
    }
    parts
}

/// Until when the outcomes of a unit that is followed from `from` on may come in.
fn last_received(from: u64, window: Option<Window>) -> u64 {
    let grace = window.and_then(|window| Some(window.ms.saturating_add(window.grace_ms?)));
    grace.map_or(u64::MAX, |long| from.saturating_add(long))
}

/// `events` outcomes of a metric that came in too late.
pub(crate) fn late(name: &str, events: u64) -> Vec<Part> {
    let place = Place { kind: LATE, name: name.to_owned(), cohort: 0, probability: 0, arm: 0 };
    (0..events).map(|_| (place.clone(), false)).collect()
}

/// The unit's outcomes that would have counted had they come in before the metric's grace was over.
pub(crate) fn late_of(name: &str, unit: &Unit, readings: &[Reading], window: Option<Window>) -> Vec<Part> {
    let Some(Window { ms, grace_ms: Some(_) }) = window else { return Vec::new() };
    let beginnings = [unit.enrolled, unit.plain].into_iter().flatten().map(|first| first.at_ms);
    let missed = |from: u64| {
        let follows = move |at_ms: u64| at_ms >= from && at_ms < from.saturating_add(ms);
        let last_ms = last_received(from, window);
        readings.iter().filter(move |reading| follows(reading.at_ms) && reading.received_ms > last_ms)
    };
    // One that is late for both counts once.
    let events: BTreeSet<&Reading> = beginnings.flat_map(missed).collect();
    late(name, u64::try_from(events.len()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::First;

    fn exposure(at_ms: u64, arm: Arm, probability: u32) -> Unit {
        Unit::of(First { at_ms, by: [1; 16], arm, cohort: Some(1), probability })
    }

    fn read(at_ms: u64, bad: bool) -> Reading {
        Reading { at_ms, bad, received_ms: at_ms }
    }

    /// (probability, arm, bad) of each part.
    fn counted(unit: &Unit, readings: &[Reading], window_ms: Option<u64>) -> Vec<(u32, i64, bool)> {
        let window = window_ms.map(|ms| Window { ms, grace_ms: None });
        let parts = of_metric("m", unit, readings, window);
        parts.into_iter().map(|(place, bad)| (place.probability, place.arm, bad)).collect()
    }

    #[test]
    fn only_outcomes_after_the_enrolment_and_within_the_window_count() {
        let unit = exposure(100, Arm::Treatment, 5);
        assert_eq!(counted(&unit, &[], None), []);
        assert_eq!(counted(&unit, &[read(99, true)], None), [], "before it had anything");
        assert_eq!(counted(&unit, &[read(99, true), read(100, false)], None), [(5, 1, false)]);
        assert_eq!(
            counted(&unit, &[read(100, false), read(900, true), read(950, true)], None),
            [(5, 1, true)]
        );
        assert_eq!(
            counted(&unit, &[read(100, false), read(900, true)], Some(800)),
            [(5, 1, false)],
            "too late"
        );
        assert_eq!(counted(&unit, &[read(899, true)], Some(800)), [(5, 1, true)]);
    }

    #[test]
    fn what_comes_in_after_the_grace_does_not_count_and_is_counted() {
        let unit = exposure(100, Arm::Treatment, 5);
        let window = Some(Window { ms: 800, grace_ms: Some(50) });
        let at = |received_ms| [read(200, false), Reading { received_ms, ..read(300, true) }];
        let bad = |received_ms| of_metric("m", &unit, &at(received_ms), window)[0].1;
        let missed = |received_ms| late_of("m", &unit, &at(received_ms), window).len();
        assert_eq!((bad(950), missed(950), bad(951), missed(951)), (true, 0, false, 1));
        // What came in twice came in when it first did.
        let first_ms = |list: &[Reading]| list.iter().map(|one| one.received_ms).collect::<Vec<_>>();
        assert_eq!(first_ms(&joined(&at(951), &at(940))), [200, 940]);
    }

    #[test]
    fn a_unit_in_both_arms_is_left_out_of_evidence_and_counted() {
        let unit = exposure(100, Arm::Treatment, 5).merge(exposure(200, Arm::Control, 5));
        assert_eq!(counted(&unit, &[read(150, true), read(250, true)], None), []);
        let arms: Vec<i64> = of_exposure(&unit)
            .into_iter()
            .filter(|(place, _)| place.kind == WHOLE)
            .map(|(place, _)| place.arm)
            .collect();
        assert_eq!(arms, [1, 3]);
    }

    #[test]
    fn crossing_over_ends_the_follow_up_in_the_first_arm() {
        let unit = exposure(100, Arm::Control, 5).merge(exposure(200, Arm::Treatment, 0));
        assert_eq!(counted(&unit, &[read(150, false), read(250, true)], None), [(5, 2, false), (0, 1, true)]);
        assert_eq!(counted(&unit, &[read(150, true)], None), [(5, 2, true)]);
    }

    #[test]
    fn a_treated_unit_that_goes_on_is_counted_again_only_when_it_turns_bad() {
        let unit = exposure(100, Arm::Treatment, 5).merge(exposure(200, Arm::Treatment, 0));
        assert_eq!(counted(&unit, &[read(150, false), read(250, false)], None), [(5, 1, false)]);
        assert_eq!(counted(&unit, &[read(150, false), read(250, true)], None), [(5, 1, false), (0, 1, true)]);
        assert_eq!(
            counted(&unit, &[read(150, true), read(250, true)], None),
            [(5, 1, true)],
            "once is enough"
        );
    }

    #[test]
    fn an_allow_listed_unit_is_never_evidence() {
        let unit = exposure(100, Arm::Treatment, 0).merge(exposure(300, Arm::Treatment, 5));
        assert_eq!(counted(&unit, &[read(150, true), read(350, true)], None), [(0, 1, true)]);
        assert_eq!(counted(&unit, &[read(350, true)], None), [(0, 1, true)]);
    }
}
