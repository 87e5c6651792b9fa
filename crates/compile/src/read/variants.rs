//! A flag's variants: named values of one kind, and the names by which others refer to them.

use flagstone_snapshot::FlagError;

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::model::Variant;
use crate::nearest;
use crate::read::{Fields, Reader};
use crate::span::Spanned;
use crate::tree::{Node, Value};

impl Reader<'_> {
    pub(super) fn variants(&mut self, fields: &mut Fields<'_>) -> Vec<Variant> {
        let Some(node) = fields.take("variants") else {
            self.fail(
                FlagError::Parse,
                Diagnostic::error(Code::MissingKey, fields.head(), "the flag has no `variants`"),
            );
            return Vec::new();
        };
        let Some(members) = node.as_object() else {
            self.wrong_kind("variants", "an object", node);
            self.broken.get_or_insert(FlagError::Parse);
            return Vec::new();
        };
        if members.is_empty() || members.len() > limits::VARIANTS {
            self.refuse(
                Diagnostic::error(Code::Variants, node.span, "the flag has no variants, or far too many")
                    .hint(format!("1 to {} variants", limits::VARIANTS)),
            );
        }
        let mut variants: Vec<Variant> = Vec::with_capacity(members.len());
        for member in members {
            let value = &member.value;
            if value.value == Value::Null {
                self.refuse(
                    Diagnostic::error(
                        Code::Variants,
                        value.span,
                        format!("the variant `{}` has no value", member.key),
                    )
                    .hint("a variant is a boolean, a string, a number or an object"),
                );
            } else if let Some(first) = variants.first()
                && kind(value) != kind(&first.value)
            {
                let (first_name, first_span) = (first.name.clone(), first.value.span);
                self.refuse(
                    Diagnostic::error(
                        Code::Variants,
                        value.span,
                        format!("the variant `{}` is {}", member.key, value.kind()),
                    )
                    .label(first_span, format!("`{first_name}` is {}", first.value.kind()))
                    .hint("all variants of a flag are of one kind"),
                );
            }
            variants.push(Variant { name: member.key.clone(), value: value.clone() });
        }
        variants
    }

    /// The name of a variant that exists. In YAML a bare `true` names the variant `true`.
    pub(super) fn variant_name(
        &mut self,
        key: &str,
        node: &Node,
        variants: &[Variant],
    ) -> Option<Spanned<String>> {
        let name = match &node.value {
            Value::Text(text) => text.clone(),
            Value::Bool(value) => value.to_string(),
            Value::Number(number) => number.text().to_owned(),
            _ => {
                self.wrong_kind(key, "the name of a variant", node);
                self.broken.get_or_insert(FlagError::Parse);
                return None;
            }
        };
        let name = Spanned::new(name, node.span);
        if !variants.iter().any(|variant| variant.name == name) && !variants.is_empty() {
            let known = variants.iter().map(|variant| variant.name.as_str());
            self.refuse(
                Diagnostic::error(Code::UnknownName, node.span, format!("there is no variant `{name}`"))
                    .maybe_hint(nearest::hint(&name, known)),
            );
            return None;
        }
        Some(name)
    }
}

/// Variants agree when these do.
fn kind(node: &Node) -> u8 {
    match node.value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::Text(_) => 3,
        Value::List(_) | Value::Object(_) => 4,
    }
}
