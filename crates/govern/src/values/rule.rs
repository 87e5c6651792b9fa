//! How a metric measures an outcome, and what it makes of a unit.

use std::collections::BTreeMap;

use flagstone_compile::model::{Better as Authored, Measure, Metric};
use flagstone_judge::MetricKind;
use flagstone_judge::kind::{Measured, QuantileRule, ScoreBar};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::non_inferiority::Better;
use serde_json::json;

use crate::canonical::{canonical, sha256};
use crate::metric::LABEL_SLICE;

const MILLION: i64 = 1_000_000;

/// A metric that measures values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueMetric {
    pub(crate) rule: ValueRule,
    pub(crate) comes_to: ComesTo,
    /// How long after its beginning a unit is followed, and how long after that its outcomes may still come in; none: always.
    pub(crate) window: Option<Window>,
}

/// Milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    pub(crate) ms: u64,
    pub(crate) grace_ms: u64,
}

/// What the outcomes of a unit come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ComesTo {
    /// Their sum, cut at `cap`, beside the sum over `before_ms` before the unit was exposed.
    Sum { cap: Option<i64>, before_ms: Option<u64> },
    /// Two sums, one over the other.
    Ratio,
    /// Their mean, in batches of this many milliseconds.
    Score { batch_ms: u64 },
    /// The first one.
    First,
}

/// A metric as far as single outcomes concern it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueRule {
    /// Digest of what follows: equal rules share what they have measured.
    pub(crate) digest: [u8; 32],
    /// The outcome's name.
    pub(crate) event: String,
    label: Option<String>,
    of: String,
    below: Below,
    most: Most,
}

/// What stands below the line of a ratio.
#[derive(Debug, Clone, PartialEq)]
enum Below {
    Nothing,
    /// 1 for each outcome.
    Each,
    Measure(String),
}

/// Which values there can be.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Most {
    Any,
    /// 0 to 1.
    One,
    /// 0 and more.
    NotNegative,
}

/// What a rule makes of one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// The outcome is about something else.
    Elsewhere,
    /// It is about this, but a measure is missing or cannot be.
    Unreadable,
    /// In millionths.
    Read { value: i64, second: i64 },
}

impl ValueMetric {
    /// The metric of a definition; none for one that counts bad outcomes.
    pub(crate) fn new(metric: &Metric) -> Option<Self> {
        let milliseconds = |seconds: u64| seconds.saturating_mul(1_000);
        let (of, below, most, comes_to) = match &metric.measure {
            Measure::Bad(_) => return None,
            Measure::Mean { of, winsorise, adjust, .. } => {
                let before_ms = adjust.map(milliseconds);
                (of, Below::Nothing, Most::Any, ComesTo::Sum { cap: *winsorise, before_ms })
            }
            Measure::Ratio { of, per, .. } => {
                let below = per.clone().map_or(Below::Each, Below::Measure);
                (of, below, Most::Any, ComesTo::Ratio)
            }
            Measure::Score { of, batch, .. } => {
                let batch_ms = milliseconds(*batch).max(1);
                (of, Below::Nothing, Most::One, ComesTo::Score { batch_ms })
            }
            Measure::Quantile { of, .. } => (of, Below::Nothing, Most::NotNegative, ComesTo::First),
        };
        let rule = ValueRule::new(&metric.event, metric.label.as_deref(), of, below, most);
        let grace_ms = milliseconds(metric.grace_in_force().unwrap_or(0));
        let window = metric.window.map(|seconds| Window { ms: milliseconds(seconds), grace_ms });
        Some(Self { rule, comes_to, window })
    }

    /// Whether it asks what a unit did before it was exposed.
    pub(super) fn looks_back(&self) -> bool {
        matches!(self.comes_to, ComesTo::Sum { before_ms: Some(_), .. })
    }
}

/// How the judge judges a metric of the definition.
pub(crate) fn kind(metric: &Metric) -> MetricKind {
    let part = |parts: u32| f64::from(parts) / f64::from(SHARE_TOTAL);
    let better = |better: Authored| match better {
        Authored::Higher => Better::Higher,
        Authored::Lower => Better::Lower,
    };
    let baseline = metric.baseline.map(|micros| micros as f64 / MILLION as f64);
    let planned = metric.planned.unwrap_or(0);
    match &metric.measure {
        Measure::Bad(_) => MetricKind::Rate,
        Measure::Mean { better: way, adjust, .. } => {
            MetricKind::Mean(Measured { better: better(*way), baseline, planned, adjusted: adjust.is_some() })
        }
        Measure::Ratio { better: way, .. } => {
            MetricKind::Ratio(Measured { better: better(*way), baseline, planned, adjusted: false })
        }
        Measure::Score { bar, .. } => MetricKind::Score(ScoreBar { bar: part(*bar) }),
        // The author counts the units of both arms, the judge those of each.
        Measure::Quantile { at, better: way, .. } => MetricKind::Quantile(QuantileRule {
            quantile: part(*at),
            better: better(*way),
            baseline,
            planned: planned.div_ceil(2),
        }),
    }
}

