//! `cargo xtask`: builds the wasm artefacts, runs the demo, the conformance suites and the whole check.
//!
//! It depends on no crate of ours, so that it can build and test them all. Progress goes to standard error,
//! results to standard output; with `--json` the last line of standard output is one JSON object.

mod artefacts;
mod bench;
#[cfg(feature = "browser")]
mod bind;
mod browser;
mod chaos;
mod check;
mod embedders;
mod fastly;
mod fuzz;
mod javascript;
mod newcomer;
mod pass;
mod places;

mod python;
mod reproduce;
mod run;
mod setup;
mod sizes;
mod supply;
mod wit;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::places::Places;

/// Builds, checks and shows Flagstone.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Builds target/guest/flagstone.component.wasm, flagstone.core.wasm and flagstone-flags.wit.wasm (the WIT package), with
    /// --browser the browser build too.
    #[command(after_help = "Examples:\n  cargo xtask build\n  cargo xtask build --browser")]
    Build {
        /// Also build target/guest/browser/ and target/guest/playground/ (wasm-bindgen; the first time it builds that tool, 1-2 minutes).
        #[arg(long)]
        browser: bool,
    },
    /// Measures each artefact (raw, gzip, brotli 11, imports) against host-tests/budgets.toml; fails when over.
    #[command(after_help = "Examples:\n  cargo xtask sizes\n  cargo xtask sizes --json | tail -1")]
    Sizes {
        /// End with one line holding one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Runs the whole check: format, lints, artefacts, what is locked, all tests, the browser page, sizes. Installs what is
    /// lacking (rustup targets, Debian's chromium, crates, npm and PyPI packages) and says so.
    #[command(
        after_help = "Examples:\n  cargo xtask test\n  cargo xtask test --only format --only sizes\n\nThe last line is `N passed, N failed`, one step counting one."
    )]
    Test {
        /// Run this step only (may be repeated).
        #[arg(long, value_name = "STEP")]
        only: Vec<String>,
    },
    /// Builds the component and runs the real system on examples/assistant; further arguments are passed on.
    #[command(
        after_help = "Examples:\n  cargo xtask demo\n  cargo xtask demo --headless --json\n  cargo xtask demo --headless --seed 7\n\nThe exit code is the demo's own."
    )]
    Demo {
        /// Arguments for `assistant demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Runs the conformance suites of other systems against the engine.
    #[command(
        after_help = "Examples:\n  cargo xtask conformance\n  cargo xtask conformance --data ../shared/conformance --json"
    )]
    Conformance {
        /// Arguments for the runner (`--data DIR`, `--statistics DIR`, `--json`).
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
    /// Measures workload W natively, in wasmtime and in Node beside other engines, after checking every answer.
    #[command(
        after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --only native --quick\n  cargo xtask bench --json | tail -1\n\nIt builds with fat LTO in a workspace of its own: 15 minutes the first time. Fails when a limit of\nhost-tests/bench/budgets.toml is exceeded."
    )]
    Bench(bench::Arguments),
    /// Runs the shared vectors and the same measurements in every runtime, and prints one table (docs/embedders.md).
    #[command(
        after_help = "Examples:\n  cargo xtask embedders\n  cargo xtask embedders node workerd --json | tail -1\n\nThe exit code is 0 only when all of them answer the same bytes and none grows under swaps."
    )]
    Embedders {
        /// Runners of host-tests/embedders/runners, without their endings; all when none is named.
        runners: Vec<String>,
        /// End with one line holding one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Fuzzes the engine: sealed files, snapshots, decisions, contexts, definitions (docs/fuzzing.md).
    #[command(
        after_help = "Examples:\n  cargo xtask fuzz\n  cargo xtask fuzz load evaluate --seconds 600 --json | tail -1"
    )]
    Fuzz {
        /// open, load, evaluate, context, compile; all when none is named.
        targets: Vec<String>,
        /// How long each target runs.
        #[arg(long, default_value_t = 30)]
        seconds: u32,
        /// End with one line holding one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Kills hosts behind misbehaving proxies and counts what was decided wrongly, torn or lost (docs/threats.md).
    #[command(
        after_help = "Examples:\n  cargo xtask chaos\n  cargo xtask chaos --minutes 10 --json | tail -1\n\nThe exit code is 0 only when nothing was wrong, torn or lost."
    )]
    Chaos {
        /// For how long.
        #[arg(long, default_value_t = 1.0)]
        minutes: f64,
        /// Only the summary, as one line holding one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Builds the engine twice from nothing, in folders of other names, and compares the bytes.
    #[command(
        after_help = "Examples:\n  cargo xtask reproduce\n  cargo xtask reproduce --json | tail -1\n\nTakes two builds of the engine. The exit code is 0 only when all bytes are the same."
    )]
    Reproduce {
        /// End with one line holding one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Compares what is locked with supply.toml: origins, licences, duplicates, the sandbox, advisories (docs/supply-chain.md).
    #[command(
        after_help = "Examples:\n  cargo xtask supply\n  cargo xtask supply --advisories ../advisory-db --json | tail -1\n  cargo xtask supply --sbom target/flagstone.cdx.json\n\nIt needs no network. The exit code is 0 only when nothing is against the policy."
    )]
    Supply(supply::Arguments),
    /// Packs what a newcomer installs and runs the lines of the language's page with it, in an empty folder.
    #[command(
        after_help = "Example:\n  cargo xtask newcomer rust\n\nJavaScript and Python have theirs among their own tests, which `cargo xtask test` runs."
    )]
    Newcomer {
        /// The language.
        #[arg(value_name = "LANGUAGE")]
        language: String,
    },
    /// Writes docs/wit.md from wit/flagstone-flags.wit; a test says when it is out of date.
    #[command(after_help = "Example:\n  cargo xtask wit")]
    Wit,
    /// The wasm-bindgen step of `build --browser`; needs the feature `browser`.
    #[command(hide = true)]
    Bind {
        /// The module that cargo built.
        input: PathBuf,
        /// Where the JavaScript and the module go.
        output: PathBuf,
    },
}

