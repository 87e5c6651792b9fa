//! A large list of keys by their hashes: sorted, or as a Bloom filter.
//!
//! ```text
//! u8 kind | u8 probes | u32 length | kind 0: length x u64 ascending | kind 1: length bytes of bits
//! ```
//! A key's hash is MurmurHash3 x64 128, seed 0. Sorted hashes keep the low half: among `n` keys a stranger is taken
//! for a member with probability `n / 2^64`. A Bloom filter (Bloom 1970) of `m` bits looks at bits
//! `(low + i * (high | 1)) mod m` for `i` in `0..probes` (Kirsch and Mitzenmacher 2006); it never misses a member.

use alloc::vec::Vec;

use super::take_u32;
use crate::limits::{MAX_KEY_SET_BYTES, MAX_PROBES};
use crate::murmur3_x64_128;

/// A set of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeySet {
    /// The low halves of the hashes, strictly ascending.
    Hashes(Vec<u64>),
    /// A Bloom filter.
    Bloom {
        /// The bits, the first being the lowest of the first byte; at least one byte.
        bits: Vec<u8>,
        /// Bits that a member sets, 1 to [`MAX_PROBES`].
        probes: u8,
    },
}

impl KeySet {
    /// The sorted hashes of keys.
    pub fn hashes<'k>(keys: impl Iterator<Item = &'k str>) -> KeySet {
        let mut hashes: Vec<u64> = keys.map(|key| murmur3_x64_128(key.as_bytes(), 0).0).collect();
        hashes.sort_unstable();
        hashes.dedup();
        KeySet::Hashes(hashes)
    }

    /// A Bloom filter of `bytes` bytes (at least one) and `probes` probes.
    pub fn bloom<'k>(keys: impl Iterator<Item = &'k str>, bytes: usize, probes: u8) -> KeySet {
        let mut bits = alloc::vec![0u8; bytes.max(1)];
        let size = 8 * bits.len() as u64;
        for key in keys {
            for bit in probed(murmur3_x64_128(key.as_bytes(), 0), size, probes) {
                if let Some(byte) = bits.get_mut((bit / 8) as usize) {
                    *byte |= 1 << (bit % 8);
                }
            }
        }
        KeySet::Bloom { bits, probes }
    }

    /// The bytes of it, none when it is not well-formed or larger than [`MAX_KEY_SET_BYTES`].
    #[must_use]
    pub fn write(&self) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut head = |kind: u8, probes: u8, length: usize| {
            out.extend_from_slice(&[kind, probes]);
            out.extend_from_slice(&u32::try_from(length).ok()?.to_le_bytes());
            Some(())
        };
        match self {
            KeySet::Hashes(hashes) => {
                head(0, 0, hashes.len())?;
                out.extend(hashes.iter().flat_map(|hash| hash.to_le_bytes()));
            }
            KeySet::Bloom { bits, probes } => {
                head(1, *probes, bits.len())?;
                out.extend_from_slice(bits);
            }
        }
        (check(&out) == Some(out.len())).then_some(out)
    }
}

/// The bits that a hash stands for.
fn probed((low, high): (u64, u64), size: u64, probes: u8) -> impl Iterator<Item = u64> {
    (0..u64::from(probes)).map(move |probe| low.wrapping_add(probe.wrapping_mul(high | 1)) % size)
}

/// The length of the set at the start of `bytes`, none when there is none.
#[must_use]
pub fn check(bytes: &[u8]) -> Option<usize> {
    let ([kind, probes], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = take_u32(rest)?;
    let size = match kind {
        0 if *probes == 0 => (length as usize).checked_mul(8)?,
        1 if length > 0 && (1..=MAX_PROBES).contains(probes) => length as usize,
        _ => return None,
    };
    let (data, _) = rest.split_at_checked(size)?;
    let sorted = *kind == 1 || data.as_chunks::<8>().0.is_sorted_by(|a, b| number(a) < number(b));
    (sorted && size <= MAX_KEY_SET_BYTES).then_some(6 + size)
}

/// Whether `key` is in the set at the start of checked `bytes`.
#[must_use]
pub fn contains(bytes: &[u8], key: &[u8]) -> bool {
    find(bytes, murmur3_x64_128(key, 0)).unwrap_or_default()
}

fn find(bytes: &[u8], hash: (u64, u64)) -> Option<bool> {
    let ([kind, probes], rest) = bytes.split_first_chunk::<2>()?;
    let (length, rest) = take_u32(rest)?;
    if *kind == 0 {
        let hashes = rest.get(..8 * length as usize)?.as_chunks::<8>().0;
        return Some(hashes.binary_search_by_key(&hash.0, number).is_ok());
    }
    let bits = rest.get(..length as usize)?;
    Some(
        probed(hash, 8 * u64::from(length), *probes)
            .all(|bit| bits.get((bit / 8) as usize).is_some_and(|byte| byte & (1 << (bit % 8)) != 0)),
    )
}

fn number(bytes: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::String;

    #[test]
    fn members_are_found_and_few_others() {
        let keys: Vec<String> = (0..5_000).map(|index| format!("tenant-{index}")).collect();
        let sorted = KeySet::hashes(keys.iter().map(String::as_str)).write().unwrap();
        // 10 bits a key and 7 probes: about 0.82 % of strangers.
        let bloom = KeySet::bloom(keys.iter().map(String::as_str), 6_250, 7).write().unwrap();
        for key in &keys {
            assert!(contains(&sorted, key.as_bytes()) && contains(&bloom, key.as_bytes()), "{key}");
        }
        let strangers = (0..100_000).map(|index| format!("other-{index}"));
        let (mut exact, mut approximate) = (0, 0);
        for key in strangers {
            exact += u32::from(contains(&sorted, key.as_bytes()));
            approximate += u32::from(contains(&bloom, key.as_bytes()));
        }
        assert_eq!(exact, 0);
        assert!((600..1_100).contains(&approximate), "{approximate}");
    }

    #[test]
    fn damaged_sets_are_refused() {
        assert!(KeySet::Hashes(alloc::vec![2, 1]).write().is_none());
        assert!(KeySet::Hashes(alloc::vec![1, 1]).write().is_none());
        assert!(KeySet::Bloom { bits: Vec::new(), probes: 1 }.write().is_none());
        assert!(KeySet::Bloom { bits: alloc::vec![0], probes: 0 }.write().is_none());
        assert!(KeySet::Bloom { bits: alloc::vec![0], probes: MAX_PROBES + 1 }.write().is_none());
        let bytes = KeySet::Hashes(alloc::vec![1, 2]).write().unwrap();
        assert!((0..bytes.len()).all(|length| check(&bytes[..length]).is_none()));
        assert_eq!(KeySet::Hashes(Vec::new()).write().map(|bytes| contains(&bytes, b"x")), Some(false));
    }
}