impl ValueRule {
    fn new(event: &str, label: Option<&str>, of: &str, below: Below, most: Most) -> Self {
        let per = match &below {
            Below::Nothing => json!(null),
            Below::Each => json!(1),
            Below::Measure(measure) => json!(measure),
        };
        let range = match most {
            Most::Any => "any",
            Most::One => "0 to 1",
            Most::NotNegative => "not negative",
        };
        let rule = json!({"event": event, "label": label, "of": of, "per": per, "range": range});
        Self {
            digest: sha256(&[canonical(&rule).as_bytes()]),
            event: event.to_owned(),
            label: label.map(str::to_owned),
            of: of.to_owned(),
            below,
            most,
        }
    }

    /// Reads an outcome that has this rule's name. A boolean counts 1 or 0. A value that cannot be is as good as missing.
    pub(super) fn read(
        &self,
        measures: &BTreeMap<String, i64>,
        booleans: &BTreeMap<String, bool>,
        slices: &BTreeMap<String, String>,
    ) -> Reading {
        if let Some(label) = &self.label
            && slices.get(LABEL_SLICE) != Some(label)
        {
            return Reading::Elsewhere;
        }
        let measured = |name: &str| {
            let flag = booleans.get(name).map(|set| if *set { MILLION } else { 0 });
            measures.get(name).copied().or(flag)
        };
        let second = match &self.below {
            Below::Nothing => Some(0),
            Below::Each => Some(MILLION),
            Below::Measure(name) => measured(name),
        };
        let possible = |value: &i64| match self.most {
            Most::Any => true,
            Most::One => (0..=MILLION).contains(value),
            Most::NotNegative => *value >= 0,
        };
        match measured(&self.of).filter(possible).zip(second) {
            Some((value, second)) => Reading::Read { value, second },
            None => Reading::Unreadable,
        }
    }
}

/// A metric of the measure `score` of `answer`.
#[cfg(test)]
pub(super) fn test_metric(comes_to: ComesTo, window: Option<Window>) -> ValueMetric {
    let rule = ValueRule::new("answer", None, "score", Below::Nothing, Most::Any);
    ValueMetric { rule, comes_to, window }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(rule: &ValueRule, measures: &[(&str, i64)]) -> Reading {
        let measures = measures.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        rule.read(&measures, &BTreeMap::from([("good".to_owned(), true)]), &BTreeMap::new())
    }

    #[test]
    fn both_sides_of_a_ratio_must_be_there() {
        let rule = ValueRule::new("answer", None, "cost", Below::Measure("tokens".into()), Most::Any);
        assert_eq!(read(&rule, &[("cost", 5)]), Reading::Unreadable);
        assert_eq!(read(&rule, &[("cost", 5), ("tokens", 7)]), Reading::Read { value: 5, second: 7 });
        let each = ValueRule::new("answer", None, "cost", Below::Each, Most::Any);
        assert_eq!(read(&each, &[("cost", -5)]), Reading::Read { value: -5, second: MILLION });
    }

    #[test]
    fn values_that_cannot_be_are_not_read() {
        let score = ValueRule::new("answer", None, "score", Below::Nothing, Most::One);
        let latency = ValueRule::new("answer", None, "score", Below::Nothing, Most::NotNegative);
        assert_eq!(read(&score, &[("score", MILLION + 1)]), Reading::Unreadable);
        assert_eq!(read(&score, &[("score", MILLION)]), Reading::Read { value: MILLION, second: 0 });
        assert_eq!(read(&latency, &[("score", -1)]), Reading::Unreadable);
        let boolean = ValueRule::new("answer", None, "good", Below::Nothing, Most::One);
        assert_eq!(read(&boolean, &[]), Reading::Read { value: MILLION, second: 0 });
        let named = ValueRule::new("answer", Some("Safety"), "good", Below::Nothing, Most::One);
        assert_eq!(read(&named, &[]), Reading::Elsewhere);
    }
}
