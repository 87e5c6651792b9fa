//! Runs other projects' suites against the engine: `cargo xtask conformance [--data DIR] [--statistics DIR] [--json]`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use clap::Parser;
use host_tests::conformance::{Suite, must_hold, run, statistics};
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
    /// The folder of reference values for the statistics; by default `stat-vectors` beside the folder of suites
    #[arg(long, value_name = "DIR")]
    statistics: Option<PathBuf>,
    /// End with one line that holds one JSON object: {"suites":[{"suite","passed","failed","skipped","failures","reasons"}]}
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
    let mut suites = run(&folder)?;
    let values = arguments.statistics.clone().unwrap_or_else(|| beside(&folder));
    if arguments.statistics.is_some() || values.is_dir() {
        suites.extend(statistics::run(&values).map_err(|error| anyhow!(error))?);
    } else {
        println!("{}: not there, the statistics are compared with nothing", values.display());
    }
    if suites.is_empty() {
        bail!("`{}` holds no suite that this command knows", folder.display());
    }
    for suite in &suites {
        let Suite { suite: name, passed, failed, skipped, failures, reasons } = suite;
        println!("{name:<36} {passed:>5} passed {failed:>4} failed {skipped:>4} skipped");
        if !arguments.json {
            for failure in failures {
                println!("    {failure}");
            }
            for reason in reasons {
                println!("    skipped: {reason}");
            }
        }
    }
    let failed = suites.iter().filter(|suite| must_hold(&suite.suite)).any(|suite| suite.failed > 0);
    if arguments.json {
        println!("{}", serde_json::json!({ "suites": suites }));
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// `stat-vectors` in the same folder as the suites.
fn beside(folder: &Path) -> PathBuf {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    folder.parent().unwrap_or(&folder).join("stat-vectors")
}
