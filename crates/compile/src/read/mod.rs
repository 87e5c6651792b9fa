//! The tree to the typed definition: kinds, names and amounts are checked here, rules are not.

mod amount;
mod canaries;
mod drift;
mod fields;
mod fits;
mod flag;
mod guardrail;
mod holdout;
mod layer;
mod links;
mod measure;
mod metric;
mod prerequisites;
mod rollout;
mod segment;
mod set;
mod single;
mod slices;
mod stage;
mod timing;
mod value_schema;
mod variants;

use flagstone_snapshot::FlagError;

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::model::{Definition, Flag};
use crate::span::Spanned;
use crate::tree::{Node, Value};

pub(crate) use fields::Fields;
use links::Ties;

/// What reading a tree gives.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// Everything that could be used.
    pub(crate) definition: Definition,
    /// The flags that could not.
    pub(crate) broken: Vec<BrokenFlag>,
}

/// A flag whose definition cannot be used.
#[derive(Debug)]
pub(crate) struct BrokenFlag {
    pub(crate) key: String,
    pub(crate) error: FlagError,
    pub(crate) enabled: bool,
    pub(crate) client: bool,
    /// What could be read of it, so that its rules are looked at as well.
    pub(crate) rest: Option<Box<Flag>>,
}

/// Reads a definition; none when there is nothing in the tree to work with.
pub(crate) fn read(root: &Node, strict: bool, diagnostics: &mut Diagnostics) -> Option<Read> {
    Reader { diagnostics, strict, broken: None }.set(root)
}

/// The state of one reading.
pub(crate) struct Reader<'d> {
    diagnostics: &'d mut Diagnostics,
    strict: bool,
    /// Set when the flag that is being read cannot be used.
    broken: Option<FlagError>,
}

impl Reader<'_> {
    fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Something about the flag being read that makes it unusable.
    fn fail(&mut self, error: FlagError, diagnostic: Diagnostic) {
        self.broken.get_or_insert(error);
        self.diagnostics.push(diagnostic);
    }

    /// A plan or another part of ours that contradicts itself.
    fn refuse(&mut self, diagnostic: Diagnostic) {
        self.fail(FlagError::General, diagnostic);
    }

    fn wrong_kind(&mut self, key: &str, wanted: &str, node: &Node) {
        self.push(Diagnostic::error(
            Code::WrongKind,
            node.span,
            format!("`{key}` must be {wanted}, this is {}", node.kind()),
        ));
    }

    /// A text; anything else is reported.
    fn text(&mut self, key: &str, node: &Node) -> Option<Spanned<String>> {
        let text = node.as_text();
        if text.is_none() {
            self.wrong_kind(key, "a string", node);
        }
        Some(Spanned::new(text?.to_owned(), node.span))
    }

    /// A boolean; anything else is reported.
    fn boolean(&mut self, key: &str, node: &Node) -> Option<bool> {
        if let Value::Bool(value) = node.value {
            return Some(value);
        }
        self.wrong_kind(key, "`true` or `false`", node);
        None
    }

    /// A list of texts; one text alone is a list of one.
    fn texts(&mut self, key: &str, node: &Node) -> Vec<Spanned<String>> {
        match &node.value {
            Value::Text(text) => vec![Spanned::new(text.clone(), node.span)],
            Value::List(items) => items.iter().filter_map(|item| self.text(key, item)).collect(),
            _ => {
                self.wrong_kind(key, "a list of strings", node);
                Vec::new()
            }
        }
    }

    /// One of a few words.
    fn word<T: Copy>(&mut self, key: &str, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(key, node)?;
        let found = words.iter().find(|(word, _)| text == *word).map(|(_, value)| *value);
        if found.is_none() {
            let known = words.iter().map(|(word, _)| *word);
            self.push(
                Diagnostic::error(Code::BadValue, node.span, format!("`{key}` cannot be `{text}`"))
                    .maybe_hint(crate::nearest::hint(&text, known)),
            );
        }
        found
    }

    /// Whether `name` is among `known`; if not, says that `what` of that name is missing.
    fn known<'k>(
        &mut self,
        what: &str,
        name: &Spanned<String>,
        known: impl Iterator<Item = &'k str> + Clone,
    ) -> bool {
        if known.clone().any(|candidate| candidate == name.value) {
            return true;
        }
        self.refuse(
            Diagnostic::error(Code::UnknownName, name.span, format!("there is no {what} `{name}`"))
                .maybe_hint(crate::nearest::hint(name, known)),
        );
        false
    }
}
