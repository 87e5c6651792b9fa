//! What both bench programs share: the workload, rounds of timing, counting of allocations, the report.
//!
//! A program builds [`Case`]s, checks its answers against [`Workload`], hands the cases to [`rounds::run`]
//! and prints a [`Part`] as one line of JSON; `cargo xtask bench` makes the table.

pub mod counting;
mod fixtures;
mod packed;
pub mod part;
pub mod rounds;
pub mod schedule;
pub mod workload;

pub use fixtures::Fixtures;
pub use packed::{by_position, packed};
pub use part::{Part, Row};
pub use rounds::{Case, Pace};
pub use schedule::Schedule;
pub use workload::{Answer, Shape, Workload};

/// The evaluation time of every decision, unix seconds: nothing in W depends on it.
pub const NOW: u64 = 1_790_000_060;
