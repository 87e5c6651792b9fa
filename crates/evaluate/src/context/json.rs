//! Contexts as JSON text.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use flagstone_snapshot::limits::{MAX_CONTEXT_BYTES, MAX_DEPTH};
use flagstone_snapshot::{Json, Snapshot, Value, ValueError};
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{Context, ContextError};

impl Context {
    /// Takes a JSON object; of repeated members the last counts.
    ///
    /// # Errors
    /// [`ContextError`]; the context is refused whole.
    pub fn from_json(snapshot: &Snapshot<'_>, text: &str) -> Result<Context, ContextError> {
        // Packed values are at most nine times their text (a digit becomes a tag and eight bytes), so a
        // text over the cap may still pack under it; one far over cannot matter.
        if text.len() > 4 * MAX_CONTEXT_BYTES {
            return Err(ContextError::TooLarge);
        }
        let Parsed(json) = serde_json::from_str(text).map_err(|_| ContextError::Json)?;
        if depth(&json) > MAX_DEPTH {
            return Err(ContextError::Value(ValueError::Depth));
        }
        let mut packed = Vec::with_capacity(text.len());
        Value::write(&json, &mut packed);
        Context::from_packed(snapshot, packed)
    }
}

fn depth(json: &Json) -> usize {
    match json {
        Json::List(elements) => 1 + elements.iter().map(depth).max().unwrap_or_default(),
        Json::Object(members) => 1 + members.iter().map(|(_, value)| depth(value)).max().unwrap_or_default(),
        _ => 0,
    }
}

/// A JSON value read by serde.
struct Parsed(Json);

impl<'de> Deserialize<'de> for Parsed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Parsed)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Unsigned(value), Json::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::Text(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(Parsed(element)) = elements.next_element()? {
            list.push(element);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some((key, Parsed(value))) = members.next_entry::<String, Parsed>()? {
            object.push((key, value));
        }
        Ok(Json::Object(object))
    }
}
