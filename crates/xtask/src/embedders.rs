//! `cargo xtask embedders`: one table of every runtime that runs the engine, each with the shared vectors and the same measurements.
//!
//! A runtime is one file in `host-tests/embedders/runners`: a program that takes the folders of the fixtures and of the npm
//! package and the path of the component, and whose last line of output is its row (docs/embedders.md).

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::fastly::{self, Guests};
use crate::places::Places;
use crate::run::{cargo, output, say};
use crate::{artefacts, browser, check, javascript, setup};

/// A runtime's row, as its runner prints it.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Row {
    runtime: String,
    version: String,
    /// `evaluator`, `component`, `core`, `native`, …: which build it runs.
    build: String,
    vectors: Vectors,
    /// Hash of everything answered: equal in every row.
    answers: String,
    /// Hash of the explanations, where the runtime gives them: equal in every such row.
    #[serde(skip_serializing_if = "Option::is_none")]
    explained: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cold_start_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decision_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    all_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<u64>,
    artefact_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    swaps: Option<Swaps>,
}

#[derive(Deserialize, Serialize)]
struct Vectors {
    passed: u64,
    /// What was wrong, a text each.
    failed: Vec<String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Swaps {
    decisions: u64,
    memory_before: u64,
    memory_after: u64,
}

/// How a runner in Rust is started: the arguments for cargo, before those for the program.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cargo {
    cargo: Vec<String>,
}

/// What every runner is given.
pub(crate) struct Given {
    pub(crate) fixtures: PathBuf,
    pub(crate) package: PathBuf,
}

/// The runner that needs Viceroy, which is not everywhere.
const VICEROY: &str = "viceroy";

/// Builds what is needed, runs the runners (those named by `only`, or all) and prints the table; failure when one of them
/// answers anything else than the others, or grows.
pub(crate) fn report(places: &Places, only: &[String], json: bool) -> Result<ExitCode> {
    if only.iter().any(|name| name == VICEROY) && fastly::viceroy()?.is_none() {
        bail!("the runner `{VICEROY}` needs Viceroy, which is not here\nhint: {}", fastly::HINT);
    }
    artefacts::component(places)?;
    let mut given = Given { fixtures: check::fixtures(places)?, package: javascript::folder(places) };
    // The browser builds take minutes, and only JavaScript runs them.
    if chosen(places, only)?.iter().any(|runner| needs_npm(runner)) {
        browser::build(places)?;
        given.package = javascript::package(places)?;
    }
    rows(places, &given, only, json)
}

/// The runners that are named, or all, by name.
fn chosen(places: &Places, only: &[String]) -> Result<Vec<PathBuf>> {
    let mut runners: Vec<PathBuf> = std::fs::read_dir(places.below("host-tests/embedders/runners"))
        .context("cannot read `host-tests/embedders/runners`")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    runners.retain(|path| path.is_file());
    runners.sort();
    if let Some(unknown) = only.iter().find(|name| !runners.iter().any(|path| stem(path) == name.as_str())) {
        let known: Vec<&str> = runners.iter().map(|path| stem(path)).collect();
        bail!("there is no runner `{unknown}`\nhint: {}", known.join(", "));
    }
    runners.retain(|path| only.is_empty() || only.iter().any(|name| name == stem(path)));
    Ok(runners)
}

/// Runs the browser build. (Viceroy is driven by Node alone, and runs a guest of its own.)
fn needs_npm(runner: &Path) -> bool {
    runner.extension().is_some_and(|end| end == "mjs") && stem(runner) != VICEROY
}

