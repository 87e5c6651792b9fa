//! What the judge is told about the rollout and what it answers.

use serde::{Deserialize, Serialize};

use crate::fairness::Fairness;
use crate::means::NotEnough;
use crate::{DriftJudgement, Latched, Role, SliceJudgement, SliceRatio};

/// Where the rollout stands.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RolloutState {
    /// Position of the open stage; none: not started.
    pub stage: Option<u8>,
    /// When the open stage was opened, unix seconds.
    pub stage_opened: u64,
    /// A person or an earlier verdict halted it.
    pub halted: bool,
    /// The exposure must end at this moment unless renewed, unix seconds. None: no such lease.
    pub lease_until: Option<u64>,
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "do")]
pub enum Action {
    /// Everybody back to the baseline, at once.
    RollBack,
    /// Nothing is wrong; time or data must come.
    Wait,
    /// Exposure frozen until a cause clears or a person acts.
    Hold,
    /// The gate is green and the ceiling is in the way: a release-signed snapshot with a higher one is needed.
    AwaitApproval,
    /// Open the next stage, never more than one up.
    Advance {
        /// Position of the stage to open.
        to: u8,
    },
    /// The last stage's gate is green.
    Complete,
}

/// What the evidence says of one metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetricVerdict {
    /// No unit was ever measured.
    NoData,
    /// The last outcome is too old.
    Stale,
    /// Enough units are exposed, but too many of their windows are still open.
    Immature,
    /// Fewer units or bad units than the stage asks for.
    Insufficient,
    /// Enough data, nothing shown.
    Inconclusive,
    /// Shown to be less than the margin worse.
    NonInferior,
    /// Shown to be better.
    Improved,
    /// Shown to be worse than the null ratio (tripwire: one bad unit), now or earlier in this attempt.
    Regressed,
    /// The counts or the rule cannot be right, or a health metric differs between the arms.
    Invalid,
}

/// One metric under one rule.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MetricJudgement {
    /// The metric's name.
    pub metric: String,
    /// The rule's role.
    pub role: Role,
    /// What the evidence says.
    pub verdict: MetricVerdict,
    /// ln E for "the rate ratio is above the null ratio"; 0 without evidence. For means and ratios ln(1/p) of an
    /// anytime-valid p, which is held against the same thresholds and is never below 0.
    pub log_e: f64,
    /// ln E must exceed this to act: -ln(alpha of the attempt x share).
    pub log_threshold: f64,
    /// ln E for "the rate ratio is below 1 + `not_worse_by`" (scores: for "the mean is above the bar"); none when the rule
    /// has no margin.
    pub log_e_non_inferior: Option<f64>,
    /// ln E for "the rate ratio is below 1".
    pub log_e_improved: f64,
    /// The two above must exceed this to satisfy a gate: -ln(alpha).
    pub log_threshold_promote: f64,
    /// ln E for "this metric is measured in one arm more readily than in the other": outcomes lost in one arm would
    /// look like an effect. Above ln 1000 the metric is [`MetricVerdict::Invalid`] (unless it regressed).
    pub measured_log_e: f64,
    /// Point estimate of the rate ratio, for display only; none without bad units in the control arm.
    pub rate_ratio: Option<f64>,
    /// Bad treated units, all cohorts (also those that are no evidence).
    pub treated_bad: u64,
    /// Bad control units, all cohorts.
    pub control_bad: u64,
    /// Treated units measured, all cohorts.
    pub treated_units: u64,
    /// Control units measured, all cohorts.
    pub control_units: u64,
    /// Set when a threshold is, or once was, crossed. Store it with the metric's evidence.
    pub latched: Option<Latched>,
    /// For other kinds than rates: what was measured, for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// For means and ratios: why there is no estimate yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_enough: Option<NotEnough>,
}

/// A measured value with its interval, which may be looked at at any time; in the metric's own unit. Steers nothing by itself:
/// the evidence beside it does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Estimate {
    /// The treatment arm's.
    pub treatment: f64,
    /// The control arm's; none for scores, which have a bar.
    pub control: Option<f64>,
    /// Treatment - control, or - the bar.
    pub difference: f64,
    /// Lower end of the difference's two-sided interval; none where there is no bound yet.
    pub lower: Option<f64>,
    /// Upper end.
    pub upper: Option<f64>,
    /// The interval's level, e.g. 0.05.
    pub level: f64,
}

/// One line of the gate's checklist, in words.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// What must be so.
    pub text: String,
    /// Whether it is.
    pub met: bool,
    /// What there is.
    pub have: String,
    /// What is needed.
    pub need: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Judgement {
    /// What to do.
    pub action: Action,
    /// Which rule of [`crate::rule`] fired, e.g. `2-deterioration`.
    pub rule: &'static str,
    /// Why, in sentences.
    pub reasons: Vec<String>,
    /// The open stage's gate, line by line; empty when no stage is open.
    pub requirements: Vec<Requirement>,
    /// One entry for each guardrail rule, in the plan's order.
    pub metrics: Vec<MetricJudgement>,
    /// ln E for "units are not split between the arms as promised".
    pub sample_ratio_log_e: f64,
    /// `sample_ratio_log_e` above this makes everything invalid: ln 1000.
    pub sample_ratio_log_threshold: f64,
    /// This attempt's error budget for rollback.
    pub attempt_alpha: f64,
    /// One entry for each slice of each slice rule, in the plan's order and then by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceJudgement>,
    /// One entry for each slice rule with the role `fairness`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fairness: Vec<Fairness>,
    /// The sample ratio of every slice whose exposures were counted, most evidence first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sample_ratio_slices: Vec<SliceRatio>,
    /// One entry for each drift rule, in the plan's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<DriftJudgement>,
}
