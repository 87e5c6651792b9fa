//! Secret keys in memory, in the text form of Go's `sumdb/note`: `PRIVATE+KEY+name+hash+base64(1 || seed)`.

use alloc::string::String;
use core::fmt;

use ed25519_dalek::{Signer as _, SigningKey};

use super::{SignError, Signer};
use crate::error::SealError;
use crate::key::{VerifierKey, algorithm_key, push_key, split_key};

const PREFIX: &str = "PRIVATE+KEY+";

/// A named Ed25519 secret key. Its memory is not wiped when it is dropped: long-lived keys of consequence belong
/// in a key service behind [`Signer`].
#[derive(Clone)]
pub struct SecretKey {
    key: SigningKey,
    verifier: VerifierKey,
}

impl SecretKey {
    /// Make a key from 32 bytes of good randomness.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for a name that is empty, long, or has white space, `+` or control characters.
    pub fn from_seed(name: &str, seed: [u8; 32]) -> Result<Self, SealError> {
        let key = SigningKey::from_bytes(&seed);
        let verifier = VerifierKey::new(name, key.verifying_key().to_bytes())?;
        Ok(Self { key, verifier })
    }

    /// Read the text form.
    ///
    /// # Errors
    /// [`SealError::BadKey`] for a malformed text, another algorithm or a key id that does not match.
    pub fn from_text(text: &str) -> Result<Self, SealError> {
        let (name, id, bytes) = text.strip_prefix(PREFIX).and_then(split_key).ok_or(SealError::BadKey)?;
        let key = Self::from_seed(name, algorithm_key(&bytes).ok_or(SealError::BadKey)?)?;
        if key.verifier.id() == id { Ok(key) } else { Err(SealError::BadKey) }
    }

    /// The text form: a secret.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut out = String::from(PREFIX);
        push_key(&mut out, self.verifier.name(), self.verifier.id(), self.key.as_bytes());
        out
    }

    /// The 32 bytes that the key was made from: the secret itself, for those who store it in another form.
    #[must_use]
    pub fn seed(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifierKey {
        self.verifier.clone()
    }
}

impl Signer for SecretKey {
    fn verifier_key(&self) -> VerifierKey {
        self.verifying_key()
    }

    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError> {
        Ok(self.key.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").field("verifier", &self.verifier).finish_non_exhaustive()
    }
}
