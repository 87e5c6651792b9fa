//! Should this rollout go on, wait, stop or go back? Evidence in, verdict out.
//!
//! The judge is a pure function: it is handed what was counted and what time it is, and answers the same for the same
//! input, to the last bit, for ever and on every platform (all mathematics by `libm`). It can be called as often as one
//! likes: its error rates hold over all looks together.
//!
//! ```
//! use flagstone_judge::{
//!     Action, CohortCounts, Evidence, ExposedUnits, GuardrailRule, MetricEvidence, PlanRules, RolloutState, StageRule,
//!     judge, rule,
//! };
//!
//! let stage = |name: &str| StageRule {
//!     name: name.into(),
//!     bake: 3_600,
//!     min_units: 400,
//!     min_bad: 20,
//!     randomised: true,
//!     ship_if_not_harmful: true,
//!     ..StageRule::default()
//! };
//! let rules = PlanRules {
//!     guardrails: vec![GuardrailRule { metric: "unsupported".into(), ..GuardrailRule::default() }],
//!     stages: vec![stage("1%"), stage("5%")],
//!     ceiling: Some(1),
//!     ..PlanRules::default()
//! };
//! let state = RolloutState { stage: Some(0), stage_opened: 1_000_000, ..RolloutState::default() };
//!
//! // The first share stage gives 1 % the candidate and watches 9 %: probability 0.1.
//! let seen = |treated_bad, control_bad| Evidence {
//!     metrics: vec![MetricEvidence {
//!         metric: "unsupported".into(),
//!         cohorts: vec![CohortCounts {
//!             cohort: 0,
//!             probability: 100_000_000,
//!             treated_bad,
//!             control_bad,
//!             treated_units: 500,
//!             control_units: 4_500,
//!         }],
//!         last_outcome: Some(1_004_990),
//!         ..MetricEvidence::default()
//!     }],
//!     sample_ratio: vec![ExposedUnits { cohort: 0, probability: 100_000_000, treated: 500, control: 4_500 }],
//!     ..Evidence::default()
//! };
//!
//! // As many bad units as its share lets expect: one stage up.
//! let judgement = judge(&rules, &state, &seen(10, 90), 1_005_000);
//! assert_eq!(judgement.action, Action::Advance { to: 1 });
//!
//! // Three times as many: back, at once, and it would have been back before the stage's hour was over.
//! let judgement = judge(&rules, &state, &seen(30, 90), 1_005_000);
//! assert_eq!((judgement.action, judgement.rule), (Action::RollBack, rule::DETERIORATION));
//! println!("{}", judgement.reasons.join("\n"));
//! # assert!(judgement.reasons[0].contains("30 bad units in treatment and 90 in control"), "{:?}", judgement.reasons);
//! ```
//!
//! # Words
//! - **evidence** ([`Evidence`]): counts by metric, enrolment cohort and arm. Two places' evidence adds up.
//! - **rules** ([`PlanRules`]): the plan's guardrails with their roles and weights, its stages, its ceiling.
//! - **gate**: what must be so before the open stage is left upwards, line by line in [`Judgement::requirements`].
//! - **e-value**: evidence against "all is well" that is at most 1 on average while all *is* well, however it is looked at;
//!   written as ln E throughout. Exceeding 1/α happens by chance at most once in 1/α rollouts.
//! - **latched**: a crossed rollback threshold stays crossed for the rest of the attempt.
//!
//! # Contents
//! [`judge()`] and the order of its rules ([`rule`]); kinds of metrics ([`kind`]) and the statistics for each: rates
//! ([`rate_ratio`], and an independent form of it in [`beta_binomial`]), means and ratios ([`means`]), scores ([`scores`]),
//! quantiles ([`quantiles`]), a judge model's scores with audits ([`prediction_powered`]); [`sample_ratio`] with
//! [`attribution`], and the error budget [`alpha`]; parts of the population ([`SliceRule`], [`multiplicity`], [`fairness`],
//! [`interaction`]); after the rollout [`e_detector`], and signals without a promise ([`stability`], [`charts`],
//! [`kolmogorov_smirnov`], [`adaptive_window`]); planning ([`planning`], [`power`], [`sight()`]); references for
//! one look ([`non_inferiority`], [`means::welch`], [`group_sequential`]); what they stand on ([`boundary`], [`special`]).
//! `docs/statistics.md` tells the whole story with sources.
//!
//! # Limits
//! - Every statement is about units, each counted once: the first bad event, or one value, within the metric's window.
//! - Means and ratios are asymptotic: right once sums are nearly normal. The others are exact.
//! - Assignment probabilities are taken as told; the sample-ratio check is what notices when they are not true.
//! - At most 256 stages; constants and their reasons are in [`limits`].

pub mod adaptive_window;
pub mod alpha;
pub mod attribution;
pub mod beta_binomial;
pub mod boundary;
pub mod charts;
mod dirichlet;
pub mod drift;
pub mod e_detector;
mod evidence;
pub mod fairness;
mod gate;
pub mod group_sequential;
mod in_force;
pub mod interaction;
pub mod intervals;
mod judge;
mod judgement;
pub mod kind;
pub mod kolmogorov_smirnov;
pub mod limits;
pub mod means;
mod merge;
pub mod moments;
pub mod multiplicity;
pub mod non_inferiority;
pub mod planning;
pub mod power;
pub mod prediction_powered;
pub mod quantiles;
pub mod rate_ratio;
mod reading;
pub mod rule;
mod rules;
pub mod sample_ratio;
pub mod scores;
mod search;
mod sight;
mod slice;
mod slice_gate;
mod slice_rule;
mod slice_verdict;
pub mod special;
pub mod stability;
mod stream;
mod verdict;
mod words;

pub use attribution::SliceRatio;
pub use drift::{DriftBatch, DriftJudgement, DriftRule};
pub use evidence::{CohortCounts, Evidence, ExposedUnits, Latched, MetricEvidence, ScoreBatch};
pub use judge::judge;
pub use judgement::{Action, Estimate, Judgement, MetricJudgement, MetricVerdict, Requirement, RolloutState};
pub use kind::MetricKind;
pub use moments::{CohortMoments, Moments};
pub use rules::{GuardrailRule, PlanRules, Role, StageRule};
pub use sight::{Sight, sight};
pub use slice::{ExposedSlice, Slice, SliceEvidence};
pub use slice_rule::{OTHER_VALUES, SliceRole, SliceRule};
pub use slice_verdict::{SliceCounts, SliceJudgement, SliceVerdict};
pub use stream::OtherStream;
