//! What one metric's evidence says under one rule, whatever the metric's kind: the numbers that a verdict is made of.

mod measured;
mod rate;

use crate::means::NotEnough;
use crate::{CohortCounts, Estimate, ExposedUnits, GuardrailRule, MetricEvidence, MetricKind};

/// The levels that evidence is held against, as ln of thresholds: fixed for the attempt.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Thresholds {
    pub(crate) harm: f64,
    pub(crate) promote: f64,
}

/// Units of one cohort, as all kinds have them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Units {
    pub(crate) cohort: u8,
    pub(crate) probability: u32,
    pub(crate) treated: u64,
    pub(crate) control: u64,
}

/// The numbers.
#[derive(Debug, Default)]
pub(crate) struct Reading {
    /// For "worse than the null".
    pub(crate) harm: f64,
    /// For "better".
    pub(crate) improved: f64,
    /// For "not worse by the margin", or above the bar; none without one.
    pub(crate) non_inferior: Option<f64>,
    pub(crate) cohorts: Vec<Units>,
    /// Whether both arms were measured, so that losing outcomes in one would show.
    pub(crate) both_arms: bool,
    pub(crate) treated_bad: u64,
    pub(crate) control_bad: u64,
    /// Bad units of randomised cohorts, both arms; none for kinds that do not count bad units.
    pub(crate) bad: Option<u64>,
    pub(crate) rate_ratio: Option<f64>,
    /// Share of the control's units that are bad, in randomised cohorts.
    pub(crate) control_share: f64,
    pub(crate) estimate: Option<Estimate>,
    pub(crate) not_enough: Option<NotEnough>,
    /// What cannot be true of the evidence.
    pub(crate) problem: Option<String>,
}

/// Reads `evidence` under `rule`.
pub(crate) fn read(rule: &GuardrailRule, evidence: &MetricEvidence, thresholds: Thresholds) -> Reading {
    let mut reading = match rule.kind {
        MetricKind::Rate => rate::read(rule, &evidence.cohorts),
        MetricKind::Mean(kind) => measured::mean(rule, kind, false, &evidence.moments, thresholds),
        MetricKind::Ratio(kind) => measured::mean(rule, kind, true, &evidence.moments, thresholds),
        MetricKind::Score(score) => measured::score(score, &evidence.scores, thresholds),
        MetricKind::Quantile(kind) => measured::quantile(rule, kind, &evidence.histograms, thresholds),
    };
    reading.problem = reading.problem.take().or_else(|| split_problem(&reading.cohorts));
    reading
}

impl Units {
    pub(crate) fn is_evidence(&self) -> bool {
        CohortCounts { probability: self.probability, ..CohortCounts::default() }.is_evidence()
    }
}

impl Reading {
    /// Sums over all cohorts, or over the randomised ones.
    pub(crate) fn units(&self, randomised: bool, count: impl Fn(&Units) -> u64) -> u64 {
        let picked = self.cohorts.iter().filter(|units| !randomised || units.is_evidence());
        picked.fold(0, |sum, units| sum.saturating_add(count(units)))
    }

    /// The units in which the metric was measured, as the sample-ratio check takes them.
    pub(crate) fn measured(&self) -> Vec<ExposedUnits> {
        if !self.both_arms {
            return Vec::new();
        }
        let units = self.cohorts.iter().map(|u| ExposedUnits {
            cohort: u.cohort,
            probability: u.probability,
            treated: u.treated,
            control: u.control,
        });
        units.collect()
    }
}

/// Units that cannot be: a probability above 1, or one cohort with two probabilities (0 and 1 apart, which say that
/// some of its units are no evidence).
fn split_problem(cohorts: &[Units]) -> Option<String> {
    let whole = crate::limits::SHARE_TOTAL;
    if let Some(units) = cohorts.iter().find(|units| units.probability > whole) {
        return Some(format!("cohort {} has an assignment probability above 1", units.cohort));
    }
    let evidence: Vec<u8> = cohorts.iter().filter(|u| u.is_evidence()).map(|u| u.cohort).collect();
    let twice = evidence.iter().zip(evidence.iter().skip(1)).find(|(a, b)| a == b);
    twice.map(|(cohort, _)| format!("cohort {cohort} is recorded with two assignment probabilities"))
}
