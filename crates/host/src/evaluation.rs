//! What an evaluation gives back, and what can be recorded of it.

use flagstone_events::{ExposureFacts, SnapshotId, Stream, UnitKey};

use crate::engine::Decision;
use crate::sync::State;

/// A decision, with what is needed to record it as an exposure.
#[derive(Debug, Clone)]
pub struct Evaluation {
    /// What was decided.
    pub decision: Decision,
    /// The engine's canonical text of it, byte-identical on every platform.
    pub text: String,
    /// How good what was served was at that moment.
    pub state: State,
    /// The snapshot that decided; none when there was none.
    pub snapshot: Option<SnapshotId>,
    /// When, unix milliseconds.
    pub at_ms: u64,
    /// The unit, when the context named one. Not readable from outside and not serialisable.
    pub(crate) unit: Option<UnitKey>,
}

impl Evaluation {
    /// The variant's value, none when the caller's own default is meant.
    #[must_use]
    pub fn value(&self) -> Option<&serde_json::Value> {
        self.decision.variant.as_ref().map(|_| &self.decision.value)
    }

    /// What an exposure event of this evaluation says; none when no variant was given, or to no named unit.
    pub(crate) fn facts(&self, stream: Stream) -> Option<(ExposureFacts, &UnitKey)> {
        let decision = &self.decision;
        let facts = ExposureFacts {
            stream,
            flag: decision.flag.clone(),
            variant: decision.variant.clone()?,
            arm: decision.arm,
            stage: decision.stage.as_ref().map(|stage| stage.index),
            cohort: decision.cohort.as_ref().map(|cohort| cohort.index),
            probability: decision.cohort.as_ref().map_or(0, |cohort| cohort.probability),
            snapshot: self.snapshot?,
            reason: decision.reason.clone(),
            at_ms: self.at_ms,
        };
        Some((facts, self.unit.as_ref()?))
    }
}

/// A context to decide for: the JSON text of an object. `targetingKey` names the unit, unless a flag's plan
/// says that another attribute does.
pub struct ContextText {
    pub(crate) text: String,
    pub(crate) unit: Option<UnitKey>,
}

impl std::fmt::Debug for ContextText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContextText({} private bytes)", self.text.len())
    }
}

/// The unit of a context: `targetingKey`, a text or (as the engine reads it) a whole number.
fn unit(key: Option<&serde_json::Value>) -> Option<UnitKey> {
    let text = match key? {
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return None,
    };
    UnitKey::new(text).ok()
}

/// The unit at a dotted path of a context, for plans whose unit is not the targeting key.
pub(crate) fn unit_at(context: &str, path: &str) -> Option<UnitKey> {
    let context: serde_json::Value = serde_json::from_str(context).ok()?;
    let mut here = &context;
    for part in path.split('.') {
        here = match here {
            serde_json::Value::Array(elements) => elements.get(part.parse::<usize>().ok()?)?,
            other => other.get(part)?,
        };
    }
    unit(Some(here))
}

impl From<&serde_json::Value> for ContextText {
    fn from(value: &serde_json::Value) -> Self {
        Self { unit: unit(value.get("targetingKey")), text: value.to_string() }
    }
}

impl From<serde_json::Value> for ContextText {
    fn from(value: serde_json::Value) -> Self {
        Self::from(&value)
    }
}

impl From<&str> for ContextText {
    fn from(text: &str) -> Self {
        #[derive(serde::Deserialize)]
        struct Unit {
            #[serde(rename = "targetingKey")]
            key: Option<serde_json::Value>,
        }
        let key = serde_json::from_str::<Unit>(text).ok().and_then(|unit| unit.key);
        Self { unit: unit(key.as_ref()), text: text.to_owned() }
    }
}
