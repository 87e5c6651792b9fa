//! Base64 with the standard alphabet and padding, strict both ways (RFC 4648 sections 3.5 and 4).
//!
//! Our own forty lines and not the `base64` crate, which costs the guest 5 kB more; the crate is the oracle of
//! the tests.

use alloc::string::String;
use alloc::vec::Vec;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The bytes of `text`, or nothing if it is not the one encoding of any: characters outside the alphabet,
/// missing or extra padding and non-zero trailing bits are refused.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let (groups, rest) = text.as_bytes().as_chunks::<4>();
    if !rest.is_empty() {
        return None;
    }
    let mut out = Vec::with_capacity(text.len());
    let mut whole = true;
    for group in groups {
        // Nothing may follow a padded group.
        if !whole {
            return None;
        }
        let padding = group.iter().rev().take_while(|byte| **byte == b'=').count().min(2);
        let mut bits = 0u32;
        for byte in group.iter().take(4 - padding) {
            bits = (bits << 6) | sextet(*byte)?;
        }
        bits <<= 6 * padding;
        let [_, a, b, c] = bits.to_be_bytes();
        out.push(a);
        match padding {
            0 => out.extend_from_slice(&[b, c]),
            1 if c == 0 => out.push(b),
            2 if b == 0 && c == 0 => {}
            _ => return None,
        }
        whole = padding == 0;
    }
    Some(out)
}

/// Append the encoding of `bytes`.
pub(crate) fn push(out: &mut String, bytes: &[u8]) {
    for group in bytes.chunks(3) {
        let mut bits = 0u32;
        for at in 0..3 {
            bits = (bits << 8) | u32::from(group.get(at).copied().unwrap_or(0));
        }
        for at in 0..4 {
            let sextet = usize::try_from((bits >> (18 - 6 * at)) & 63).unwrap_or(0);
            let byte = if at > group.len() { b'=' } else { ALPHABET.get(sextet).copied().unwrap_or(b'=') };
            out.push(char::from(byte));
        }
    }
}

fn sextet(byte: u8) -> Option<u32> {
    let (from, base) = match byte {
        b'A'..=b'Z' => (b'A', 0),
        b'a'..=b'z' => (b'a', 26),
        b'0'..=b'9' => (b'0', 52),
        b'+' => (b'+', 62),
        b'/' => (b'/', 63),
        _ => return None,
    };
    Some(u32::from(byte.wrapping_sub(from)).wrapping_add(base))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rfc_4648_section_10() {
        for (text, code) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            let mut out = String::new();
            push(&mut out, text.as_bytes());
            assert_eq!(out, code);
            assert_eq!(decode(code).as_deref(), Some(text.as_bytes()));
        }
    }

    #[test]
    fn only_the_one_encoding_is_read() {
        for bad in [
            "Zg",
            "Zg=",
            "Zg===",
            "Z===",
            "====",
            "=",
            "Zh==",
            "Zm9=",
            "Zg==Zg==",
            "Zm8=Zm9v",
            "Z=g=",
            "=Zg=",
            "Zm9v\n",
            " Zm9v",
            "Zm 9v",
            "Zm-v",
            "Zm_v",
            "Zm\u{e9}v",
            "Zg=A",
        ] {
            assert_eq!(decode(bad), None, "{bad:?}");
            assert!(STANDARD.decode(bad).is_err(), "the oracle agrees about {bad:?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn as_the_oracle_encodes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut out = String::new();
            push(&mut out, &bytes);
            prop_assert_eq!(&out, &STANDARD.encode(&bytes));
            prop_assert_eq!(decode(&out), Some(bytes));
        }

        #[test]
        fn as_the_oracle_decodes(text in "[A-Za-d0+/=]{0,12}") {
            prop_assert_eq!(decode(&text), STANDARD.decode(&text).ok());
        }
    }
}
