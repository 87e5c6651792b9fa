//! `valueSchema`: the part of JSON Schema that parameters of behaviours need, checked when compiling.
//!
//! Checked: `type`, `enum`, `const`, `required`, `properties`, `additionalProperties`, `items`, `minimum`,
//! `maximum`, `exclusiveMinimum`, `exclusiveMaximum`, `minLength`, `maxLength`, `minItems`, `maxItems`,
//! `allOf`, `anyOf`. Other keywords that would constrain a value are named as not checked.

use crate::diagnostic::{Code, Diagnostic};
use crate::model::Variant;
use crate::read::Reader;
use crate::tree::{Member, Node, Value};

/// Keywords that say something about the schema, not about values.
const ANNOTATIONS: &[&str] =
    &["$schema", "$id", "$comment", "title", "description", "default", "examples", "deprecated"];

impl Reader<'_> {
    pub(super) fn value_schema(&mut self, schema: &Node, variants: &[Variant]) {
        if !matches!(schema.value, Value::Object(_) | Value::Bool(_)) {
            self.wrong_kind("valueSchema", "a JSON Schema", schema);
            return;
        }
        self.unchecked(schema);
        for variant in variants {
            let mut path = Vec::new();
            if let Some(miss) = miss(&variant.value, schema, &mut path) {
                let place = match path.is_empty() {
                    true => format!("the variant `{}`", variant.name),
                    false => format!("`{}` of the variant `{}`", path.join("."), variant.name),
                };
                self.push(
                    Diagnostic::error(Code::ValueSchema, miss.at.span, format!("{place} {}", miss.what))
                        .label(miss.rule.span, "the schema says this"),
                );
            }
        }
    }

    /// Names the keywords that are not checked.
    fn unchecked(&mut self, schema: &Node) {
        for member in schema.as_object().unwrap_or_default() {
            let inner: Vec<&Node> = match (member.key.as_str(), &member.value.value) {
                ("properties", Value::Object(members)) => {
                    members.iter().map(|member| &member.value).collect()
                }
                ("items" | "additionalProperties", _) => vec![&member.value],
                ("allOf" | "anyOf", Value::List(items)) => items.iter().collect(),
                (
                    "type" | "enum" | "const" | "required" | "minimum" | "maximum" | "exclusiveMinimum"
                    | "exclusiveMaximum" | "minLength" | "maxLength" | "minItems" | "maxItems",
                    _,
                ) => Vec::new(),
                (key, _) if ANNOTATIONS.contains(&key) => Vec::new(),
                (key, _) => {
                    self.push(Diagnostic::warning(
                        Code::ValueSchema,
                        member.key.span,
                        format!("`{key}` is not checked in a `valueSchema`"),
                    ));
                    Vec::new()
                }
            };
            for schema in inner {
                self.unchecked(schema);
            }
        }
    }
}

/// A value that does not satisfy its schema.
struct Miss<'n> {
    at: &'n Node,
    what: String,
    rule: &'n Node,
}

/// The first thing about `value` that `schema` does not allow; `path` then leads there.
fn miss<'n>(value: &'n Node, schema: &'n Node, path: &mut Vec<String>) -> Option<Miss<'n>> {
    if schema.value == Value::Bool(false) {
        return Some(Miss { at: value, what: "is not allowed".to_owned(), rule: schema });
    }
    schema.as_object()?.iter().find_map(|keyword| keyword_miss(value, keyword, schema, path))
}

