//! What the page asks.

use flagstone_compile::{Audience, FractionalVersion, Options};
use serde::Deserialize;

/// One definition, and one decision from it. Everything but the definition may be left out.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Question {
    /// The definition's text.
    pub(crate) definition: String,
    /// Its name in messages; an ending of `.json` or `.yaml` says the notation, otherwise the text does.
    #[serde(default = "name")]
    pub(crate) name: String,
    /// The environment to compile for; empty: the definition's own.
    #[serde(default)]
    pub(crate) environment: String,
    /// Whether any error stops the build.
    #[serde(default)]
    pub(crate) strict: bool,
    /// Whether to compile as for browsers.
    #[serde(default)]
    pub(crate) browser: bool,
    /// The flag to explain; none: no decision is explained.
    #[serde(default)]
    pub(crate) flag: Option<String>,
    /// The context's text, a JSON object.
    #[serde(default = "nobody")]
    pub(crate) context: String,
    /// The time to decide at, unix seconds.
    #[serde(default)]
    pub(crate) now: u64,
    /// What a pulse says; none: there is no fresh one.
    #[serde(default)]
    pub(crate) pulse: Option<Pulse>,
}

/// As if a fresh pulse said this.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pulse {
    /// Which stages are open.
    #[serde(default)]
    pub(crate) stages: Vec<Opened>,
    /// Which flags are halted.
    #[serde(default)]
    pub(crate) halts: Vec<String>,
}

/// A plan's stage that is open; above its ceiling it is clamped.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opened {
    /// The flag's key.
    pub(crate) flag: String,
    /// Counted from 0.
    pub(crate) stage: u8,
    /// Since when, unix seconds; 0: for long.
    #[serde(default)]
    pub(crate) since: u64,
}

impl Question {
    pub(crate) fn options(&self) -> Options {
        Options {
            environment: self.environment.clone(),
            strict: self.strict,
            audience: if self.browser { Audience::Browser } else { Audience::Server },
            fractional: FractionalVersion::default(),
        }
    }
}

fn name() -> String {
    "definition".to_owned()
}

fn nobody() -> String {
    "{}".to_owned()
}
