//! The native harness: sync, last-known-good store, wasmtime engine, spool and report.
//!
//! A host keeps the newest verified snapshot of one environment in force, decides flags with the WebAssembly engine, and
//! reports exposures and outcomes. It needs the network for nothing but news.
//!
//! ```no_run
//! use std::time::Duration;
//! use flagstone_host::{Host, HostConfig, OutcomeReport};
//! use flagstone_events::Pepper;
//!
//! # async fn run(trust_note: Vec<u8>, secret: [u8; 32]) -> Result<(), flagstone_host::HostError> {
//! let pepper = Pepper::from_bytes(secret);
//! let config = HostConfig::new("http://127.0.0.1:7070", trust_note, "acme.example/assistant", "production", "data", pepper);
//! let host = Host::start(config).await?;
//!
//! let evaluation = host.evaluate("answer-model", r#"{"targetingKey":"user-81","language":"en"}"#);
//! let model = evaluation.value().cloned().unwrap_or_else(|| serde_json::json!("baseline"));
//! host.expose(&evaluation); // the unit is now given it
//! # drop(model);
//!
//! let refused = OutcomeReport { name: "answer".into(), request: "request-5".into(), ..OutcomeReport::default() };
//! host.outcome("user-81", refused);
//! host.shutdown(Duration::from_secs(5)).await;
//! # Ok(())
//! # }
//! ```
//!
//! The order of things: [`Source`] → sync (verify) → [`Gate`] (open and probe in a new instance, then swap) → store (keep for
//! the next start); [`Host::evaluate`] → [`Host::expose`] → queue → spool → report.
//!
//! Promises (each has a test): a file that is forged, expired, older or meant for others is refused and the last good one
//! stays; a kill at any moment leaves the old state or the new one; evaluation never waits for network or disk; every event
//! made is delivered or counted as lost. Caps are in [`limits`]; the whole contract is in `docs/host.md`.

mod account;
pub mod backoff;
mod clock;
mod config;
mod durable;
pub mod engine;
mod error;
mod evaluation;
mod host;
pub mod http;
pub mod limits;
mod live;
mod peppers;
mod record;
mod report;
mod reporting;
pub mod spool;
mod status;
pub mod store;
mod sync;
#[cfg(test)]
extern crate self as flagstone_host; // the tests' common part names it so
#[cfg(test)]
#[path = "../tests/common/mod.rs"]
mod testing;

pub use clock::Time;
pub use config::{HostConfig, Report};
pub use engine::{Cohort, ComponentSource, Decision, Engine, Stage};
pub use error::HostError;
pub use evaluation::{ContextText, Evaluation};
pub use host::{Host, OutcomeReport};
pub use record::Recorded;
pub use reporting::{Consent, NextPepper, Reporting};
pub use status::{EventStatus, HostStatus};
pub use sync::{
    Access, Candidate, FetchError, Fetched, Gate, Item, LiveBytes, PulseStatus, PushStatus, SnapshotStatus,
    Source, State, SyncStatus, client, source,
};
