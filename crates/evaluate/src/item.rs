//! Values as the machine holds them, and JsonLogic's (that is, JavaScript's) rules for them:
//! truth, equality, order, conversion to numbers and text.

use core::cmp::Ordering;

use alloc::string::String;
use flagstone_snapshot::{List, Object, json_text, number_text};

/// A value on the machine's stack: read in place, or built during this evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Item<'a> {
    Null,
    Bool(bool),
    Integer(i64),
    Unsigned(u64),
    Number(f64),
    /// UTF-8, which whoever put it here has checked.
    Text(&'a [u8]),
    List(List<'a>),
    Object(Object<'a>),
    /// Text that an operator built: a range of [`Built::text`].
    Made(u32, u32),
    /// A list that an operator built: a range of [`Built::items`].
    Gathered(u32, u32),
}

/// How deep conversions look into lists that a rule nested by itself (`reduce` can nest without end).
pub(crate) const MAX_NESTING: usize = 32;

/// What operators built during one evaluation. Empty, and unallocated, for rules that build nothing.
#[derive(Debug, Default)]
pub(crate) struct Built<'a> {
    pub(crate) text: String,
    pub(crate) items: alloc::vec::Vec<Item<'a>>,
}

impl<'a> Item<'a> {
    /// The value at the start of bytes that were checked when snapshot or context came in.
    #[inline]
    pub(crate) fn read(bytes: &'a [u8]) -> Item<'a> {
        Item::try_read(bytes).unwrap_or(Item::Null)
    }

    #[inline]
    fn try_read(bytes: &'a [u8]) -> Option<Item<'a>> {
        let (tag, rest) = bytes.split_first()?;
        let number = || rest.first_chunk::<8>().copied();
        Some(match tag {
            1 => Item::Bool(false),
            2 => Item::Bool(true),
            3 => Item::Integer(i64::from_le_bytes(number()?)),
            4 => Item::Unsigned(u64::from_le_bytes(number()?)),
            5 => Item::Number(f64::from_le_bytes(number()?)),
            6 => {
                let (length, rest) = rest.split_first_chunk::<4>()?;
                Item::Text(rest.get(..u32::from_le_bytes(*length) as usize)?)
            }
            7 => Item::List(List::at(rest)),
            8 => Item::Object(Object::at(rest)),
            _ => Item::Null,
        })
    }

    /// The number itself, not a conversion.
    pub(crate) fn number(self) -> Option<f64> {
        match self {
            Item::Integer(value) => Some(value as f64),
            Item::Unsigned(value) => Some(value as f64),
            Item::Number(value) => Some(value),
            _ => None,
        }
    }
}

impl<'a> Built<'a> {
    /// The text of a text.
    pub(crate) fn text<'b>(&'b self, item: Item<'b>) -> Option<&'b [u8]> {
        match item {
            Item::Text(text) => Some(text),
            Item::Made(start, end) => self.text.as_bytes().get(start as usize..end as usize),
            _ => None,
        }
    }

    /// The text of a text, as text.
    pub(crate) fn str<'b>(&'b self, item: Item<'b>) -> Option<&'b str> {
        core::str::from_utf8(self.text(item)?).ok()
    }

    /// How many elements a list has; none for what is not a list.
    pub(crate) fn count(&self, item: Item<'a>) -> Option<usize> {
        match item {
            Item::List(list) => Some(list.len()),
            Item::Gathered(start, end) => Some((end - start) as usize),
            _ => None,
        }
    }

    /// An element of a list.
    pub(crate) fn element(&self, item: Item<'a>, index: usize) -> Option<Item<'a>> {
        match item {
            Item::List(list) => list.bytes_at(index).map(Item::read),
            Item::Gathered(start, end) => self.items.get(start as usize..end as usize)?.get(index).copied(),
            _ => None,
        }
    }

    /// JsonLogic's truth: JavaScript's, but an empty list is false.
    pub(crate) fn truthy(&self, item: Item<'a>) -> bool {
        match item {
            Item::Null => false,
            Item::Bool(value) => value,
            Item::Integer(value) => value != 0,
            Item::Unsigned(value) => value != 0,
            Item::Number(value) => value != 0.0 && !value.is_nan(),
            Item::Text(text) => !text.is_empty(),
            Item::Made(start, end) => start != end,
            Item::List(list) => !list.is_empty(),
            Item::Gathered(start, end) => start != end,
            Item::Object(_) => true,
        }
    }

    /// JavaScript's `Number(value)`; NaN where there is none.
    pub(crate) fn to_number(&self, item: Item<'a>) -> f64 {
        self.number_within(item, MAX_NESTING)
    }

    fn number_within(&self, item: Item<'a>, depth: usize) -> f64 {
        match item {
            _ if depth == 0 => f64::NAN,
            Item::Null => 0.0,
            Item::Bool(_) if depth < MAX_NESTING => f64::NAN, // in a list it is the text of it that is read
            Item::Bool(value) => f64::from(u8::from(value)),
            Item::Text(_) | Item::Made(..) => parse_number(self.str(item).unwrap_or_default()),
            Item::List(_) | Item::Gathered(..) => match self.count(item) {
                Some(0) => 0.0,
                Some(1) => self.element(item, 0).map_or(f64::NAN, |only| self.number_within(only, depth - 1)),
                _ => f64::NAN,
            },
            Item::Object(_) => f64::NAN,
            number => number.number().unwrap_or(f64::NAN),
        }
    }

    /// JavaScript's `==`.
    pub(crate) fn loose_equal(&self, a: Item<'a>, b: Item<'a>) -> bool {
        match (a, b) {
            (Item::Null, Item::Null) => true,
            (Item::Null, _) | (_, Item::Null) => false,
            (Item::Object(_), other) | (other, Item::Object(_)) => {
                self.text(other) == Some(b"[object Object]")
            }
            _ => match (self.text(a), self.text(b)) {
                (Some(a), Some(b)) => a == b,
                _ => match (self.count(a), self.count(b)) {
                    (Some(_), Some(_)) => false, // two lists are never the same object
                    (Some(_), None) => self.list_equals(a, b),
                    (None, Some(_)) => self.list_equals(b, a),
                    (None, None) => self.numeric_equal(a, b),
                },
            },
        }
    }

    /// A list compared with a scalar is compared by its text.
    fn list_equals(&self, list: Item<'a>, scalar: Item<'a>) -> bool {
        match self.text(scalar) {
            Some(text) => {
                let mut joined = String::new();
                self.write(list, &mut joined);
                joined.as_bytes() == text
            }
            None => self.to_number(list) == self.to_number(scalar),
        }
    }

    fn numeric_equal(&self, a: Item<'a>, b: Item<'a>) -> bool {
        match (a, b) {
            (Item::Integer(a), Item::Integer(b)) => a == b,
            (Item::Unsigned(a), Item::Unsigned(b)) => a == b,
            _ => self.to_number(a) == self.to_number(b),
        }
    }

    /// JavaScript's `===`.
    pub(crate) fn strict_equal(&self, a: Item<'a>, b: Item<'a>) -> bool {
        match (a, b) {
            (Item::Null, Item::Null) => true,
            (Item::Bool(a), Item::Bool(b)) => a == b,
            _ => match (self.text(a), self.text(b)) {
                (Some(a), Some(b)) => a == b,
                (None, None) if a.number().is_some() && b.number().is_some() => self.numeric_equal(a, b),
                _ => false,
            },
        }
    }

    /// JavaScript's order of two values; none when there is none (so every comparison is false). Lists and objects are
    /// ordered by their text, which with a number or boolean is read as a number.
    pub(crate) fn order(&self, a: Item<'a>, b: Item<'a>) -> Option<Ordering> {
        match (a, b) {
            (Item::Integer(a), Item::Integer(b)) => Some(a.cmp(&b)),
            _ => match (self.text(a), self.text(b)) {
                (Some(a), Some(b)) => Some(a.cmp(b)),
                (a_text, b_text) => {
                    let composed =
                        |item: Item<'a>| self.count(item).is_some() || matches!(item, Item::Object(_));
                    if (a_text.is_some() || composed(a)) && (b_text.is_some() || composed(b)) {
                        return Some(self.written(a).cmp(&self.written(b)));
                    }
                    self.to_number(a).partial_cmp(&self.to_number(b))
                }
            },
        }
    }

    /// The text of a value, as [`Built::write`] writes it.
    pub(crate) fn written(&self, item: Item<'a>) -> String {
        let mut text = String::new();
        self.write(item, &mut text);
        text
    }

    /// Writes a value as JavaScript's `String(value)` would, null as nothing (as `Array.join` does).
    pub(crate) fn write(&self, item: Item<'a>, out: &mut String) {
        self.write_within(item, out, MAX_NESTING);
    }

    fn write_within(&self, item: Item<'a>, out: &mut String, depth: usize) {
        match item {
            _ if depth == 0 => {}
            Item::Null => {}
            Item::Bool(value) => out.push_str(if value { "true" } else { "false" }),
            Item::Integer(value) => {
                if value < 0 {
                    out.push('-');
                }
                json_text::write_whole(value.unsigned_abs(), out);
            }
            Item::Unsigned(value) => json_text::write_whole(value, out),
            Item::Number(value) => json_text::write_number(value, out),
            Item::Text(_) | Item::Made(..) => out.push_str(self.str(item).unwrap_or_default()),
            Item::List(_) | Item::Gathered(..) => {
                for index in 0..self.count(item).unwrap_or_default() {
                    if index > 0 {
                        out.push(',');
                    }
                    if let Some(element) = self.element(item, index) {
                        self.write_within(element, out, depth - 1);
                    }
                }
            }
            Item::Object(_) => out.push_str("[object Object]"),
        }
    }

    /// Writes a value as JSON text.
    pub(crate) fn write_json(&self, item: Item<'a>, out: &mut String) {
        self.write_json_within(item, out, MAX_NESTING);
    }

    fn write_json_within(&self, item: Item<'a>, out: &mut String, depth: usize) {
        match item {
            _ if depth == 0 => out.push_str("null"),
            Item::Null => out.push_str("null"),
            Item::Text(_) | Item::Made(..) => {
                json_text::write_string(self.str(item).unwrap_or_default(), out);
            }
            Item::List(_) | Item::Gathered(..) => {
                out.push('[');
                for index in 0..self.count(item).unwrap_or_default() {
                    if index > 0 {
                        out.push(',');
                    }
                    if let Some(element) = self.element(item, index) {
                        self.write_json_within(element, out, depth - 1);
                    }
                }
                out.push(']');
            }
            Item::Object(object) => {
                out.push('{');
                for (index, (key, value)) in members(object).enumerate() {
                    if index > 0 {
                        out.push(',');
                    }
                    json_text::write_string(core::str::from_utf8(key).unwrap_or_default(), out);
                    out.push(':');
                    self.write_json_within(value, out, depth - 1);
                }
                out.push('}');
            }
            scalar => self.write(scalar, out),
        }
    }
}

/// The members of an object in key order.
pub(crate) fn members<'a>(object: Object<'a>) -> impl Iterator<Item = (&'a [u8], Item<'a>)> {
    (0..object.len()).filter_map(move |index| {
        let (key, value) = object.bytes_at(index)?;
        Some((key, Item::read(value)))
    })
}

/// JavaScript's `Number(text)` for decimal text; NaN for anything else.
fn parse_number(text: &str) -> f64 {
    let text = text.trim();
    if text.is_empty() {
        return 0.0;
    }
    number_text::parse(text.as_bytes()).unwrap_or(f64::NAN)
}

/// JavaScript's `parseFloat`: the longest number at the start, none when there is none.
pub(crate) fn parse_float(text: &str) -> Option<f64> {
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
        at
    };
    let start = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let whole = digits(start);
    let mut end = whole;
    if bytes.get(whole) == Some(&b'.') {
        let fraction = digits(whole + 1);
        if fraction > whole + 1 || whole > start {
            end = fraction;
        }
    }
    if end == start {
        return None;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = end + 1 + usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(sign);
        if exponent > sign {
            end = exponent;
        }
    }
    number_text::parse(bytes.get(..end)?)
}

/// The decimal text of a whole number at the end of `room`; where it begins.
pub(crate) fn write_digits(value: i64, room: &mut [u8; 20]) -> usize {
    let start = number_text::digits(value.unsigned_abs(), room);
    // The least number has 19 digits, so there is room for its sign.
    match room.get_mut(start.wrapping_sub(1)) {
        Some(sign) if value < 0 => {
            *sign = b'-';
            start - 1
        }
        _ => start,
    }
}
