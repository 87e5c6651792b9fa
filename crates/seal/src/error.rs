//! Why a file, a note or a trust root was refused: one closed enum with a stable code for machines (the guest
//! uses nothing else) and prose for people.

use alloc::string::String;
#[cfg(feature = "words")]
use core::fmt;

use crate::told::Told;

/// The reason something was refused. Nothing of a refused input is used.
///
/// [`SealError::code`] is stable and closed: kebab-case, never renamed. The prose of `Display` may change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SealError {
    /// The file does not begin with the magic of format 1.
    BadMagic,
    /// The file ends before the bytes its header promises.
    Truncated,
    /// Bytes follow the end of the payload.
    TrailingBytes,
    /// The note is longer than its limit.
    NoteTooLong {
        /// Its length in bytes.
        length: Told<u64>,
        /// The limit in bytes.
        limit: Told<u64>,
    },
    /// The payload is longer than the policy allows.
    PayloadTooLong {
        /// Its length in bytes.
        length: Told<u64>,
        /// The policy's limit in bytes.
        limit: Told<u64>,
    },
    /// The note is not UTF-8 text with LF line ends, or has no signature block.
    BadNote,
    /// A line of the signature block is not a signature line.
    BadSignatureLine,
    /// More signature lines than the limit.
    TooManySignatures,
    /// Two signature lines name the same key.
    DuplicateSignature,
    /// A signature by a known key does not verify.
    BadSignature {
        /// The name on the signature line.
        signer: Told<String>,
    },
    /// Too few keys of the role signed.
    Threshold {
        /// Keys the role asks for.
        needed: Told<u32>,
        /// Different keys of the role that signed.
        found: Told<u32>,
    },
    /// Enough known keys signed, but they do not hold the role for this environment.
    WrongRole,
    /// Too few keys signed once the revoked ones are left out.
    RevokedKey,
    /// The trust root gives nobody the role for this environment.
    NoRole,
    /// The statement is of another kind, or of a version this reader does not know.
    WrongKind,
    /// The statement is not in its one canonical form.
    BadStatement {
        /// The line, counted from 1, where it departs.
        line: Told<u32>,
    },
    /// The statement is for another audience.
    WrongAudience {
        /// What the statement says.
        found: Told<String>,
        /// What the reader is.
        expected: Told<String>,
    },
    /// The statement is for another environment.
    WrongEnvironment {
        /// What the statement says.
        found: Told<String>,
        /// What the reader is.
        expected: Told<String>,
    },
    /// The statement claims an epoch that the trust root has not reached.
    EpochAhead,
    /// Lower than the highest (epoch, sequence) or pulse number accepted before.
    Rollback,
    /// Lower than the trust root's floor.
    BelowFloor,
    /// Same (epoch, sequence) as one accepted before, but another statement. Both are evidence: keep them.
    Equivocation {
        /// Digest of the statement accepted before.
        stored: Told<[u8; 32]>,
        /// Digest of the statement offered now.
        offered: Told<[u8; 32]>,
    },
    /// Issued further ahead of the reader's clock than the skew allowed.
    IssuedInFuture {
        /// The statement's time of issue, unix seconds.
        issued: Told<u64>,
    },
    /// No longer valid.
    Expired {
        /// The statement's end, unix seconds.
        expires: Told<u64>,
    },
    /// Ends before it begins, or lives longer than its kind may.
    BadLifetime,
    /// The trust root revokes this statement.
    RevokedStatement,
    /// The payload is not as long as the statement says.
    PayloadLength,
    /// The payload's SHA-256 is not the statement's.
    PayloadDigest,
    /// A key's text form is malformed.
    BadKey,
    /// A public key of small order, for which anybody can make signatures.
    WeakKey,
    /// Two different keys share one name and key id.
    AmbiguousKey,
    /// One public key holds two kinds of power (root, release, pulse).
    SharedKey,
    /// A role can never be met: threshold 0, or more than its usable keys.
    BadRole,
    /// The trust root itself has expired.
    TrustExpired {
        /// Its end, unix seconds.
        expires: Told<u64>,
    },
    /// The next trust statement is not exactly one version on.
    TrustVersion,
    /// The next trust statement lowers the epoch.
    TrustEpoch,
    /// More trust statements in one chain than the limit.
    TooManySteps,
}

