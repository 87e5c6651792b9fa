//! What a flag says of single units: overrides and sticky assignment.

use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::{Override, Variant};
use crate::read::Reader;
use crate::span::Span;
use crate::tree::{Node, Value};

impl Reader<'_> {
    /// `overrides: { variant: [unit, …] }`.
    pub(super) fn overrides(&mut self, node: &Node, variants: &[Variant]) -> Vec<Override> {
        let before = self.diagnostics.errors();
        let mut seen: HashMap<String, Span> = HashMap::new();
        let mut list = Vec::new();
        let named: Vec<_> = self.named("overrides", node).collect();
        for (name, node) in named {
            let as_node = Node::new(Value::Text(name.value), name.span);
            let variant = self.variant_name("overrides", &as_node, variants);
            let units = self.texts("overrides", node);
            if units.len() > limits::LIST_KEYS {
                self.push(
                    Diagnostic::error(
                        Code::TooLarge,
                        node.span,
                        format!("{} overrides of one variant", units.len()),
                    )
                    .hint(format!("at most {}; many units are a segment", limits::LIST_KEYS)),
                );
            }
            for unit in &units {
                if unit.is_empty() {
                    self.push(Diagnostic::error(Code::BadValue, unit.span, "no unit has an empty key"));
                }
                if let Some(earlier) = seen.insert(unit.value.clone(), unit.span) {
                    self.push(
                        Diagnostic::error(Code::Override, unit.span, format!("`{unit}` is overridden twice"))
                            .label(earlier, "first here"),
                    );
                }
            }
            if let Some(variant) = variant {
                list.push(Override { variant, units: units.into_iter().map(|unit| unit.value).collect() });
            }
        }
        if self.diagnostics.errors() > before {
            // Somebody was to be kept in or out, and would not be.
            self.broken.get_or_insert(flagstone_snapshot::FlagError::General);
        }
        list
    }

    /// `sticky`: true is version 1.
    pub(super) fn sticky(&mut self, node: &Node) -> Option<u32> {
        let version = match &node.value {
            Value::Bool(sticky) => return sticky.then_some(1),
            Value::Number(number) => number.as_count().and_then(|version| u32::try_from(version).ok()),
            _ => None,
        };
        let version = version.filter(|version| *version > 0);
        if version.is_none() {
            self.refuse(
                Diagnostic::error(Code::BadValue, node.span, "`sticky` is neither `true` nor a version")
                    .hint("versions are whole numbers from 1; a new one forgets what was remembered"),
            );
        }
        version
    }
}
