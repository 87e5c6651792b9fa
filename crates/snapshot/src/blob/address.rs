//! IP addresses as text (RFC 4291 section 2.2; four decimals without leading zeros), exactly as the standard library
//! reads them: that is the oracle of the tests, and its reader is two kilobytes more in the guest.

/// The address as 128 bits, an IPv4 address as its IPv4-mapped IPv6 address; none when the text is no address.
pub(super) fn parse(text: &str) -> Option<u128> {
    if !text.contains(':') {
        return four(text).map(|address| 0xffff_0000_0000 | u128::from(address));
    }
    // `::` may stand once, for as many zeros as are missing.
    let gap = text.as_bytes().windows(2).position(|pair| pair == b"::");
    let Some(gap) = gap else {
        let (bits, groups) = groups(text, true)?;
        return (groups == 8).then_some(bits);
    };
    let (high, first) = groups(text.get(..gap)?, false)?;
    let (low, last) = groups(text.get(gap + 2..)?, true)?;
    // It stands for one group at least.
    if first + last > 7 {
        return None;
    }
    Some(if first == 0 { low } else { high << (16 * (8 - first)) | low })
}

/// Groups of hexadecimal digits between colons, and how many; the last two may be written as an IPv4 address.
fn groups(text: &str, ends: bool) -> Option<(u128, u32)> {
    let (mut bits, mut count) = (0u128, 0);
    if text.is_empty() {
        return Some((bits, count));
    }
    let mut rest = Some(text);
    while let Some(here) = rest {
        let (group, after) = match here.split_once(':') {
            Some((group, after)) => (group, Some(after)),
            None => (here, None),
        };
        rest = after;
        let (value, width) = if ends && after.is_none() && group.contains('.') {
            (four(group)?, 2)
        } else {
            (u32::from(number(group, 16, 4)?), 1)
        };
        count += width;
        if count > 8 {
            return None;
        }
        bits = bits << (16 * width) | u128::from(value);
    }
    Some((bits, count))
}

/// Four decimals between dots.
fn four(text: &str) -> Option<u32> {
    let mut parts = text.split('.');
    let mut bits = 0;
    for _ in 0..4 {
        let part = parts.next()?;
        let value = number(part, 10, 3).filter(|value| *value < 256)?;
        if part.len() > 1 && part.starts_with('0') {
            return None;
        }
        bits = bits << 8 | u32::from(value);
    }
    parts.next().is_none().then_some(bits)
}

/// One to `most` digits.
fn number(text: &str, base: u32, most: usize) -> Option<u16> {
    if text.is_empty() || text.len() > most {
        return None;
    }
    text.chars().try_fold(0u16, |value, digit| Some(value * base as u16 + digit.to_digit(base)? as u16))
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::String;
    use core::net::{IpAddr, Ipv6Addr};

    use proptest::prelude::*;

    use super::parse;

    fn by_the_library(text: &str) -> Option<u128> {
        Some(match text.parse::<IpAddr>().ok()? {
            IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
            IpAddr::V6(address) => address.to_bits(),
        })
    }

    #[test]
    fn corners() {
        for text in [
            "",
            "0.0.0.0",
            "255.255.255.255",
            "256.0.0.0",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1.2.3.04",
            "1..3.4",
            "1.2.3.4 ",
            "0x1.2.3.4",
            "+1.2.3.4",
            "1.2.3.0004",
            "::",
            ":",
            ":::",
            "::1",
            "1::",
            "1::2",
            "::1::",
            "1:2:3:4:5:6:7:8",
            "1:2:3:4:5:6:7",
            "1:2:3:4:5:6:7:8:9",
            "::1:2:3:4:5:6:7",
            "::1:2:3:4:5:6:7:8",
            "1:2:3:4::5:6:7:8",
            "1:2:3:4:5:6:7::",
            "1:2:3:4:5:6:1.2.3.4",
            "1:2:3:4:5:6:7:1.2.3.4",
            "::1.2.3.4",
            "::ffff:1.2.3.4",
            "1.2.3.4::",
            "::1.2.3.4:1",
            "::1.2.3",
            "1:2:3:4:5::1.2.3.4",
            "1:2:3:4:5:6::1.2.3.4",
            "00001::",
            "0001::",
            "g::",
            "1:",
            ":1",
            "1:2:3:4:5:6:7:",
            "::1:",
            ":1::",
            "fe80::1%eth0",
            "[::1]",
            "::FFFF:A.B.C.D",
            "::ffff:01.2.3.4",
            "1.2.3.4:80",
            "٣::",
            "1.2.٣.4",
            "::.",
            "::1.",
            "1:::2",
            "::0",
            "0::0",
            "::ffff:256.1.1.1",
            "1.2.3.4.",
            ".1.2.3.4",
        ] {
            assert_eq!(parse(text), by_the_library(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn every_address_is_read_as_the_library_writes_it(bits: u128, holes: u8) {
            // Groups of zeros, so that `::` appears in all places.
            let zeros = (0..8).filter(|at| holes & (1 << at) != 0).fold(0u128, |mask, at| mask | 0xffff << (16 * at));
            let address = Ipv6Addr::from_bits(bits & !zeros);
            prop_assert_eq!(parse(&format!("{address}")), Some(address.to_bits()));
            let four = core::net::Ipv4Addr::from_bits(bits as u32);
            prop_assert_eq!(parse(&format!("{four}")), Some(four.to_ipv6_mapped().to_bits()));
        }

        #[test]
        fn near_misses_are_refused_as_by_the_library(text in "[0-9a-f:.]{0,24}|([0-9a-f]{0,5}:){0,9}([0-9]{0,4}\\.){0,5}[0-9a-f]{0,5}") {
            let text: String = text;
            prop_assert_eq!(parse(&text), by_the_library(&text), "{:?}", text);
        }
    }
}
