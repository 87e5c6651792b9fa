//! A metric: which outcomes count, and what about them is bad or is averaged.

use serde::Serialize;

use crate::span::Spanned;

/// One metric.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// Its name.
    pub name: Spanned<String>,
    /// Name of the outcome event that it reads, for example `gen_ai.evaluation.result`.
    pub event: String,
    /// Further name within that event, for example the evaluation `Groundedness`; none: every such event.
    #[serde(rename = "label")]
    pub label: Option<String>,
    /// What about the outcome counts.
    #[serde(flatten)]
    pub measure: Measure,
    /// Seconds after a unit's first exposure within which outcomes count; none: all later ones.
    pub window: Option<u64>,
    /// Samples that people judge.
    pub audit: Option<Audit>,
}

impl Metric {
    /// The tests of a metric that counts bad outcomes; an outcome is bad when any of them holds.
    #[must_use]
    pub fn bad(&self) -> Option<&[BadTest]> {
        match &self.measure {
            Measure::Bad(tests) => Some(tests),
            Measure::Mean { .. } => None,
        }
    }
}

/// What about an outcome counts.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Measure {
    /// Whether it is bad.
    Bad(Vec<BadTest>),
    /// The mean of one of its measures.
    Mean {
        /// Name of the measure.
        of: String,
        /// Which way is good.
        better: Better,
        /// Values beyond this many micros (either side of zero) count as this.
        winsorise: Option<i64>,
    },
}

/// One way to be bad.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BadTest {
    /// Name of the outcome's measure, or of its boolean for [`Bound::True`].
    pub measure: String,
    /// When it is bad.
    pub bound: Bound,
}

/// Where bad begins. Thresholds are micros; one written as a duration is in milliseconds for measures whose
/// name ends in `_ms` and in seconds for others (`2500ms` = 2,500,000 for `latency`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Bound {
    /// Bad when less than this.
    Below(i64),
    /// Bad when more than this.
    Above(i64),
    /// Bad when the boolean is true.
    True,
}

impl BadTest {
    /// Whether an outcome with this value of the measure (micros; 1,000,000 for true, 0 for false) is bad.
    #[must_use]
    pub fn is_bad(&self, micros: i64) -> bool {
        match self.bound {
            Bound::Below(limit) => micros < limit,
            Bound::Above(limit) => micros > limit,
            Bound::True => micros != 0,
        }
    }
}

/// Which way is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Better {
    /// More is better.
    Higher,
    /// Less is better.
    Lower,
}

/// `audit`: what share of the outcomes people judge themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Parts of `SHARE_TOTAL`.
    pub human: u32,
}
