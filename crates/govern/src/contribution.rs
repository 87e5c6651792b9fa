//! What one unit adds to the counts of its attempt. A pure function of the unit and its readings.

use flagstone_events::Arm;

use crate::ingest::arm_number;
use crate::unit::Unit;

/// An outcome of the unit as one metric read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Reading {
    pub(crate) at_ms: u64,
    pub(crate) bad: bool,
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
pub(crate) fn of_metric(name: &str, unit: &Unit, readings: &[Reading], window_ms: Option<u64>) -> Vec<Part> {
    let within = |from: u64, until: u64| {
        let mut seen =
            readings.iter().filter(|reading| reading.at_ms >= from && reading.at_ms < until).peekable();
        seen.peek().is_some().then(|| seen.any(|reading| reading.bad))
    };
    let end = |from: u64| window_ms.map_or(u64::MAX, |window| from.saturating_add(window));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::unit::First;

    fn exposure(at_ms: u64, arm: Arm, probability: u32) -> Unit {
        Unit::of(First { at_ms, by: [1; 16], arm, cohort: Some(1), probability })
    }

    fn read(at_ms: u64, bad: bool) -> Reading {
        Reading { at_ms, bad }
    }

    /// (probability, arm, bad) of each part.
    fn counted(unit: &Unit, readings: &[Reading], window_ms: Option<u64>) -> Vec<(u32, i64, bool)> {
        let parts = of_metric("m", unit, readings, window_ms);
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
