//! The engine in a sandbox: the host of `flagstone-host`, which runs the WebAssembly component through wasmtime, syncs over the
//! network, keeps what it has on disk, and reports. All of it, as it is.
//!
//! ```no_run
//! use flagstone::sandbox::{Host, HostConfig, Pepper};
//!
//! # async fn run(secret: [u8; 32]) -> Result<(), Box<dyn std::error::Error>> {
//! let trust = std::fs::read("trust.note")?;
//! let pepper = Pepper::from_bytes(secret);
//! let config = HostConfig::new(
//!     "https://flags.acme.example", trust, "acme.example/assistant", "production", "host-data", pepper,
//! );
//! let host = Host::start(config).await?;
//! let evaluation = host.evaluate("answers", r#"{"targetingKey": "ana"}"#);
//! let model = evaluation.value().cloned().unwrap_or_else(|| serde_json::json!("baseline"));
//! host.expose(&evaluation);
//! # drop(model); Ok(()) }
//! ```
//!
//! What bounds an instance is in [`limits`]: linear memory, running time, tables. docs/host.md has the contract. The component is
//! `flagstone.component.wasm` ([`ComponentSource`]); it is compiled at the first start, and its code kept in the host's folder for the next.
//!
//! [`engine`] is the same without network, disk and reports: an [`engine::Engine`], and an [`engine::Pool`] of instances for each snapshot.

pub use flagstone_events::Pepper;
pub use flagstone_host::*;
