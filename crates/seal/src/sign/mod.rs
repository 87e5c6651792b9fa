//! Making sealed files, pulses and trust notes (feature `sign`). Guests never have this code.

mod cosign;
mod error;
mod explain;
mod make;
mod proposal;
mod secret;
mod tally;

use alloc::string::String;

pub use cosign::cosign;
pub use error::SignError;
pub use explain::{Check, Outcome, explain};
pub use make::{seal_pulse, seal_snapshot, seal_trust};
pub use proposal::Proposal;
pub use secret::SecretKey;
pub use tally::{Tally, tally};

use crate::key::VerifierKey;
use crate::statement::TrustStatement;

/// Something that can sign: a key in memory, a cloud key service, a token.
pub trait Signer {
    /// The public key that verifies what this signs.
    fn verifier_key(&self) -> VerifierKey;

    /// Sign a message of at most some kilobytes: an Ed25519 signature.
    ///
    /// # Errors
    /// [`SignError::Signer`] with the reason in words.
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], SignError>;
}

/// What the author of a snapshot says; the payload's length and digest are added by [`seal_snapshot`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotStatementDraft {
    /// Who may use it.
    pub audience: String,
    /// The environment.
    pub environment: String,
    /// The trust root's epoch.
    pub epoch: u64,
    /// One more than the last.
    pub sequence: u64,
    /// Unix seconds.
    pub issued: u64,
    /// Unix seconds.
    pub expires: u64,
    /// Digest of the statement before this one; zeros for the first.
    pub parent: [u8; 32],
    /// What the payload is.
    pub payload_type: String,
}

/// What root keys are to say; [`seal_trust`] sorts its lists.
pub type TrustDraft = TrustStatement;

#[cfg(test)]
mod passing;
#[cfg(test)]
mod tests;
