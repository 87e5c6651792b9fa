//! What a rollout is judged by: the plan's guardrails, stages and error budget. Data only; the plan's author
//! writes it, the governor hands it over, and it stays as it is for the whole attempt.

use serde::{Deserialize, Serialize};

use crate::kind::MetricKind;
use crate::{DriftRule, SliceRule};

/// Everything about a plan that the judge needs.
///
/// Changing a metric, a margin or a weight in the middle of a rollout makes a new attempt: raise
/// [`PlanRules::attempt`] and start from empty evidence.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PlanRules {
    /// Chance of a false rollback that the author accepts over all stages, looks **and attempts** together;
    /// in (0, 1), 0.05 by default. Also the level, unadjusted, of each promotion test.
    pub alpha: f64,
    /// Which attempt at this rollout this is, counted from 1 (0 is read as 1). Attempt k gets
    /// [`attempt_alpha`](crate::alpha::attempt_alpha) of `alpha`.
    pub attempt: u32,
    /// The metrics that steer, in the author's order.
    pub guardrails: Vec<GuardrailRule>,
    /// The ladder, lowest first.
    pub stages: Vec<StageRule>,
    /// Seconds without a new outcome after which a metric is stale. Taken literally: 0 makes everything older
    /// than this second stale.
    pub staleness: u64,
    /// Position of the highest stage that a release signature approved; none means none is.
    pub ceiling: Option<u8>,
    /// How parts of the population are looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub slices: Vec<SliceRule>,
    /// Which bad rates are held against a fixed one, batch by batch.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<DriftRule>,
    /// Units, both arms together, of which a slice must have as many before its numbers are shown; never fewer than
    /// [`DISPLAY_UNITS`](crate::limits::DISPLAY_UNITS). Decides nothing.
    #[serde(skip_serializing_if = "is_least")]
    pub display_units: u64,
}

fn is_least(units: &u64) -> bool {
    *units <= crate::limits::DISPLAY_UNITS
}

impl Default for PlanRules {
    fn default() -> Self {
        Self {
            alpha: crate::limits::DEFAULT_ALPHA,
            attempt: 1,
            guardrails: Vec::new(),
            stages: Vec::new(),
            staleness: crate::limits::DEFAULT_STALENESS,
            ceiling: None,
            slices: Vec::new(),
            drift: Vec::new(),
            display_units: crate::limits::DISPLAY_UNITS,
        }
    }
}

/// One metric and what it may do to the rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct GuardrailRule {
    /// The metric's name in the definition.
    pub metric: String,
    /// What it may do.
    pub role: Role,
    /// Weight of the error budget, in (0, 1]; the weights of all [`Role::Deterioration`] rules sum to at most 1.
    /// Other roles do not draw on the budget and ignore it.
    pub share: f64,
    /// The largest rate ratio treatment / control that still counts as harmless, r0: 1 for safety, 1 + margin
    /// where a little worse is accepted. Positive and finite.
    pub null_ratio: f64,
    /// Promotion needs evidence that the rate ratio is below 1 + this; 0.1 is "at most 10 % worse".
    /// None: the metric does not gate promotion by non-inferiority.
    pub not_worse_by: Option<f64>,
    /// How the metric is measured. For other kinds than rates `null_ratio` and `not_worse_by` are shares of the kind's frozen
    /// baseline (a score's bar is its own margin).
    #[serde(skip_serializing_if = "MetricKind::is_rate")]
    pub kind: MetricKind,
}

impl Default for GuardrailRule {
    fn default() -> Self {
        Self {
            metric: String::new(),
            role: Role::Deterioration,
            share: 1.0,
            null_ratio: 1.0,
            not_worse_by: None,
            kind: MetricKind::Rate,
        }
    }
}

/// What a metric may do to the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// One bad unit in the treatment arm rolls back. No statistics.
    Tripwire,
    /// Evidence of harm rolls back, at any moment, drawing on the error budget.
    Deterioration,
    /// Must be shown non-inferior to promote; never rolls back.
    Guardrail,
    /// Must be shown better before the last stage opens, and before the rollout completes.
    Success,
    /// Evidence of harm holds; never rolls back.
    Signal,
    /// Measures the measuring (schema errors, lost events): evidence of a difference holds as invalid.
    Health,
    /// Dry run: computed and shown, never acts.
    Observe,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct StageRule {
    /// The stage's name.
    pub name: String,
    /// Least time the stage stays open before it can be left upwards, seconds.
    pub bake: u64,
    /// Treated units that every gating metric must have measured, all cohorts so far together.
    pub min_units: u64,
    /// Bad units, both arms together, that every gating metric must have seen: the sample size of the rate-ratio
    /// test. Asked of randomised stages only.
    pub min_bad: u64,
    /// The author asked for an approval by name before this stage opens. The approval itself is the ceiling.
    pub needs_approval: bool,
    /// False for allow-list stages: everybody in them is treated, so only tripwires, bake and units are judged.
    pub randomised: bool,
    /// Seconds after `bake` that a stage without enough data may wait for more before it is held for a person.
    pub extend: u64,
    /// The author explicitly lets this stage go on when a metric is not shown harmful, instead of asking
    /// that it is shown non-inferior. For early stages that are too small to show anything.
    pub ship_if_not_harmful: bool,
}
