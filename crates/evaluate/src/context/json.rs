//! Contexts as JSON text (RFC 8259), read straight into the packed form.
//!
//! A reader of our own, so that every build of the engine reads every number alike and to the last bit: the same text must
//! give the same decision everywhere. Of repeated members the last counts. Lone surrogates, numbers out of a double's range and
//! anything after the value are refused, as is nesting beyond the limit.

use alloc::vec::Vec;
use core::ops::Range;

use flagstone_snapshot::limits::{MAX_CONTEXT_BYTES, MAX_DEPTH, MAX_MEMBERS};
use flagstone_snapshot::{Snapshot, ValueError, number_text};

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
        let mut reader = Reader { text: text.as_bytes(), at: 0 };
        let mut packed = Vec::with_capacity(2 * text.len());
        reader.value(&mut packed, 0)?;
        reader.space();
        if reader.at != reader.text.len() {
            return Err(ContextError::Json);
        }
        Context::from_packed(snapshot, packed)
    }
}

const BAD: ContextError = ContextError::Json;

struct Reader<'t> {
    text: &'t [u8],
    at: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes a byte that must be there.
    fn take(&mut self, byte: u8) -> Result<(), ContextError> {
        if self.peek() != Some(byte) {
            return Err(BAD);
        }
        self.at += 1;
        Ok(())
    }

    /// After a member: true when another follows, false at the `end`.
    fn more(&mut self, end: u8) -> Result<bool, ContextError> {
        self.space();
        let byte = self.peek();
        self.at += 1;
        match byte {
            Some(b',') => Ok(true),
            Some(byte) if byte == end => Ok(false),
            _ => Err(BAD),
        }
    }

    fn value(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), ContextError> {
        self.space();
        match self.peek().ok_or(BAD)? {
            b'"' => {
                out.push(6);
                self.string(out)
            }
            b'{' => self.object(out, depth),
            b'[' => self.list(out, depth),
            b'n' => self.word(b"null", 0, out),
            b'f' => self.word(b"false", 1, out),
            b't' => self.word(b"true", 2, out),
            _ => self.number(out),
        }
    }

    fn word(&mut self, word: &[u8], tag: u8, out: &mut Vec<u8>) -> Result<(), ContextError> {
        let end = self.at + word.len();
        if self.text.get(self.at..end) != Some(word) {
            return Err(BAD);
        }
        self.at = end;
        out.push(tag);
        Ok(())
    }

    fn number(&mut self, out: &mut Vec<u8>) -> Result<(), ContextError> {
        let start = self.at;
        let negative = self.peek() == Some(b'-');
        self.at += usize::from(negative);
        let whole = self.digits()?;
        if whole.len() > 1 && self.text.get(whole.start) == Some(&b'0') {
            return Err(BAD);
        }
        let mut integer = true;
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
            integer = false;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
            integer = false;
        }
        if integer {
            let add =
                |value: Option<u64>, digit: &u8| value?.checked_mul(10)?.checked_add(u64::from(digit - b'0'));
            let size = self.text.get(whole).unwrap_or_default().iter().fold(Some(0), add);
            let signed = size.and_then(|size| {
                if negative { 0i64.checked_sub_unsigned(size) } else { i64::try_from(size).ok() }
            });
            // `-0` is a number that no integer is.
            match (signed, size) {
                (Some(0), _) if negative => {}
                (Some(value), _) => {
                    out.push(3);
                    out.extend_from_slice(&value.to_le_bytes());
                    return Ok(());
                }
                (None, Some(value)) if !negative => {
                    out.push(4);
                    out.extend_from_slice(&value.to_le_bytes());
                    return Ok(());
                }
                _ => {}
            }
        }
        let value = number_text::parse(self.text.get(start..self.at).unwrap_or_default()).ok_or(BAD)?;
        if !value.is_finite() {
            return Err(BAD);
        }
        out.push(5);
        out.extend_from_slice(&value.to_le_bytes());
        Ok(())
    }

    /// One digit or more.
    fn digits(&mut self) -> Result<Range<usize>, ContextError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(BAD) } else { Ok(start..self.at) }
    }

    /// A string, as length and bytes.
    fn string(&mut self, out: &mut Vec<u8>) -> Result<(), ContextError> {
        self.take(b'"')?;
        let length_at = out.len();
        out.extend_from_slice(&[0; 4]);
        loop {
            let start = self.at;
            while self.peek().is_some_and(|byte| byte != b'"' && byte != b'\\' && byte >= b' ') {
                self.at += 1;
            }
            out.extend_from_slice(self.text.get(start..self.at).unwrap_or_default());
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape(out)?,
                _ => return Err(BAD),
            }
        }
        self.at += 1;
        let length = (out.len() - length_at - 4) as u32;
        if let Some(place) = out.get_mut(length_at..length_at + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        Ok(())
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), ContextError> {
        self.at += 1;
        let byte = self.peek().ok_or(BAD)?;
        self.at += 1;
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let first = self.hexadecimal()?;
                let code = if (0xd800..0xdc00).contains(&first) {
                    self.take(b'\\')?;
                    self.take(b'u')?;
                    let second = self.hexadecimal()?.wrapping_sub(0xdc00);
                    if second >= 0x400 {
                        return Err(BAD);
                    }
                    0x1_0000 + ((first - 0xd800) << 10) + second
                } else {
                    first
                };
                let character = char::from_u32(code).ok_or(BAD)?;
                out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(BAD),
        };
        out.push(plain);
        Ok(())
    }

    fn hexadecimal(&mut self) -> Result<u32, ContextError> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(BAD)?;
        self.at += 4;
        digits.iter().try_fold(0, |code, digit| Ok(code * 16 + char::from(*digit).to_digit(16).ok_or(BAD)?))
    }

    fn list(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), ContextError> {
        let mut area = Vec::new();
        let mut members = Vec::new();
        self.members(b'[', b']', depth, |reader| {
            members.push(area.len()..area.len());
            reader.value(&mut area, depth + 1)?;
            Ok(members.len())
        })?;
        head(7, members.len(), out);
        for member in &members {
            out.extend_from_slice(&(member.start as u32).to_le_bytes());
        }
        out.extend_from_slice(&area);
        Ok(())
    }

    fn object(&mut self, out: &mut Vec<u8>, depth: usize) -> Result<(), ContextError> {
        let mut area = Vec::new();
        let mut members: Vec<Member> = Vec::new();
        self.members(b'{', b'}', depth, |reader| {
            let start = area.len();
            reader.space();
            reader.string(&mut area)?;
            let key = start + 4..area.len();
            reader.space();
            reader.take(b':')?;
            reader.value(&mut area, depth + 1)?;
            let member = Member { key, whole: start..area.len() };
            let name = |member: &Member| area.get(member.key.clone()).unwrap_or_default();
            match members.binary_search_by(|other| name(other).cmp(name(&member))) {
                Ok(place) => members.get_mut(place).into_iter().for_each(|old| *old = member.clone()),
                Err(place) => members.insert(place, member),
            }
            Ok(members.len())
        })?;
        head(8, members.len(), out);
        let mut offset = 0;
        for member in &members {
            out.extend_from_slice(&(offset as u32).to_le_bytes());
            offset += member.whole.len();
        }
        for member in &members {
            out.extend_from_slice(area.get(member.whole.clone()).unwrap_or_default());
        }
        Ok(())
    }

    /// The members between two brackets; `read` reads one and says how many there are.
    fn members(
        &mut self,
        begin: u8,
        end: u8,
        depth: usize,
        mut read: impl FnMut(&mut Self) -> Result<usize, ContextError>,
    ) -> Result<(), ContextError> {
        if depth >= MAX_DEPTH {
            return Err(ContextError::Value(ValueError::Depth));
        }
        self.take(begin)?;
        self.space();
        if self.peek() == Some(end) {
            self.at += 1;
            return Ok(());
        }
        loop {
            if read(self)? > MAX_MEMBERS {
                return Err(ContextError::Value(ValueError::Members));
            }
            if !self.more(end)? {
                return Ok(());
            }
        }
    }
}

/// A member of an object: its key, and key and value with the key's length before them.
#[derive(Clone)]
struct Member {
    key: Range<usize>,
    whole: Range<usize>,
}

fn head(tag: u8, count: usize, out: &mut Vec<u8>) {
    out.push(tag);
    out.extend_from_slice(&(count as u32).to_le_bytes());
}
