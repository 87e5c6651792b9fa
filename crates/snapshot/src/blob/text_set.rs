//! A list of texts that a rule looks an attribute up in: short ones as numbers, longer ones sorted.
//!
//! ```text
//! u32 shorts | u32 longs | shorts x u64 ascending | longs x u32 offset | longs x (u32 length, bytes)
//! ```
//! A text of at most seven bytes is the number made of its bytes, little-endian, with its length in the top byte. Longer
//! ones ascend by their bytes; offsets count from behind the offset table.

use alloc::vec::Vec;

use super::take_u32;

/// The longest text that is kept as a number.
pub const SHORT: usize = 7;

/// The bytes of a set of texts.
#[must_use]
pub fn write(texts: &[&str]) -> Vec<u8> {
    let mut shorts: Vec<u64> = texts.iter().filter_map(|text| short(text.as_bytes())).collect();
    shorts.sort_unstable();
    shorts.dedup();
    let mut longs: Vec<&[u8]> =
        texts.iter().map(|text| text.as_bytes()).filter(|text| text.len() > SHORT).collect();
    longs.sort_unstable();
    longs.dedup();
    let mut out = Vec::new();
    out.extend_from_slice(&(shorts.len() as u32).to_le_bytes());
    out.extend_from_slice(&(longs.len() as u32).to_le_bytes());
    out.extend(shorts.iter().flat_map(|number| number.to_le_bytes()));
    let mut area = Vec::new();
    for text in longs {
        out.extend_from_slice(&(area.len() as u32).to_le_bytes());
        area.extend_from_slice(&(text.len() as u32).to_le_bytes());
        area.extend_from_slice(text);
    }
    out.extend_from_slice(&area);
    out
}

/// The number of a text of at most [`SHORT`] bytes, none of a longer one.
#[must_use]
#[inline]
pub fn short(text: &[u8]) -> Option<u64> {
    let mut bytes = [0; 8];
    let (room, last) = bytes.split_at_mut(SHORT);
    room.get_mut(..text.len())?.copy_from_slice(text);
    last.fill(text.len() as u8);
    Some(u64::from_le_bytes(bytes))
}

struct Parts<'a> {
    shorts: &'a [[u8; 8]],
    offsets: &'a [[u8; 4]],
    area: &'a [u8],
}

fn parts(bytes: &[u8]) -> Option<Parts<'_>> {
    let (shorts, rest) = take_u32(bytes)?;
    let (longs, rest) = take_u32(rest)?;
    let (shorts, rest) = rest.split_at_checked((shorts as usize).checked_mul(8)?)?;
    let (offsets, area) = rest.split_at_checked((longs as usize).checked_mul(4)?)?;
    Some(Parts { shorts: shorts.as_chunks().0, offsets: offsets.as_chunks().0, area })
}

impl<'a> Parts<'a> {
    fn long(&self, offset: &[u8; 4]) -> Option<&'a [u8]> {
        let (length, rest) = take_u32(self.area.get(u32::from_le_bytes(*offset) as usize..)?)?;
        rest.get(..length as usize)
    }
}

/// The length of the set at the start of `bytes`, none when there is none.
#[must_use]
pub fn check(bytes: &[u8]) -> Option<usize> {
    let parts = parts(bytes)?;
    if !parts.shorts.is_sorted_by(|a, b| u64::from_le_bytes(*a) < u64::from_le_bytes(*b)) {
        return None;
    }
    let mut end = 0;
    let mut previous: Option<&[u8]> = None;
    for offset in parts.offsets {
        let text = parts.long(offset)?;
        let rises = previous.is_none_or(|before| before < text);
        if u32::from_le_bytes(*offset) as usize != end || !rises || core::str::from_utf8(text).is_err() {
            return None;
        }
        end += 4 + text.len();
        previous = Some(text);
    }
    Some(8 + 8 * parts.shorts.len() + 4 * parts.offsets.len() + end)
}

/// Whether `text` is in the set at the start of checked `bytes`.
#[must_use]
#[inline]
pub fn contains(bytes: &[u8], text: &[u8]) -> bool {
    match short(text) {
        Some(number) => contains_short(bytes, number),
        None => contains_long(bytes, text).unwrap_or_default(),
    }
}

/// Whether the text with this [`short`] number is in the set at the start of checked `bytes`.
#[must_use]
#[inline]
pub fn contains_short(bytes: &[u8], number: u64) -> bool {
    let Some((count, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let count = u32::from_le_bytes(*count) as usize;
    let shorts = rest.get(4..).unwrap_or_default().as_chunks::<8>().0.get(..count).unwrap_or_default();
    // A scan of a few numbers is faster than halving.
    if count <= 16 {
        shorts.iter().any(|member| u64::from_le_bytes(*member) == number)
    } else {
        shorts.binary_search_by_key(&number, |member| u64::from_le_bytes(*member)).is_ok()
    }
}

fn contains_long(bytes: &[u8], text: &[u8]) -> Option<bool> {
    let parts = parts(bytes)?;
    let found = parts.offsets.binary_search_by(|offset| parts.long(offset).unwrap_or_default().cmp(text));
    Some(found.is_ok())
}

/// The texts in the set, short ones first, for an explanation.
pub fn texts(bytes: &[u8]) -> impl Iterator<Item = alloc::string::String> {
    let parts = parts(bytes);
    let shorts = parts.as_ref().map(|parts| parts.shorts).unwrap_or_default().iter().map(|number| {
        let length = usize::from(*number.last().unwrap_or(&0));
        number.get(..length).unwrap_or_default()
    });
    let longs = parts.as_ref().map(|parts| parts.offsets).unwrap_or_default();
    let longs = longs
        .iter()
        .map(move |offset| parts.as_ref().and_then(|parts| parts.long(offset)).unwrap_or_default());
    shorts.chain(longs).map(|text| alloc::string::String::from_utf8_lossy(text).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_any_length_are_found() {
        let members = ["", "de", "fr", "1234567", "12345678", "Grüße", "a longer text", "a longer one", "de"];
        let bytes = write(&members);
        assert_eq!(check(&bytes), Some(bytes.len()));
        for member in members {
            assert!(contains(&bytes, member.as_bytes()), "{member}");
        }
        for other in ["d", "DE", "1234568", "123456789", "a longer", "\0", "\0\0"] {
            assert!(!contains(&bytes, other.as_bytes()), "{other}");
        }
        assert_eq!(texts(&bytes).count(), 8);
        assert!((0..bytes.len()).all(|length| check(&bytes[..length]).is_none()));
    }

    #[test]
    fn many_are_searched() {
        let members: Vec<alloc::string::String> = (0..500).map(|index| alloc::format!("{index}")).collect();
        let bytes = write(&members.iter().map(alloc::string::String::as_str).collect::<Vec<_>>());
        assert!(members.iter().all(|member| contains(&bytes, member.as_bytes())));
        assert!(!contains(&bytes, b"500"));
    }
}
