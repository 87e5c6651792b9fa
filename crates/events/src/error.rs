//! What can be wrong with an event or a batch.

use std::fmt;

/// Why an event or a batch is refused. `code()` is stable; the prose may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventError {
    /// The text is not JSON of the right shape.
    Malformed(String),
    /// The batch is of a format version this code does not read.
    Version(u64),
    /// The stated batch id is not the hash of the batch's content.
    WrongId {
        /// The id the batch states.
        stated: String,
        /// The id its content has.
        computed: String,
    },
    /// `count`, `first_sequence` or the sequence numbers of the events do not agree.
    Sequence(String),
    /// A cap of [`crate::limits`] is passed.
    TooLarge {
        /// Which value.
        what: &'static str,
        /// Its size.
        size: usize,
        /// The cap.
        limit: usize,
    },
    /// A name or key is empty or holds control characters.
    BadName {
        /// Which value.
        what: &'static str,
    },
    /// A number is outside its range, or not a whole number.
    OutOfRange {
        /// Which value.
        what: &'static str,
    },
}

impl EventError {
    /// The stable name of this class of error, in kebab case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            EventError::Malformed(_) => "malformed",
            EventError::Version(_) => "unknown-version",
            EventError::WrongId { .. } => "wrong-id",
            EventError::Sequence(_) => "bad-sequence",
            EventError::TooLarge { .. } => "too-large",
            EventError::BadName { .. } => "bad-name",
            EventError::OutOfRange { .. } => "out-of-range",
        }
    }
}

impl fmt::Display for EventError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            EventError::Malformed(detail) => write!(f, "not a batch of events: {detail}"),
            EventError::Version(found) => {
                write!(f, "batch format version `{found}` is unknown, this reads 1")
            }
            EventError::WrongId { stated, computed } => {
                write!(f, "batch id `{stated}` does not match its content, which has `{computed}`")
            }
            EventError::Sequence(detail) => write!(f, "sequence numbers do not agree: {detail}"),
            EventError::TooLarge { what, size, limit } => {
                write!(f, "{what} has size {size}, the limit is {limit}")
            }
            EventError::BadName { what } => write!(f, "{what} is empty or holds control characters"),
            EventError::OutOfRange { what } => write!(f, "{what} is out of range"),
        }
    }
}

impl std::error::Error for EventError {}

/// Checks a name: not empty, no control characters, at most `limit` bytes.
pub(crate) fn check_text(what: &'static str, text: &str, limit: usize) -> Result<(), EventError> {
    if text.len() > limit {
        return Err(EventError::TooLarge { what, size: text.len(), limit });
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(EventError::BadName { what });
    }
    Ok(())
}
