//! Flagstone for native Rust services: sealed flags opened, kept and decided in the process, without WebAssembly.
//!
//! ```no_run
//! use flagstone::{Flags, Settings, Unit};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = Settings::new("acme.example/assistant", "production").without_pulses();
//! let flags = Flags::pin(&std::fs::read("trust.note")?, settings, flagstone::machine_seconds())?;
//! flags.offer(std::fs::read("flags.sealed")?, flags.now())?;
//! let mut unit = Unit::json(r#"{"targetingKey": "ana", "country": "de"}"#);
//! let answer = flags.decide(&mut unit, "answers", flags.now());
//! let model = answer.text().unwrap_or("baseline".into());
//! # drop(model); Ok(()) }
//! ```
//!
//! [`Flags`] keeps one verified, immutable snapshot behind an atomic swap. It opens what the caller brings and reads no network:
//! [`Flags::look`] reads a folder as the host's `file:` source does; files from elsewhere are given to [`Flags::offer`],
//! [`Flags::pulse`] and [`Flags::advance`]. A file that is forged, expired, older, meant for others or answers its canaries
//! wrongly is refused, and the last good one stays.
//!
//! [`InForce`] is what is in force at one moment; a service that asks often finds flags once ([`InForce::find`]) and decides by
//! index. Nothing is allocated by a decision for a [`Unit`] that has been asked about before under the same snapshot. Time is an
//! argument everywhere, in unix seconds; [`Flags::now`] is the convenience.
//!
//! Features: `openfeature`, a provider for the `open-feature` crate; `sandbox`, the host that runs the engine as a WebAssembly
//! component and syncs and reports by itself. `docs/rust.md` is the guide.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::indexing_slicing, clippy::unwrap_used, clippy::expect_used, clippy::panic)
)]

mod answer;
mod flags;
mod folder;
mod in_force;
mod keeper;
#[cfg(feature = "openfeature")]
pub mod openfeature;
mod refusal;
#[cfg(feature = "sandbox")]
pub mod sandbox;
mod settings;
mod unit;

/// The guide's Rust compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/rust.md")]
struct Guide;

pub use answer::Answer;
pub use flags::{Flags, Pulsed, machine_seconds};
pub use folder::Looked;
pub use in_force::{InForce, State};
pub use refusal::Refusal;
pub use settings::{Memory, Settings};
pub use unit::Unit;

pub use flagstone_evaluate::{Arm, ContextError, Decision, Detail, ErrorCode, Reason};
pub use flagstone_seal::{Mark, SealError};
