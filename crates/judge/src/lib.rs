//! Evidence -> statistics -> verdict; pure, time is an argument.

pub mod alpha;
mod evidence;
mod judgement;
pub mod limits;
pub mod rule;
mod rules;

pub use evidence::{CohortCounts, Evidence, ExposedUnits, Latched, MetricEvidence};
pub use judgement::{Action, Judgement, MetricJudgement, MetricVerdict, Requirement, RolloutState};
pub use rules::{GuardrailRule, PlanRules, Role, StageRule};
