//! An outcome: something measured about an exposed unit's experience.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::check_text;
use crate::{EventError, EventId, Inclusion, Pepper, Pseudonym, Stream, UnitKey, limits};

/// Something measured about a unit. Which flag it bears on follows from the unit's exposures, not from the outcome.
/// Field order is the order on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// See [`EventId::outcome`].
    pub id: EventId,
    /// Whose data this is.
    pub stream: Stream,
    /// The name that metrics refer to as their `event`.
    pub name: String,
    /// Who, within this stream.
    pub unit: Pseudonym,
    /// Numbers in millionths: 1.5 is 1500000. Absolute value at most 2^53 - 1.
    #[serde(default)]
    pub measures: BTreeMap<String, i64>,
    /// Yes-or-no observations, such as `unsupported` or `refused`.
    #[serde(default)]
    pub booleans: BTreeMap<String, bool>,
    /// Coarse dimensions declared in the plan, such as `language` or `intent`.
    #[serde(default)]
    pub slices: BTreeMap<String, String>,
    /// When, in milliseconds since 1970 (UTC).
    pub at_ms: u64,
    /// As in [`Exposure`](crate::Exposure).
    #[serde(default, skip_serializing_if = "Inclusion::is_certain")]
    pub inclusion: Inclusion,
}

/// What an [`Outcome`] is made of, before the unit's key has been replaced by its pseudonym.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutcomeFacts {
    /// As in [`Outcome`].
    pub stream: Stream,
    /// As in [`Outcome`].
    pub name: String,
    /// The caller's id of the thing measured; only the event id depends on it.
    pub request: String,
    /// As in [`Outcome`].
    pub measures: BTreeMap<String, i64>,
    /// As in [`Outcome`].
    pub booleans: BTreeMap<String, bool>,
    /// As in [`Outcome`].
    pub slices: BTreeMap<String, String>,
    /// As in [`Outcome`].
    pub at_ms: u64,
}

impl OutcomeFacts {
    /// Makes the event.
    ///
    /// # Errors
    /// As [`Outcome::check`].
    pub fn of_unit(self, pepper: &Pepper, key: &UnitKey) -> Result<Outcome, EventError> {
        let unit = Pseudonym::of(pepper, self.stream, key);
        let outcome = Outcome {
            id: EventId::outcome(pepper, unit, &self.name, &self.request),
            stream: self.stream,
            name: self.name,
            unit,
            measures: self.measures,
            booleans: self.booleans,
            slices: self.slices,
            at_ms: self.at_ms,
            inclusion: Inclusion::default(),
        };
        outcome.check()?;
        Ok(outcome)
    }
}

impl Outcome {
    /// Checks names, ranges and sizes.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), EventError> {
        check_text("outcome name", &self.name, limits::MAX_NAME_BYTES)?;
        if self.at_ms > limits::MAX_INTEGER {
            return Err(EventError::OutOfRange { what: "at_ms" });
        }
        self.inclusion.check()?;
        for (what, size) in [
            ("measures", self.measures.len()),
            ("booleans", self.booleans.len()),
            ("slices", self.slices.len()),
        ] {
            let limit = limits::MAX_OUTCOME_FIELDS;
            if size > limit {
                return Err(EventError::TooLarge { what, size, limit });
            }
        }
        for (name, value) in &self.measures {
            check_text("measure name", name, limits::MAX_NAME_BYTES)?;
            if value.unsigned_abs() > limits::MAX_INTEGER {
                return Err(EventError::OutOfRange { what: "measure" });
            }
        }
        for name in self.booleans.keys() {
            check_text("boolean name", name, limits::MAX_NAME_BYTES)?;
        }
        for (name, value) in &self.slices {
            check_text("slice name", name, limits::MAX_NAME_BYTES)?;
            check_text("slice value", value, limits::MAX_SLICE_VALUE_BYTES)?;
        }
        let names = self.measures.keys().chain(self.booleans.keys()).chain(self.slices.keys());
        let size: usize = names.chain(self.slices.values()).map(String::len).sum();
        let limit = limits::MAX_OUTCOME_TEXT_BYTES;
        if size > limit {
            return Err(EventError::TooLarge { what: "names and slice values", size, limit });
        }
        Ok(())
    }
}

/// A number as millionths, rounded to the nearest (halves away from zero); none when not finite or above 2^53 - 1
/// millionths in size.
#[must_use]
pub fn micros(number: f64) -> Option<i64> {
    let scaled = (number * 1_000_000.0).round();
    // 2^53 - 1 is exact in f64, so the comparison is too; the cast below is then exact.
    (scaled.is_finite() && scaled.abs() <= 9_007_199_254_740_991.0).then_some(scaled as i64)
}
