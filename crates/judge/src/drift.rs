//! After the ladder: did the candidate's own bad rate rise above what was accepted? An e-detector for each rule, over the
//! treated units of one span of time after the other.
//!
//! A comparison with the control asks whether the candidate is worse than the baseline. It says nothing when both drift
//! together (a model behind both was changed, the questions are others), and little once the control is a small holdback. A
//! drift rule holds the treated units alone against a fixed rate: the upper bound of what the rollout measured, so that an
//! uncertain baseline does not raise alarms by itself.
//!
//! [`crate::e_detector`] tells the promise: while the rate of bad units stays at or below the baseline, an alarm takes at
//! least `patience` batches on average. An alarm is no longer there once the evidence has fallen again; it holds, and never
//! rolls back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::alpha::{clears, log_threshold};
use crate::e_detector::{DRIFT_GRID, EDetector, Kind};
use crate::gate::Line;
use crate::words::{percent, plural};
use crate::{Action, Evidence, MetricEvidence, PlanRules, rule};

/// Batches that pass on average before a false alarm, where a rule does not say.
pub const DEFAULT_PATIENCE: u32 = 1_000;

/// One metric held against a fixed rate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftRule {
    /// The metric's name in the definition; it must be one that counts bad units.
    pub metric: String,
    /// The rate of bad units that is accepted, between 0 and 1 (both excluded).
    pub baseline: f64,
    /// Batches that pass on average before a false alarm, at least 2. The larger, the later a true one.
    pub patience: u32,
    /// Whether an alarm holds the rollout. False: it is shown.
    pub holds: bool,
}

impl Default for DriftRule {
    fn default() -> Self {
        Self { metric: String::new(), baseline: 0.0, patience: DEFAULT_PATIENCE, holds: true }
    }
}

impl DriftRule {
    /// What is wrong with this rule alone.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.patience < 2 {
            return Some(format!("its patience is {}, not at least 2 batches", self.patience));
        }
        self.detector(Kind::ShiryaevRoberts).is_none().then(|| {
            format!(
                "its baseline is {}, not between 0 and 1 with room for a rise by a quarter above it",
                self.baseline
            )
        })
    }

    fn detector(&self, kind: Kind) -> Option<EDetector> {
        EDetector::new(kind, self.baseline, &DRIFT_GRID)
    }
}

/// Treated units of one span of time, e.g. of the hour in which they were first exposed. A batch is handed over when it is
/// complete: its span, and the metric's window and grace after it, are over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DriftBatch {
    /// Its place in the order, e.g. hours since 1970.
    pub batch: u64,
    /// Units that were measured.
    pub units: u64,
    /// Those of them with a bad event.
    pub bad: u64,
}

/// What one drift rule found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftJudgement {
    /// The metric's name.
    pub metric: String,
    /// The rule's baseline.
    pub baseline: f64,
    /// ln of the detector's evidence; none before the first unit.
    pub log_evidence: Option<f64>,
    /// ln of the patience: an alarm above it.
    pub log_threshold: f64,
    /// Whether it is above it now.
    pub alarmed: bool,
    /// When alarmed: the batch in which the rise most likely began.
    pub since: Option<u64>,
    /// Batches looked at, those without a unit left out.
    pub batches: u64,
    /// Units in them.
    pub units: u64,
    /// Bad ones.
    pub bad: u64,
}

/// Batches of the same number added up, in order, without those that are empty or cannot be.
pub(crate) fn collect_batches(entries: impl IntoIterator<Item = DriftBatch>) -> Vec<DriftBatch> {
    let mut sums: BTreeMap<u64, DriftBatch> = BTreeMap::new();
    for entry in entries {
        let empty = DriftBatch { batch: entry.batch, ..DriftBatch::default() };
        let sum = sums.entry(entry.batch).or_insert(empty);
        sum.units = sum.units.saturating_add(entry.units);
        sum.bad = sum.bad.saturating_add(entry.bad);
    }
    sums.into_values().filter(|batch| batch.units > 0).collect()
}

/// One rule over its metric's batches.
pub(crate) fn judge_drift(rule: &DriftRule, evidence: &MetricEvidence) -> DriftJudgement {
    let batches = collect_batches(evidence.batches.iter().copied());
    let sum = |count: fn(&DriftBatch) -> u64| batches.iter().map(count).fold(0, u64::saturating_add);
    let threshold = log_threshold(1.0 / f64::from(rule.patience.max(2)), 1.0);
    let mut found = DriftJudgement {
        metric: rule.metric.clone(),
        baseline: rule.baseline,
        log_evidence: None,
        log_threshold: threshold,
        alarmed: false,
        since: None,
        batches: batches.len() as u64,
        units: sum(|batch| batch.units),
        bad: sum(|batch| batch.bad),
    };
    let Some((mut detector, mut best)) = rule.detector(Kind::ShiryaevRoberts).zip(rule.detector(Kind::Cusum))
    else {
        return found;
    };
    // The best moment of change is the last one at which CUSUM began anew.
    let mut since = None;
    for DriftBatch { batch, units, bad } in batches {
        let good = units.saturating_sub(bad);
        detector.observe_batch(bad, good);
        if best.evidence() < 1.0 {
            since = Some(batch);
        }
        best.observe_batch(bad, good);
        found.log_evidence = Some(libm::log(detector.evidence()));
    }
    found.alarmed = found.log_evidence.is_some_and(|log_evidence| clears(log_evidence, threshold));
    found.since = since.filter(|_| found.alarmed);
    found
}

