//! A decision together with the snapshot that made it, so that its value can be read whatever is in force by then.

use std::borrow::Cow;
use std::sync::Arc;

use flagstone_evaluate::Decision;

use crate::InForce;
use crate::in_force::FAILED;

/// One decision and what it means. Made without allocation; reading a plain value allocates nothing either.
#[derive(Debug, Clone)]
pub struct Answer {
    of: Option<Arc<InForce>>,
    decision: Decision,
}

impl Answer {
    pub(crate) fn new(of: Arc<InForce>, decision: Decision) -> Self {
        Self { of: Some(of), decision }
    }

    /// Nothing has been opened yet.
    pub(crate) fn not_ready() -> Self {
        Self { of: None, decision: FAILED }
    }

    /// The decision, in indices of [`Answer::of`].
    #[must_use]
    pub fn decision(&self) -> &Decision {
        &self.decision
    }

    /// What made it; none when nothing was in force.
    #[must_use]
    pub fn of(&self) -> Option<&Arc<InForce>> {
        self.of.as_ref()
    }

    /// The variant's name; none: the caller's own default is meant.
    #[must_use]
    pub fn variant(&self) -> Option<&str> {
        self.of.as_ref()?.variant(&self.decision)
    }

    /// The value as compact JSON text; none: the caller's own default is meant.
    #[must_use]
    pub fn json(&self) -> Option<&str> {
        self.of.as_ref()?.value(&self.decision)
    }

    /// The value; none: the caller's own default is meant.
    #[must_use]
    pub fn value(&self) -> Option<serde_json::Value> {
        serde_json::from_str(self.json()?).ok()
    }

    /// The value of a boolean flag; none for other kinds and for the caller's own default.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        serde_json::from_str(self.json()?).ok()
    }

    /// The value of a number flag; none for other kinds and for the caller's own default.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        serde_json::from_str(self.json()?).ok()
    }

    /// The value of a text flag; none for other kinds and for the caller's own default. Copied only when it has escapes.
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        let json = self.json()?;
        match serde_json::from_str::<&str>(json) {
            Ok(text) => Some(Cow::Borrowed(text)),
            Err(_) => serde_json::from_str::<String>(json).ok().map(Cow::Owned),
        }
    }

    /// OpenFeature's reason: `STATIC`, `TARGETING_MATCH`, `SPLIT`, …
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.decision.reason.as_str()
    }

    /// OpenFeature's error code, none when nothing is wrong: `PROVIDER_NOT_READY`, `FLAG_NOT_FOUND`, `PARSE_ERROR`, `GENERAL`.
    #[must_use]
    pub fn error_code(&self) -> Option<&'static str> {
        if self.of.is_none() {
            return Some("PROVIDER_NOT_READY");
        }
        self.decision.error.map(|error| error.as_str())
    }
}
