//! What has been counted. Counts only: mergeable, order-free, no clock, no floats.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::drift::DriftBatch;
use crate::limits::SHARE_TOTAL;
use crate::moments::CohortMoments;
use crate::quantiles::histogram::CohortHistograms;
use crate::{ExposedSlice, OtherStream, SliceEvidence};

/// What one metric counted in one enrolment cohort.
///
/// A unit belongs for ever to the cohort and arm it was enrolled in; only its **first** bad event counts; units
/// seen in both arms are left out (and counted in [`Evidence::multi_exposure`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CohortCounts {
    /// Position of the stage that enrolled these units.
    pub cohort: u8,
    /// Probability that a unit of this cohort is in the treatment arm, in parts per [`SHARE_TOTAL`]; the same for
    /// the cohort's whole life. 0 and `SHARE_TOTAL` mean "not randomised": such a cohort is no evidence, but its
    /// units count for allow-list stages and its bad units trip tripwires.
    pub probability: u32,
    /// Treated units with at least one bad event.
    pub treated_bad: u64,
    /// Control units with at least one bad event.
    pub control_bad: u64,
    /// Treated units in which this metric was measured at all (an outcome seen, good or bad; for a metric whose
    /// event is only sent when it is bad: exposed units whose window is over).
    pub treated_units: u64,
    /// The same for the control arm.
    pub control_units: u64,
}

impl CohortCounts {
    /// Whether the cohort was randomised, so that its counts say something about the candidate.
    pub fn is_evidence(&self) -> bool {
        self.probability > 0 && self.probability < SHARE_TOTAL
    }
}

/// A threshold that was crossed. It stays crossed for the rest of the attempt whatever comes later.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Latched {
    /// ln E at that moment; for a tripwire the number of bad units.
    pub log_e: f64,
    /// When, unix seconds.
    pub at: u64,
}

/// All that is known of one metric.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct MetricEvidence {
    /// The metric's name in the definition.
    pub metric: String,
    /// Its counts, any order; several entries for one cohort add up.
    pub cohorts: Vec<CohortCounts>,
    /// Treated units exposed but not yet counted, because the metric's window is still open for them.
    pub maturing_units: u64,
    /// When the last outcome of this metric came in (either arm, good or bad), unix seconds.
    pub last_outcome: Option<u64>,
    /// Set once [`MetricJudgement::latched`](crate::MetricJudgement::latched) said so.
    pub latched: Option<Latched>,
    /// Sums of values, for means and ratios; any order, several entries for one cohort add up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub moments: Vec<CohortMoments>,
    /// Counts of values by bucket, for quantiles; the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub histograms: Vec<CohortHistograms>,
    /// Scores of treated units, for bars; any order, several entries for one batch add up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreBatch>,
    /// Treated units by span of time, for [`crate::drift`]; any order, several entries for one batch add up.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batches: Vec<DriftBatch>,
}

/// Scores of treated units that belong to one span of time. Bets are placed batch by batch, in the order of their numbers;
/// so a batch is handed over when it is complete (its span and the metric's grace are over), and later scores for it are
/// recorded elsewhere and not counted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScoreBatch {
    /// Its place in the order, e.g. the hour.
    pub batch: u64,
    /// Units by score, in millionths.
    pub scores: BTreeMap<u32, u64>,
}

/// How many units each arm of one cohort was given, whatever became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExposedUnits {
    /// Position of the stage that enrolled these units.
    pub cohort: u8,
    /// As in [`CohortCounts::probability`].
    pub probability: u32,
    /// Distinct units first exposed in the treatment arm.
    pub treated: u64,
    /// Distinct units first exposed in the control arm.
    pub control: u64,
}

/// Everything counted in one attempt at one rollout.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Evidence {
    /// By metric, any order; several entries for one metric add up.
    pub metrics: Vec<MetricEvidence>,
    /// First exposures by cohort and arm, any order: the sample-ratio check runs on these.
    pub sample_ratio: Vec<ExposedUnits>,
    /// Units seen in both arms.
    pub multi_exposure: u64,
    /// When the last exposure came in, unix seconds.
    pub last_exposure: Option<u64>,
    /// The same by parts of the population, any order; several entries for one metric and slice add up. Cells of two
    /// dimensions are read by [`crate::interaction`] alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceEvidence>,
    /// First exposures by parts of the population, any order: where a sample-ratio mismatch comes from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exposed_slices: Vec<ExposedSlice>,
    /// Streams other than production that any of these counts were taken from. Not empty: refused.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub other_streams: BTreeSet<OtherStream>,
}
