//! What an evaluation answers: variant, reason, error, and the unit's place in the rollout.

/// Why a variant was chosen: OpenFeature's reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Reason {
    /// No rule to apply.
    Static = 0,
    /// The rules chose nothing.
    Default = 1,
    /// A rule matched.
    TargetingMatch = 2,
    /// Pseudo-random assignment: an arm of a rollout plan.
    Split = 3,
    /// The flag is disabled.
    Disabled = 4,
    /// Decided without a fresh pulse.
    Stale = 5,
    /// The flag could not be evaluated.
    Error = 6,
}

/// What went wrong: OpenFeature's error codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ErrorCode {
    /// There is no such flag.
    FlagNotFound = 1,
    /// The flag's definition could not be used.
    ParseError = 2,
    /// The value is not of the type asked for.
    TypeMismatch = 3,
    /// Anything else: a rule named a variant that does not exist, or ran past its limits.
    General = 4,
}

/// What decided beside the reason: ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Detail {
    /// Nothing beyond the reason.
    None = 0,
    /// The open stage gave the candidate.
    Stage = 1,
    /// The unit is in the concurrent control arm.
    Control = 2,
    /// The flag is halted.
    Halt = 3,
    /// The context does not grant the consent that the plan needs.
    Consent = 4,
    /// The plan is not open to the context's data domain.
    DataDomain = 5,
    /// There is no fresh pulse and the flag's `onExpiry` is `safe`.
    Expired = 6,
    /// The plan is not open to this unit.
    Closed = 7,
    /// The unit is held out.
    Holdout = 8,
    /// A prerequisite is not met.
    Prerequisite = 9,
    /// An individual override.
    Override = 10,
    /// The unit is outside the flag's part of its layer.
    Layer = 11,
    /// What the context brought as remembered.
    Remembered = 12,
    /// The plan's time is over.
    Ended = 13,
    /// The plan's intake is paused, and the unit is not in it.
    Paused = 14,
}

/// The unit's arm in a rollout plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Arm {
    /// Not part of the comparison.
    None = 0,
    /// Has the candidate.
    Treatment = 1,
    /// Has the baseline and is compared with.
    Control = 2,
}

/// The flag index of a decision about a flag that does not exist.
pub const NO_FLAG: u32 = u32::MAX;

/// One decision. Indices are of the snapshot that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The flag's position, [`NO_FLAG`] when there is none.
    pub flag: u32,
    /// The variant's position; none means the caller's own default.
    pub variant: Option<u16>,
    /// Why.
    pub reason: Reason,
    /// What went wrong.
    pub error: Option<ErrorCode>,
    /// What decided beside the reason.
    pub detail: Detail,
    /// The unit's arm.
    pub arm: Arm,
    /// The open stage of the plan.
    pub stage: Option<u8>,
    /// The stage that enrolled the unit.
    pub cohort: Option<u8>,
    /// The probability of treatment within the cohort, in parts of `SHARE_TOTAL`; 0 where the unit is no
    /// evidence.
    pub probability: u32,
}

impl Decision {
    pub(crate) fn new(flag: u32, variant: Option<u16>, reason: Reason) -> Self {
        Decision {
            flag,
            variant,
            reason,
            error: None,
            detail: Detail::None,
            arm: Arm::None,
            stage: None,
            cohort: None,
            probability: 0,
        }
    }

    pub(crate) fn failed(flag: u32, error: ErrorCode) -> Self {
        Decision { error: Some(error), ..Decision::new(flag, None, Reason::Error) }
    }

    pub(crate) fn detailed(self, detail: Detail) -> Self {
        Decision { detail, ..self }
    }

    /// The decision in one number, for callers that count nanoseconds: bits 0-15 variant (0xFFFF none),
    /// 16-23 reason, 24-31 error (0 none), 32-39 detail, 40-47 arm, 48-55 stage (0xFF none), 56-63 cohort
    /// (0xFF none).
    #[must_use]
    #[inline]
    pub fn pack(&self) -> u64 {
        u64::from(self.variant.unwrap_or(u16::MAX))
            | (u64::from(self.reason as u8) << 16)
            | (u64::from(self.error.map_or(0, |error| error as u8)) << 24)
            | (u64::from(self.detail as u8) << 32)
            | (u64::from(self.arm as u8) << 40)
            | (u64::from(self.stage.unwrap_or(u8::MAX)) << 48)
            | (u64::from(self.cohort.unwrap_or(u8::MAX)) << 56)
    }
}

impl Reason {
    /// OpenFeature's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::Static => "STATIC",
            Reason::Default => "DEFAULT",
            Reason::TargetingMatch => "TARGETING_MATCH",
            Reason::Split => "SPLIT",
            Reason::Disabled => "DISABLED",
            Reason::Stale => "STALE",
            Reason::Error => "ERROR",
        }
    }
}

impl ErrorCode {
    /// OpenFeature's spelling.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            ErrorCode::FlagNotFound => "FLAG_NOT_FOUND",
            ErrorCode::ParseError => "PARSE_ERROR",
            ErrorCode::TypeMismatch => "TYPE_MISMATCH",
            ErrorCode::General => "GENERAL",
        }
    }
}

impl Detail {
    /// Our spelling; none for nothing.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        Some(match self {
            Detail::None => return None,
            Detail::Stage => "stage",
            Detail::Control => "control",
            Detail::Halt => "halt",
            Detail::Consent => "consent",
            Detail::DataDomain => "data-domain",
            Detail::Expired => "expired",
            Detail::Closed => "closed",
            Detail::Holdout => "holdout",
            Detail::Prerequisite => "prerequisite",
            Detail::Override => "override",
            Detail::Layer => "layer",
            Detail::Remembered => "remembered",
            Detail::Ended => "ended",
            Detail::Paused => "paused",
        })
    }
}

impl Arm {
    /// Our spelling; none for no arm.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Arm::None => None,
            Arm::Treatment => Some("treatment"),
            Arm::Control => Some("control"),
        }
    }
}
