//! An exposure: a unit was given a variant.

use serde::{Deserialize, Serialize};

use crate::error::check_text;
use crate::{EventError, EventId, Inclusion, Pepper, Pseudonym, SnapshotId, Stream, UnitKey, limits};

/// Which side of a rollout plan's comparison a unit is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arm {
    /// Not part of the comparison (no plan, or not taken in yet).
    #[default]
    None,
    /// Given a candidate.
    Treatment,
    /// Given the baseline, to compare with.
    Control,
}

/// A unit was given a variant. Field order is the order on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exposure {
    /// See [`EventId::exposure`].
    pub id: EventId,
    /// Whose data this is.
    pub stream: Stream,
    /// The flag's key.
    pub flag: String,
    /// The variant's name.
    pub variant: String,
    /// The side of the comparison.
    pub arm: Arm,
    /// The stage of the plan that was open, counted from 0; none without a plan.
    pub stage: Option<u8>,
    /// The unit's enrolment cohort: the stage that took it in, counted from 0; none when not enrolled.
    pub cohort: Option<u8>,
    /// The probability of treatment within the cohort, in parts of 1,000,000,000. 0 and 1,000,000,000 mean that the
    /// unit was not randomised and is not evidence.
    pub probability: u32,
    /// Who, within this stream.
    pub unit: Pseudonym,
    /// The snapshot the decision came from.
    pub snapshot: SnapshotId,
    /// The decision's reason, in OpenFeature's words (`SPLIT`, `TARGETING_MATCH`, ...).
    pub reason: String,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// The probability with which units are kept at all, in parts of 1,000,000,000; see [`Sampling`](crate::Sampling).
    #[serde(default, skip_serializing_if = "Inclusion::is_certain")]
    pub inclusion: Inclusion,
}

/// What an [`Exposure`] is made of, before the unit's key has been replaced by its pseudonym.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposureFacts {
    /// As in [`Exposure`].
    pub stream: Stream,
    /// As in [`Exposure`].
    pub flag: String,
    /// As in [`Exposure`].
    pub variant: String,
    /// As in [`Exposure`].
    pub arm: Arm,
    /// As in [`Exposure`].
    pub stage: Option<u8>,
    /// As in [`Exposure`].
    pub cohort: Option<u8>,
    /// As in [`Exposure`].
    pub probability: u32,
    /// As in [`Exposure`].
    pub snapshot: SnapshotId,
    /// As in [`Exposure`].
    pub reason: String,
    /// As in [`Exposure`].
    pub at_ms: u64,
}

impl ExposureFacts {
    /// Makes the event. `window_ms` (at least 1) is the length of the window within which repeated exposures of one
    /// unit count as one.
    ///
    /// # Errors
    /// As [`Exposure::check`]; [`EventError::OutOfRange`] when `window_ms` is 0.
    pub fn of_unit(self, pepper: &Pepper, key: &UnitKey, window_ms: u64) -> Result<Exposure, EventError> {
        let unit = Pseudonym::of(pepper, self.stream, key);
        let window = self.at_ms.checked_div(window_ms).ok_or(EventError::OutOfRange { what: "window_ms" })?;
        let exposure = Exposure {
            id: EventId::exposure(
                pepper,
                unit,
                &self.flag,
                &self.variant,
                &self.snapshot,
                self.stage,
                window,
            ),
            stream: self.stream,
            flag: self.flag,
            variant: self.variant,
            arm: self.arm,
            stage: self.stage,
            cohort: self.cohort,
            probability: self.probability,
            unit,
            snapshot: self.snapshot,
            reason: self.reason,
            at_ms: self.at_ms,
            inclusion: Inclusion::default(),
        };
        exposure.check()?;
        Ok(exposure)
    }
}

impl Exposure {
    /// Checks names, ranges and sizes.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), EventError> {
        check_text("flag", &self.flag, limits::MAX_NAME_BYTES)?;
        check_text("variant", &self.variant, limits::MAX_NAME_BYTES)?;
        check_text("reason", &self.reason, limits::MAX_NAME_BYTES)?;
        if self.probability > flagstone_snapshot::SHARE_TOTAL {
            return Err(EventError::OutOfRange { what: "probability" });
        }
        self.inclusion.check()?;
        for (what, number) in [
            ("at_ms", self.at_ms),
            ("epoch", self.snapshot.epoch),
            ("snapshot sequence", self.snapshot.sequence),
        ] {
            if number > limits::MAX_INTEGER {
                return Err(EventError::OutOfRange { what });
            }
        }
        Ok(())
    }
}