fn main() -> ExitCode {
    let places = Places::find();
    let result = match Arguments::parse().command {
        Command::Build { browser } => build(&places, browser).map(|()| ExitCode::SUCCESS),
        Command::Sizes { json } => sizes::report(&places, json),
        Command::Test { only } => check::everything(&places, &only),
        Command::Demo { arguments } => pass::demo(&places, &arguments),
        Command::Conformance { arguments } => pass::conformance(&places, &arguments),
        Command::Bench(arguments) => bench::bench(&places, &arguments),
        Command::Embedders { runners, json } => embedders::report(&places, &runners, json),
        Command::Fuzz { targets, seconds, json } => fuzz::run(&places, &targets, seconds, json),
        Command::Chaos { minutes, json } => chaos::run(&places, minutes, json),
        Command::Reproduce { json } => reproduce::run(&places, json),
        Command::Supply(arguments) => supply::run(&places, &arguments),
        Command::Newcomer { language } => newcomer::run(&places, &language).map(|()| ExitCode::SUCCESS),
        Command::Wit => wit::document(&places).map(|()| ExitCode::SUCCESS),
        Command::Bind { input, output } => bind_step(&input, &output).map(|()| ExitCode::SUCCESS),
    };
    result.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

fn build(places: &Places, with_browser: bool) -> anyhow::Result<()> {
    artefacts::component(places)?;
    artefacts::judge(places)?;
    if with_browser {
        browser::build(places)?;
    }
    Ok(())
}

#[cfg(feature = "browser")]
fn bind_step(input: &std::path::Path, output: &std::path::Path) -> anyhow::Result<()> {
    bind::bind(input, output)
}

#[cfg(not(feature = "browser"))]
fn bind_step(_: &std::path::Path, _: &std::path::Path) -> anyhow::Result<()> {
    anyhow::bail!(
        "this xtask was built without the feature `browser`\nhint: `cargo xtask build --browser` builds it with it"
    )
}
