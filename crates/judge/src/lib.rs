//! Evidence -> statistics -> verdict; pure, time is an argument.

pub mod alpha;
pub mod beta_binomial;
mod dirichlet;
mod evidence;
mod judgement;
pub mod limits;
pub mod planning;
pub mod rate_ratio;
pub mod rule;
mod rules;
pub mod sample_ratio;
pub mod special;

pub use evidence::{CohortCounts, Evidence, ExposedUnits, Latched, MetricEvidence};
pub use judgement::{Action, Judgement, MetricJudgement, MetricVerdict, Requirement, RolloutState};
pub use rules::{GuardrailRule, PlanRules, Role, StageRule};
