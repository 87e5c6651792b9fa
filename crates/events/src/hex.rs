//! Lower-case hexadecimal text of fixed-size byte strings, and their serde form.

use std::fmt;

const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// Lower-case hexadecimal digits, two for each byte.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| DIGITS.get(usize::from(nibble & 15)).copied().unwrap_or('0');
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

/// The bytes of exactly `2 * N` lower-case hexadecimal digits, none for anything else.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != N.checked_mul(2)? {
        return None;
    }
    let mut bytes = [0_u8; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = *pair else { return None };
        *byte = (nibble(high)? << 4) | nibble(low)?;
    }
    Some(bytes)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Reads hexadecimal text in serde.
pub(crate) struct HexVisitor<const N: usize>(pub(crate) &'static str);

impl<const N: usize> serde::de::Visitor<'_> for HexVisitor<N> {
    type Value = [u8; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} lower-case hexadecimal digits ({})", N * 2, self.0)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        from_hex(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }
}

/// Gives a `struct Name([u8; N])` its text form (`Display`, `FromStr`) and the same form in serde.
macro_rules! hex_text {
    ($name:ident, $bytes:literal, $what:literal) => {
        impl $name {
            #[doc = concat!("From its raw bytes (", stringify!($bytes), " of them).")]
            #[must_use]
            pub const fn from_bytes(bytes: [u8; $bytes]) -> Self {
                Self(bytes)
            }

            /// The raw bytes.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; $bytes] {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&$crate::hex::to_hex(&self.0))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::EventError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::hex::from_hex(text).map(Self).ok_or($crate::EventError::OutOfRange { what: $what })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&$crate::hex::to_hex(&self.0))
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_str($crate::hex::HexVisitor::<$bytes>($what)).map(Self)
            }
        }
    };
}
pub(crate) use hex_text;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_go_both_ways() {
        assert_eq!(to_hex(&[0, 15, 16, 255]), "000f10ff");
        assert_eq!(from_hex::<4>("000f10ff"), Some([0, 15, 16, 255]));
        assert_eq!(from_hex::<4>("000F10FF"), None, "upper case would give one value two texts");
        assert_eq!(from_hex::<4>("000f10f"), None);
        assert_eq!(from_hex::<1>("0g"), None);
    }
}
