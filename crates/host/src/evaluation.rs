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
    /// What the context says of consent to analytics; none when it says nothing.
    pub(crate) analytics: Option<bool>,
    /// The unit, when the context named one. Not readable from outside and not serialisable.
    pub(crate) unit: Option<UnitKey>,
}

impl Evaluation {
    /// An answer that the engine did not give.
    pub(crate) fn unanswered(
        flag: &str,
        code: &str,
        snapshot: Option<SnapshotId>,
        (state, at_ms): (State, u64),
    ) -> Self {
        let decision = Decision::error(flag, code);
        Self { text: decision.error_text(), decision, state, snapshot, at_ms, analytics: None, unit: None }
    }

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
    pub(crate) analytics: Option<bool>,
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

/// Whether a `consent` attribute grants analytics, in the forms that the engine reads: a list with it, an object with `true`
/// for it, or itself. None when the attribute is null, which says nothing.
fn analytics(consent: &serde_json::Value) -> Option<bool> {
    const PURPOSE: &str = "analytics";
    match consent {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text == PURPOSE),
        serde_json::Value::Array(list) => Some(list.iter().any(|one| one.as_str() == Some(PURPOSE))),
        serde_json::Value::Object(members) => {
            Some(members.get(PURPOSE).and_then(serde_json::Value::as_bool) == Some(true))
        }
        _ => Some(false),
    }
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
        let analytics = value.get("consent").and_then(analytics);
        Self { unit: unit(value.get("targetingKey")), analytics, text: value.to_string() }
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
            consent: Option<serde_json::Value>,
        }
        // A text that cannot be read names no unit, so nothing is recorded of it.
        let read = serde_json::from_str::<Unit>(text).ok();
        let (key, consent) = read.map_or((None, None), |unit| (unit.key, unit.consent));
        Self {
            unit: unit(key.as_ref()),
            analytics: consent.as_ref().and_then(analytics),
            text: text.to_owned(),
        }
    }
}
