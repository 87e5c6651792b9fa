//! Pseudonyms: the only form in which a unit leaves the process.
//!
//! Hashing an identifier without a key does not hide it (a dictionary of all ids inverts it), so a pseudonym
//! is HMAC-SHA-256 (RFC 2104) under a pepper that only the host holds.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::hex::{from_hex, hex_text};
use crate::{EventError, Stream, limits};

/// The secret key of pseudonyms and event ids: 32 random bytes held by the host, never sent, never printed.
/// Changing it makes every unit a new one.
#[derive(Clone)]
pub struct Pepper([u8; 32]);

impl Pepper {
    /// From 32 bytes of a secure random source.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From 64 lower-case hexadecimal digits, the form in which it is kept in a file or a setting.
    ///
    /// # Errors
    /// [`EventError::OutOfRange`] for any other text; the text itself is not repeated.
    pub fn from_hex(text: &str) -> Result<Self, EventError> {
        from_hex(text.trim()).map(Self).ok_or(EventError::OutOfRange { what: "pepper" })
    }

    /// The first 16 bytes of HMAC-SHA-256 over the parts, each with its length before it, so that
    /// no two different lists of parts give the same bytes.
    pub(crate) fn tag(&self, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.start();
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        first_half(mac)
    }

    /// A key of 32 bytes for another purpose, which says nothing about the pepper: HMAC-SHA-256(pepper, label).
    pub(crate) fn derive(&self, label: &str) -> [u8; 32] {
        let mut mac = self.start();
        mac.update(&(label.len() as u64).to_be_bytes());
        mac.update(label.as_bytes());
        mac.finalize().into_bytes().into()
    }

    /// A name for a pepper that does not tell it: to notice whether two are the same. 32 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        crate::to_hex(&self.tag(&[b"pepper fingerprint"]))
    }

    /// A keyed fingerprint of some bytes, 32 hexadecimal digits: for entity tags and the like, which must not let anyone
    /// find out by trying what they were made of.
    #[must_use]
    pub fn fingerprint_of(&self, parts: &[&[u8]]) -> String {
        let all: Vec<&[u8]> =
            std::iter::once(b"fingerprint".as_slice()).chain(parts.iter().copied()).collect();
        crate::to_hex(&self.tag(&all))
    }

    fn start(&self) -> Hmac<Sha256> {
        // RFC 2104: a key shorter than the block of 64 bytes is padded with zeros.
        let mut block = [0_u8; 64];
        for (to, from) in block.iter_mut().zip(self.0) {
            *to = from;
        }
        Hmac::new(&block.into())
    }
}

fn first_half(mac: Hmac<Sha256>) -> [u8; 16] {
    let full = mac.finalize().into_bytes();
    let mut half = [0_u8; 16];
    for (to, from) in half.iter_mut().zip(full) {
        *to = from;
    }
    half
}

impl fmt::Debug for Pepper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pepper(secret)")
    }
}

/// A unit's real key (a user id, a session id). It has no serde form and its `Debug` shows nothing, so that it
/// cannot be put into an event, a log line or a file by accident:
///
/// ```compile_fail
/// let key = flagstone_events::UnitKey::new("ana@example.com").unwrap();
/// serde_json::to_string(&key).unwrap();
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct UnitKey(String);

impl UnitKey {
    /// A targeting key.
    ///
    /// # Errors
    /// [`EventError::BadName`] when empty, [`EventError::TooLarge`] above 4,096 bytes.
    pub fn new(key: impl Into<String>) -> Result<Self, EventError> {
        let key = key.into();
        if key.is_empty() {
            return Err(EventError::BadName { what: "targeting key" });
        }
        if key.len() > limits::MAX_UNIT_KEY_BYTES {
            let limit = limits::MAX_UNIT_KEY_BYTES;
            return Err(EventError::TooLarge { what: "targeting key", size: key.len(), limit });
        }
        Ok(Self(key))
    }
}

impl fmt::Debug for UnitKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnitKey(private)")
    }
}

/// The public name of a unit within one stream and under one pepper: 16 bytes, 32 hexadecimal digits as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pseudonym([u8; 16]);

hex_text!(Pseudonym, 16, "pseudonym");

impl Pseudonym {
    /// `HMAC-SHA-256(pepper, stream || 0x00 || key)`, the first 16 bytes.
    #[must_use]
    pub fn of(pepper: &Pepper, stream: Stream, key: &UnitKey) -> Self {
        let mut mac = pepper.start();
        mac.update(stream.as_str().as_bytes());
        mac.update(&[0]);
        mac.update(key.0.as_bytes());
        Self(first_half(mac))
    }
}
