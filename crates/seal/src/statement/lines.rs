//! The strict line reader and the field printer under all statements: `<word> <value>` and LF.

use alloc::string::String;

use crate::base64;
use crate::error::SealError;
use crate::text::{decode_decimal, decode_digest, push_decimal};
use crate::told::told;

/// Walks a statement line by line. The first line that is wrong is remembered, and every answer after it is empty, so
/// that readers are straight lines of fields; [`Lines::finish`] tells.
pub(crate) struct Lines<'a> {
    rest: &'a str,
    line: u32,
    failed: Option<SealError>,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 0, failed: None }
    }

    /// The next line, without its LF.
    pub(crate) fn next(&mut self) -> &'a str {
        self.line = self.line.saturating_add(1);
        match self.rest.split_once('\n') {
            Some((line, rest)) if self.failed.is_none() => {
                self.rest = rest;
                line
            }
            _ => {
                self.bad();
                ""
            }
        }
    }

    /// The value of the next line, which must begin with `word`.
    #[inline(never)]
    pub(crate) fn field(&mut self, word: &str) -> &'a str {
        let line = self.next();
        let value = value_of(line, word);
        self.checked(value)
    }

    /// Whether the next line begins with `word`.
    pub(crate) fn begins(&self, word: &str) -> bool {
        self.failed.is_none() && value_of(self.rest, word).is_some()
    }

    /// The value of the next line if it begins with `word`; else nothing is read.
    #[inline(never)]
    pub(crate) fn optional(&mut self, word: &str) -> Option<&'a str> {
        self.begins(word).then(|| self.field(word))
    }

    /// A decimal field.
    #[inline(never)]
    pub(crate) fn number(&mut self, word: &str) -> u64 {
        let value = self.field(word);
        self.checked(decode_decimal(value))
    }

    /// A SHA-256 field.
    #[inline(never)]
    pub(crate) fn digest(&mut self, word: &str) -> [u8; 32] {
        let value = self.field(word);
        self.checked(decode_digest(value))
    }

    /// A text field for which `good` holds.
    #[inline(never)]
    pub(crate) fn text(&mut self, word: &str, good: fn(&str) -> bool) -> String {
        let value = self.field(word);
        self.expect(good(value));
        value.into()
    }

    /// `value`, or nothing where the line last read was wrong.
    pub(crate) fn checked<T: Default>(&mut self, value: Option<T>) -> T {
        self.expect(value.is_some());
        value.unwrap_or_default()
    }

    /// What `value` holds; its error is the statement's when it is the first.
    pub(crate) fn kept<T>(&mut self, value: Result<T, SealError>) -> Option<T> {
        match value {
            Ok(value) => Some(value),
            Err(error) => {
                self.failed.get_or_insert(error);
                None
            }
        }
    }

    /// That the line last read is as it must be.
    pub(crate) fn expect(&mut self, good: bool) {
        if !good {
            self.bad();
        }
    }

    /// That nothing is left, and nothing was wrong.
    pub(crate) fn finish(mut self) -> Result<(), SealError> {
        if !self.rest.is_empty() {
            self.line = self.line.saturating_add(1);
            self.bad();
        }
        self.failed.map_or(Ok(()), Err)
    }

    /// The line last read is wrong.
    #[inline(never)]
    fn bad(&mut self) {
        let line = self.line;
        self.failed.get_or_insert(SealError::BadStatement { line: told(|| line) });
    }
}

fn value_of<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    line.strip_prefix(word)?.strip_prefix(' ')
}

/// Append `<word> <value>` and LF.
pub(crate) fn push_field(out: &mut String, word: &str, value: &str) {
    out.push_str(word);
    out.push(' ');
    out.push_str(value);
    out.push('\n');
}

/// Append a decimal field.
pub(crate) fn push_number(out: &mut String, word: &str, value: u64) {
    out.push_str(word);
    out.push(' ');
    push_decimal(out, value);
    out.push('\n');
}

/// Append a SHA-256 field.
pub(crate) fn push_digest(out: &mut String, word: &str, value: &[u8; 32]) {
    out.push_str(word);
    out.push(' ');
    base64::push(out, value);
    out.push('\n');
}
