//! What is known about the unit being decided for: attributes, packed once, read in place.

use alloc::vec::Vec;

use flagstone_snapshot::limits::{MAX_CONTEXT_ATTRIBUTES, MAX_CONTEXT_BYTES};
use flagstone_snapshot::{Object, Snapshot, Value, ValueError};

/// Slot of an attribute that the context does not have.
const ABSENT: u32 = u32::MAX;

/// The attributes of one unit, prepared for one snapshot.
///
/// The packed form is one object in the value encoding of `docs/snapshot.md`. The paths that the snapshot's
/// rules read are looked up once, here; a decision then reads them by position.
#[derive(Debug, Clone)]
pub struct Context {
    packed: Vec<u8>,
    slots: Vec<u32>,
}

/// Why attributes are not a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContextError {
    /// More than [`MAX_CONTEXT_BYTES`].
    TooLarge,
    /// More than [`MAX_CONTEXT_ATTRIBUTES`] at the top.
    TooMany,
    /// The bytes are not a value.
    Value(ValueError),
    /// A value, but not an object.
    NotAnObject,
    /// Text that is not JSON.
    Json,
}

impl ContextError {
    /// A stable code for machines, in kebab-case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ContextError::TooLarge => "context-too-large",
            ContextError::TooMany => "context-too-many-attributes",
            ContextError::Value(_) => "context-value",
            ContextError::NotAnObject => "context-not-an-object",
            ContextError::Json => "context-json",
        }
    }
}

impl core::fmt::Display for ContextError {
    fn fmt(&self, out: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ContextError::TooLarge => write!(out, "the context is larger than {MAX_CONTEXT_BYTES} bytes"),
            ContextError::TooMany => {
                write!(out, "the context has more than {MAX_CONTEXT_ATTRIBUTES} attributes")
            }
            ContextError::Value(error) => write!(out, "the packed context is damaged: {error:?}"),
            ContextError::NotAnObject => out.write_str("the context is not an object of attributes"),
            ContextError::Json => out.write_str("the context is not JSON"),
        }
    }
}

impl core::error::Error for ContextError {}

impl Context {
    /// Takes a packed object and finds the attributes that `snapshot` reads.
    ///
    /// # Errors
    /// [`ContextError`]; the context is refused whole.
    pub fn from_packed(snapshot: &Snapshot<'_>, packed: Vec<u8>) -> Result<Context, ContextError> {
        if packed.len() > MAX_CONTEXT_BYTES {
            return Err(ContextError::TooLarge);
        }
        let Value::Object(object) = Value::validate(&packed).map_err(ContextError::Value)? else {
            return Err(ContextError::NotAnObject);
        };
        if object.len() > MAX_CONTEXT_ATTRIBUTES {
            return Err(ContextError::TooMany);
        }
        let base = packed.as_ptr() as usize;
        let slots = (0..snapshot.attribute_count())
            .map(|index| {
                snapshot
                    .attribute(index)
                    .and_then(|path| find(object, path))
                    .map_or(ABSENT, |bytes| (bytes.as_ptr() as usize - base) as u32)
            })
            .collect();
        Ok(Context { packed, slots })
    }

    /// The value of an attribute of the snapshot, by position; null when the context does not have it.
    #[must_use]
    pub fn attribute(&self, index: u32) -> Value<'_> {
        match self.slots.get(index as usize) {
            None | Some(&ABSENT) => Value::Null,
            Some(&offset) => self
                .packed
                .get(offset as usize..)
                .and_then(Value::read)
                .map_or(Value::Null, |(value, _)| value),
        }
    }

    /// All attributes.
    #[must_use]
    pub fn whole(&self) -> Value<'_> {
        Value::read(&self.packed).map_or(Value::Null, |(value, _)| value)
    }

    /// The value at a dotted path, null when there is none.
    #[must_use]
    pub fn at(&self, path: &str) -> Value<'_> {
        match self.whole() {
            Value::Object(object) => {
                find(object, path).and_then(Value::read).map_or(Value::Null, |(value, _)| value)
            }
            _ => Value::Null,
        }
    }
}

/// The bytes from the value at a dotted path on; list elements are reached by their number.
fn find<'a>(object: Object<'a>, path: &str) -> Option<&'a [u8]> {
    let mut here = Value::Object(object);
    let mut bytes = None;
    for part in path.split('.') {
        let found = match here {
            Value::Object(object) => object.bytes_of(part)?,
            Value::List(list) => list.bytes_at(part.parse().ok()?)?,
            _ => return None,
        };
        here = Value::read(found)?.0;
        bytes = Some(found);
    }
    bytes
}

#[cfg(feature = "json")]
mod json {
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
            Json::Object(members) => {
                1 + members.iter().map(|(_, value)| depth(value)).max().unwrap_or_default()
            }
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
}
