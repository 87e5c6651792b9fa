//! Networks as authors write them (CIDR, RFC 4632 and RFC 4291) to ranges of addresses.

use std::net::{IpAddr, Ipv6Addr};

/// An inclusive range of addresses; IPv4 addresses are those of `::ffff:0:0/96`.
pub(super) type Range = (u128, u128);

const EXAMPLES: &str = "`10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`";

/// The range of a network or of a single address, and how it should be written when it has bits beyond its
/// prefix. Otherwise a hint.
pub(super) fn range(text: &str) -> Result<(Range, Option<String>), String> {
    let (address, prefix) =
        text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
    let address: IpAddr = address.parse().map_err(|_| format!("write it as {EXAMPLES}"))?;
    let (bits, width) = match address {
        IpAddr::V4(address) => (address.to_ipv6_mapped().to_bits(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let plain = |digits: &&str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let length: u32 = match prefix {
        None => width,
        Some(digits) => Some(digits)
            .filter(plain)
            .and_then(|digits| digits.parse().ok())
            .filter(|length| *length <= width)
            .ok_or_else(|| format!("after the `/` comes a number of bits, 0 to {width}"))?,
    };
    // The bits that are free; all 128 of them cannot be shifted to.
    let free = 1u128.checked_shl(width - length).map_or(u128::MAX, |size| size - 1);
    let first = bits & !free;
    let meant = (first != bits).then(|| {
        let base = Ipv6Addr::from_bits(first);
        match (address, base.to_ipv4_mapped()) {
            (IpAddr::V4(_), Some(base)) => format!("{base}/{length}"),
            _ => format!("{base}/{length}"),
        }
    });
    Ok(((first, first | free), meant))
}

/// The same addresses in ascending ranges that neither overlap nor touch.
pub(super) fn merged(mut ranges: Vec<Range>) -> Vec<Range> {
    ranges.sort_unstable();
    let mut merged: Vec<Range> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match merged.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => merged.push((first, last)),
        }
    }
    merged
}

#[cfg(test)]
mod tests {
    use flagstone_snapshot::blob::network::{contains, write};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn networks_are_ranges() {
        let v4 =
            |text: &str| text.parse::<std::net::Ipv4Addr>().expect("an address").to_ipv6_mapped().to_bits();
        assert_eq!(range("10.0.0.0/8"), Ok(((v4("10.0.0.0"), v4("10.255.255.255")), None)));
        assert_eq!(range("192.0.2.7"), Ok(((v4("192.0.2.7"), v4("192.0.2.7")), None)));
        assert_eq!(range("0.0.0.0/0"), Ok(((v4("0.0.0.0"), v4("255.255.255.255")), None)));
        assert_eq!(range("::/0"), Ok(((0, u128::MAX), None)));
        assert_eq!(range("2001:db8::/32"), Ok(((0x2001_0db8 << 96, (0x2001_0db9 << 96) - 1), None)));
        assert_eq!(range("::ffff:10.0.0.0/104"), Ok(((v4("10.0.0.0"), v4("10.255.255.255")), None)));
        let meant = |text: &str| range(text).expect("a network").1;
        assert_eq!(meant("10.1.2.3/8").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(meant("2001:db8::1/32").as_deref(), Some("2001:db8::/32"));
        for wrong in [
            "",
            "10.0.0.0/33",
            "10.0.0/8",
            "::/129",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "10.0.0.0/8/8",
            "x",
            "010.0.0.1",
        ] {
            assert!(range(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn merging_keeps_the_addresses(
            networks in prop::collection::vec((0u32..64, 26u32..=32), 0..12),
            addresses in prop::collection::vec(0u32..80, 20),
        ) {
            let ranges: Vec<Range> = networks
                .iter()
                .map(|(base, length)| range(&format!("{}/{length}", std::net::Ipv4Addr::from(*base))).expect("a network").0)
                .collect();
            let bytes = write(&merged(ranges.clone())).expect("ascending and apart");
            for address in addresses {
                let address = std::net::Ipv4Addr::from(address);
                let bits = address.to_ipv6_mapped().to_bits();
                let expected = ranges.iter().any(|(first, last)| (first..=last).contains(&&bits));
                prop_assert_eq!(contains(&bytes, &address.to_string()), Some(expected));
            }
        }
    }
}