impl SealError {
    /// The stable, kebab-case name of this error. The set is closed.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BadMagic => "bad-magic",
            Self::Truncated => "truncated",
            Self::TrailingBytes => "trailing-bytes",
            Self::NoteTooLong { .. } => "note-too-long",
            Self::PayloadTooLong { .. } => "payload-too-long",
            Self::BadNote => "bad-note",
            Self::BadSignatureLine => "bad-signature-line",
            Self::TooManySignatures => "too-many-signatures",
            Self::DuplicateSignature => "duplicate-signature",
            Self::BadSignature { .. } => "bad-signature",
            Self::Threshold { .. } => "threshold",
            Self::WrongRole => "wrong-role",
            Self::RevokedKey => "revoked-key",
            Self::NoRole => "no-role",
            Self::WrongKind => "wrong-kind",
            Self::BadStatement { .. } => "bad-statement",
            Self::WrongAudience { .. } => "wrong-audience",
            Self::WrongEnvironment { .. } => "wrong-environment",
            Self::EpochAhead => "epoch-ahead",
            Self::Rollback => "rollback",
            Self::BelowFloor => "below-floor",
            Self::Equivocation { .. } => "equivocation",
            Self::IssuedInFuture { .. } => "issued-in-future",
            Self::Expired { .. } => "expired",
            Self::BadLifetime => "bad-lifetime",
            Self::RevokedStatement => "revoked-statement",
            Self::PayloadLength => "payload-length",
            Self::PayloadDigest => "payload-digest",
            Self::BadKey => "bad-key",
            Self::WeakKey => "weak-key",
            Self::AmbiguousKey => "ambiguous-key",
            Self::SharedKey => "shared-key",
            Self::BadRole => "bad-role",
            Self::TrustExpired { .. } => "trust-expired",
            Self::TrustVersion => "trust-version",
            Self::TrustEpoch => "trust-epoch",
            Self::TooManySteps => "too-many-steps",
        }
    }
}

#[cfg(feature = "words")]
impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadMagic => f.write_str("not a sealed file of format 1"),
            Self::Truncated => f.write_str("the sealed file ends too early"),
            Self::TrailingBytes => f.write_str("bytes follow the end of the sealed file"),
            Self::NoteTooLong { length, limit } => {
                write!(f, "the note has {length} bytes, more than the {limit} allowed")
            }
            Self::PayloadTooLong { length, limit } => {
                write!(f, "the payload has {length} bytes, more than the {limit} allowed")
            }
            Self::BadNote => f.write_str("not a signed note: UTF-8 text, an empty line, signature lines"),
            Self::BadSignatureLine => f.write_str("a line below the statement is not a signature"),
            Self::TooManySignatures => f.write_str("more than 16 signatures"),
            Self::DuplicateSignature => f.write_str("two signatures name the same key"),
            Self::BadSignature { signer } => write!(f, "the signature of `{signer}` does not verify"),
            Self::Threshold { needed, found } => {
                write!(f, "{found} of the {needed} signatures needed\nhint: another holder of the role can add one")
            }
            Self::WrongRole => f.write_str("signed by keys that do not hold the role for this environment"),
            Self::RevokedKey => f.write_str("signed by a revoked key, and too few others"),
            Self::NoRole => f.write_str("the trust root gives nobody this role for this environment"),
            Self::WrongKind => f.write_str("a statement of another kind or version"),
            Self::BadStatement { line } => write!(f, "line {line} of the statement is not in canonical form"),
            Self::WrongAudience { found, expected } => {
                write!(f, "sealed for audience `{found}`, but this reader is `{expected}`")
            }
            Self::WrongEnvironment { found, expected } => {
                write!(f, "sealed for environment `{found}`, but this reader is in `{expected}`")
            }
            Self::EpochAhead => f.write_str(
                "the statement's epoch is above the trust root's\nhint: fetch the newer trust statements first",
            ),
            Self::Rollback => f.write_str(
                "older than what was accepted before\nhint: to go back, publish the old content under a new sequence",
            ),
            Self::BelowFloor => f.write_str("below the floor that the trust root sets"),
            Self::Equivocation { .. } => {
                f.write_str("two different statements with one sequence number\nhint: keep both files as evidence")
            }
            Self::IssuedInFuture { issued } => {
                write!(f, "issued in the future, at {issued}\nhint: is this machine's clock right?")
            }
            Self::Expired { expires } => write!(f, "expired at {expires}"),
            Self::BadLifetime => f.write_str("the time between issue and expiry is not one its kind may have"),
            Self::RevokedStatement => f.write_str("revoked by the trust root"),
            Self::PayloadLength => f.write_str("the payload's length is not the one that was signed"),
            Self::PayloadDigest => f.write_str("the payload is not the one that was signed"),
            Self::BadKey => f.write_str("not a key: `name+hash+base64` with algorithm 1 (Ed25519) is expected"),
            Self::WeakKey => f.write_str("a weak public key, for which anybody could sign"),
            Self::AmbiguousKey => f.write_str("two different keys share a name and a key id"),
            Self::SharedKey => f.write_str(
                "one key in two kinds of role\nhint: root, release and pulse keys must be different keys",
            ),
            Self::BadRole => f.write_str("a role's threshold is 0 or above the number of its usable keys"),
            Self::TrustExpired { expires } => {
                write!(f, "the trust root expired at {expires}\nhint: fetch the newer trust statements")
            }
            Self::TrustVersion => f.write_str("the next trust statement is not exactly one version on"),
            Self::TrustEpoch => f.write_str("the next trust statement lowers the epoch"),
            Self::TooManySteps => f.write_str("more than 1024 trust statements in one chain"),
        }
    }
}

#[cfg(feature = "words")]
impl core::error::Error for SealError {}
