//! A plan's `drift`: rates of the candidate that are held against a fixed one.

use serde::Serialize;

use crate::span::Spanned;

/// Seconds that a batch of units spans, where the author does not say.
pub const DEFAULT_EVERY: u64 = 3_600;

/// One entry of a plan's `drift`: a metric of the treated units alone, batch after batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DriftWatch {
    /// Name of the metric; it has `bad` and a `window`.
    pub metric: Spanned<String>,
    /// The share of bad units that is accepted, parts of `SHARE_TOTAL`, above 0 and below 80 %.
    pub baseline: u32,
    /// Seconds that a batch spans: units belong to the batch in which they were first given the candidate.
    pub every: u64,
    /// Batches that pass on average before a false alarm, at least 2; none: the judge's default.
    pub patience: Option<u32>,
    /// What an alarm does.
    pub role: DriftRole,
}

/// What an alarm does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DriftRole {
    /// It holds the rollout until the evidence has fallen again; it never takes back.
    #[default]
    Signal,
    /// It is shown and does nothing.
    Observe,
}

impl DriftRole {
    /// The role as authored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            DriftRole::Signal => "signal",
            DriftRole::Observe => "observe",
        }
    }
}
