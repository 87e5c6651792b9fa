//! Holdouts: shares of units that get the baseline of several flags.

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Covers, Holdout};
use crate::read::{Fields, Reader, Ties};
use crate::span::Spanned;
use crate::tree::Node;

impl Reader<'_> {
    /// `holdouts: { name: { share, flags, unit, until } }`. The flags of one that cannot be used cannot be used
    /// either: somebody was to be kept out, and would not be.
    pub(super) fn holdouts(&mut self, node: &Node, ties: &mut Ties) {
        let named: Vec<_> = self.named("holdouts", node).collect();
        self.not_too_many("holdouts", named.len(), node);
        for (name, node) in named.into_iter().take(limits::LAYERS) {
            let before = self.diagnostics.errors();
            let holdout = self.holdout(name, node, ties);
            if self.diagnostics.errors() > before {
                let covered = node.get("flags").map(named_flags);
                ties.unusable.push(covered.unwrap_or(Covers::Listed(Vec::new())));
            } else {
                ties.holdouts.extend(holdout);
            }
        }
    }

    fn holdout(&mut self, name: Spanned<String>, node: &Node, ties: &Ties) -> Option<Holdout> {
        self.short("a holdout's name", &name);
        let mut fields = Fields::open(self, &name, node)?;
        let share = fields.need(self, "a holdout", "share").and_then(|node| self.share("share", node));
        let flags = fields.need(self, "a holdout", "flags").map(|node| match node.as_text() {
            Some("*") => Covers::Every,
            _ => Covers::Listed(self.texts("flags", node)),
        });
        let unit = self.unit(&mut fields);
        let until = fields.take("until").and_then(|node| self.time("until", node));
        fields.finish(self, "a holdout", true);
        if let (Some(0), Some(node)) = (share, node.get("share")) {
            self.push(
                Diagnostic::warning(Code::BadValue, node.span, format!("`{name}` holds nobody out"))
                    .hint("leave it out, or give it a share"),
            );
        }
        if let Some(twice) = ties.holdouts.iter().find(|holdout| holdout.name == name) {
            self.push(
                Diagnostic::error(Code::DuplicateKey, name.span, format!("two holdouts are called `{name}`"))
                    .label(twice.name.span, "first here"),
            );
        }
        Some(Holdout { name, unit, share: share?, flags: flags?, until })
    }

    /// `unit`: the path of the attribute that identifies who is decided for.
    pub(super) fn unit(&mut self, fields: &mut Fields<'_>) -> String {
        let Some(node) = fields.take("unit") else { return "targetingKey".to_owned() };
        let Some(unit) = self.text("unit", node) else { return "targetingKey".to_owned() };
        self.short("a `unit`", &unit);
        unit.value
    }

    /// Names and paths are laid out, so they are neither empty nor too long.
    pub(super) fn short(&mut self, what: &str, name: &Spanned<String>) {
        if name.is_empty() || name.len() > limits::KEY_BYTES {
            self.push(
                Diagnostic::error(Code::BadValue, name.span, format!("{what} is empty or too long"))
                    .hint(format!("1 to {} bytes", limits::KEY_BYTES)),
            );
        }
    }

    pub(super) fn not_too_many(&mut self, what: &str, count: usize, node: &Node) {
        if count > limits::LAYERS {
            self.push(
                Diagnostic::error(Code::TooLarge, node.span, format!("{count} {what} are too many"))
                    .hint(format!("at most {}; the others are left out", limits::LAYERS)),
            );
        }
    }
}

/// The flags that a holdout names, as far as they can be read.
fn named_flags(node: &Node) -> Covers {
    let items = match node.as_list() {
        Some(items) => items,
        None => std::slice::from_ref(node),
    };
    match node.as_text() {
        Some("*") => Covers::Every,
        _ => Covers::Listed(
            items
                .iter()
                .filter_map(|item| Some(Spanned::new(item.as_text()?.to_owned(), item.span)))
                .collect(),
        ),
    }
}
