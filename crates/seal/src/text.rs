//! The small text forms all statements share: tokens, decimals, digests. Written without formatting machinery,
//! since the guest carries this code.

use alloc::string::String;

use sha2::{Digest as _, Sha256};

use crate::{base64, limits};

/// SHA-256.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// The 32 bytes that `text` is the base64 of.
pub(crate) fn decode_digest(text: &str) -> Option<[u8; 32]> {
    if text.len() != 44 {
        return None;
    }
    base64::decode(text)?.try_into().ok()
}

/// A decimal without sign or leading zero, of at most [`limits::MAX_DIGITS`] digits.
pub(crate) fn decode_decimal(text: &str) -> Option<u64> {
    let bytes = text.as_bytes();
    if bytes.is_empty()
        || bytes.len() > limits::MAX_DIGITS
        || (bytes.len() > 1 && bytes.first() == Some(&b'0'))
    {
        return None;
    }
    bytes.iter().try_fold(0u64, |value, byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit <= 9)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })
}

/// Append `value` in decimal.
pub(crate) fn push_decimal(out: &mut String, value: u64) {
    let rest = value / 10;
    if rest > 0 {
        push_decimal(out, rest);
    }
    let digit = u8::try_from(value % 10).unwrap_or(0);
    out.push(char::from(b'0'.saturating_add(digit)));
}

/// A token: visible ASCII without spaces, not empty, at most `limit` bytes.
pub(crate) fn is_token(text: &str, limit: usize) -> bool {
    !text.is_empty() && text.len() <= limit && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// An audience: a token.
pub(crate) fn is_audience(text: &str) -> bool {
    is_token(text, limits::MAX_AUDIENCE_BYTES)
}

/// An environment: a token without `:`, which parts a role's name.
pub(crate) fn is_environment(text: &str) -> bool {
    is_token(text, limits::MAX_ENVIRONMENT_BYTES) && !text.contains(':')
}

/// A flag key that can stand at the end of a pulse line: no control characters, not empty.
pub(crate) fn is_flag_key(text: &str) -> bool {
    !text.is_empty() && text.len() <= limits::MAX_FLAG_KEY_BYTES && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString as _;

    use super::*;

    #[test]
    fn decimals_are_canonical() {
        for good in [0, 1, 9, 10, 1_842, 9_999_999_999_999_999_999] {
            let text = good.to_string();
            assert_eq!(decode_decimal(&text), Some(good));
            let mut printed = String::new();
            push_decimal(&mut printed, good);
            assert_eq!(printed, text);
        }
        for bad in ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "0x1", "18446744073709551615", "1a", "٣"]
        {
            assert_eq!(decode_decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn digests_have_32_bytes() {
        for length in [0, 31, 32, 33, 34] {
            let mut text = String::new();
            base64::push(&mut text, &[7; 34][..length]);
            assert_eq!(decode_digest(&text), (length == 32).then_some([7; 32]));
        }
    }

    #[test]
    fn tokens_are_plain() {
        assert!(is_audience("acme.example/assistant#browser"));
        assert!(is_environment("production"));
        let long = "a".repeat(256);
        for (limit, check) in [
            (limits::MAX_AUDIENCE_BYTES, is_audience as fn(&str) -> bool),
            (limits::MAX_ENVIRONMENT_BYTES, is_environment),
            (limits::MAX_PAYLOAD_TYPE_BYTES, |text| is_token(text, limits::MAX_PAYLOAD_TYPE_BYTES)),
        ] {
            assert!(check(&long[..limit]));
            assert!(!check(&long[..limit + 1]));
            for bad in ["", " ", "a b", "a\n", "é", "a\u{7f}"] {
                assert!(!check(bad), "{bad:?}");
            }
        }
        assert!(!is_environment("release:production"));
    }
}
