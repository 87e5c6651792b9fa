//! A metric: which outcomes count, and what about them is bad or is measured.

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
    /// Seconds after the window within which outcomes may still come in. None: for counts of bad units no limit, for
    /// values [`DEFAULT_GRACE`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace: Option<u64>,
    /// Values: the quantity as it was before the plan, in micros; margins are shares of its magnitude.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<i64>,
    /// Values: units of both arms together that are expected when the decision is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub planned: Option<u64>,
    /// Samples that people judge.
    pub audit: Option<Audit>,
}

/// Seconds of grace where an author who wants values says nothing: the default staleness, since reporters that are silent
/// for longer hold the rollout anyway.
pub const DEFAULT_GRACE: u64 = 900;

impl Metric {
    /// The tests of a metric that counts bad outcomes; an outcome is bad when any of them holds.
    #[must_use]
    pub fn bad(&self) -> Option<&[BadTest]> {
        match &self.measure {
            Measure::Bad(tests) => Some(tests),
            _ => None,
        }
    }

    /// Seconds after the window after which an outcome is too late; none: it never is.
    #[must_use]
    pub fn grace_in_force(&self) -> Option<u64> {
        let of_values = self.window.filter(|_| self.bad().is_none()).map(|_| DEFAULT_GRACE);
        self.grace.or(of_values)
    }
}

/// What about an outcome counts.
///
/// Units were randomised, not outcomes, so every kind makes one observation of a unit, over its window.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Measure {
    /// Whether one is bad.
    Bad(Vec<BadTest>),
    /// The mean, over units, of the sum of one of its measures.
    Mean {
        /// Name of the measure.
        of: String,
        /// Which way is good.
        better: Better,
        /// A unit's values beyond this many micros (either side of zero) count as this.
        winsorise: Option<i64>,
        /// Seconds before its first exposure over which the same unit's outcomes explain it (CUPED).
        #[serde(skip_serializing_if = "Option::is_none")]
        adjust: Option<u64>,
    },
    /// The sum of one measure over the sum of another, all units of an arm together.
    Ratio {
        /// Name of the measure above.
        of: String,
        /// Name of the measure below; none: the number of outcomes.
        per: Option<String>,
        /// Which way is good.
        better: Better,
    },
    /// Whether the mean score of treated units is above a bar.
    Score {
        /// Name of the measure, between 0 and 1.
        of: String,
        /// The bar, parts of `SHARE_TOTAL`.
        bar: u32,
        /// Seconds of a batch of scores.
        batch: u64,
    },
    /// A quantile of the units' first values.
    Quantile {
        /// Name of the measure.
        of: String,
        /// Which quantile, parts of `SHARE_TOTAL`.
        at: u32,
        /// Which way is good.
        better: Better,
    },
}

impl Measure {
    /// What the author called it.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Measure::Bad(_) => "bad",
            Measure::Mean { .. } => "mean",
            Measure::Ratio { .. } => "ratio",
            Measure::Score { .. } => "score",
            Measure::Quantile { .. } => "quantile",
        }
    }
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
