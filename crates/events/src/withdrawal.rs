//! A withdrawal: a unit takes its consent back, and what was kept of it is to be erased.

use serde::{Deserialize, Serialize};

use crate::{EventError, EventId, Pepper, Pseudonym, Stream, UnitKey, limits};

/// A unit takes its consent back. The receiver erases every event of the unit up to that moment, those that come later included,
/// and keeps this as a tombstone. Field order is the order on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withdrawal {
    /// See [`EventId::withdrawal`].
    pub id: EventId,
    /// In which stream.
    pub stream: Stream,
    /// Who, within this stream.
    pub unit: Pseudonym,
    /// When, in milliseconds since 1970 (UTC). Events after it are of a unit that has consented again.
    pub at_ms: u64,
}

impl Withdrawal {
    /// The withdrawal of a unit in one stream. A person is withdrawn from every stream, and under every pepper still
    /// held, with one of these for each.
    ///
    /// # Errors
    /// As [`Withdrawal::check`].
    pub fn of_unit(pepper: &Pepper, stream: Stream, key: &UnitKey, at_ms: u64) -> Result<Self, EventError> {
        let unit = Pseudonym::of(pepper, stream, key);
        let withdrawal = Self { id: EventId::withdrawal(pepper, unit, at_ms), stream, unit, at_ms };
        withdrawal.check()?;
        Ok(withdrawal)
    }

    /// Checks the range of its time.
    ///
    /// # Errors
    /// [`EventError::OutOfRange`] above 2^53 - 1.
    pub fn check(&self) -> Result<(), EventError> {
        if self.at_ms > limits::MAX_INTEGER {
            return Err(EventError::OutOfRange { what: "at_ms" });
        }
        Ok(())
    }
}