fn keyword_miss<'n>(
    value: &'n Node,
    keyword: &'n Member,
    schema: &'n Node,
    path: &mut Vec<String>,
) -> Option<Miss<'n>> {
    let rule = &keyword.value;
    let fail = |what: String| Some(Miss { at: value, what, rule });
    let bound = || match (&value.value, &rule.value) {
        (Value::Number(number), Value::Number(limit)) => {
            Some((number.as_f64(), limit.as_f64(), limit.text()))
        }
        _ => None,
    };
    let length = || {
        let limit = match &rule.value {
            Value::Number(limit) => limit.as_count()?,
            _ => return None,
        };
        match (&value.value, keyword.key.ends_with("Items")) {
            (Value::Text(text), false) => Some((text.chars().count() as u64, limit, "characters")),
            (Value::List(items), true) => Some((items.len() as u64, limit, "items")),
            _ => None,
        }
    };
    match keyword.key.as_str() {
        "type" => {
            let types = match &rule.value {
                Value::List(types) => types.as_slice(),
                _ => std::slice::from_ref(rule),
            };
            let fits = types.iter().filter_map(Node::as_text).any(|name| is_type(value, name));
            let names: Vec<&str> = types.iter().filter_map(Node::as_text).collect();
            (!fits).then(|| fail(format!("is {}, not of type {}", value.kind(), names.join(" or "))))?
        }
        "enum" => {
            let listed = rule.as_list()?.contains(value);
            (!listed).then(|| fail("is none of the values allowed".to_owned()))?
        }
        "const" => (rule != value).then(|| fail("is not the value required".to_owned()))?,
        "required" => {
            value.as_object()?;
            let missing =
                rule.as_list()?.iter().filter_map(Node::as_text).find(|key| value.get(key).is_none())?;
            fail(format!("has no `{missing}`"))
        }
        "properties" => rule.as_object()?.iter().find_map(|property| {
            let inner = value.get(&property.key)?;
            within(&property.key, path, |path| miss(inner, &property.value, path))
        }),
        "additionalProperties" => {
            let declared = schema.get("properties").and_then(Node::as_object).unwrap_or_default();
            value.as_object()?.iter().find_map(|member| {
                if declared.iter().any(|property| property.key == member.key) {
                    return None;
                }
                within(&member.key, path, |path| miss(&member.value, rule, path))
            })
        }
        "items" => value
            .as_list()?
            .iter()
            .enumerate()
            .find_map(|(index, item)| within(&index.to_string(), path, |path| miss(item, rule, path))),
        "minimum" => bound()
            .filter(|(number, limit, _)| number < limit)
            .and_then(|(_, _, limit)| fail(format!("is less than {limit}"))),
        "maximum" => bound()
            .filter(|(number, limit, _)| number > limit)
            .and_then(|(_, _, limit)| fail(format!("is more than {limit}"))),
        "exclusiveMinimum" => bound()
            .filter(|(number, limit, _)| number <= limit)
            .and_then(|(_, _, limit)| fail(format!("is not more than {limit}"))),
        "exclusiveMaximum" => bound()
            .filter(|(number, limit, _)| number >= limit)
            .and_then(|(_, _, limit)| fail(format!("is not less than {limit}"))),
        "minLength" | "minItems" => length()
            .filter(|(length, limit, _)| length < limit)
            .and_then(|(_, limit, unit)| fail(format!("has fewer than {limit} {unit}"))),
        "maxLength" | "maxItems" => length()
            .filter(|(length, limit, _)| length > limit)
            .and_then(|(_, limit, unit)| fail(format!("has more than {limit} {unit}"))),
        "allOf" => rule.as_list()?.iter().find_map(|schema| miss(value, schema, path)),
        "anyOf" => {
            let schemas = rule.as_list()?;
            let fits = schemas.iter().any(|schema| miss(value, schema, &mut Vec::new()).is_none());
            (!fits).then(|| fail("satisfies none of the schemas of `anyOf`".to_owned()))?
        }
        _ => None,
    }
}

/// Looks into a part; the path to it stays only when something is found there.
fn within<'n>(
    step: &str,
    path: &mut Vec<String>,
    look: impl FnOnce(&mut Vec<String>) -> Option<Miss<'n>>,
) -> Option<Miss<'n>> {
    path.push(step.to_owned());
    let found = look(path);
    if found.is_none() {
        path.pop();
    }
    found
}

fn is_type(value: &Node, name: &str) -> bool {
    match &value.value {
        Value::Null => name == "null",
        Value::Bool(_) => name == "boolean",
        Value::Number(number) => name == "number" || (name == "integer" && number.as_f64().fract() == 0.0),
        Value::Text(_) => name == "string",
        Value::List(_) => name == "array",
        Value::Object(_) => name == "object",
    }
}
