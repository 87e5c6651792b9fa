//! The control plane: store, ledger, stages, pulse, HTTP API, dashboard.
//!
//! A governor takes in release-signed snapshots and reporters' events, counts evidence, asks the judge at every tick,
//! and says in a short-lived signed **pulse** how far each rollout is open and what is halted. It holds the
//! pulse key, and can only ever narrow what release keys have signed: a stage above the signed ceiling is not opened
//! here and not believed by hosts.
//!
//! ```no_run
//! # use flagstone_seal::SecretKey;
//! # async fn run(trust: Vec<u8>, pulse: SecretKey, log: SecretKey) -> Result<(), flagstone_govern::GovernError> {
//! use flagstone_govern::{Govern, GovernConfig};
//!
//! let (environment, audience) = ("production", "acme.example/assistant");
//! let config =
//!     GovernConfig::new("govern.sqlite", environment, audience, trust, Box::new(pulse), Box::new(log));
//! let govern = Govern::start(config).await?;
//! println!("dashboard: {}", govern.dashboard());
//! govern.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! Words: an **attempt** is one candidate under one set of rules; a snapshot that only raises the ceiling goes on with
//! it, a changed metric, guardrail, share or candidate begins the next one with fresh evidence and a smaller error
//! budget. A unit's **enrolment** is its first exposure that is evidence. A **reading** is an outcome as a metric
//! understands it.
//!
//! Rules: what was acknowledged is on the disk; what is published is in the signed [`log`] first; evidence does not
//! depend on the order of arrival; time comes from the clock in the settings. HTTP, states and formats:
//! `docs/govern.md`. Caps: [`limits`].

mod attempts;
mod canonical;
mod clock;
mod config;
mod contribution;
mod dashboard;
mod decision;
mod definition;
mod derive;
mod drift;
mod error;
mod evidence;
mod evidence_rows;
mod governor;
mod handle;
mod http;
mod ingest;
mod ledger;
mod ledger_file;
mod ledger_notes;
mod ledger_words;
pub mod limits;
mod live;
pub mod log;
mod looks;
mod metric;
mod operator;
mod parallel;
mod plan;
mod playground;
mod publish;
mod pulse;
mod pulse_live;
mod ranges;
mod report;
mod reports;
mod slice_plan;
mod slice_release;
mod slice_rows;
mod slice_tally;
mod slices;
mod snapshots;
mod stage;
mod status;
mod steer;
mod steer_rows;
mod store;
mod take_in;
mod tally;
mod trust;
mod trust_routes;
mod unit;
mod unit_rows;
mod unit_slices;
mod values;
mod withdraw;
mod words;

pub use attempts::Phase;
pub use clock::{Clock, system_clock};
pub use config::GovernConfig;
pub use decision::{Inputs, Replayed};
pub use error::GovernError;
pub use evidence::UnitCounts;
pub use handle::{Audit, Govern};
pub use ingest::Accepted;
pub use ledger::{LedgerEntry, LedgerFault, LedgerHead};
pub use ledger_file::{LedgerFile, LedgerRecord};
pub use ledger_words::Words;
pub use operator::OperatorHalt;
