//! Public keys: the C2SP verifier-key text `name+hash+base64`, Ed25519 only, weak keys refused.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use ed25519_dalek::{Signature, VerifyingKey};

use crate::base64;
use crate::error::SealError;
use crate::limits;
use crate::text::sha256;

/// The signed-note algorithm byte of Ed25519.
pub(crate) const ED25519: u8 = 1;

/// A named Ed25519 public key.
///
/// Text form (C2SP signed-note): `<name>+<8 lower-case hex digits of the key id>+<base64(0x01 || public key)>`,
/// where the key id is the first four bytes of SHA-256(name, LF, 0x01, public key).
#[derive(Clone)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

impl VerifierKey {
    /// Make a key from its parts.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for a name that is empty, long, or has white space, `+` or control characters, and
    /// for bytes that are no point or not in canonical form; [`SealError::WeakKey`] for a point of small order.
    pub fn new(name: &str, public: [u8; 32]) -> Result<Self, SealError> {
        if !is_name(name) {
            return Err(SealError::BadKey);
        }
        let key = VerifyingKey::from_bytes(&public).map_err(|_| SealError::BadKey)?;
        if key.is_weak() {
            return Err(SealError::WeakKey);
        }
        // One point, one key: a second encoding of a point must not count as a second key.
        if key.to_edwards().compress().to_bytes() != public {
            return Err(SealError::BadKey);
        }
        Ok(Self { name: name.into(), id: key_id(name, &public), key })
    }

    /// Read the text form.
    ///
    /// # Errors
    /// As [`VerifierKey::new`], and [`SealError::BadKey`] for a malformed text or a key id that does not match.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        let (name, id, bytes) = split_key(text).ok_or(SealError::BadKey)?;
        let public = algorithm_key(&bytes).ok_or(SealError::BadKey)?;
        let key = Self::new(name, public)?;
        if id == key.id { Ok(key) } else { Err(SealError::BadKey) }
    }

    /// The text form.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::new();
        push_key(&mut out, &self.name, self.id, self.key.as_bytes());
        out
    }

    /// The signer's name, for people; two keys may share it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key id that signature lines begin with: a hint for finding the key, not an identity.
    #[must_use]
    pub const fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 bytes of the public key: what makes two keys the same key.
    #[must_use]
    pub fn public(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether `signature` is this key's signature of `message`, by the strict rules: canonical scalar, no
    /// point of small order, no cofactor.
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

#[cfg(test)]
impl VerifierKey {
    /// `like`'s name and id before another public key: what 2^32 tries at a key would give.
    pub(crate) fn collide(like: &Self, public: [u8; 32]) -> Self {
        Self { key: VerifyingKey::from_bytes(&public).unwrap(), ..like.clone() }
    }
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.public() == other.public()
    }
}

impl Eq for VerifierKey {}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// A signer's name: not empty, no white space, no `+`, no control characters.
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= limits::MAX_NAME_BYTES
        && !name.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

/// SHA-256(name, LF, algorithm, public key), its first four bytes.
pub(crate) fn key_id(name: &str, public: &[u8; 32]) -> [u8; 4] {
    let mut bytes = Vec::with_capacity(name.len().saturating_add(34));
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(&[b'\n', ED25519]);
    bytes.extend_from_slice(public);
    let [a, b, c, d, ..] = sha256(&bytes);
    [a, b, c, d]
}

/// `name+hash+base64` into its parts, each in canonical form.
pub(crate) fn split_key(text: &str) -> Option<(&str, [u8; 4], Vec<u8>)> {
    let (name, rest) = text.split_once('+')?;
    let (hash, key) = rest.split_once('+')?;
    let mut id = [0; 4];
    let digits = hash.as_bytes();
    if digits.len() != 8 {
        return None;
    }
    for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
        for digit in pair {
            let value = match digit {
                b'0'..=b'9' => digit.checked_sub(b'0')?,
                b'a'..=b'f' => digit.checked_sub(b'a')?.checked_add(10)?,
                _ => return None,
            };
            *byte = (*byte << 4) | value;
        }
    }
    Some((name, id, base64::decode(key)?))
}

/// The 32 key bytes behind an Ed25519 algorithm byte.
pub(crate) fn algorithm_key(bytes: &[u8]) -> Option<[u8; 32]> {
    let (algorithm, key) = bytes.split_first()?;
    if *algorithm == ED25519 { key.try_into().ok() } else { None }
}

