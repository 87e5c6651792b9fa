//! What a plain YAML scalar means: the core schema of YAML 1.2.

use crate::tree::{Number, Value};

/// A plain scalar by YAML's core schema; none for infinities, `.nan` and numbers beyond a 64-bit float.
pub(super) fn plain(text: &str) -> Option<Value> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Some(Value::Null),
        "true" | "True" | "TRUE" => return Some(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Some(Value::Bool(false)),
        ".nan" | ".NaN" | ".NAN" => return None,
        _ => {}
    }
    if matches!(text.strip_prefix(['-', '+']).unwrap_or(text), ".inf" | ".Inf" | ".INF") {
        return None;
    }
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix)?;
        // `from_str_radix` alone would take a sign after the prefix.
        if digits.starts_with(['-', '+']) {
            return None;
        }
        i64::from_str_radix(digits, radix).ok()
    };
    if let Some(integer) = radix("0x", 16).or_else(|| radix("0o", 8)) {
        return Some(Value::Number(Number::from_integer(integer)));
    }
    match Number::from_decimal(text) {
        Some(number) => Some(Value::Number(number)),
        // A decimal too large for a float is neither a number nor plainly a word.
        None if text.parse::<f64>().is_ok_and(f64::is_infinite)
            && text.contains(|c: char| c.is_ascii_digit()) =>
        {
            None
        }
        None => Some(Value::Text(text.to_owned())),
    }
}
