//! What events were collected for, and why some of them are no evidence for production.
//!
//! A replayed conversation, an evaluation suite or a training set is not what people met: its units were not drawn with
//! the plan's probabilities, and consent for one use is no consent for another. Counts that hold any such event are
//! therefore refused whole. [`Evidence::other_streams`](crate::Evidence::other_streams) carries the mark wherever the
//! counts go, merging keeps it, and [`judge`](crate::judge()) holds on it, having read nothing but what was latched.

use serde::{Deserialize, Serialize};

use crate::{Evidence, MetricEvidence};

/// A stream whose events are not evidence for production. Production itself is not among them, so that no value of this
/// type can ever stand for evidence that may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherStream {
    /// Suites, replays and shadow runs.
    Evaluation,
    /// Kept to train on.
    Training,
}

impl OtherStream {
    /// The stream as it is written in events: `evaluation`, `training`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Evaluation => "evaluation",
            Self::Training => "training",
        }
    }
}

impl Evidence {
    /// These counts, marked as taken from another stream than production.
    #[must_use]
    pub fn from_stream(mut self, stream: OtherStream) -> Self {
        self.other_streams.insert(stream);
        self
    }

    /// Why the counts may not be used for production; none when they may.
    pub fn refusal(&self) -> Option<String> {
        if self.other_streams.is_empty() {
            return None;
        }
        let names: Vec<&str> = self.other_streams.iter().map(|stream| stream.as_str()).collect();
        Some(format!(
            "the counts hold events of the stream `{}`, which are no evidence for production",
            names.join("` and `")
        ))
    }

    /// What may be read of refused evidence: that a rollback was latched. No counts.
    pub(crate) fn without_counts(&self) -> Self {
        let latched = |metric: &MetricEvidence| MetricEvidence {
            metric: metric.metric.clone(),
            latched: metric.latched,
            ..MetricEvidence::default()
        };
        Self {
            metrics: self.metrics.iter().map(latched).collect(),
            slices: self.slices.iter().map(crate::SliceEvidence::without_counts).collect(),
            other_streams: self.other_streams.clone(),
            ..Self::default()
        }
    }
}
