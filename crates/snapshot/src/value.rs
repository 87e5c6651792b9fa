//! Values where they lie: constants of a snapshot and the attributes of a packed context.
//!
//! One encoding, little-endian, read in place after one validation:
//!
//! | tag | value | after the tag |
//! | --- | --- | --- |
//! | 0, 1, 2 | null, false, true | nothing |
//! | 3 | whole number | `i64` |
//! | 4 | whole number above `i64::MAX` | `u64` |
//! | 5 | other number, finite | `f64` |
//! | 6 | text | `u32` length, UTF-8 bytes |
//! | 7 | list | `u32` count, count × `u32` offset, the elements |
//! | 8 | object | `u32` count, count × `u32` offset, entries of `u32` key length, key, value; keys strictly ascending |
//!
//! Offsets count from the first element, the first is 0, each next one is where the last element ended.

use alloc::vec::Vec;

use crate::Json;
use crate::limits::{MAX_DEPTH, MAX_MEMBERS};

/// A value read in place. Cheap to copy; nothing is decoded before it is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A whole number.
    Integer(i64),
    /// A whole number above `i64::MAX`.
    Unsigned(u64),
    /// Any other number.
    Number(f64),
    /// A string.
    Text(&'a str),
    /// An array.
    List(List<'a>),
    /// An object.
    Object(Object<'a>),
}

/// The elements of a list in place: the bytes from its count on, and whatever follows.
#[derive(Debug, Clone, Copy)]
pub struct List<'a>(&'a [u8]);

/// The members of an object in place, sorted by key: the bytes from its count on, and whatever follows.
#[derive(Debug, Clone, Copy)]
pub struct Object<'a>(&'a [u8]);

impl PartialEq for List<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl PartialEq for Object<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

/// Why bytes are not a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueError {
    /// The bytes end inside a value.
    Truncated,
    /// A tag that does not exist.
    Tag,
    /// Text that is not UTF-8.
    Utf8,
    /// A number that is not finite, or an unsigned that fits a signed.
    Number,
    /// Offsets that are not consecutive.
    Offsets,
    /// Object keys that are not strictly ascending.
    KeyOrder,
    /// Deeper than [`MAX_DEPTH`].
    Depth,
    /// More members than [`MAX_MEMBERS`].
    Members,
    /// Bytes after the value.
    Trailing,
}

/// How many members are at the start of `bytes`.
fn count(bytes: &[u8]) -> usize {
    bytes.first_chunk::<4>().map_or(0, |count| u32::from_le_bytes(*count) as usize)
}

/// The bytes from a member on.
fn member(bytes: &[u8], index: usize) -> Option<&[u8]> {
    let count = count(bytes);
    if index >= count {
        return None;
    }
    let offset = u32::from_le_bytes(*bytes.get(4 + 4 * index..)?.first_chunk::<4>()?);
    bytes.get(4 + 4 * count + offset as usize..)
}

impl<'a> List<'a> {
    /// The list whose count is at the start of checked `bytes`.
    #[must_use]
    pub const fn at(bytes: &'a [u8]) -> List<'a> {
        List(bytes)
    }

    /// How many elements.
    #[must_use]
    pub fn len(&self) -> usize {
        count(self.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element at `index`, none past the end.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Value<'a>> {
        Value::read(self.bytes_at(index)?).map(|(value, _)| value)
    }

    /// The bytes from the element at `index` on.
    #[must_use]
    pub fn bytes_at(&self, index: usize) -> Option<&'a [u8]> {
        member(self.0, index)
    }

    /// The elements in order.
    pub fn iter(self) -> impl Iterator<Item = Value<'a>> {
        (0..self.len()).filter_map(move |index| self.get(index))
    }
}

