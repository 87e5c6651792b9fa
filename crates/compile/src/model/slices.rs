//! Parts of the population: the dimensions that outcomes carry, and how a plan watches its metrics by them.

use serde::Serialize;

use crate::span::Spanned;

/// A dimension of outcomes with its few values.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Slice {
    /// Its name.
    pub name: Spanned<String>,
    /// The values it may take.
    pub values: Vec<String>,
}

/// One entry of a plan's `slices`: a metric by one dimension, or by two together.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SliceWatch {
    /// Name of the metric.
    pub metric: Spanned<String>,
    /// Names of the dimensions: one, or two that are looked at together.
    pub by: Vec<Spanned<String>>,
    /// What a finding does.
    pub role: SliceRole,
    /// Deterioration: its part of the plan's error budget, parts of `SHARE_TOTAL`, over all values together; it is
    /// divided together with the guardrails'. 0 for other roles.
    pub share: u32,
    /// The values looked at, those of the dimension when the author named none; every other value is taken together
    /// with the others. Empty for two dimensions, which are looked at by all their values.
    pub values: Vec<String>,
}

/// What a finding in a part of the population does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum SliceRole {
    /// Evidence of harm in any of the values takes the flag back.
    Deterioration,
    /// Evidence of harm in any of them holds, and promotion asks that none lost ground against the others.
    Fairness,
    /// It is shown and does nothing.
    #[default]
    Observe,
}

impl SliceRole {
    /// The role as authored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SliceRole::Deterioration => "deterioration",
            SliceRole::Fairness => "fairness",
            SliceRole::Observe => "observe",
        }
    }
}
