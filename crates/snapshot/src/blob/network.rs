//! Ranges of IP addresses, ascending and apart.
//!
//! ```text
//! u32 count | count x (u128 first, u128 last)
//! ```
//! An IPv4 address stands for its IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2), written in either form.

use alloc::vec::Vec;

use super::{address, take_u32};
use crate::limits::MAX_NETWORKS;

/// The bytes of inclusive ranges, none when they are not ascending and apart or more than [`MAX_NETWORKS`].
#[must_use]
pub fn write(ranges: &[(u128, u128)]) -> Option<Vec<u8>> {
    let mut out = u32::try_from(ranges.len()).ok()?.to_le_bytes().to_vec();
    for (first, last) in ranges {
        out.extend_from_slice(&first.to_le_bytes());
        out.extend_from_slice(&last.to_le_bytes());
    }
    (check(&out) == Some(out.len())).then_some(out)
}

/// The length of the ranges at the start of `bytes`, none when there are none.
#[must_use]
pub fn check(bytes: &[u8]) -> Option<usize> {
    let ranges = ranges(bytes)?;
    let mut next = Some(0);
    for range in ranges {
        let (first, last) = pair(range)?;
        if first > last || next.is_none_or(|next| first < next) {
            return None;
        }
        next = last.checked_add(1);
    }
    (ranges.len() <= MAX_NETWORKS).then_some(4 + 32 * ranges.len())
}

/// Whether `address` (text) is in one of the ranges at the start of checked `bytes`; none when it is no address.
#[must_use]
pub fn contains(bytes: &[u8], address: &str) -> Option<bool> {
    let address = address::parse(address)?;
    let ranges = ranges(bytes).unwrap_or_default();
    let after = ranges.partition_point(|range| pair(range).is_some_and(|(first, _)| first <= address));
    let before = after.checked_sub(1).and_then(|index| pair(ranges.get(index)?));
    Some(before.is_some_and(|(_, last)| address <= last))
}

fn ranges(bytes: &[u8]) -> Option<&[[u8; 32]]> {
    let (count, rest) = take_u32(bytes)?;
    Some(rest.get(..(count as usize).checked_mul(32)?)?.as_chunks::<32>().0)
}

fn pair(range: &[u8; 32]) -> Option<(u128, u128)> {
    let (first, rest) = range.split_first_chunk::<16>()?;
    Some((u128::from_le_bytes(*first), u128::from_le_bytes(*rest.first_chunk::<16>()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapped(text: &str) -> u128 {
        text.parse::<core::net::Ipv4Addr>().unwrap().to_ipv6_mapped().to_bits()
    }

    #[test]
    fn addresses_are_found_in_either_form() {
        let ranges = [(mapped("10.0.0.0"), mapped("10.255.255.255")), (0x2001_0db8 << 96, 0x2001_0db9 << 96)];
        let bytes = write(&ranges).unwrap();
        for (address, expected) in [
            ("10.0.0.0", Some(true)),
            ("10.255.255.255", Some(true)),
            ("::ffff:10.1.2.3", Some(true)),
            ("11.0.0.0", Some(false)),
            ("9.255.255.255", Some(false)),
            ("2001:db8::1", Some(true)),
            ("2001:dba::", Some(false)),
            ("::1", Some(false)),
            ("10.0.0", None),
            ("", None),
        ] {
            assert_eq!(contains(&bytes, address), expected, "{address}");
        }
    }

    #[test]
    fn ranges_that_overlap_or_run_backwards_are_refused() {
        assert!(write(&[(2, 1)]).is_none());
        assert!(write(&[(1, 5), (5, 9)]).is_none());
        assert!(write(&[(1, u128::MAX), (2, 3)]).is_none());
        let bytes = write(&[(1, 4), (5, 9)]).unwrap();
        assert!((0..bytes.len()).all(|length| check(&bytes[..length]).is_none()));
        assert_eq!(write(&[]).map(|bytes| bytes.len()), Some(4));
    }
}