impl<'a> Object<'a> {
    /// The object whose count is at the start of checked `bytes`.
    #[must_use]
    pub const fn at(bytes: &'a [u8]) -> Object<'a> {
        Object(bytes)
    }

    /// How many members.
    #[must_use]
    pub fn len(&self) -> usize {
        count(self.0)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The key at `index` in key order, and the bytes from its value on.
    #[must_use]
    pub fn bytes_at(&self, index: usize) -> Option<(&'a [u8], &'a [u8])> {
        let (length, rest) = member(self.0, index)?.split_first_chunk::<4>()?;
        rest.split_at_checked(u32::from_le_bytes(*length) as usize)
    }

    /// The member at `index` in key order.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<(&'a str, Value<'a>)> {
        let (key, value) = self.bytes_at(index)?;
        Some((core::str::from_utf8(key).ok()?, Value::read(value)?.0))
    }

    /// The member named `key`, found by binary search.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        Value::read(self.bytes_of(key.as_bytes())?).map(|(value, _)| value)
    }

    /// The bytes from the value of the member named `key` on.
    #[must_use]
    pub fn bytes_of(&self, key: &[u8]) -> Option<&'a [u8]> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            let (name, value) = self.bytes_at(middle)?;
            match name.cmp(key) {
                core::cmp::Ordering::Equal => return Some(value),
                core::cmp::Ordering::Less => low = middle + 1,
                core::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The members in key order.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, Value<'a>)> {
        (0..self.len()).filter_map(move |index| self.entry(index))
    }
}