impl DriftJudgement {
    /// What a reader of the gate is told.
    pub(crate) fn have(&self) -> String {
        match self.log_evidence {
            None => "no complete batch yet".to_owned(),
            Some(log_evidence) => format!(
                "ln evidence {log_evidence:.2} from {} of {} in {}",
                plural(self.bad, "bad unit"),
                self.units,
                if self.batches == 1 { "1 batch".to_owned() } else { format!("{} batches", self.batches) },
            ),
        }
    }
}

/// All rules, in the plan's order.
pub(crate) fn judge_all(rules: &PlanRules, evidence: &Evidence) -> Vec<DriftJudgement> {
    rules.drift.iter().map(|rule| judge_drift(rule, &evidence.metric(&rule.metric))).collect()
}

/// A line of the gate for each rule that holds.
pub(crate) fn lines(rules: &PlanRules, drift: &[DriftJudgement]) -> Vec<Line> {
    let holding = rules.drift.iter().zip(drift).filter(|(rule, _)| rule.holds);
    let lines = holding.map(|(_, found)| {
        let share = percent(found.baseline);
        let text = format!(
            "`{}`: no sign that more than {share} of the treated units are bad (drift)",
            found.metric
        );
        let need = format!("at most {:.2}", found.log_threshold);
        Line::new(rule::SIGNAL, Action::Hold, text, !found.alarmed, found.have(), need)
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule() -> DriftRule {
        DriftRule { metric: "wrong".into(), baseline: 0.02, ..DriftRule::default() }
    }

    fn evidence(batches: &[(u64, u64, u64)]) -> MetricEvidence {
        let batches = batches.iter().map(|&(batch, units, bad)| DriftBatch { batch, units, bad }).collect();
        MetricEvidence { metric: "wrong".into(), batches, ..MetricEvidence::default() }
    }

    #[test]
    fn nothing_is_known_before_the_first_unit() {
        let found = judge_drift(&rule(), &evidence(&[(1, 0, 0)]));
        assert_eq!((found.log_evidence, found.alarmed, found.batches), (None, false, 0));
    }

    #[test]
    fn a_doubled_rate_alarms_and_the_moment_is_named() {
        let calm: Vec<_> = (0..50).map(|hour| (hour, 100, 2)).collect();
        assert!(!judge_drift(&rule(), &evidence(&calm)).alarmed, "at the baseline");
        let risen: Vec<_> = calm.iter().copied().chain((50..60).map(|hour| (hour, 100, 5))).collect();
        let found = judge_drift(&rule(), &evidence(&risen));
        assert!(found.alarmed);
        assert_eq!(found.since, Some(50));
        assert_eq!((found.batches, found.units, found.bad), (60, 6_000, 150));
    }

    #[test]
    fn the_order_of_entries_does_not_matter_and_parts_of_a_batch_add_up() {
        let whole = [(1, 100, 2), (2, 100, 9), (3, 100, 8)];
        let parts = [(3, 60, 8), (2, 100, 9), (1, 50, 2), (3, 40, 0), (1, 50, 0)];
        assert_eq!(judge_drift(&rule(), &evidence(&whole)), judge_drift(&rule(), &evidence(&parts)));
    }

    #[test]
    fn an_alarm_ends_when_the_evidence_falls() {
        let mut hours: Vec<_> = (0..10).map(|hour| (hour, 100, 6)).collect();
        assert!(judge_drift(&rule(), &evidence(&hours)).alarmed);
        hours.extend((10..200).map(|hour| (hour, 100, 0)));
        assert!(!judge_drift(&rule(), &evidence(&hours)).alarmed);
    }

    #[test]
    fn rules_that_cannot_be_are_told() {
        for baseline in [0.0, 1.0, 0.9, f64::NAN, -0.1] {
            assert!(DriftRule { baseline, ..rule() }.problem().is_some(), "{baseline}");
        }
        assert!(DriftRule { patience: 1, ..rule() }.problem().is_some());
        assert_eq!(rule().problem(), None);
    }

    /// The promise, simulated: batches until a false alarm, at the baseline itself.
    #[test]
    fn false_alarms_are_as_rare_as_promised() {
        let rule = DriftRule { patience: 100, baseline: 0.1, ..rule() };
        let (mut state, runs, mut total) = (7_u64, 60, 0_u64);
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33).is_multiple_of(10)
        };
        for _ in 0..runs {
            let mut detector = rule.detector(Kind::ShiryaevRoberts).unwrap();
            let mut batches = 0_u64;
            while !detector.alarms(0.01) && batches < 2_000 {
                let bad = (0..20).filter(|_| draw()).count() as u64;
                detector.observe_batch(bad, 20 - bad);
                batches += 1;
            }
            total += batches;
        }
        assert!(total / runs >= 100, "{} batches on average", total / runs);
    }
}
