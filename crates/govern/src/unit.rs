//! What is known of one unit in one attempt: a value that merges in any order, any number of times.

use flagstone_events::Arm;
use flagstone_judge::limits::SHARE_TOTAL;

/// The first exposure of one of the two kinds. Ordered by time, then event id, so that "first" is never a tie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct First {
    pub(crate) at_ms: u64,
    pub(crate) by: [u8; 16],
    pub(crate) arm: Arm,
    pub(crate) cohort: Option<u8>,
    pub(crate) probability: u32,
}

/// One unit.
///
/// Enrolled: the earliest exposure that is evidence (0 < probability < 1). Its arm, cohort and probability stay the
/// unit's for good. Plain: the earliest exposure that is not (allow-list, crossed over, control given up); it ends
/// the follow-up of the enrolment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Unit {
    pub(crate) enrolled: Option<First>,
    pub(crate) plain: Option<First>,
    /// Seen in the treatment arm, the control arm, by exposures that are evidence.
    pub(crate) in_treatment: bool,
    pub(crate) in_control: bool,
    /// Given the candidate at any time, evidence or not.
    pub(crate) treated: bool,
}

impl Unit {
    /// What one exposure says.
    pub(crate) fn of(first: First) -> Self {
        let evidence = first.probability > 0 && first.probability < SHARE_TOTAL;
        Self {
            enrolled: evidence.then_some(first),
            plain: (!evidence).then_some(first),
            in_treatment: evidence && first.arm == Arm::Treatment,
            in_control: evidence && first.arm == Arm::Control,
            treated: first.arm == Arm::Treatment,
        }
    }

    /// Both together.
    pub(crate) fn merge(self, other: Self) -> Self {
        Self {
            enrolled: earlier(self.enrolled, other.enrolled),
            plain: earlier(self.plain, other.plain),
            in_treatment: self.in_treatment || other.in_treatment,
            in_control: self.in_control || other.in_control,
            treated: self.treated || other.treated,
        }
    }
}

fn earlier(left: Option<First>, right: Option<First>) -> Option<First> {
    match (left, right) {
        (Some(left), Some(right)) => {
            Some(if (right.at_ms, right.by) < (left.at_ms, left.by) { right } else { left })
        }
        (left, right) => left.or(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exposure(at_ms: u64, by: u8, arm: Arm, probability: u32) -> Unit {
        Unit::of(First { at_ms, by: [by; 16], arm, cohort: Some(2), probability })
    }

    #[test]
    fn merging_is_order_free_and_idempotent() {
        let seen = [
            exposure(30, 1, Arm::Treatment, 100_000_000),
            exposure(10, 2, Arm::Control, 100_000_000),
            exposure(10, 1, Arm::Treatment, 0),
            exposure(50, 4, Arm::Treatment, SHARE_TOTAL),
            exposure(10, 0, Arm::Control, 250_000_000),
        ];
        let forwards = seen.into_iter().fold(Unit::default(), Unit::merge);
        let backwards = seen.into_iter().rev().fold(Unit::default(), Unit::merge);
        let twice = seen.into_iter().chain(seen).fold(Unit::default(), Unit::merge);
        assert_eq!(forwards, backwards);
        assert_eq!(forwards, twice);
        assert_eq!(forwards.enrolled.map(|first| (first.by[0], first.probability)), Some((0, 250_000_000)));
        assert_eq!(forwards.plain.map(|first| first.by[0]), Some(1));
        assert!(forwards.in_treatment && forwards.in_control && forwards.treated);
    }

    #[test]
    fn certainty_is_not_evidence() {
        for probability in [0, SHARE_TOTAL] {
            let unit = exposure(1, 1, Arm::Treatment, probability);
            assert_eq!(unit.enrolled, None);
            assert!(unit.plain.is_some() && unit.treated && !unit.in_treatment);
        }
    }
}
