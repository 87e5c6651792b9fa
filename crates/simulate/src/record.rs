//! What the control plane would have counted: units in the cohort and arm of their enrolment, their first bad outcome,
//! units in both arms left out, units that are no evidence apart.
//!
//! The rules are those of the control plane's ingest; here they are kept up event by event, in memory.

use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{CohortCounts, Evidence, ExposedUnits, MetricEvidence};

use crate::trial::Meter;

/// Metrics that a simulation can follow: a bit each.
pub(crate) const MAX_METERS: usize = 32;

/// What is known of one unit.
#[derive(Debug, Clone, Copy, Default)]
struct Known {
    /// The first exposure that is evidence.
    enrolled: Option<Place>,
    /// The first exposure that is not; it ends the follow-up of the enrolment.
    plain: Option<Place>,
    treated: bool,
    both: bool,
    /// Metrics that have measured the enrolled unit, that have found it bad, and the same of the plain one.
    measured: u32,
    bad: u32,
    plain_measured: u32,
    plain_bad: u32,
}

/// An exposure's place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Place {
    pub(crate) treated: bool,
    pub(crate) cohort: u8,
    pub(crate) probability: u32,
    pub(crate) at: u64,
}

impl Place {
    fn is_evidence(&self) -> bool {
        self.probability > 0 && self.probability < SHARE_TOTAL
    }
}

/// The counts of one rollout so far.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) evidence: Evidence,
    units: Vec<Known>,
    windows: Vec<u64>,
    /// Units that were ever given the candidate.
    pub(crate) treated: u64,
    /// Units in the comparison.
    pub(crate) enrolled: u64,
}

impl Record {
    pub(crate) fn new(units: usize, meters: &[Meter]) -> Self {
        let metric =
            |meter: &Meter| MetricEvidence { metric: meter.name.clone(), ..MetricEvidence::default() };
        Self {
            evidence: Evidence { metrics: meters.iter().map(metric).collect(), ..Evidence::default() },
            units: vec![Known::default(); units],
            windows: meters.iter().map(|meter| meter.window.unwrap_or(u64::MAX)).collect(),
            treated: 0,
            enrolled: 0,
        }
    }

    /// Takes an exposure.
    pub(crate) fn exposed(&mut self, unit: u32, place: Place) {
        let Some(known) = self.units.get_mut(unit as usize) else { return };
        if place.treated && !known.treated {
            known.treated = true;
            self.treated += 1;
        }
        self.evidence.last_exposure = Some(place.at);
        if place.is_evidence() {
            match known.enrolled {
                Some(first) if first.treated != place.treated && !known.both => {
                    known.both = true;
                    let known = *known;
                    self.evidence.multi_exposure += 1;
                    self.leave_out(known, first);
                }
                Some(_) => {}
                None => {
                    known.enrolled = Some(place);
                    self.enrolled += 1;
                    draw(&mut self.evidence.sample_ratio, place, place.probability);
                }
            }
        } else if known.plain.is_none() {
            known.plain = Some(place);
            if known.enrolled.is_none() {
                draw(&mut self.evidence.sample_ratio, place, 0);
            }
        }
    }

    /// Takes an outcome that one metric reads. True when a bad unit was added.
    pub(crate) fn outcome(&mut self, unit: u32, meter: usize, bad: bool, at: u64) -> bool {
        let (Some(known), Some(window), Some(metric)) = (
            self.units.get_mut(unit as usize),
            self.windows.get(meter),
            self.evidence.metrics.get_mut(meter),
        ) else {
            return false;
        };
        metric.last_outcome = Some(at);
        let bit = 1_u32 << (meter % MAX_METERS);
        let within = |place: &Place| at >= place.at && at - place.at < *window;
        if let Some(plain) = known.plain {
            // A unit that goes on in the arm that it had is counted again only when it turns bad for the first time.
            let goes_on = known.enrolled.is_some_and(|first| first.treated == plain.treated && !known.both);
            if !within(&plain) || (goes_on && (!bad || known.bad & bit != 0)) {
                return false;
            }
            let (new, turned) = (known.plain_measured & bit == 0, bad && known.plain_bad & bit == 0);
            known.plain_measured |= bit;
            known.plain_bad |= if bad { bit } else { 0 };
            count(&mut metric.cohorts, (plain.cohort, 0), |counts| add(counts, plain.treated, new, turned));
            return turned;
        }
        let Some(first) = known.enrolled.filter(|first| !known.both && within(first)) else { return false };
        let (new, turned) = (known.measured & bit == 0, bad && known.bad & bit == 0);
        if new || turned {
            known.measured |= bit;
            known.bad |= if bad { bit } else { 0 };
            let place = (first.cohort, first.probability);
            count(&mut metric.cohorts, place, |counts| add(counts, first.treated, new, turned));
        }
        turned
    }