/// As [`report`], with everything built.
pub(crate) fn rows(places: &Places, given: &Given, only: &[String], json: bool) -> Result<ExitCode> {
    let mut runners = chosen(places, only)?;
    let asked = runners.iter().any(|runner| stem(runner) == VICEROY);
    let guests = if asked { fastly::guests(places)? } else { None };
    if asked && guests.is_none() {
        say(&format!("Viceroy is not here, so its row is left out; {}", fastly::HINT));
        runners.retain(|runner| stem(runner) != VICEROY);
    }
    if runners.iter().any(|runner| needs_npm(runner)) {
        setup::npm(&places.below("host-tests/embedders"))?;
        setup::npm(&places.below("host-tests/browser-page"))?;
    }
    let (mut rows, mut wrong) = (Vec::new(), Vec::new());
    for runner in &runners {
        say(&format!("embedders: {}", stem(runner)));
        match row(places, given, guests.as_ref(), runner) {
            Ok(row) => rows.push(row),
            Err(error) => wrong.push(format!("{}: {error:#}", stem(runner))),
        }
    }
    wrong.extend(faults(&rows));
    table(&rows);
    for fault in &wrong {
        println!("WRONG: {fault}");
    }
    if json {
        println!("{}", serde_json::json!({ "embedders": rows, "ok": wrong.is_empty() }));
    }
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn stem(path: &Path) -> &str {
    path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn row(places: &Places, given: &Given, guests: Option<&Guests>, runner: &Path) -> Result<Row> {
    let mut command = match runner.extension().and_then(|end| end.to_str()) {
        Some("mjs") => {
            let mut node = Command::new("node");
            node.arg(runner);
            match guests.filter(|_| stem(runner) == VICEROY) {
                Some(guests) => guests.tell(&mut node),
                None => drop(node.env("CHROMIUM", setup::chromium()?)),
            }
            node
        }
        Some("py") => {
            let mut python = Command::new(setup::python(places)?);
            python.arg(runner);
            python
        }
        Some("toml") => {
            let text = std::fs::read_to_string(runner)?;
            let mut cargo = cargo(places);
            cargo.args(toml::from_str::<Cargo>(&text).context("it is no runner")?.cargo);
            cargo
        }
        _ => bail!("it is no `.mjs`, `.py` or `.toml`"),
    };
    command.arg(&given.fixtures).arg(&given.package).arg(places.component());
    let told = output(&mut command)?;
    let last = told.lines().rfind(|line| !line.trim().is_empty()).context("it printed nothing")?;
    serde_json::from_str(last).with_context(|| format!("its last line is no row: {last}"))
}

/// What is wrong with rows that were told.
fn faults(rows: &[Row]) -> Vec<String> {
    let mut faults = Vec::new();
    let explained = rows.iter().find_map(|row| row.explained.as_ref());
    for row in rows {
        let Row { runtime, vectors, .. } = row;
        let mut fault = |text: String| faults.push(format!("{runtime}: {text}"));
        for failed in vectors.failed.iter().take(5) {
            fault(failed.clone());
        }
        if vectors.failed.len() > 5 {
            fault(format!("and {} more", vectors.failed.len() - 5));
        }
        if vectors.passed == 0 {
            fault("it asked nothing".into());
        }
        if let Some(first) = rows.first().filter(|first| first.answers != row.answers) {
            fault(format!("its answers are not the bytes of {}'s", first.runtime));
        }
        if row.explained.is_some() && row.explained.as_ref() != explained {
            fault("its explanations are not the bytes of others'".into());
        }
        if let Some(Swaps { memory_before, memory_after, .. }) = row.swaps
            && memory_after > memory_before
        {
            fault(format!("memory grew from {memory_before} to {memory_after} bytes under swaps"));
        }
    }
    faults
}

fn table(rows: &[Row]) {
    println!(
        "{:<18} {:<14} {:<10} {:>8} {:>11} {:>12} {:>10} {:>11} {:>12} {:>16}",
        "runtime",
        "version",
        "build",
        "vectors",
        "cold start",
        "one decision",
        "all 100",
        "memory",
        "artefact",
        "under swaps"
    );
    let optional = |value: Option<String>| value.unwrap_or_else(|| "-".into());
    for row in rows {
        let kibibytes = |bytes: u64| format!("{} KiB", bytes / 1024);
        println!(
            "{:<18} {:<14} {:<10} {:>8} {:>11} {:>12} {:>10} {:>11} {:>12} {:>16}",
            row.runtime,
            row.version,
            row.build,
            row.vectors.passed,
            optional(row.cold_start_ms.map(|time| format!("{time:.1} ms"))),
            optional(row.decision_ns.map(|time| format!("{time:.0} ns"))),
            optional(row.all_ns.map(|time| format!("{:.1} us", time / 1_000.0))),
            optional(row.memory_bytes.map(kibibytes)),
            kibibytes(row.artefact_bytes),
            optional(row.swaps.as_ref().map(|swaps| {
                let grown = swaps.memory_after.saturating_sub(swaps.memory_before);
                if grown == 0 { "flat".into() } else { format!("+{}", kibibytes(grown)) }
            })),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(runtime: &str, answers: &str, explained: Option<&str>) -> Row {
        Row {
            runtime: runtime.into(),
            version: "1".into(),
            build: "evaluator".into(),
            vectors: Vectors { passed: 10, failed: Vec::new() },
            answers: answers.into(),
            explained: explained.map(Into::into),
            cold_start_ms: None,
            decision_ns: None,
            all_ns: None,
            memory_bytes: None,
            artefact_bytes: 1,
            swaps: Some(Swaps { decisions: 50_000, memory_before: 2, memory_after: 2 }),
        }
    }

    #[test]
    fn rows_that_agree_are_right() {
        assert!(
            faults(&[row("a", "1", None), row("b", "1", Some("2")), row("c", "1", Some("2"))]).is_empty()
        );
    }

    #[test]
    fn what_differs_or_grows_is_told() {
        let mut grown = row("c", "1", Some("3"));
        grown.swaps = Some(Swaps { decisions: 50_000, memory_before: 2, memory_after: 3 });
        grown.vectors = Vectors { passed: 0, failed: vec!["x".into(); 7] };
        let faults = faults(&[row("a", "1", Some("2")), row("b", "2", None), grown]);
        let of = |name: &str| faults.iter().filter(|fault| fault.starts_with(name)).count();
        assert_eq!((of("a:"), of("b:"), of("c:")), (0, 1, 9), "{faults:?}");
    }

    #[test]
    fn a_row_is_read_as_it_is_printed() {
        let text = serde_json::to_string(&row("a", "1", None)).unwrap();
        assert_eq!(serde_json::from_str::<Row>(&text).unwrap().runtime, "a");
        assert!(serde_json::from_str::<Row>(&text.replace("artefactBytes", "artifactBytes")).is_err());
    }
}
