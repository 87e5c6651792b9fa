//! A rollout plan as `compile` hands it over: the ladder, and how it moves over time.

use alloc::string::String;
use alloc::vec::Vec;

use crate::Program;

/// A staged rollout of one candidate against the baseline.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DraftPlan {
    /// Variant that people have today.
    pub baseline: u16,
    /// Variant being introduced.
    pub candidate: u16,
    /// Dotted path of the attribute that identifies the unit; `targetingKey` by default.
    pub unit: String,
    /// The purpose that a context's `consent` must grant before anything is hashed.
    pub consent: Option<String>,
    /// A context's `dataDomain` must be one of these; empty means any.
    pub data_domains: Vec<String>,
    /// Salt of this plan's bucketing: `bucket_salt("rollout", flag key)` unless a resalt was asked for.
    pub salt: u64,
    /// Highest stage (position in `stages`) that people approved; none keeps the plan closed.
    pub ceiling: Option<u8>,
    /// The ladder, lowest first.
    pub stages: Vec<DraftStage>,
    /// What opens stages.
    pub advance: Advance,
    /// Before this time (unix seconds) the plan is closed.
    pub not_before: Option<u64>,
    /// From this time on (unix seconds) everybody gets the baseline: the exposure lease has ended.
    pub until: Option<u64>,
    /// From when on each stage may be open, times strictly and stages not falling. With [`Advance::Pulse`] it
    /// holds the pulse back, and empty means no such restraint; with [`Advance::Schedule`] it opens stages.
    pub schedule: Vec<DraftStep>,
    /// Half-open spans of time (unix seconds), ascending and apart, in which nothing widens: ramps and windows
    /// stand still, and a step of the schedule inside one comes at its end.
    pub pauses: Vec<(u64, u64)>,
    /// The restricted window at the beginning of each stage.
    pub window: Option<DraftWindow>,
    /// Paused intake: units that bring the memory of an arm keep it, nobody else is admitted by a share.
    pub intake_paused: bool,
}

/// What opens the stages of a plan; the ceiling binds either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Advance {
    /// The pulse.
    #[default]
    Pulse,
    /// The schedule alone, without any pulse; halts still stop it.
    Schedule,
}

/// A step of a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftStep {
    /// Unix seconds.
    pub at: u64,
    /// Position in [`DraftPlan::stages`].
    pub stage: u8,
}

/// A stage admits at most `share` more treated units during its first `seconds`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DraftWindow {
    /// How long after the stage opened.
    pub seconds: u64,
    /// Parts per [`crate::SHARE_TOTAL`].
    pub share: u32,
}

/// One rung of the ladder.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DraftStage {
    /// The stage's name.
    pub name: String,
    /// Allow-list stages: who is in. Not randomised, everyone in it is treated.
    pub who: Option<Program>,
    /// Share stages: the candidate's share in parts per [`crate::SHARE_TOTAL`].
    pub treat: u32,
    /// Share stages: the concurrent control's share in parts per [`crate::SHARE_TOTAL`].
    pub control: u32,
    /// Share stages: seconds over which both shares grow in equal steps from those of the share stage below, 0
    /// for at once. Allow-list stages: 0.
    pub ramp: u64,
}
