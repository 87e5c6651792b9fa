//! Lines and columns of the YAML parser to byte offsets.

use std::cell::Cell;

use saphyr_parser::Marker;

/// Turns the parser's lines and columns (in characters) into byte offsets.
pub(super) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// Line, column and offset of the last place asked for: the next one is mostly behind it, and a line may be
    /// the whole text.
    last: Cell<(usize, usize, usize)>,
}

impl<'a> Lines<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for (at, byte) in bytes.iter().enumerate() {
            let lone_return = *byte == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            if *byte == b'\n' || lone_return {
                starts.push(at + 1);
            }
        }
        Lines { text, starts, last: Cell::default() }
    }

    pub(super) fn offset(&self, marker: &Marker) -> usize {
        let line = marker.line().saturating_sub(1);
        let Some(start) = self.starts.get(line).copied() else {
            return self.text.len();
        };
        let (column, from) = match self.last.get() {
            (same, column, from) if same == line && column <= marker.col() => (column, from.max(start)),
            _ => (0, start),
        };
        let rest = self.text.get(from..).unwrap_or_default();
        let found = rest.char_indices().nth(marker.col() - column).map(|(at, _)| from + at);
        if let Some(found) = found {
            self.last.set((line, marker.col(), found));
        }
        found.unwrap_or(self.text.len())
    }

    /// The end of a block without the white space and comments that follow it.
    pub(super) fn trim_end(&self, start: usize, end: usize) -> usize {
        let mut text = self.text.get(start..end).unwrap_or_default();
        loop {
            text = text.trim_end();
            let line = text.rfind('\n').map_or(0, |at| at + 1);
            match text.get(line..) {
                Some(last) if line > 0 && last.trim_start().starts_with('#') => {
                    text = text.get(..line).unwrap_or_default();
                }
                _ => return start + text.len(),
            }
        }
    }
}
