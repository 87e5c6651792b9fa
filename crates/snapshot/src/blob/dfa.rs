//! A regular expression as a table: `compile` makes it, the engine only walks it, one step a byte.
//!
//! ```text
//! u16 states | u16 columns | u16 start | 256 x u8 class of each byte | states x columns x u16 next state
//! ```
//! State 0 can never match any more, state 1 has matched whatever follows; the last column is the end of the text.

use alloc::vec::Vec;

use super::take_u16;
use crate::limits::MAX_DFA_BYTES;

/// State from which nothing matches.
pub const DEAD: u16 = 0;
/// State in which the text has matched.
pub const MATCHED: u16 = 1;

/// An automaton that tells whether a pattern matches anywhere in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dfa {
    /// The class of each byte, below `columns - 1`.
    pub classes: [u8; 256],
    /// Columns of the table: the classes, then the end of the text.
    pub columns: u16,
    /// The state before the first byte.
    pub start: u16,
    /// Row by row the next state; rows [`DEAD`] and [`MATCHED`] are there and never read.
    pub next: Vec<u16>,
}

impl Dfa {
    /// The bytes of it, none when it is not well-formed or larger than [`MAX_DFA_BYTES`].
    #[must_use]
    pub fn write(&self) -> Option<Vec<u8>> {
        let columns = usize::from(self.columns);
        let states = self.next.len().checked_div(columns)?;
        let mut out = Vec::with_capacity(262 + 2 * self.next.len());
        for number in [u16::try_from(states).ok()?, self.columns, self.start] {
            out.extend_from_slice(&number.to_le_bytes());
        }
        out.extend_from_slice(&self.classes);
        out.extend(self.next.iter().flat_map(|state| state.to_le_bytes()));
        (check(&out) == Some(out.len())).then_some(out)
    }
}

/// The length of the automaton at the start of `bytes`, none when there is none.
#[must_use]
pub fn check(bytes: &[u8]) -> Option<usize> {
    let (states, rest) = take_u16(bytes)?;
    let (columns, rest) = take_u16(rest)?;
    let (start, rest) = take_u16(rest)?;
    let (classes, rest) = rest.split_first_chunk::<256>()?;
    let cells = usize::from(states) * usize::from(columns);
    let length = 262 + 2 * cells;
    let (table, _) = rest.split_at_checked(2 * cells)?;
    let classed = columns >= 2 && classes.iter().all(|class| u16::from(*class) < columns - 1);
    let fits = states >= 2 && start < states && length <= MAX_DFA_BYTES && classed;
    let leads = table.as_chunks::<2>().0.iter().all(|state| u16::from_le_bytes(*state) < states);
    (fits && leads).then_some(length)
}

/// Whether the automaton at the start of checked `bytes` matches anywhere in `text`.
#[must_use]
pub fn matches(bytes: &[u8], text: &[u8]) -> bool {
    walk(bytes, text).unwrap_or_default()
}

fn walk(bytes: &[u8], text: &[u8]) -> Option<bool> {
    let (_, rest) = take_u16(bytes)?;
    let (columns, rest) = take_u16(rest)?;
    let (mut state, rest) = take_u16(rest)?;
    let (classes, rest) = rest.split_first_chunk::<256>()?;
    let table = rest.as_chunks::<2>().0;
    let columns = usize::from(columns);
    for byte in text {
        if state <= MATCHED {
            return Some(state == MATCHED);
        }
        let class = usize::from(*classes.get(usize::from(*byte))?);
        state = u16::from_le_bytes(*table.get(usize::from(state) * columns + class)?);
    }
    if state > MATCHED {
        state = u16::from_le_bytes(*table.get(usize::from(state) * columns + columns - 1)?);
    }
    Some(state == MATCHED)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `a$`: state 2 has not just seen an `a`, state 3 has.
    fn ends_in_a() -> Dfa {
        let mut classes = [0; 256];
        classes[usize::from(b'a')] = 1;
        Dfa { classes, columns: 3, start: 2, next: alloc::vec![0, 0, 0, 1, 1, 1, 2, 3, 0, 2, 3, 1] }
    }

    #[test]
    fn it_walks_to_the_end() {
        let bytes = ends_in_a().write().unwrap();
        for (text, expected) in [("a", true), ("bca", true), ("ab", false), ("", false)] {
            assert_eq!(matches(&bytes, text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn what_would_lead_astray_is_refused() {
        let good = ends_in_a();
        assert!(Dfa { start: 4, ..good.clone() }.write().is_none());
        assert!(Dfa { columns: 2, ..good.clone() }.write().is_none());
        let mut next = good.next.clone();
        next[7] = 4;
        assert!(Dfa { next, ..good.clone() }.write().is_none());
        let bytes = good.write().unwrap();
        assert!((0..bytes.len()).all(|length| check(&bytes[..length]).is_none()));
        let many = alloc::vec![2; 3 * 20_000];
        assert!(Dfa { next: many, ..good }.write().is_none(), "more than the limit");
    }
}