impl<'a> Value<'a> {
    /// The value at the start of bytes that were validated, and the bytes after it. None only for bytes
    /// that [`Value::validate`] would refuse.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<(Value<'a>, &'a [u8])> {
        let (tag, rest) = bytes.split_first()?;
        Some(match tag {
            0 => (Value::Null, rest),
            1 => (Value::Bool(false), rest),
            2 => (Value::Bool(true), rest),
            3 => {
                let (number, rest) = rest.split_first_chunk::<8>()?;
                (Value::Integer(i64::from_le_bytes(*number)), rest)
            }
            4 => {
                let (number, rest) = rest.split_first_chunk::<8>()?;
                (Value::Unsigned(u64::from_le_bytes(*number)), rest)
            }
            5 => {
                let (number, rest) = rest.split_first_chunk::<8>()?;
                (Value::Number(f64::from_le_bytes(*number)), rest)
            }
            6 => {
                let (text, rest) = text(rest)?;
                (Value::Text(text), rest)
            }
            7 => {
                let list = List(rest);
                let after = match list.len().checked_sub(1) {
                    None => rest.get(4..)?,
                    Some(last) => Value::read(list.bytes_at(last)?)?.1,
                };
                (Value::List(list), after)
            }
            8 => {
                let object = Object(rest);
                let after = match object.len().checked_sub(1) {
                    None => rest.get(4..)?,
                    Some(last) => Value::read(object.bytes_at(last)?.1)?.1,
                };
                (Value::Object(object), after)
            }
            _ => return None,
        })
    }

    /// Checks that `bytes` are exactly one value, and returns it.
    ///
    /// # Errors
    /// [`ValueError`] names what is wrong; the check is linear and recurses at most [`MAX_DEPTH`] deep.
    pub fn validate(bytes: &'a [u8]) -> Result<Value<'a>, ValueError> {
        let used = check(bytes, 0)?;
        if used != bytes.len() {
            return Err(ValueError::Trailing);
        }
        Value::read(bytes).map(|(value, _)| value).ok_or(ValueError::Truncated)
    }

    /// Checks that a value stands at the start of `bytes`, whatever follows, and returns it.
    ///
    /// # Errors
    /// As [`Value::validate`], without [`ValueError::Trailing`].
    pub fn validate_prefix(bytes: &'a [u8]) -> Result<Value<'a>, ValueError> {
        check(bytes, 0)?;
        Value::read(bytes).map(|(value, _)| value).ok_or(ValueError::Truncated)
    }

    /// Checks that a value stands at the start of `bytes`, whatever follows, and returns its length.
    ///
    /// # Errors
    /// As [`Value::validate_prefix`].
    pub fn measure(bytes: &[u8]) -> Result<usize, ValueError> {
        check(bytes, 0)
    }

    /// Writes a JSON value in this encoding, object keys sorted, of repeated keys the last.
    pub fn write(json: &Json, out: &mut Vec<u8>) {
        match json {
            Json::Null => out.push(0),
            Json::Bool(value) => out.push(1 + u8::from(*value)),
            Json::Integer(value) => {
                out.push(3);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Json::Unsigned(value) => {
                out.push(4);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Json::Number(value) => {
                out.push(5);
                out.extend_from_slice(&value.to_le_bytes());
            }
            Json::Text(value) => {
                out.push(6);
                write_text(value, out);
            }
            Json::List(elements) => write_members(7, elements, out, Value::write),
            Json::Object(members) => {
                let mut sorted: Vec<(usize, &(alloc::string::String, Json))> =
                    members.iter().enumerate().collect();
                sorted.sort_by(|(i, a), (j, b)| a.0.as_bytes().cmp(b.0.as_bytes()).then(j.cmp(i)));
                sorted.dedup_by(|(_, later), (_, kept)| later.0 == kept.0);
                write_members(8, &sorted, out, |(_, (key, value)), out| {
                    write_text(key, out);
                    Value::write(value, out);
                });
            }
        }
    }
}

fn write_text(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&(text.len() as u32).to_le_bytes());
    out.extend_from_slice(text.as_bytes());
}

fn write_members<T>(tag: u8, members: &[T], out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(tag);
    out.extend_from_slice(&(members.len() as u32).to_le_bytes());
    let mut area = Vec::new();
    for member in members {
        out.extend_from_slice(&(area.len() as u32).to_le_bytes());
        write(member, &mut area);
    }
    out.extend_from_slice(&area);
}

/// A length-prefixed text and what follows it.
fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (text, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
    Some((core::str::from_utf8(text).ok()?, rest))
}

/// A count-prefixed offset table and the elements after it.
fn offsets(bytes: &[u8]) -> Option<(&[[u8; 4]], &[u8])> {
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let (table, area) = rest.split_at_checked((u32::from_le_bytes(*count) as usize).checked_mul(4)?)?;
    Some((table.as_chunks::<4>().0, area))
}

/// The length of the value at the start of `bytes`, when it is one.
fn check(bytes: &[u8], depth: usize) -> Result<usize, ValueError> {
    if depth > MAX_DEPTH {
        return Err(ValueError::Depth);
    }
    let (tag, rest) = bytes.split_first().ok_or(ValueError::Truncated)?;
    let number = || rest.first_chunk::<8>().copied().ok_or(ValueError::Truncated);
    match tag {
        0..=2 => Ok(1),
        3 => number().map(|_| 9),
        4 if u64::from_le_bytes(number()?) <= i64::MAX as u64 => Err(ValueError::Number),
        4 => Ok(9),
        5 if !f64::from_le_bytes(number()?).is_finite() => Err(ValueError::Number),
        5 => Ok(9),
        6 => check_text(rest).map(|length| 1 + length),
        7 | 8 => {
            let count = u32::from_le_bytes(*rest.first_chunk::<4>().ok_or(ValueError::Truncated)?) as usize;
            if count > MAX_MEMBERS {
                return Err(ValueError::Members);
            }
            let (table, area) = offsets(rest).ok_or(ValueError::Truncated)?;
            let mut at = 0;
            let mut previous: Option<&str> = None;
            for offset in table {
                if u32::from_le_bytes(*offset) as usize != at {
                    return Err(ValueError::Offsets);
                }
                let member = area.get(at..).ok_or(ValueError::Truncated)?;
                let mut length = 0;
                if *tag == 8 {
                    length = check_text(member)?;
                    let (key, _) = text(member).ok_or(ValueError::Utf8)?;
                    if previous.is_some_and(|before| before.as_bytes() >= key.as_bytes()) {
                        return Err(ValueError::KeyOrder);
                    }
                    previous = Some(key);
                }
                length += check(member.get(length..).ok_or(ValueError::Truncated)?, depth + 1)?;
                at += length;
            }
            Ok(5 + table.len() * 4 + at)
        }
        _ => Err(ValueError::Tag),
    }
}

/// The length of a length-prefixed UTF-8 text.
fn check_text(bytes: &[u8]) -> Result<usize, ValueError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or(ValueError::Truncated)?;
    let length = u32::from_le_bytes(*length) as usize;
    let text = rest.get(..length).ok_or(ValueError::Truncated)?;
    core::str::from_utf8(text).map_err(|_| ValueError::Utf8)?;
    Ok(4 + length)
}

#[cfg(test)]
mod tests;
