//! Sealed files: statements, trust root, thresholds, freshness.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;

mod error;
mod key;
pub mod limits;
mod note;
mod policy;
mod statement;
mod text;

pub use error::SealError;
pub use key::VerifierKey;
pub use note::{Note, NoteSignature};
pub use policy::{Clock, Mark, OpenPolicy, PulsePolicy};
pub use statement::{Floor, PulseStatement, Role, RoleKind, SnapshotStatement, Statement, TrustStatement};
