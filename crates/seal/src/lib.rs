//! Sealed files: bytes that can be fetched from anywhere and are believed only for what was signed.
//!
//! A compiled snapshot travels over disks, caches and networks that nobody needs to trust. This crate binds it
//! to the people who released it: [`open`] takes the bytes of a sealed file, a pinned [`TrustRoot`] and what the
//! reader knows (who it is, what time it is, what it accepted before), and gives back the payload or one typed
//! reason why not. There is no input or output here, no clock, no randomness and no JSON, and what the payload
//! means is not this crate's business.
//!
#![cfg_attr(feature = "sign", doc = "```")]
#![cfg_attr(not(feature = "sign"), doc = "```ignore")]
//! use flagstone_seal::*;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Keys come from 32 random bytes each. Root, release and pulse keys are different keys.
//! let root = SecretKey::from_seed("acme.example/root", [1; 32])?;
//! let ana = SecretKey::from_seed("acme.example/release-ana", [2; 32])?;
//! let ben = SecretKey::from_seed("acme.example/release-ben", [3; 32])?;
//!
//! // The root key says who may release to production: two of two.
//! let role = |kind, threshold, keys: &[&SecretKey]| Role {
//!     kind,
//!     threshold,
//!     keys: keys.iter().map(|key| key.verifying_key()).collect(),
//! };
//! let now = 1_787_300_000;
//! let trust_note = seal_trust(
//!     &TrustDraft {
//!         version: 1,
//!         epoch: 1,
//!         issued: now,
//!         expires: now + 365 * 86_400,
//!         roles: vec![
//!             role(RoleKind::Root, 1, &[&root]),
//!             role(RoleKind::Release("production".into()), 2, &[&ana, &ben]),
//!         ],
//!         floors: vec![],
//!         revoked_keys: vec![],
//!         revoked_statements: vec![],
//!     },
//!     &[&root],
//! )?;
//!
//! // Ana seals a payload, Ben looks at it and adds his signature.
//! let draft = SnapshotStatementDraft {
//!     audience: "acme.example/assistant#server".into(),
//!     environment: "production".into(),
//!     epoch: 1,
//!     sequence: 1,
//!     issued: now,
//!     expires: now + 7 * 86_400,
//!     parent: [0; 32],
//!     payload_type: "application/vnd.flagstone.snapshot.v1".into(),
//! };
//! let file = seal_snapshot(&draft, b"any bytes", &[&ana])?;
//! let file = cosign(&file, &ben)?;
//!
//! // A reader pins the trust note, and opens the file.
//! let trust = TrustRoot::pin(&trust_note, now)?;
//! let mut policy = OpenPolicy {
//!     audience: "acme.example/assistant#server",
//!     environment: "production",
//!     now,
//!     mark: None,
//!     max_payload: limits::SERVER_PAYLOAD_BYTES,
//! };
//! let opened = open(&file, &trust, &policy)?;
//! assert_eq!(opened.payload, b"any bytes");
//! assert_eq!(opened.signers, ["acme.example/release-ana", "acme.example/release-ben"]);
//!
//! // Having accepted sequence 1, it never accepts a lower one again, nor another one of that number.
//! policy.mark = Some(opened.mark);
//! let other = cosign(&seal_snapshot(&draft, b"other bytes", &[&ana])?, &ben)?;
//! assert_eq!(open(&other, &trust, &policy).unwrap_err().code(), "equivocation");
//! # Ok(())
//! # }
//! ```
//!
//! # Vocabulary
//! - **note**: text, an empty line, signature lines (C2SP signed-note): [`Note`].
//! - **statement**: the text of a note, one of three kinds, each with one canonical form: [`TrustStatement`]
//!   (root keys, offline, says who may sign), [`SnapshotStatement`] (release keys, says what a payload is),
//!   [`PulseStatement`] (one online key, minutes of life, moves rollouts beneath what release keys signed).
//! - **sealed file**: magic, lengths, a snapshot's note, its payload. Pulses and trust statements are bare notes.
//! - **role**: a threshold of different keys for one kind of statement in one environment: [`Role`].
//! - **mark**: (epoch, sequence, statement digest) of what was accepted last: [`Mark`]. **Floor**: the same from
//!   the trust root, for readers without memory.
//!
//! # Rules
//! - Ed25519 by strict rules; keys of small order and second encodings of keys are refused.
//! - One public key counts once, under however many names; it holds one kind of power.
//! - Unknown signers are ignored; a known one that does not verify spoils the note.
//! - The first failed check is the error: [`SealError`], with a closed set of [codes](SealError::code).
//! - Every limit has a reason: [`limits`].
//!
//! The feature `sign` adds the making of signatures; guests are built without it. The format itself is
//! described in `docs/sealed-files.md`.
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
#[cfg(test)]
mod docs;
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
#[cfg(feature = "words")]
mod reader;
#[cfg(any(test, feature = "sign"))]
pub mod sign;
mod statement;
#[cfg(test)]
mod testing;
mod text;
mod told;
mod trust;

pub use error::SealError;
pub use frame::{MAGIC, sealed_length};
pub use inspect::{Claim, inspect};
pub use key::VerifierKey;
pub use note::{Note, NoteSignature};
pub use open::{Opened, open};
pub use policy::{Clock, Mark, OpenPolicy, PulsePolicy};
pub use pulse::open_pulse;
#[cfg(feature = "words")]
pub use reader::{Reader, Seen};
#[cfg(any(test, feature = "sign"))]
pub use sign::{
    Proposal, SecretKey, SignError, Signer, SnapshotStatementDraft, Tally, TrustDraft, cosign, seal_pulse,
    seal_snapshot, seal_trust, tally,
};
pub use statement::{
    Floor, PulseStage, PulseStatement, Role, RoleKind, SnapshotStatement, Statement, TrustStatement,
};
pub use told::Told;
pub use trust::TrustRoot;
