//! OpenFeature's test flags as a flagd definition: the specification's file has flags in a form of its own, with conditions
//! in the SDKs' little expression language.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

/// The definition with the flags of `test-flags.json`.
///
/// # Errors
/// A flag or condition of a form that is not known here.
pub fn definition(flags: &Value) -> Result<Value> {
    let mut defined = Map::new();
    for (key, flag) in flags.as_object().context("the test flags are no object")? {
        let disabled = flag["disabled"].as_bool().unwrap_or(false);
        let mut own = json!({
            "state": if disabled { "DISABLED" } else { "ENABLED" },
            "variants": flag["variants"],
        });
        let members = own.as_object_mut().context("an object")?;
        if !flag["defaultVariant"].is_null() {
            members.insert("defaultVariant".into(), flag["defaultVariant"].clone());
        }
        if flag["flagMetadata"].is_object() {
            members.insert("metadata".into(), flag["flagMetadata"].clone());
        }
        if let Some(text) = flag["contextEvaluator"].as_str() {
            members.insert("targeting".into(), rule(text).with_context(|| format!("in flag `{key}`"))?);
        }
        defined.insert(key.clone(), own);
    }
    Ok(json!({ "flags": defined }))
}

/// `condition ? 'variant' : ''`, the empty name meaning the default.
fn rule(text: &str) -> Result<Value> {
    let (condition, answers) = text.split_once('?').context("no `?`")?;
    let (then, otherwise) = answers.split_once(':').context("no `:`")?;
    let name = |text: &str| match operand(text)? {
        Value::String(name) if name.is_empty() => Ok(Value::Null),
        Value::String(name) => Ok(Value::String(name)),
        other => bail!("{other} is no variant"),
    };
    let all: Vec<Value> = condition.split("&&").map(test).collect::<Result<_>>()?;
    let mut branches = vec![json!({ "and": all }), name(then)?];
    if let other @ Value::String(_) = name(otherwise)? {
        branches.push(other);
    }
    Ok(json!({ "if": branches }))
}

/// `!name`, `a == b`, `a > b`.
fn test(text: &str) -> Result<Value> {
    let text = text.trim();
    if let Some(name) = text.strip_prefix('!') {
        return Ok(json!({"!": [operand(name)?]}));
    }
    for sign in ["==", ">=", "<=", ">", "<"] {
        if let Some((left, right)) = text.split_once(sign) {
            return Ok(json!({sign: [operand(left)?, operand(right)?]}));
        }
    }
    bail!("`{text}` is no test that is known here")
}

/// A text in single quotes, a number, or the name of an attribute.
fn operand(text: &str) -> Result<Value> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Ok(inner.into());
    }
    if let Ok(number) = text.parse::<i64>() {
        return Ok(number.into());
    }
    if text.chars().all(|character| character.is_alphanumeric() || character == '_') {
        return Ok(json!({ "var": text }));
    }
    bail!("`{text}` is neither a text, a number nor a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_become_rules() {
        let rule = rule("!customer && email == 'a@b' && age > 10 ? 'internal' : ''");
        let expected = json!({"if": [{"and": [{"!": [{"var": "customer"}]},
            {"==": [{"var": "email"}, "a@b"]}, {">": [{"var": "age"}, 10]}]}, "internal"]});
        assert_eq!(rule.ok(), Some(expected));
        assert!(super::rule("a + b ? 'x' : ''").is_err());
    }
}
