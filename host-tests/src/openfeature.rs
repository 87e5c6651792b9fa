//! OpenFeature's test flags as a flagd definition: the specification's file has flags in a form of its own, with conditions
//! in the SDKs' little expression language.

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

/// The definition with the flags of `test-flags.json`. One whose condition is of a form that is not known here is left out,
/// and said so.
///
/// # Errors
/// When it is no object of flags.
pub fn definition(flags: &Value) -> Result<Value> {
    let mut defined = Map::new();
    for (key, flag) in flags.as_object().context("the test flags are no object")? {
        match defined_as(flag) {
            Ok(own) => drop(defined.insert(key.clone(), own)),
            Err(error) => println!("fixtures: `{key}` of OpenFeature's flags is left out: {error}"),
        }
    }
    Ok(json!({ "flags": defined }))
}

fn defined_as(flag: &Value) -> Result<Value> {
    let mut own = Map::new();
    let disabled = flag["disabled"].as_bool().unwrap_or(false);
    own.insert("state".into(), if disabled { "DISABLED" } else { "ENABLED" }.into());
    own.insert("variants".into(), flag["variants"].clone());
    if !flag["defaultVariant"].is_null() {
        own.insert("defaultVariant".into(), flag["defaultVariant"].clone());
    }
    if flag["flagMetadata"].is_object() {
        own.insert("metadata".into(), flag["flagMetadata"].clone());
    }
    if let Some(text) = flag["contextEvaluator"].as_str() {
        own.insert("targeting".into(), rule(text)?);
    }
    Ok(own.into())
}

/// `condition ? 'variant' : ''`, the empty name meaning the default. A condition is tests joined by `&&`, and those by `||`.
fn rule(text: &str) -> Result<Value> {
    let (condition, answers) = text.split_once('?').context("no `?`")?;
    let (then, otherwise) = answers.split_once(':').context("no `:`")?;
    let name = |text: &str| match operand(text)? {
        Value::String(name) if name.is_empty() => Ok(Value::Null),
        Value::String(name) => Ok(Value::String(name)),
        other => bail!("{other} is no variant"),
    };
    let all = |text: &str| -> Result<Value> {
        let tests: Vec<Value> = text.split("&&").map(test).collect::<Result<_>>()?;
        Ok(json!({ "and": tests }))
    };
    let any: Vec<Value> = condition.split("||").map(all).collect::<Result<_>>()?;
    let mut branches = vec![json!({ "or": any }), name(then)?];
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
    for sign in ["==", "!=", ">=", "<=", ">", "<"] {
        if let Some((left, right)) = text.split_once(sign) {
            return Ok(json!({sign: [operand(left)?, operand(right)?]}));
        }
    }
    bail!("`{text}` is no test that is known here")
}

/// A text in single quotes, a number, a boolean, or the name of an attribute.
fn operand(text: &str) -> Result<Value> {
    let text = text.trim();
    if let Some(inner) = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        return Ok(inner.into());
    }
    if let Ok(plain @ (Value::Number(_) | Value::Bool(_) | Value::Null)) = serde_json::from_str(text) {
        return Ok(plain);
    }
    if !text.is_empty() && text.chars().all(|character| character.is_alphanumeric() || character == '_') {
        return Ok(json!({ "var": text }));
    }
    bail!("`{text}` is neither a text, a number nor a name")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_become_rules() {
        let told = |text: &str| rule(text).ok();
        let expected = json!({"if": [{"or": [{"and": [{"!": [{"var": "customer"}]},
            {"==": [{"var": "email"}, "a@b"]}, {">": [{"var": "age"}, 10]}]}]}, "internal"]});
        assert_eq!(told("!customer && email == 'a@b' && age > 10 ? 'internal' : ''"), Some(expected));
        let expected = json!({"if": [{"or": [{"and": [{"!=": [{"var": "a"}, true]}]},
            {"and": [{">=": [{"var": "b"}, 1.5]}]}]}, "x", "y"]});
        assert_eq!(told("a != true || b >= 1.5 ? 'x' : 'y'"), Some(expected));
        assert_eq!(told("a + b ? 'x' : ''"), None);
    }

    #[test]
    fn a_flag_that_cannot_be_said_takes_no_other_down() {
        let flags = json!({"odd": {"variants": {"a": 1}, "contextEvaluator": "a.b('c') ? 'a' : ''"},
            "plain": {"variants": {"a": 1}, "defaultVariant": "a", "disabled": true}});
        let expected = json!({"flags": {"plain":
            {"state": "DISABLED", "variants": {"a": 1}, "defaultVariant": "a"}}});
        assert_eq!(definition(&flags).ok(), Some(expected));
    }
}
