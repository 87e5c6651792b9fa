//! Constants that are no JSON: automata, sets, address ranges, shares. Each has one layout in the heap, a check of it
//! that `load` makes once, and a look-up that reads it where it lies.

mod address;
pub mod dfa;
pub mod key_set;
pub mod network;
pub mod shares;
pub mod text_set;

pub use dfa::Dfa;
pub use key_set::KeySet;

/// Splits a `u16` off.
fn take_u16(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<2>()?;
    Some((u16::from_le_bytes(*number), rest))
}

/// Splits a `u32` off.
fn take_u32(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*number), rest))
}
