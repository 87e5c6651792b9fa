//! Records of rollout plans.

use zerocopy::byteorder::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::Span;

/// A data domain's name.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct DomainRecord {
    /// The name.
    pub name: Span,
}

/// One stage.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct StageRecord {
    /// Its name.
    pub name: Span,
    /// Program of an allow-list stage, [`NONE`] for a share stage.
    pub who: U32,
    /// Candidate's share.
    pub treat: U32,
    /// Control's share.
    pub control: U32,
    /// Probability of treatment among the units that this stage enrols; 0 where there is no comparison.
    pub probability: U32,
    /// Seconds over which its shares grow.
    pub ramp: U32,
}

/// A step of a schedule.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct StepRecord {
    /// Unix seconds.
    pub at: U64,
    /// The stage, within the plan.
    pub stage: u8,
    /// Zero.
    pub reserved: [u8; 3],
}

/// A span of time in which nothing widens.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PauseRecord {
    /// Unix seconds, inclusive.
    pub from: U64,
    /// Unix seconds, exclusive.
    pub to: U64,
}

/// One rollout plan.
#[derive(Debug, Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct PlanRecord {
    /// Salt of its bucketing.
    pub salt: U64,
    /// Attribute that identifies the unit.
    pub unit: U32,
    /// First data domain.
    pub domains: U32,
    /// How many data domains; 0 means any.
    pub domain_count: U32,
    /// First stage.
    pub stages: U32,
    /// Purpose that consent must grant; empty span for none.
    pub consent: Span,
    /// Baseline variant.
    pub baseline: U16,
    /// Candidate variant.
    pub candidate: U16,
    /// How many stages.
    pub stage_count: u8,
    /// Highest approved stage, [`NONE8`] for none.
    pub ceiling: u8,
    /// 1 when the schedule alone opens stages, 0 when the pulse does.
    pub scheduled: u8,
    /// 1 when shares admit nobody new.
    pub paused: u8,
    /// Attribute slot of `consent`.
    pub consent_attribute: U32,
    /// Attribute slot of `dataDomain`.
    pub domain_attribute: U32,
    /// The plan is closed before, unix seconds; 0 for no such time.
    pub not_before: U64,
    /// The plan has ended from then on, unix seconds; [`NEVER`](super::NEVER) for no such time.
    pub until: U64,
    /// First step of its schedule.
    pub steps: U32,
    /// First pause.
    pub pauses: U32,
    /// How many steps.
    pub step_count: U16,
    /// How many pauses.
    pub pause_count: U16,
    /// Length of the restricted window in seconds, 0 for none.
    pub window_seconds: U32,
    /// Most that a stage's treatment grows within the window.
    pub window_share: U32,
}
