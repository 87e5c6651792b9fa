//! A second evaluator, slow and obvious: straight from the definition's JSON to a decision, for tests to compare the
//! engine with.
//!
//! It shares no code with the engine. It was written from the documents (`docs/definition.md`, `docs/snapshot.md`), looks
//! everything up by name each time it is asked, recurses freely, and takes its hashes, patterns, versions and addresses
//! from published crates. Definitions must be well-formed, but for rules that cannot be used.

mod amounts;
mod decide;
mod operators;
mod plan;
mod rules;
mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

pub use decide::decide;

/// What the last pulse said.
#[derive(Debug, Clone, Default)]
pub struct Pulse {
    /// Open stage by flag key, and since when it is open (unix seconds).
    pub stages: BTreeMap<String, (u8, u64)>,
    /// Halted flags.
    pub halts: Vec<String>,
    /// End of the lease, unix seconds.
    pub expires: u64,
}

/// Everything that a decision depends on.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The definition's JSON.
    pub definition: &'a Value,
    /// The context, an object.
    pub context: &'a Value,
    /// The pulse in force, none before the first.
    pub pulse: Option<&'a Pulse>,
    /// Unix seconds.
    pub now: u64,
}

/// A decision in words.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Answer {
    /// The variant's name; none is the caller's own default.
    pub variant: Option<String>,
    /// OpenFeature's reason.
    pub reason: &'static str,
    /// OpenFeature's error code.
    pub error: Option<&'static str>,
    /// Our detail.
    pub detail: Option<&'static str>,
    /// `treatment`, `control`.
    pub arm: Option<&'static str>,
    /// Position of the open stage.
    pub stage: Option<usize>,
    /// Position of the enrolment cohort.
    pub cohort: Option<usize>,
    /// Parts of 10^9.
    pub probability: u64,
    /// What a sticky flag asks to be remembered.
    pub remember: Option<String>,
    /// Whether a halt or a lost lease is why, here or in a prerequisite.
    pub stopped: bool,
}

impl Answer {
    fn new(variant: Option<String>, reason: &'static str) -> Self {
        Answer { variant, reason, ..Answer::default() }
    }

    fn failed(code: &'static str) -> Self {
        Answer { error: Some(code), ..Answer::new(None, "ERROR") }
    }

    fn detailed(self, detail: &'static str) -> Self {
        Answer { detail: Some(detail), ..self }
    }

    /// The decision as the JSON that the engine's decision text must parse to; numbers are all floating.
    #[must_use]
    pub fn json(&self, definition: &Value, key: &str) -> Value {
        let flag = &definition["flags"][key];
        let stages = &flag["rollout"]["stages"];
        let stage = |index: usize| json!({"index": index, "name": stages[index]["name"]});
        let mut cohort = self.cohort.map(stage);
        if let Some(cohort) = &mut cohort {
            cohort["probability"] = json!(self.probability as f64 / 1e9);
        }
        let mut metadata = definition["metadata"].as_object().cloned().unwrap_or_default();
        metadata.extend(flag["metadata"].as_object().cloned().unwrap_or_default());
        let mut text = json!({
            "flag": key,
            "variant": self.variant,
            "value": self.variant.as_ref().map(|name| &flag["variants"][name]),
            "reason": self.reason,
            "errorCode": self.error,
            "detail": self.detail,
            "arm": self.arm,
            "stage": self.stage.map(stage),
            "cohort": cohort,
            "metadata": if metadata.is_empty() { Value::Null } else { Value::Object(metadata) },
        });
        if let Some(remember) = &self.remember {
            text["remember"] = json!(remember);
        }
        floating(&text)
    }
}

/// The same JSON with every number as a floating one, so that 1 and 1.0 are the same.
#[must_use]
pub fn floating(value: &Value) -> Value {
    match value {
        Value::Number(number) => json!(number.as_f64()),
        Value::Array(items) => items.iter().map(floating).collect(),
        Value::Object(members) => Value::Object(
            members.iter().map(|(key, value)| (key.clone(), floating(value))).collect::<Map<_, _>>(),
        ),
        other => other.clone(),
    }
}

/// What stands at a dotted path, none when nothing does.
fn at<'a>(from: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(from, |here, part| match here {
        Value::Array(items) => items.get(part.parse::<usize>().ok()?),
        other => other.get(part),
    })
}
