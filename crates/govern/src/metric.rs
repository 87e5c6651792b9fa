//! How a metric of the definition reads an outcome: not about it, unreadable, good or bad.

use std::collections::BTreeMap;

use flagstone_compile::model::{BadTest, Bound, Metric};
use serde_json::json;

use crate::canonical::{canonical, sha256};
use crate::drift::Batches;
use crate::values::ValueMetric;

/// The slice that carries the further name of an outcome (a metric's `name`), e.g. which evaluation gave the score.
pub(crate) const LABEL_SLICE: &str = "name";

/// A metric as far as single outcomes concern it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MetricRule {
    /// Digest of what follows: equal rules share their readings, whatever flag or attempt asks.
    pub(crate) digest: [u8; 32],
    /// The outcome's name.
    pub(crate) event: String,
    label: Option<String>,
    tests: Vec<BadTest>,
}

/// A metric of a plan: what it is called, how it reads outcomes, how long a unit is followed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PlanMetric {
    pub(crate) name: String,
    /// How it counts bad outcomes; none when it measures values.
    pub(crate) rule: Option<MetricRule>,
    /// How it measures values; none when it counts bad outcomes.
    pub(crate) value: Option<ValueMetric>,
    /// How long after the enrolment the outcomes that are counted count; none: always.
    pub(crate) window_ms: Option<Window>,
    /// How treated units are put into batches; none when no plan's `drift` asks for it.
    pub(crate) batches: Option<Batches>,
}

/// The follow-up of a unit whose bad outcomes are counted, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// How long after the enrolment outcomes count.
    pub(crate) ms: u64,
    /// How long after that they may still come in; none: always.
    pub(crate) grace_ms: Option<u64>,
}

impl PlanMetric {
    /// The digest of its rule, by which its readings are known.
    pub(crate) fn digest(&self) -> Option<&[u8; 32]> {
        let counted = self.rule.as_ref().map(|rule| &rule.digest);
        counted.or(self.value.as_ref().map(|value| &value.rule.digest))
    }
}

/// What a rule makes of one outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reading {
    /// The outcome is about something else.
    Elsewhere,
    /// It is about this, but a measure that the rule asks for is missing: neither good nor bad.
    Unreadable,
    /// Read.
    Read {
        /// Whether any test holds.
        bad: bool,
    },
}

impl MetricRule {
    /// The rule of a metric that counts bad outcomes; none for one that measures values.
    pub(crate) fn new(metric: &Metric) -> Option<Self> {
        let tests = metric.bad()?.to_vec();
        let rule = json!({"event": metric.event, "label": metric.label, "bad": tests});
        Some(Self {
            digest: sha256(&[canonical(&rule).as_bytes()]),
            event: metric.event.clone(),
            label: metric.label.clone(),
            tests,
        })
    }

    /// Reads an outcome that has this rule's name. It is bad when any test holds, and good only when every test
    /// could be made and none holds: a missing measure never counts as good.
    pub(crate) fn read(
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
        let mut missing = false;
        for test in &self.tests {
            let flag = booleans.get(&test.measure).map(|set| if *set { 1_000_000 } else { 0 });
            let value = match test.bound {
                Bound::True => flag,
                Bound::Below(_) | Bound::Above(_) => measures.get(&test.measure).copied().or(flag),
            };
            match value {
                Some(value) if test.is_bad(value) => return Reading::Read { bad: true },
                Some(_) => {}
                None => missing = true,
            }
        }
        if missing { Reading::Unreadable } else { Reading::Read { bad: false } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(label: Option<&str>, tests: Vec<BadTest>) -> MetricRule {
        MetricRule { digest: [0; 32], event: "answer".into(), label: label.map(Into::into), tests }
    }

    fn test(measure: &str, bound: Bound) -> BadTest {
        BadTest { measure: measure.into(), bound }
    }

    #[test]
    fn thresholds_and_booleans_decide() {
        let rule = rule(None, vec![test("score", Bound::Below(500_000)), test("unsafe", Bound::True)]);
        let read = |score: Option<i64>, unsafe_: Option<bool>| {
            let measures = score.map(|score| ("score".to_owned(), score)).into_iter().collect();
            let booleans = unsafe_.map(|set| ("unsafe".to_owned(), set)).into_iter().collect();
            rule.read(&measures, &booleans, &BTreeMap::new())
        };
        assert_eq!(read(Some(499_999), Some(false)), Reading::Read { bad: true });
        assert_eq!(read(Some(500_000), Some(false)), Reading::Read { bad: false });
        assert_eq!(read(Some(500_000), Some(true)), Reading::Read { bad: true });
        assert_eq!(read(None, Some(true)), Reading::Read { bad: true }, "one bad test is enough");
        assert_eq!(read(Some(900_000), None), Reading::Unreadable, "a missing measure is never good");
    }

    #[test]
    fn the_label_is_the_slice_called_name() {
        let rule = rule(Some("Groundedness"), vec![test("score", Bound::Below(700_000))]);
        let measures = BTreeMap::from([("score".to_owned(), 1)]);
        let read = |name: &str| {
            rule.read(&measures, &BTreeMap::new(), &BTreeMap::from([("name".to_owned(), name.to_owned())]))
        };
        assert_eq!(read("Groundedness"), Reading::Read { bad: true });
        assert_eq!(read("Safety"), Reading::Elsewhere);
    }
}
