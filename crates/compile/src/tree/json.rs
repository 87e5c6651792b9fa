//! JSON text to the tree: strict JSON, except that of a repeated key the last one counts, with a warning.

use std::collections::HashMap;

use jsonc_parser::ast;
use jsonc_parser::common::{Range, Ranged};
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::limits;
use crate::span::{Span, Spanned};
use crate::tree::{Member, Node, Number, Value};

/// Reads `text`, or says why it cannot.
pub(super) fn read(text: &str, diagnostics: &mut Diagnostics) -> Option<Node> {
    let strict = ParseOptions {
        allow_comments: false,
        allow_loose_object_property_names: false,
        allow_trailing_commas: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    };
    let body = text.strip_prefix('\u{feff}').unwrap_or(text);
    let shift = text.len() - body.len();
    match parse_to_ast(body, &CollectOptions::default(), &strict) {
        Ok(parsed) => match parsed.value {
            Some(value) => Convert { shift, diagnostics }.node(&value, 0),
            None => {
                diagnostics.push(Diagnostic::error(
                    Code::Syntax,
                    Span::new(0, text.len()),
                    "the definition is empty",
                ));
                None
            }
        },
        Err(error) => {
            let range = error.range();
            let what = lower_first(&error.kind().to_string());
            diagnostics.push(Diagnostic::error(
                Code::Syntax,
                span(range, shift),
                format!("this is not JSON: {what}"),
            ));
            None
        }
    }
}

fn span(range: Range, shift: usize) -> Span {
    Span::new(range.start + shift, range.end + shift)
}

fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

struct Convert<'a> {
    shift: usize,
    diagnostics: &'a mut Diagnostics,
}

impl Convert<'_> {
    fn node(&mut self, value: &ast::Value<'_>, depth: usize) -> Option<Node> {
        let span = span(value.range(), self.shift);
        if depth > limits::SOURCE_DEPTH {
            self.diagnostics.push(too_deep(span));
            return None;
        }
        let value = match value {
            ast::Value::NullKeyword(_) => Value::Null,
            ast::Value::BooleanLit(literal) => Value::Bool(literal.value),
            ast::Value::StringLit(literal) => Value::Text(literal.value.to_string()),
            ast::Value::NumberLit(literal) => match Number::from_json(literal.value) {
                Some(number) => Value::Number(number),
                None => {
                    self.diagnostics.push(Diagnostic::error(
                        Code::Syntax,
                        span,
                        format!("`{}` is not a number that JSON can carry", literal.value),
                    ));
                    return None;
                }
            },
            ast::Value::Array(array) => {
                let mut items = Vec::with_capacity(array.elements.len());
                for element in &array.elements {
                    items.push(self.node(element, depth + 1)?);
                }
                Value::List(items)
            }
            ast::Value::Object(object) => {
                let mut members = Members::default();
                for property in &object.properties {
                    let key = Spanned::new(
                        property.name.as_str().to_owned(),
                        self::span(property.name.range(), self.shift),
                    );
                    let value = self.node(&property.value, depth + 1)?;
                    members.push(key, value, self.diagnostics);
                }
                Value::Object(members.finish())
            }
        };
        Some(Node::new(value, span))
    }
}

pub(super) fn too_deep(span: Span) -> Diagnostic {
    Diagnostic::error(Code::TooLarge, span, "lists and objects are nested too deeply")
        .hint(format!("at most {} levels are read", limits::SOURCE_DEPTH))
}

/// Collects the members of an object; of a repeated key the last value counts, in its own place.
#[derive(Default)]
pub(super) struct Members {
    members: Vec<Option<Member>>,
    positions: HashMap<String, usize>,
}

impl Members {
    pub(super) fn push(&mut self, key: Spanned<String>, value: Node, diagnostics: &mut Diagnostics) {
        if let Some(earlier) = self.positions.insert(key.value.clone(), self.members.len())
            && let Some(first) = self.members.get_mut(earlier).and_then(Option::take)
        {
            diagnostics.push(
                Diagnostic::warning(Code::DuplicateKey, key.span, format!("`{key}` is written twice"))
                    .label(first.key.span, "this one is ignored")
                    .hint("the last one counts"),
            );
        }
        self.members.push(Some(Member { key, value }));
    }

    pub(super) fn finish(self) -> Vec<Member> {
        self.members.into_iter().flatten().collect()
    }
}
