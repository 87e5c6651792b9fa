//! How much a governor takes in and judges: events through the real HTTP intake and the real derivation into a SQLite file,
//! and ticks over many flags. Method and figures: `docs/benchmarks.md`.
//!
//! ```console
//! $ cargo run --release --manifest-path host-tests/bench/Cargo.toml -p flagstone-bench-govern -- events --count 200000
//! $ cargo run --release --manifest-path host-tests/bench/Cargo.toml -p flagstone-bench-govern -- ticks --flags 1000 --json
//! ```
#![allow(clippy::expect_used, clippy::panic, reason = "a measurement that cannot go on stops")]

mod client;
mod events;
mod machine;
mod ticks;
mod world;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// Measures the control plane. Everything is made from the seed; the machine's load is printed with the figures.
#[derive(Parser)]
#[command(
    after_help = "Example:\n  cargo run --release --manifest-path host-tests/bench/Cargo.toml -p flagstone-bench-govern -- events --count 200000 --json"
)]
struct Command {
    #[command(subcommand)]
    what: What,
    /// End with one line holding one JSON object.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Subcommand)]
enum What {
    /// Sends events to a governor over HTTP, and lets it count and judge them.
    Events(Events),
    /// Judges many flags: in memory, from SQLite, and as a whole tick.
    Ticks(Ticks),
}

#[derive(Args)]
struct Events {
    /// Events in all.
    #[arg(long, default_value_t = 200_000)]
    count: u64,
    /// Events for each unit, a quarter of them exposures: decides how many units there are.
    #[arg(long, default_value_t = 20)]
    per_unit: u64,
    /// A tick after so many events.
    #[arg(long, default_value_t = 100_000)]
    tick_every: u64,
    /// Where the random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder of the database, kept afterwards; default: a temporary one.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

#[derive(Args)]
struct Ticks {
    /// Flags with a rollout.
    #[arg(long, default_value_t = 1_000)]
    flags: u64,
    /// Metrics of each.
    #[arg(long, default_value_t = 10)]
    metrics: u64,
    /// Slices of each metric, in two dimensions: an even number from 4.
    #[arg(long, default_value_t = 20)]
    slices: u64,
    /// Units that see every flag.
    #[arg(long, default_value_t = 200)]
    units: u64,
    /// Ticks timed; the median is told.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where the random numbers begin.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() {
    let command = Command::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let figures = match &command.what {
        What::Events(asked) => runtime.block_on(events::measure(asked)),
        What::Ticks(asked) => runtime.block_on(ticks::measure(asked)),
    };
    if command.json {
        println!("{figures}");
    }
}
