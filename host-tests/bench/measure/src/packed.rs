//! Contexts in the packed encoding (docs/engine.md), as a host would make them.

use flagstone_snapshot::{Json, Snapshot, Value};

/// A context in the packed encoding.
#[must_use]
pub fn packed(context: &serde_json::Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    Value::write(&json(context), &mut bytes);
    bytes
}

/// A context by the positions of a snapshot's attributes: `u16` count, then position and value of each.
#[must_use]
pub fn by_position(snapshot: &Snapshot<'_>, context: &serde_json::Value) -> Vec<u8> {
    let named = (0..snapshot.attribute_count())
        .filter_map(|position| Some((position as u16, context.get(snapshot.attribute(position)?)?)));
    let mut bytes = vec![0, 0];
    let mut count = 0_u16;
    for (position, value) in named {
        bytes.extend(position.to_le_bytes());
        Value::write(&json(value), &mut bytes);
        count += 1;
    }
    bytes[..2].copy_from_slice(&count.to_le_bytes());
    bytes
}

fn json(value: &serde_json::Value) -> Json {
    use serde_json::Value as From;
    match value {
        From::Null => Json::Null,
        From::Bool(value) => Json::Bool(*value),
        From::Number(number) => {
            number.as_i64().map_or_else(|| Json::Number(number.as_f64().unwrap_or(0.0)), Json::Integer)
        }
        From::String(text) => text.as_str().into(),
        From::Array(list) => Json::List(list.iter().map(json).collect()),
        From::Object(object) => {
            Json::Object(object.iter().map(|(key, value)| (key.clone(), json(value))).collect())
        }
    }
}
