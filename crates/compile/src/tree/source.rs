//! A definition's text, its name for messages, and the notation it is in.

use serde::Serialize;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::limits;
use crate::span::Span;
use crate::tree::{Node, json, yaml};

/// The notation of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Strict JSON.
    Json,
    /// YAML 1.2, core schema.
    Yaml,
}

/// A definition as read from somewhere.
#[derive(Debug, Clone)]
pub struct Source {
    name: String,
    text: String,
    format: Format,
}

impl Source {
    /// The text of `name`. A name ending in `.json` is JSON, in `.yaml` or `.yml` YAML; anything else is
    /// JSON when the first character that is no space is `{` and YAML otherwise.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let (name, text) = (name.into(), text.into());
        let lower = name.to_ascii_lowercase();
        let format = if lower.ends_with(".json") {
            Format::Json
        } else if lower.ends_with(".yaml") || lower.ends_with(".yml") || !text.trim_start().starts_with('{') {
            Format::Yaml
        } else {
            Format::Json
        };
        Source { name, text, format }
    }

    /// The text of `name` in a known notation.
    #[must_use]
    pub fn with_format(name: impl Into<String>, text: impl Into<String>, format: Format) -> Self {
        Source { name: name.into(), text: text.into(), format }
    }

    /// The name that messages use.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its notation.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Reads the tree. None when the text is not in its notation at all; why is among the diagnostics.
    pub fn tree(&self, diagnostics: &mut Diagnostics) -> Option<Node> {
        if self.text.len() > limits::SOURCE_BYTES {
            diagnostics.push(
                Diagnostic::error(Code::TooLarge, Span::default(), "the definition is too large").hint(
                    format!("at most {} bytes are read, this has {}", limits::SOURCE_BYTES, self.text.len()),
                ),
            );
            return None;
        }
        match self.format {
            Format::Json => json::read(&self.text, diagnostics),
            Format::Yaml => yaml::read(&self.text, diagnostics),
        }
    }
}
