//! A `fractional` whose variants and weights stand in the rule: cumulated weights and what each stands for.
//!
//! ```text
//! u32 total | u32 count | count x (u32 end, u16 variant, u16 1 when the author wrote a boolean)
//! ```

use alloc::vec::Vec;

use super::take_u32;

/// Bytes of one entry.
const ENTRY: usize = 8;

/// The bytes of a table of (variant, written as a boolean, weight); none unless the weights add up to
/// 1 to 2^31 - 1.
#[must_use]
pub fn write(entries: &[(u16, bool, u32)]) -> Option<Vec<u8>> {
    let total: u64 = entries.iter().map(|entry| u64::from(entry.2)).sum();
    let mut out = u32::try_from(total).ok()?.to_le_bytes().to_vec();
    out.extend_from_slice(&u32::try_from(entries.len()).ok()?.to_le_bytes());
    let mut end = 0u32;
    for (variant, boolean, weight) in entries {
        end += weight;
        out.extend_from_slice(&end.to_le_bytes());
        out.extend_from_slice(&variant.to_le_bytes());
        out.extend_from_slice(&u16::from(*boolean).to_le_bytes());
    }
    (check(&out) == Some(out.len())).then_some(out)
}

fn entries(bytes: &[u8]) -> Option<(u32, &[[u8; ENTRY]])> {
    let (total, rest) = take_u32(bytes)?;
    let (count, rest) = take_u32(rest)?;
    Some((total, rest.get(..(count as usize).checked_mul(ENTRY)?)?.as_chunks().0))
}

fn parts(entry: &[u8; ENTRY]) -> (u32, u16, bool) {
    let [a, b, c, d, e, f, g, _] = *entry;
    (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([e, f]), g != 0)
}

/// The length of the table at the start of `bytes`, none when there is none.
#[must_use]
pub fn check(bytes: &[u8]) -> Option<usize> {
    let (total, entries) = entries(bytes)?;
    let ascending = entries.is_sorted_by(|a, b| parts(a).0 <= parts(b).0);
    let whole = entries.last().is_some_and(|last| parts(last).0 == total);
    (ascending && whole && (1..=i32::MAX as u32).contains(&total)).then_some(8 + ENTRY * entries.len())
}

/// The variant for a hash, and whether it was written as a boolean: the entry in which
/// `(u64(hash) * total) >> 32` falls, as in flagd's `fractional` v2.
#[must_use]
#[inline]
pub fn choose(bytes: &[u8], hash: u32) -> Option<(u16, bool)> {
    let (total, entries) = entries(bytes)?;
    let bucket = ((u64::from(hash) * u64::from(total)) >> 32) as u32;
    for entry in entries {
        let (end, variant, boolean) = parts(entry);
        if bucket < end {
            return Some((variant, boolean));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_fall_by_weight() {
        let bytes = write(&[(3, false, 1), (0, true, 0), (1, true, 3)]).unwrap();
        assert_eq!(choose(&bytes, 0), Some((3, false)));
        assert_eq!(choose(&bytes, (1 << 30) - 1), Some((3, false)));
        assert_eq!(choose(&bytes, 1 << 30), Some((1, true)));
        assert_eq!(choose(&bytes, u32::MAX), Some((1, true)));
        assert!((0..bytes.len()).all(|length| check(&bytes[..length]).is_none()));
        assert!(write(&[(0, false, 0)]).is_none() && write(&[]).is_none());
        assert!(write(&[(0, false, 1 << 31)]).is_none());
    }
}
