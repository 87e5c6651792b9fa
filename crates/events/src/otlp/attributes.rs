//! Attributes of a record or resource: looked up by name, with the type that is expected of each.

use std::collections::BTreeMap;

use super::wire::{AnyValue, KeyValue, Value};

/// Collects attributes to be written.
#[derive(Default)]
pub(super) struct Writer(pub(super) Vec<KeyValue>);

impl Writer {
    fn put(&mut self, key: impl Into<String>, value: Value) {
        self.0.push(KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }) });
    }

    pub(super) fn text(&mut self, key: impl Into<String>, text: impl Into<String>) {
        self.put(key, Value::Text(text.into()));
    }

    /// Whole numbers of the event format are below 2^53, so they always fit.
    pub(super) fn number(&mut self, key: impl Into<String>, number: u64) {
        self.put(key, Value::Int(i64::try_from(number).unwrap_or(i64::MAX)));
    }

    pub(super) fn signed(&mut self, key: impl Into<String>, number: i64) {
        self.put(key, Value::Int(number));
    }

    pub(super) fn double(&mut self, key: impl Into<String>, number: f64) {
        self.put(key, Value::Double(number));
    }

    pub(super) fn flag(&mut self, key: impl Into<String>, flag: bool) {
        self.put(key, Value::Bool(flag));
    }
}

/// Attributes that were received. Of two with one name the first counts.
pub(super) struct Reader<'a>(BTreeMap<&'a str, &'a Value>);

impl<'a> Reader<'a> {
    pub(super) fn new(pairs: &'a [KeyValue]) -> Self {
        let mut known = BTreeMap::new();
        for pair in pairs {
            if let Some(value) = pair.value.as_ref().and_then(|value| value.value.as_ref()) {
                known.entry(pair.key.as_str()).or_insert(value);
            }
        }
        Self(known)
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn text(&self, key: &str) -> Result<&'a str, String> {
        match self.0.get(key) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(format!("attribute `{key}` is missing or no text")),
        }
    }

    pub(super) fn number(&self, key: &str) -> Result<u64, String> {
        match self.0.get(key) {
            Some(Value::Int(number)) if *number >= 0 => Ok(number.unsigned_abs()),
            _ => Err(format!("attribute `{key}` is missing or no whole number")),
        }
    }

    pub(super) fn double(&self, key: &str) -> Option<f64> {
        match self.0.get(key) {
            Some(Value::Double(number)) => Some(*number),
            Some(Value::Int(number)) => Some(*number as f64),
            _ => None,
        }
    }

    /// A small number, none when absent.
    pub(super) fn small<T: TryFrom<u64>>(&self, key: &str) -> Result<Option<T>, String> {
        if !self.has(key) {
            return Ok(None);
        }
        T::try_from(self.number(key)?).map(Some).map_err(|_| format!("attribute `{key}` is out of range"))
    }

    /// All attributes whose name begins so, by the rest of their name.
    pub(super) fn beneath(&self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.iter().filter_map(move |(key, value)| Some((key.strip_prefix(prefix)?, *value)))
    }
}
