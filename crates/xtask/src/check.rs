//! The whole check, step by step; every step runs even when one before it failed.

use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::places::Places;
use crate::run::{cargo, lint_while_building, ours, succeed, which};
use crate::{artefacts, browser, javascript, newcomer, pass, python, setup, sizes, supply};

type Step = (&'static str, fn(&Places) -> Result<()>);

const STEPS: [Step; 11] = [
    ("toolchain", toolchain),
    ("format", format),
    ("lints", lints),
    ("artefacts", build),
    // Here, since what was built before has been downloaded.
    ("supply", supply::step),
    ("tests", tests),
    ("javascript", javascript::check),
    ("python", wheel),
    ("newcomer", newcomer),
    ("demo", demo),
    ("sizes", weigh),
];

/// Runs every step, or those named, and closes with `N passed, N failed`.
pub(crate) fn everything(places: &Places, only: &[String]) -> Result<ExitCode> {
    if let Some(unknown) = only.iter().find(|name| STEPS.iter().all(|(step, _)| step != name)) {
        let names: Vec<&str> = STEPS.iter().map(|(name, _)| *name).collect();
        bail!("there is no step `{unknown}`\nhint: the steps are {}", names.join(", "));
    }
    let chosen: Vec<&Step> =
        STEPS.iter().filter(|(name, _)| only.is_empty() || only.iter().any(|one| one == name)).collect();
    let mut failed = Vec::new();
    let begin = Instant::now();
    for (number, (name, step)) in chosen.iter().enumerate() {
        println!("\n== {}/{} {name}", number + 1, chosen.len());
        let start = Instant::now();
        let result = step(places);
        let seconds = start.elapsed().as_secs_f64();
        match result {
            Ok(()) => println!("-- {name}: passed in {seconds:.1} s"),
            Err(error) => {
                println!("-- {name}: FAILED in {seconds:.1} s: {error:#}");
                failed.push(*name);
            }
        }
    }
    println!("\ntook {:.0} s", begin.elapsed().as_secs_f64());
    if !failed.is_empty() {
        println!("failed: {}", failed.join(", "));
    }
    println!("{} passed, {} failed", chosen.len() - failed.len(), failed.len());
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn toolchain(places: &Places) -> Result<()> {
    setup::target(places, artefacts::TARGET)?;
    setup::components(places)?;
    // Before the tests, which drive the dashboard and a page in it.
    setup::chromium().map(drop)
}

fn format(places: &Places) -> Result<()> {
    succeed(cargo(places).args(["fmt", "--all", "--check"]))?;
    let guests = places.below("examples/fastly/Cargo.toml");
    let mut command = cargo(places);
    command.args(["fmt", "--check", "--package", "fastly-example", "--package", "fastly-embedder"]);
    succeed(command.arg("--manifest-path").arg(guests))
}

/// Builds everything that runs natively, with clippy as the compiler.
fn lints(places: &Places) -> Result<()> {
    lint_while_building(places)?;
    succeed(ours(places).args(["test", "--workspace", "--all-targets", "--no-run", "--quiet"]))
}

fn build(places: &Places) -> Result<()> {
    artefacts::component(places)?;
    artefacts::judge(places)?;
    browser::build(places)
}

/// All Rust tests: nextest when it is installed (with `cargo test --doc` for what it leaves out).
fn tests(places: &Places) -> Result<()> {
    let mut command = ours(places);
    command.env("FLAGSTONE_COMPONENT", places.component());
    if which(&["cargo-nextest"]).is_none() {
        return succeed(command.args(["test", "--workspace"]));
    }
    succeed(command.args(["nextest", "run", "--workspace", "--no-fail-fast"]))?;
    let mut documentation = ours(places);
    documentation.env("FLAGSTONE_COMPONENT", places.component());
    succeed(documentation.args(["test", "--workspace", "--doc"]))
}

/// The wheel, and the component in Python's wasmtime: an embedder without any code of ours.
fn wheel(places: &Places) -> Result<()> {
    python::check(places, &fixtures(places)?)
}

/// The packed crates in an empty project. (The npm package and the wheel are tried so among their own tests.)
fn newcomer(places: &Places) -> Result<()> {
    newcomer::rust(places, &fixtures(places)?)
}

/// Sealed files and native answers for embedders in other languages.
pub(crate) fn fixtures(places: &Places) -> Result<PathBuf> {
    let folder = places.below("target/fixtures");
    succeed(Command::new(pass::binary_of(places, "host-tests", "fixtures")?).arg(&folder))?;
    Ok(folder)
}

/// The real system, judged by itself, with its control plane killed (SIGKILL) and brought back on the way.
fn demo(places: &Places) -> Result<()> {
    let arguments = ["--headless", "--seed", "5", "--kill-control-plane-at", "15"].map(Into::into);
    if pass::demo(places, &arguments)? != ExitCode::SUCCESS {
        bail!("the demonstration did not hold what it promises");
    }
    Ok(())
}

fn weigh(places: &Places) -> Result<()> {
    if sizes::report(places, false)? != ExitCode::SUCCESS {
        bail!("an artefact exceeds its budget");
    }
    Ok(())
}
