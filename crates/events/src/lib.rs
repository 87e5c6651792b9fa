//! Exposures, outcomes, pseudonyms, batches; where privacy is enforced.
//!
//! An application tells the host who was given which variant ([`Exposure`]) and what came of it ([`Outcome`]); the host
//! collects them into a [`Batch`] and sends it to the control plane, which verifies it and counts.
//!
//! ```
//! use std::collections::BTreeMap;
//! use flagstone_events::*;
//!
//! let pepper = Pepper::from_bytes([7; 32]); // 32 secret random bytes that the host keeps
//! let facts = OutcomeFacts {
//!     stream: Stream::Production,
//!     name: "answer".into(),
//!     request: "request-81".into(),
//!     measures: BTreeMap::from([("latency_ms".into(), micros(182.5).unwrap())]),
//!     booleans: BTreeMap::from([("unsupported".into(), false)]),
//!     slices: BTreeMap::from([("language".into(), "en".into())]),
//!     at_ms: 1_787_300_000_000,
//! };
//! let outcome = facts.of_unit(&pepper, &UnitKey::new("ana@example.com")?)?;
//! let batch = Batch::new("edge-1", None, BTreeMap::new(), vec![Event { sequence: 1, body: Body::Outcome(outcome) }])?;
//!
//! let sent = batch.to_json()?;
//! assert!(!sent.contains("ana@"));
//! assert_eq!(Batch::from_json(sent.as_bytes())?, batch);
//! # Ok::<(), EventError>(())
//! ```
//!
//! Words: a **pseudonym** is the only form in which a unit leaves the process; a **stream** says what an event may be used
//! for, and pseudonyms of different streams cannot be joined; a **sequence** number counts an instance's events so that the
//! receiver sees every loss; `dropped` declares the losses.
//!
//! Rules this crate keeps by its types: a unit's key ([`UnitKey`]) and the secret [`Pepper`] have no serialised form; numbers
//! are whole (measures are millionths), so that every language computes the same batch id.
//!
//! The wire format, field by field: `docs/events.md`. Caps: [`limits`].

mod batch;
mod canonical;
mod error;
mod exposure;
mod hex;
mod id;
pub mod limits;
pub mod otlp;
mod outcome;
mod pseudonym;
mod sampling;
mod stream;
pub mod token;
mod withdrawal;

pub use batch::{Batch, Body, Event, VERSION};
pub use canonical::canonical_json;
pub use error::EventError;
pub use exposure::{Arm, Exposure, ExposureFacts};
pub use hex::{from_hex, to_hex};
pub use id::{EventId, SnapshotId};
pub use outcome::{Outcome, OutcomeFacts, micros};
pub use pseudonym::{Pepper, Pseudonym, UnitKey};
pub use sampling::{Inclusion, Sampling};
pub use stream::Stream;
pub use withdrawal::Withdrawal;