    /// Takes a unit that was seen in both arms out of what metrics have counted.
    fn leave_out(&mut self, known: Known, first: Place) {
        for (meter, metric) in self.evidence.metrics.iter_mut().enumerate() {
            let bit = 1_u32 << (meter % MAX_METERS);
            count(&mut metric.cohorts, (first.cohort, first.probability), |counts| {
                let (units, bads) = if first.treated {
                    (&mut counts.treated_units, &mut counts.treated_bad)
                } else {
                    (&mut counts.control_units, &mut counts.control_bad)
                };
                *units -= u64::from(known.measured & bit != 0);
                *bads -= u64::from(known.bad & bit != 0);
            });
        }
    }
}

/// Changes the counts of a cohort with this probability.
fn count(
    cohorts: &mut Vec<CohortCounts>,
    (cohort, probability): (u8, u32),
    change: impl FnOnce(&mut CohortCounts),
) {
    let found =
        cohorts.iter_mut().find(|counts| (counts.cohort, counts.probability) == (cohort, probability));
    change(match found {
        Some(counts) => counts,
        None => cohorts.push_mut(CohortCounts { cohort, probability, ..CohortCounts::default() }),
    });
}

/// Counts a unit as drawn.
fn draw(units: &mut Vec<ExposedUnits>, place: Place, probability: u32) {
    let cohort = place.cohort;
    let found = units.iter_mut().find(|units| (units.cohort, units.probability) == (cohort, probability));
    let units = match found {
        Some(units) => units,
        None => units.push_mut(ExposedUnits { cohort, probability, ..ExposedUnits::default() }),
    };
    *(if place.treated { &mut units.treated } else { &mut units.control }) += 1;
}

/// Adds a measured unit, a bad unit, or both.
fn add(counts: &mut CohortCounts, treated: bool, measured: bool, bad: bool) {
    let (units, bads) = if treated {
        (&mut counts.treated_units, &mut counts.treated_bad)
    } else {
        (&mut counts.control_units, &mut counts.control_bad)
    };
    *units += u64::from(measured);
    *bads += u64::from(bad);
}

#[cfg(test)]
mod tests {
    use super::*;
    use flagstone_judge::Role;

    fn record() -> Record {
        let meter = Meter {
            name: "m".into(),
            source: 0,
            segment: None,
            base_rate: 0.1,
            window: Some(100),
            role: Role::Deterioration,
            share: 1.0,
            not_worse_by: None,
        };
        Record::new(3, &[meter])
    }

    fn place(treated: bool, probability: u32, at: u64) -> Place {
        Place { treated, cohort: 1, probability, at }
    }

    fn counts(record: &Record) -> Vec<(u32, [u64; 4])> {
        let counts = record.evidence.metrics[0].cohorts.iter();
        counts
            .map(|c| (c.probability, [c.treated_units, c.treated_bad, c.control_units, c.control_bad]))
            .collect()
    }

    #[test]
    fn a_unit_counts_once_and_within_its_window() {
        let mut record = record();
        assert!(!record.outcome(0, 0, true, 5), "before it had anything");
        record.exposed(0, place(true, 9, 10));
        record.exposed(0, place(true, 9, 50));
        assert!(!record.outcome(0, 0, false, 20));
        assert!(record.outcome(0, 0, true, 30));
        assert!(!record.outcome(0, 0, true, 40));
        record.exposed(1, place(false, 9, 10));
        assert!(!record.outcome(1, 0, true, 110), "too late");
        assert_eq!(counts(&record), [(9, [1, 1, 0, 0])]);
        assert_eq!((record.treated, record.enrolled), (1, 2));
        let units = record.evidence.sample_ratio[0];
        assert_eq!((units.treated, units.control), (1, 1));
    }

    #[test]
    fn crossing_ends_the_follow_up() {
        let mut record = record();
        record.exposed(0, place(false, 9, 10));
        record.outcome(0, 0, false, 10);
        record.exposed(0, place(true, 0, 20));
        assert!(record.outcome(0, 0, true, 30));
        assert_eq!(counts(&record), [(9, [0, 0, 1, 0]), (0, [1, 1, 0, 0])]);
    }

    #[test]
    fn units_in_both_arms_are_left_out() {
        let mut record = record();
        record.exposed(0, place(false, 9, 10));
        assert!(record.outcome(0, 0, true, 10));
        record.exposed(0, place(true, 9, 20));
        assert!(!record.outcome(0, 0, true, 30));
        assert_eq!(counts(&record), [(9, [0, 0, 0, 0])]);
        assert_eq!(record.evidence.multi_exposure, 1);
    }
}
