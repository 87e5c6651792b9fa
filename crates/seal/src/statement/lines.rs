//! The strict line reader and the field printer under all statements: `<word> <value>` and LF.

use alloc::string::String;

use crate::base64;
use crate::error::SealError;
use crate::text::{decode_decimal, decode_digest, push_decimal};

/// Walks a statement line by line and remembers where it is, for the error.
pub(crate) struct Lines<'a> {
    rest: &'a str,
    line: u32,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { rest: text, line: 0 }
    }

    /// The next line, without its LF.
    pub(crate) fn next(&mut self) -> Result<&'a str, SealError> {
        self.line = self.line.saturating_add(1);
        let (line, rest) = self.rest.split_once('\n').ok_or_else(|| self.bad())?;
        self.rest = rest;
        Ok(line)
    }

    /// The value of the next line, which must begin with `word`.
    pub(crate) fn field(&mut self, word: &str) -> Result<&'a str, SealError> {
        let line = self.next()?;
        value_of(line, word).ok_or_else(|| self.bad())
    }

    /// Whether the next line begins with `word`.
    pub(crate) fn begins(&self, word: &str) -> bool {
        value_of(self.rest, word).is_some()
    }

    /// The value of the next line if it begins with `word`; else nothing is read.
    pub(crate) fn optional(&mut self, word: &str) -> Option<&'a str> {
        let (line, rest) = self.rest.split_once('\n')?;
        let value = value_of(line, word)?;
        self.rest = rest;
        self.line = self.line.saturating_add(1);
        Some(value)
    }

    /// A decimal field.
    pub(crate) fn number(&mut self, word: &str) -> Result<u64, SealError> {
        let value = self.field(word)?;
        self.checked(decode_decimal(value))
    }

    /// A SHA-256 field.
    pub(crate) fn digest(&mut self, word: &str) -> Result<[u8; 32], SealError> {
        let value = self.field(word)?;
        self.checked(decode_digest(value))
    }

    /// A text field for which `good` holds.
    pub(crate) fn text(&mut self, word: &str, good: fn(&str) -> bool) -> Result<String, SealError> {
        let value = self.field(word)?;
        if good(value) { Ok(value.into()) } else { Err(self.bad()) }
    }

    /// `value`, or the error of the line last read.
    pub(crate) fn checked<T>(&self, value: Option<T>) -> Result<T, SealError> {
        value.ok_or_else(|| self.bad())
    }

    /// That nothing is left.
    pub(crate) fn finish(&mut self) -> Result<(), SealError> {
        if self.rest.is_empty() {
            return Ok(());
        }
        self.line = self.line.saturating_add(1);
        Err(self.bad())
    }

    /// The error of the line last read.
    pub(crate) fn bad(&self) -> SealError {
        SealError::BadStatement { line: self.line }
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
