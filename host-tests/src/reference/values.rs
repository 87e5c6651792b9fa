//! JavaScript's rules for values, which are JsonLogic's.

use std::cmp::Ordering;

use serde_json::{Value, json};

/// JavaScript's truth, but an empty list is false.
pub(super) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(_) => true,
    }
}

/// `String(value)`, with null as nothing, as `Array.join` writes it.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number_text(number.as_f64().unwrap_or_default()),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".to_owned(),
    }
}

fn number_text(number: f64) -> String {
    let size = number.abs();
    if number == 0.0 {
        "0".to_owned()
    } else if (1e-6..1e21).contains(&size) {
        number.to_string()
    } else {
        let text = format!("{number:e}");
        if text.contains("e-") { text } else { text.replace('e', "e+") }
    }
}

/// `Number(value)`.
pub(super) fn number(value: &Value) -> f64 {
    match value {
        Value::Null => 0.0,
        Value::Bool(value) => f64::from(u8::from(*value)),
        Value::Number(number) => number.as_f64().unwrap_or(f64::NAN),
        other => {
            let text = text(other);
            let text = text.trim();
            let decimal = text.chars().all(|c| c.is_ascii_digit() || "+-.eE".contains(c));
            if text.is_empty() {
                0.0
            } else if decimal {
                text.parse().unwrap_or(f64::NAN)
            } else {
                f64::NAN
            }
        }
    }
}

/// `parseFloat(value)`: the longest beginning of its text that is a number.
pub(super) fn parse_float(value: &Value) -> f64 {
    let text = match value {
        Value::Null => "null".to_owned(),
        other => text(other),
    };
    let pattern = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?";
    let pattern = regex::Regex::new(pattern).ok();
    let found =
        pattern.and_then(|pattern| pattern.find(text.trim_start()).map(|found| found.as_str().to_owned()));
    found.and_then(|digits| digits.parse().ok()).unwrap_or(f64::NAN)
}

/// A number as JSON can say it: null for what is not finite.
pub(super) fn finite(number: f64) -> Value {
    json!(number)
}

/// `===`; lists and objects are never the same one.
pub(super) fn strict_equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(_) | Value::Object(_), _) => false,
        (a, b) => a == b,
    }
}

/// `==`.
pub(super) fn loose_equal(a: &Value, b: &Value) -> bool {
    use Value::{Array, Bool, Null, Number, Object, String};
    match (a, b) {
        (Null, _) | (_, Null) => a == b,
        (Array(_) | Object(_), Array(_) | Object(_)) => false,
        (Array(_) | Object(_), _) => loose_equal(&String(text(a)), b),
        (_, Array(_) | Object(_)) => loose_equal(a, &String(text(b))),
        (String(a), String(b)) => a == b,
        (Bool(_) | Number(_) | String(_), _) => number(a) == number(b),
    }
}

/// How `<` and its kin see two values; none when nothing holds.
pub(super) fn order(a: &Value, b: &Value) -> Option<Ordering> {
    let primitive = |value: &Value| match value {
        Value::Array(_) | Value::Object(_) => Value::String(text(value)),
        other => other.clone(),
    };
    match (primitive(a), primitive(b)) {
        (Value::String(a), Value::String(b)) => Some(a.cmp(&b)),
        (a, b) => number(&a).partial_cmp(&number(&b)),
    }
}
