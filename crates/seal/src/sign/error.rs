//! Why nothing was signed.

use alloc::string::String;
use core::fmt;

use crate::error::SealError;

/// The reason a signature was not made. The set of codes is closed and stable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignError {
    /// What was to be signed would be refused by every reader, for this reason.
    Invalid(SealError),
    /// A field has characters or a length it may not have, or a list repeats itself.
    BadDraft {
        /// The line of the statement, counted from 1; 0 when a field holds a line end.
        line: u32,
    },
    /// No signer was given.
    NoSigners,
    /// Two signers share one public key, or the key has signed already.
    AlreadySigned {
        /// The signer's name.
        signer: String,
    },
    /// The signer failed.
    Signer {
        /// Its reason, in words.
        reason: String,
    },
    /// The signer returned a signature that its own public key refuses.
    WrongSignature {
        /// The signer's name.
        signer: String,
    },
}

impl SignError {
    /// The stable, kebab-case name of this error.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(error) => error.code(),
            Self::BadDraft { .. } => "bad-draft",
            Self::NoSigners => "no-signers",
            Self::AlreadySigned { .. } => "already-signed",
            Self::Signer { .. } => "signer",
            Self::WrongSignature { .. } => "wrong-signature",
        }
    }
}

impl From<SealError> for SignError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::BadStatement { line } => Self::BadDraft { line },
            error => Self::Invalid(error),
        }
    }
}

impl fmt::Display for SignError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(error) => write!(f, "every reader would refuse this: {error}"),
            Self::BadDraft { line } => write!(
                f,
                "line {line} of the statement cannot be written\nhint: names are visible ASCII without spaces, \
                 flag keys have no control characters, lists do not repeat"
            ),
            Self::NoSigners => f.write_str("no signer was given"),
            Self::AlreadySigned { signer } => write!(f, "the key of `{signer}` has signed already"),
            Self::Signer { reason } => write!(f, "the signer failed: {reason}"),
            Self::WrongSignature { signer } => {
                write!(f, "the signer `{signer}` returned a signature that does not verify")
            }
        }
    }
}

impl core::error::Error for SignError {}
