//! The demonstration: the real system, end to end, on generated traffic.
//!
//! definition -> compile -> snapshot -> seal (release key) -> control plane (a process of its own) -> host (verifies,
//! evaluates in the WebAssembly component) -> the assistant answers through the chat-completions endpoint -> exposures
//! and measured outcomes -> control plane judges -> pulse -> host. Here the operator is a few rules: approve when a plan
//! waits for approval and nothing is red, withdraw what was taken back. See `docs/demo.md`.

pub mod driver;
pub mod edition;
pub mod keys;
pub mod operator;
mod parts;
pub mod plane;
pub mod report;
mod run;
pub mod screen;
pub mod summary;
pub mod tally;
pub mod view;

pub use run::{Options, run};
