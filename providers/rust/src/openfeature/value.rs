//! Values and metadata in the SDK's types.

use open_feature::{FlagMetadata, StructValue, Value};

/// The largest whole number up to which a double holds every one.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A whole number; `2.0` is one.
pub(super) fn whole(json: &str) -> Option<i64> {
    if let Ok(whole) = serde_json::from_str(json) {
        return Some(whole);
    }
    let number: f64 = serde_json::from_str(json).ok()?;
    (number.fract() == 0.0 && number.abs() <= EXACT).then_some(number as i64)
}

/// An object. The SDK has no null: such members are left out, such elements of lists too.
pub(super) fn object(json: &str) -> Option<StructValue> {
    match converted(serde_json::from_str(json).ok()?)? {
        Value::Struct(object) => Some(object),
        _ => None,
    }
}

fn converted(value: serde_json::Value) -> Option<Value> {
    Some(match value {
        serde_json::Value::Null => return None,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Float(number.as_f64()?),
        },
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(list) => Value::Array(list.into_iter().filter_map(converted).collect()),
        serde_json::Value::Object(members) => Value::Struct(StructValue {
            fields: members.into_iter().filter_map(|(name, value)| Some((name, converted(value)?))).collect(),
        }),
    })
}

/// Adds the plain values of a flag's metadata, the JSON text of an object or nothing.
pub(super) fn plain(json: &str, told: &mut FlagMetadata) {
    let Ok(serde_json::Value::Object(members)) = serde_json::from_str(json) else { return };
    for (name, value) in members {
        match converted(value) {
            Some(Value::Bool(value)) => told.add_value(name, value),
            Some(Value::Int(value)) => told.add_value(name, value),
            Some(Value::Float(value)) => told.add_value(name, value),
            Some(Value::String(value)) => told.add_value(name, value),
            Some(Value::Array(_) | Value::Struct(_)) | None => {}
        }
    }
}
