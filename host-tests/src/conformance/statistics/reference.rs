//! Reading reference values and comparing with them.

use serde_json::Value;

/// Closed forms, and bounds found by root search: relative.
pub(super) const EXACT: f64 = 1e-9;

/// The number at `key`; `"inf"` and `"-inf"` are numbers.
pub(super) fn number(row: &Value, key: &str) -> Result<f64, String> {
    as_number(&row[key]).ok_or_else(|| format!("`{key}` is no number"))
}

/// The number at `key`; none where there is none.
pub(super) fn maybe(row: &Value, key: &str) -> Option<f64> {
    as_number(&row[key])
}

pub(super) fn as_number(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_f64(),
    }
}

/// The whole number at `key`.
pub(super) fn count(row: &Value, key: &str) -> Result<u64, String> {
    let whole = row[key].as_f64().filter(|number| *number >= 0.0 && number.fract() == 0.0);
    whole.map(|number| number as u64).ok_or_else(|| format!("`{key}` is no whole number"))
}

/// The numbers of the list at `key`.
pub(super) fn numbers(row: &Value, key: &str) -> Result<Vec<f64>, String> {
    let list = row[key].as_array().ok_or_else(|| format!("`{key}` is no list"))?;
    list.iter().map(|value| as_number(value).ok_or_else(|| format!("`{key}` holds {value}"))).collect()
}

/// The whole numbers of the list at `key`.
pub(super) fn counts(row: &Value, key: &str) -> Result<Vec<u64>, String> {
    Ok(numbers(row, key)?.into_iter().map(|number| number as u64).collect())
}

/// The rows of the list at `key`; none when it is no list.
pub(super) fn rows<'a>(file: &'a Value, key: &str) -> &'a [Value] {
    file[key].as_array().map_or(&[], Vec::as_slice)
}

/// Whether `seen` is within `relative` of `want`, or within 1e-12 of it absolutely; infinities and zeroes must be equal.
pub(super) fn near(what: &str, seen: f64, want: f64, relative: f64) -> Result<(), String> {
    within(what, seen, want, (want.abs() * relative).max(1e-12))
}

/// Whether `seen` is within `allowed` of `want`.
pub(super) fn within(what: &str, seen: f64, want: f64, allowed: f64) -> Result<(), String> {
    if seen == want || (seen - want).abs() <= allowed {
        return Ok(());
    }
    Err(format!("{what} is {seen:e}, expected {want:e}"))
}

/// As [`near`], for each of a list.
pub(super) fn all_near(what: &str, seen: &[f64], want: &[f64], relative: f64) -> Result<(), String> {
    equal(&format!("the number of {what}"), &seen.len(), &want.len())?;
    seen.iter()
        .zip(want)
        .enumerate()
        .try_for_each(|(at, (seen, want))| near(&format!("{what} {at}"), *seen, *want, relative))
}

/// Whether two things are the same.
pub(super) fn equal<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, want: &T) -> Result<(), String> {
    if seen == want { Ok(()) } else { Err(format!("{what} is {seen:?}, expected {want:?}")) }
}
