//! Runs other projects' suites against the engine: `cargo xtask conformance [--data DIR] [--json]`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use host_tests::conformance::{Suite, must_hold, run};
use host_tests::shared;

/// Run other projects' published expectations against the engine.
///
/// A line a suite, then the failures by name. Exit code 0 when every row of the suites that must hold whole
/// did (see docs/conformance.md), 1 when not, 2 when the data is not there.
#[derive(Parser)]
#[command(
    after_help = "Examples:\n  cargo xtask conformance\n  cargo xtask conformance --data ../shared/conformance --json"
)]
struct Arguments {
    /// The folder of suites; by default `conformance` in the shared folder beside the checkout
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// End with one line that holds one JSON object: {"suites":[{"suite","passed","failed","skipped","failures"}]}
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    match conform(&Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn conform(arguments: &Arguments) -> Result<ExitCode> {
    let folder = match &arguments.data {
        Some(folder) => folder.clone(),
        None => shared::folder().map(|folder| folder.join("conformance")).context(
            "the shared test data is not beside the checkout\nhint: name its folder with --data DIR",
        )?,
    };
    let suites = run(&folder)?;
    if suites.is_empty() {
        bail!("`{}` holds no suite that this command knows", folder.display());
    }
    for suite in &suites {
        let Suite { suite: name, passed, failed, skipped, failures } = suite;
        println!("{name:<36} {passed:>5} passed {failed:>4} failed {skipped:>4} skipped");
        if !arguments.json {
            for failure in failures {
                println!("    {failure}");
            }
        }
    }
    let failed = suites.iter().filter(|suite| must_hold(&suite.suite)).any(|suite| suite.failed > 0);
    if arguments.json {
        println!("{}", serde_json::json!({ "suites": suites }));
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
