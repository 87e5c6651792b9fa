//! What compile has to say about a definition: a stable code, a place, the author's words, a hint.

use serde::Serialize;

pub use crate::code::Code;
use crate::limits;
use crate::span::Span;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// It works, but probably not as meant.
    Warning,
    /// It is wrong. In strict mode nothing is built; otherwise the flag that it is about answers with an
    /// error when evaluated, or the thing that is wrong is left out.
    Error,
}

/// A second place that helps to understand the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What about it.
    pub text: String,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Its stable code.
    pub code: Code,
    /// How bad it is.
    pub severity: Severity,
    /// Where.
    pub span: Span,
    /// What is wrong; lower case, no full stop, the author's words in backticks.
    pub message: String,
    /// Further places.
    pub labels: Vec<Label>,
    /// What would help.
    pub hint: Option<String>,
    /// The key of the flag that this is about, none when it is about the set.
    pub flag: Option<String>,
}

impl Diagnostic {
    /// Something that is wrong.
    #[must_use]
    pub fn error(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Error, span, message.into())
    }

    /// Something that is probably not meant.
    #[must_use]
    pub fn warning(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self::new(code, Severity::Warning, span, message.into())
    }

    fn new(code: Code, severity: Severity, span: Span, message: String) -> Self {
        Diagnostic { code, severity, span, message, labels: Vec::new(), hint: None, flag: None }
    }

    /// Adds a second place.
    #[must_use]
    pub fn label(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label { span, text: text.into() });
        self
    }

    /// Says what would help.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says what would help when that is known.
    #[must_use]
    pub fn maybe_hint(mut self, hint: Option<String>) -> Self {
        self.hint = hint.or(self.hint);
        self
    }
}

/// All findings of one definition, in the order of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    left_out: usize,
    errors: usize,
    flag: Option<String>,
}

impl Diagnostics {
    /// Adds one; it is about the flag that is being read, if one is. Beyond a limit they are only counted.
    pub fn push(&mut self, mut diagnostic: Diagnostic) {
        if diagnostic.flag.is_none() {
            diagnostic.flag.clone_from(&self.flag);
        }
        if diagnostic.severity == Severity::Error {
            self.errors += 1;
        }
        if self.list.len() < limits::DIAGNOSTICS {
            // What a shared rule has wrong is found again for each flag that uses it: say it once.
            let said = |known: &&Diagnostic| {
                known.code == diagnostic.code
                    && known.span == diagnostic.span
                    && known.message == diagnostic.message
            };
            if self.list.iter().rev().take(64).find(said).is_none() {
                self.list.push(diagnostic);
            }
        } else {
            self.left_out += 1;
        }
    }

    /// What follows is about this flag (none: about the set).
    pub(crate) fn about(&mut self, flag: Option<&str>) {
        self.flag = flag.map(str::to_owned);
    }

    /// Puts them in the order of the text.
    pub(crate) fn sort(&mut self) {
        self.list.sort_by_key(|diagnostic| (diagnostic.span.start, diagnostic.span.end));
    }

    /// How many errors there are, those left out included.
    #[must_use]
    pub fn errors(&self) -> usize {
        self.errors
    }

    /// Whether there is any error.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many were counted but not kept.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// The findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