/// Append `name+hash+base64(1 || key)`.
pub(crate) fn push_key(out: &mut String, name: &str, id: [u8; 4], key: &[u8; 32]) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push_str(name);
    out.push('+');
    for byte in id {
        for nibble in [byte >> 4, byte & 15] {
            out.push(char::from(HEX.get(usize::from(nibble)).copied().unwrap_or(b'0')));
        }
    }
    out.push('+');
    let mut bytes = [ED25519; 33];
    if let Some(tail) = bytes.last_chunk_mut::<32>() {
        *tail = *key;
    }
    base64::push(out, &bytes);
}

#[cfg(test)]
mod tests {
    use alloc::format;

    use super::*;
    use crate::testing::key;

    #[test]
    fn text_form_and_back() {
        let key = key("acme.example/release-ana", 10).verifying_key();
        let text = key.to_text();
        assert_eq!(VerifierKey::parse(&text), Ok(key.clone()));
        assert_eq!(format!("{key} {key:?}"), format!("{text} {text}"));
        let (name, rest) = text.split_once('+').unwrap();
        let (hash, base64) = rest.split_once('+').unwrap();
        assert_eq!((name, hash.len(), base64.len()), ("acme.example/release-ana", 8, 44));
        for bad in [
            format!("{name}+{hash}"),
            format!("{name}x+{hash}+{base64}"),
            format!("{name}+{}+{base64}", hash.to_uppercase()),
            format!("{name}+{hash}0+{base64}"),
            format!("{name}+00000000+{base64}"),
            format!("{name}+{hash}+{}", &base64[1..]),
            format!("{name}+{hash}+{base64}\n"),
            format!(" {name}+{hash}+{base64}"),
            format!("+{hash}+{base64}"),
        ] {
            assert_eq!(VerifierKey::parse(&bad), Err(SealError::BadKey), "{bad}");
        }
    }

    #[test]
    fn names_are_bounded() {
        let public = *key("a", 1).verifying_key().public();
        for good in ["a", "acme.example/ana", "Zoë", &"a".repeat(limits::MAX_NAME_BYTES)] {
            assert!(VerifierKey::new(good, public).is_ok(), "{good}");
        }
        let long = "a".repeat(limits::MAX_NAME_BYTES + 1);
        for bad in ["", "a b", "a+b", "a\u{a0}b", "a\u{2028}b", "a\nb", "a\0b", "a\u{85}b", &long] {
            assert_eq!(VerifierKey::new(bad, public), Err(SealError::BadKey), "{bad:?}");
        }
    }

    /// All encodings of points of small order: eight canonical, six more with y not reduced or a stray sign.
    /// Source: "Taming the many EdDSAs" (Chalkias, Garillot, Nikolaenko 2020), table 1.
    #[test]
    fn small_orders_and_second_encodings_are_refused() {
        let p = |low: u8, top: u8| {
            let mut bytes = [0xff; 32];
            (bytes[0], bytes[31]) = (low, top);
            bytes
        };
        let small = |low: u8, top: u8| {
            let mut bytes = [0; 32];
            (bytes[0], bytes[31]) = (low, top);
            bytes
        };
        let order_eight: [u8; 32] = [
            0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
            0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
        ];
        let mut other_eight = order_eight;
        other_eight[31] |= 0x80;
        let cases = [
            small(1, 0),
            small(1, 0x80),
            small(0, 0),
            small(0, 0x80),
            p(0xec, 0x7f),
            p(0xec, 0xff),
            p(0xed, 0x7f),
            p(0xed, 0xff),
            p(0xee, 0x7f),
            p(0xee, 0xff),
            order_eight,
            other_eight,
        ];
        for bytes in cases {
            let error = VerifierKey::new("weak", bytes).unwrap_err();
            assert!(matches!(error, SealError::WeakKey | SealError::BadKey), "{bytes:02x?}");
        }
        assert_eq!(VerifierKey::new("weak", small(1, 0)), Err(SealError::WeakKey));
        // y = p + 3 and p + 4 …: second encodings of points that are not weak.
        let mut second = 0;
        for low in 0xee..=0xff {
            let bytes = p(low, 0x7f);
            if VerifyingKey::from_bytes(&bytes).is_ok_and(|key| !key.is_weak()) {
                second += 1;
                assert_eq!(VerifierKey::new("twin", bytes), Err(SealError::BadKey), "{low:02x}");
            }
        }
        assert!(second > 0, "the test reaches the case it is for");
    }
}
