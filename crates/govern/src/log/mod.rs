//! The ledger as a transparency log: an RFC 6962 Merkle tree in C2SP tlog-tiles files with a signed checkpoint.
//!
//! The database holds the records; this folder beside it proves to others that records were only ever added. The governor
//! writes an entry here, and signs the tree over it, before a pulse or snapshot that follows from it is served. Anyone
//! with the log's public key can verify the folder, a copy of it, or its HTTP door, without the database.
//!
//! [`verify`] reads and recomputes everything, [`compare`] holds the result against what was remembered, [`prove`] makes
//! an offline proof of one entry. Files and their formats: `docs/ledger.md`.

mod catch_up;
mod checkpoint;
#[cfg(test)]
mod conformance;
mod disk;
mod leaf;
#[cfg(test)]
mod measure;
pub mod merkle;
mod proof;
mod read;
mod tail;
mod tile;
mod verify;
mod write;

use std::path::PathBuf;

use flagstone_seal::SignError;

pub(crate) use catch_up::{blocking, open};
pub use checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
pub(crate) use disk::Disk;
pub use disk::{Probe, find};
pub(crate) use leaf::leaf;
pub use proof::Proof;
pub use read::{Read, folder, prove};
pub use tile::{Kind, MAX_ENTRY_BYTES, Tile, all as tiles};
pub use verify::{Verified, compare, verify};
pub(crate) use write::Log;

/// What is wrong with a log, or why it cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// An entry is not what was signed; the first such one is named.
    #[error("entry {entry} of the log {fault}")]
    Entry {
        /// Its number, counted from 1.
        entry: u64,
        /// What is wrong with it.
        fault: String,
    },
    /// A hash above the entries is not what was signed, though the entries are.
    #[error("the log's `{path}` {fault}")]
    Tile {
        /// The file, beneath the log's folder.
        path: String,
        /// What is wrong with it.
        fault: String,
    },
    /// The checkpoint is not a checkpoint of this log.
    #[error("the checkpoint {0}")]
    Checkpoint(String),
    /// A proof does not prove what it should.
    #[error("the proof {0}")]
    Proof(String),
    /// The log is signed by another key name than before.
    #[error(
        "the log is named `{found}`, and the log key `{wanted}`\nhint: a new log key keeps the old one's name"
    )]
    OtherLog {
        /// The name so far.
        found: String,
        /// The name of the key given.
        wanted: String,
    },
    /// A file cannot be read.
    #[error("the log's `{path}` cannot be read: {source}")]
    Read {
        /// The file.
        path: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file cannot be written.
    #[error("the log's file `{}` cannot be written: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The checkpoint cannot be signed.
    #[error("the log's checkpoint cannot be signed: {0}")]
    Sign(#[from] SignError),
    /// The work was broken off.
    #[error("writing the log was broken off: {0}")]
    Broken(String),
}

impl LogError {
    /// The first bad entry, when that is what was found.
    #[must_use]
    pub const fn entry(&self) -> Option<u64> {
        match self {
            Self::Entry { entry, .. } => Some(*entry),
            _ => None,
        }
    }

    /// Whether the log is bad, rather than unreadable.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        matches!(
            self,
            Self::Entry { .. }
                | Self::Tile { .. }
                | Self::Checkpoint(_)
                | Self::Proof(_)
                | Self::OtherLog { .. }
        )
    }

    fn entry_at(index: usize, fault: impl Into<String>) -> Self {
        let entry = u64::try_from(index).unwrap_or(u64::MAX).saturating_add(1);
        Self::Entry { entry, fault: fault.into() }
    }
}
