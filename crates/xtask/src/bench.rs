//! The bench: builds and runs its parts (native, wasmtime, Node), makes one table of them, and holds it
//! against the committed budget. Method and caveats: `docs/benchmarks.md`.

mod report;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::places::Places;
use crate::run::{cargo, output, say, succeed};
use crate::{artefacts, browser, javascript, setup};
use report::{Machine, Part, Report};

/// What can be named with `--only`.
const PARTS: [&str; 3] = ["native", "wasmtime", "node"];

/// How the bench is called.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder of workload W; default: `workload` in $FLAGSTONE_SHARED or in `../shared` beside the checkout.
    #[arg(long, value_name = "DIR")]
    workload: Option<PathBuf>,
    /// End with one line holding one JSON object.
    #[arg(long)]
    json: bool,
    /// Run these parts only: native, wasmtime, node.
    #[arg(long, value_name = "PART", value_delimiter = ',')]
    only: Vec<String>,
    /// Few rounds: to see that everything works, not to quote.
    #[arg(long)]
    quick: bool,
}

/// Measures, prints the table and, with `--json`, one line of JSON; failure when a budget is exceeded.
pub(crate) fn bench(places: &Places, arguments: &Arguments) -> Result<ExitCode> {
    if let Some(unknown) = arguments.only.iter().find(|name| !PARTS.contains(&name.as_str())) {
        bail!("there is no part `{unknown}`\nhint: the parts are {}", PARTS.join(", "));
    }
    let workload = workload(places, arguments.workload.as_deref())?;
    let fixtures = fixtures(places, &workload)?;
    let run = |name: &str| -> Result<Part> {
        let line = match name {
            "native" => native(places, &workload, &fixtures, arguments.quick),
            "wasmtime" => wasmtime(places, &workload, &fixtures, arguments.quick),
            _ => node(places, &workload, &fixtures, arguments.quick),
        };
        let line = line.with_context(|| format!("in the part `{name}`"))?;
        let last = line.lines().last().unwrap_or_default();
        serde_json::from_str(last).with_context(|| format!("the part `{name}` reports `{last}`"))
    };
    let before = Machine::now();
    let mut parts = Vec::new();
    for name in PARTS {
        if arguments.only.is_empty() || arguments.only.iter().any(|only| only == name) {
            parts.push((name, run(name)?));
        }
    }
    let budgets = places.below("host-tests/bench/budgets.toml");
    let budgets = std::fs::read_to_string(&budgets).context("cannot read `host-tests/bench/budgets.toml`")?;
    let complete = parts.len() == PARTS.len();
    let report = Report { parts, before, after: Machine::now(), quick: arguments.quick };
    report.print();
    let over = report.over(&budgets, complete)?;
    for line in &over {
        println!("OVER BUDGET: {line}");
    }
    if arguments.json {
        println!("{}", report.json(&over));
    }
    Ok(if over.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The folder of W, which is shared between projects and lies outside this repository.
fn workload(places: &Places, asked: Option<&Path>) -> Result<PathBuf> {
    let shared =
        std::env::var_os("FLAGSTONE_SHARED").map_or_else(|| places.below("../shared"), PathBuf::from);
    let folder = asked.map_or_else(|| shared.join("workload"), Path::to_path_buf);
    if !folder.join("expected-rule.bin").is_file() {
        bail!(
            "workload W is not in `{}`; without it there is nothing to measure\nhint: name its folder with \
             `--workload DIR`, or the folder that holds it with FLAGSTONE_SHARED",
            folder.display()
        );
    }
    // The parts are started in other folders.
    folder.canonicalize().with_context(|| format!("cannot find `{}`", folder.display()))
}

/// W compiled and sealed, by a program of its own: what the compiler depends on must not be linked with the peers.
fn fixtures(places: &Places, workload: &Path) -> Result<PathBuf> {
    let folder = places.below("target/bench-fixtures");
    say("compiling and sealing W");
    let mut write = in_bench(places);
    write.args(["run", "--quiet", "--package", "flagstone-bench-fixtures", "--"]);
    succeed(write.arg(workload).arg(&folder))?;
    Ok(folder)
}

fn native(places: &Places, workload: &Path, fixtures: &Path, quick: bool) -> Result<String> {
    let program = built(places, "flagstone-bench-native")?;
    say("measuring natively");
    output(flags(
        Command::new(program).arg("--workload").arg(workload).arg("--fixtures").arg(fixtures),
        quick,
    ))
}

fn wasmtime(places: &Places, workload: &Path, fixtures: &Path, quick: bool) -> Result<String> {
    artefacts::component(places)?;
    let program = built(places, "flagstone-bench-wasmtime")?;
    say("measuring in wasmtime");
    let mut command = Command::new(program);
    command.arg("--workload").arg(workload).arg("--guest").arg(&places.guest);
    command.arg("--fixtures").arg(fixtures);
    output(flags(&mut command, quick))
}

fn node(places: &Places, workload: &Path, fixtures: &Path, quick: bool) -> Result<String> {
    browser::build(places)?;
    let package = javascript::package(places)?;
    let folder = places.below("host-tests/node-bench");
    setup::npm(&folder)?;
    say("measuring in Node");
    let mut command = Command::new("node");
    command.arg(folder.join("bench.mjs")).arg(workload).arg(fixtures).arg(places.browser()).arg(package);
    output(flags(&mut command, quick))
}

fn flags(command: &mut Command, quick: bool) -> &mut Command {
    if quick { command.arg("--quick") } else { command }
}

/// A cargo command in the bench's own workspace.
fn in_bench(places: &Places) -> Command {
    let mut command = cargo(places);
    command.current_dir(places.below("host-tests/bench"));
    command
}

/// Builds a program of the bench with fat LTO and returns where cargo put it.
fn built(places: &Places, package: &str) -> Result<PathBuf> {
    say(&format!("building `{package}` with fat LTO: the first time, and its link each time, take minutes"));
    let mut command = in_bench(places);
    command.args(["build", "--profile", "bench", "--package", package]);
    command.arg("--message-format=json-render-diagnostics");
    let messages = output(&mut command)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == package)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
        .with_context(|| format!("cargo named no executable for `{package}`"))
}
