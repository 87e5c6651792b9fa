//! The three streams of events, which are never joined.

use serde::{Deserialize, Serialize};

/// What an event was recorded for. Every event belongs to one stream, and because pseudonyms are made
/// separately for each, a unit of one stream cannot be found in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stream {
    /// Real use by people.
    Production,
    /// Test suites, red-team runs, regression runs.
    Evaluation,
    /// Data set aside to train with.
    Training,
}

impl Stream {
    /// The text of this stream on the wire: `production`, `evaluation`, `training`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Stream::Production => "production",
            Stream::Evaluation => "evaluation",
            Stream::Training => "training",
        }
    }
}
