//! Sealed files: statements, trust root, thresholds, freshness.
#![no_std]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod base64;
#[cfg(test)]
mod conformance;
mod error;
mod frame;
mod inspect;
mod key;
pub mod limits;
mod note;
mod open;
mod policy;
mod pulse;
mod quorum;
#[cfg(any(test, feature = "sign"))]
pub mod sign;
mod statement;
#[cfg(test)]
mod testing;
mod text;
mod trust;

pub use error::SealError;
pub use frame::{MAGIC, sealed_length};
pub use inspect::{Claim, inspect};
pub use key::VerifierKey;
pub use note::{Note, NoteSignature};
pub use open::{Opened, open};
pub use policy::{Clock, Mark, OpenPolicy, PulsePolicy};
pub use pulse::open_pulse;
#[cfg(any(test, feature = "sign"))]
pub use sign::{
    SecretKey, SignError, Signer, SnapshotStatementDraft, TrustDraft, cosign, seal_pulse, seal_snapshot,
    seal_trust,
};
pub use statement::{Floor, PulseStatement, Role, RoleKind, SnapshotStatement, Statement, TrustStatement};
pub use trust::TrustRoot;
