//! Why something was refused. Whatever was in force stays.

use flagstone_seal::SealError;
use flagstone_snapshot::LoadError;

/// Why a file, a pulse or a trust note was refused. Nothing of it is used, and what was in force stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// Signatures, age, audience or order.
    #[error("{0}")]
    Seal(#[from] SealError),
    /// Well signed, but not a snapshot that this build can read.
    #[error(
        "the snapshot cannot be read: {0}\nhint: it may have been compiled by a newer version of Flagstone"
    )]
    Snapshot(LoadError),
    /// A canary of the snapshot is answered otherwise than its author wrote.
    #[error(
        "canary {position}: flag `{flag}` answers {answer}, not {expected}\nhint: this build decides otherwise than the one that compiled the snapshot; use the same version"
    )]
    Canary {
        /// Its place among the snapshot's canaries, from 0.
        position: usize,
        /// The flag's key.
        flag: String,
        /// The variant that was answered, in words.
        answer: String,
        /// The variant that its author wrote, in words.
        expected: String,
    },
    /// A file of a folder cannot be read.
    #[error("`{path}`: {error}")]
    File {
        /// The file.
        path: std::path::PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
}

impl Refusal {
    /// A stable code in kebab-case: those of docs/sealed-files.md and docs/snapshot.md, `canary`, `file`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Seal(error) => error.code(),
            Self::Snapshot(error) => error.code(),
            Self::Canary { .. } => "canary",
            Self::File { .. } => "file",
        }
    }
}
