//! The set: metadata, shared rules, segments, data domains, slices, metrics, and the list of flags.

use std::collections::HashSet;

use flagstone_snapshot::FlagError;

use crate::diagnostic::{Code, Diagnostic};
use crate::model::{Evaluator, Metadata, Slice};
use crate::read::{BrokenFlag, Fields, Read, Reader, Ties};
use crate::span::Spanned;
use crate::tree::{Node, Value};

impl Reader<'_> {
    /// Reads the root of a definition.
    pub(super) fn set(&mut self, root: &Node) -> Option<Read> {
        let mut fields = Fields::open(self, "a definition", root)?;
        let mut read = Read::default();
        let set = &mut read.definition;
        let provider = fields.take("$schema").and_then(Node::as_text).is_some_and(is_for_providers);
        if let Some(node) = fields.take("metadata") {
            set.metadata = self.metadata(node);
        }
        if let Some(node) = fields.take("$evaluators") {
            set.evaluators = self
                .named("$evaluators", node)
                .map(|(name, rule)| Evaluator { name, rule: rule.clone() })
                .collect();
        }
        if let Some(node) = fields.take("segments") {
            let named: Vec<_> = self.named("segments", node).collect();
            set.segments = named.into_iter().filter_map(|(name, node)| self.segment(name, node)).collect();
        }
        if let Some(node) = fields.take("dataDomains") {
            set.data_domains = self.texts("dataDomains", node);
        }
        if let Some(node) = fields.take("slices") {
            let named: Vec<_> = self.named("slices", node).collect();
            set.slices = named
                .into_iter()
                .map(|(name, node)| {
                    let values = self.texts(&name, node).into_iter().map(|value| value.value).collect();
                    Slice { name, values }
                })
                .collect();
        }
        if let Some(node) = fields.take("metrics") {
            let named: Vec<_> = self.named("metrics", node).collect();
            set.metrics = named.into_iter().filter_map(|(name, node)| self.metric(name, node)).collect();
        }
        let mut ties = Ties::default();
        if let Some(node) = fields.take("holdouts") {
            self.holdouts(node, &mut ties);
        }
        if let Some(node) = fields.take("layers") {
            self.layers(node, &mut ties);
        }
        let flags = fields.need(self, "the definition", "flags");
        fields.finish(self, "a definition", false);
        match &flags?.value {
            Value::Object(members) => {
                for member in members {
                    self.flag_into(member.key.clone(), &member.value, &mut read);
                }
            }
            Value::List(items) => {
                if provider {
                    self.push(
                        Diagnostic::error(
                            Code::WrongKind,
                            flags?.span,
                            "`flags` is a list, which the `$schema` refuses",
                        )
                        .hint("lists of flags are for the flagd daemon: its schema is `flagd.json`"),
                    );
                }
                self.listed_flags(items, &mut read);
            }
            _ => {
                self.wrong_kind("flags", "an object or a list", flags?);
                return None;
            }
        }
        self.tie(ties, &mut read);
        Some(read)
    }

    /// flagd's second form: a list of flags with their `key`; of a repeated key the last one counts.
    fn listed_flags(&mut self, items: &[Node], read: &mut Read) {
        let mut keyed = Vec::with_capacity(items.len());
        for item in items {
            match item.get("key") {
                Some(node) => {
                    if let Some(key) = self.text("key", node) {
                        keyed.push((key, item));
                    }
                }
                None => self.push(
                    Diagnostic::error(Code::MissingKey, item.span, "a flag in a list has no `key`")
                        .hint("add `key: the-name`, or write `flags` as an object whose keys are the names"),
                ),
            }
        }
        let mut seen = HashSet::new();
        let mut last: Vec<_> =
            keyed.into_iter().rev().filter(|(key, _)| self.first_time(&mut seen, key)).collect();
        last.reverse();
        for (key, item) in last {
            self.flag_into(key, item, read);
        }
    }

    fn first_time(&mut self, seen: &mut HashSet<String>, key: &Spanned<String>) -> bool {
        let new = seen.insert(key.value.clone());
        if !new {
            self.push(
                Diagnostic::warning(
                    Code::DuplicateKey,
                    key.span,
                    format!("there is another flag `{key}` below; this one is ignored"),
                )
                .hint("the last one counts"),
            );
        }
        new
    }

    fn flag_into(&mut self, key: Spanned<String>, node: &Node, read: &mut Read) {
        self.diagnostics.about(Some(&key));
        self.broken = None;
        let flag = self.flag(&key, node, &read.definition);
        self.diagnostics.about(None);
        match (flag, self.broken.take()) {
            (Some(flag), None) => read.definition.flags.push(flag),
            (rest, error) => {
                let client = matches!(node.get("client"), Some(Node { value: Value::Bool(true), .. }));
                let enabled = node.get("state").and_then(Node::as_text) != Some("DISABLED");
                let error = error.unwrap_or(FlagError::Parse);
                read.broken.push(BrokenFlag {
                    key: key.value,
                    error,
                    enabled,
                    client,
                    rest: rest.map(Box::new),
                });
            }
        }
    }

    /// The members of an object of named things; an empty name is refused.
    pub(super) fn named<'n>(
        &mut self,
        key: &str,
        node: &'n Node,
    ) -> impl Iterator<Item = (Spanned<String>, &'n Node)> + use<'n> {
        let members = node.as_object();
        if members.is_none() {
            self.wrong_kind(key, "an object", node);
        }
        for member in members.unwrap_or_default() {
            if member.key.is_empty() {
                self.push(Diagnostic::error(
                    Code::BadValue,
                    member.key.span,
                    format!("a name in `{key}` is empty"),
                ));
            }
        }
        members.unwrap_or_default().iter().map(|member| (member.key.clone(), &member.value))
    }

    /// `metadata`: entries that are not scalars are refused one by one.
    pub(super) fn metadata(&mut self, node: &Node) -> Metadata {
        let Some(members) = node.as_object() else {
            self.wrong_kind("metadata", "an object", node);
            return Metadata::default();
        };
        let mut kept = Vec::with_capacity(members.len());
        for member in members {
            match member.value.value {
                Value::Bool(_) | Value::Number(_) | Value::Text(_) => kept.push(member.clone()),
                _ => self.wrong_kind(&member.key, "a string, a number or a boolean", &member.value),
            }
        }
        Metadata(kept)
    }
}

/// Whether a `$schema` is flagd's for providers, which is narrower than that of its daemon.
fn is_for_providers(schema: &str) -> bool {
    schema.rsplit('/').next() == Some("flags.json")
}
