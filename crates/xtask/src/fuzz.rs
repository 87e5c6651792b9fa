//! `cargo xtask fuzz`: builds the targets of host-tests/fuzz with coverage counters and runs libFuzzer on each.
//!
//! The stable compiler does it: the counters are LLVM's own pass. There is no address sanitizer, and nothing for it to
//! find, since our code has no `unsafe`; what is looked for are panics, overflows, broken promises, and time and memory
//! without bounds.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::places::Places;
use crate::run::{cargo, output, say, succeed};

/// The targets, with the longest input that libFuzzer may make for each.
const TARGETS: [(&str, usize); 5] =
    [("open", 4_096), ("load", 32_768), ("evaluate", 65_536), ("context", 16_384), ("compile", 8_192)];

/// Coverage as libFuzzer wants it, every check of our own, and `cfg(fuzzing)` for crates that look for it.
const FLAGS: [&str; 8] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cdebug-assertions=on",
    "-Coverflow-checks=on",
];

/// Seconds that one input may take before it counts as a finding.
const SLOWEST: u32 = 10;

#[derive(Serialize)]
struct Report {
    targets: Vec<Found>,
}

/// What one target came to.
#[derive(Serialize)]
struct Found {
    target: &'static str,
    seconds: f64,
    executions: u64,
    /// Inputs kept, the committed ones among them.
    corpus: usize,
    ok: bool,
    /// The input that failed.
    artifact: Option<PathBuf>,
}

/// Builds and runs the named targets, all when none is named.
pub(crate) fn run(places: &Places, names: &[String], seconds: u32, json: bool) -> Result<ExitCode> {
    if let Some(unknown) = names.iter().find(|name| TARGETS.iter().all(|(target, _)| target != name)) {
        let known: Vec<&str> = TARGETS.iter().map(|(target, _)| *target).collect();
        bail!("there is no fuzz target `{unknown}`\nhint: the targets are {}", known.join(", "));
    }
    let programs = build(places)?;
    let mut report = Report { targets: Vec::new() };
    for (target, longest) in TARGETS {
        if names.is_empty() || names.iter().any(|name| name == target) {
            report.targets.push(fuzz(places, &programs.join(target), target, longest, seconds)?);
        }
    }
    for found in &report.targets {
        let Found { target, seconds, executions, corpus, .. } = found;
        println!("{target}: {executions} executions in {seconds:.0} s, {corpus} inputs kept");
        if let Some(artifact) = &found.artifact {
            println!("{target}: FAILED on {}", artifact.display());
        }
    }
    if json {
        println!("{}", serde_json::to_string(&report)?);
    }
    let ok = report.targets.iter().all(|found| found.ok);
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Builds all targets and returns the folder with the programs.
fn build(places: &Places) -> Result<PathBuf> {
    say("building the fuzz targets (the first time with libFuzzer, some minutes)");
    let version = output(Command::new("rustc").arg("-vV").current_dir(&places.root))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
    let folder = places.below("target/fuzz");
    let mut command = cargo(places);
    command
        .args(["build", "--release", "--features", "fuzzer", "--target", host, "--target-dir"])
        .arg(&folder);
    command.arg("--manifest-path").arg(places.below("host-tests/fuzz/Cargo.toml"));
    // With `--target`, build scripts are built without the counters, which only the fuzzer has.
    command.env_remove("RUSTFLAGS").env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    succeed(&mut command)?;
    Ok(folder.join(host).join("release"))
}

/// Runs one target. What it finds interesting is kept below `target`, beside the committed corpus.
fn fuzz(
    places: &Places,
    program: &Path,
    target: &'static str,
    longest: usize,
    seconds: u32,
) -> Result<Found> {
    let seeds = places.below("host-tests/fuzz/corpus").join(target);
    let kept = places.below("target/fuzz/corpus").join(target);
    let artifacts = places.below("target/fuzz/artifacts");
    for folder in [&kept, &artifacts] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    let mut command = Command::new(program);
    command.args([
        format!("-max_total_time={seconds}"),
        format!("-timeout={SLOWEST}"),
        format!("-max_len={longest}"),
        "-rss_limit_mb=1024".into(),
        "-print_final_stats=1".into(),
        format!("-artifact_prefix={}/{target}-", artifacts.display()),
    ]);
    let words = places.below("host-tests/fuzz").join(format!("{target}.dict"));
    if words.is_file() {
        command.arg(format!("-dict={}", words.display()));
    }
    command.arg(&kept).arg(&seeds).env("RUST_BACKTRACE", "1");
    say(&format!("{target}: fuzzing for {seconds} s"));
    let start = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
    let (mut executions, mut artifact, mut told) = (0, None, start.elapsed());
    let mut last = VecDeque::new();
    for line in BufReader::new(child.stderr.take().context("no standard error")?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if let Some(count) = executed(&line) {
            executions = executions.max(count);
        }
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            artifact = Some(PathBuf::from(path.trim()));
        }
        if start.elapsed().as_secs() >= told.as_secs() + 10 {
            told = start.elapsed();
            say(&format!("{target}: {executions} executions after {} s", told.as_secs()));
        }
        last.push_back(line);
        if last.len() > 40 {
            last.pop_front();
        }
    }
    let ok = child.wait()?.success();
    if !ok {
        last.iter().for_each(|line| eprintln!("{line}"));
    }
    let corpus = [&kept, &seeds].iter().map(|folder| fs::read_dir(folder).map_or(0, Iterator::count)).sum();
    Ok(Found { target, seconds: start.elapsed().as_secs_f64(), executions, corpus, ok, artifact })
}

/// How many executions a line of libFuzzer's tells of: `#1234  NEW …`, or its statistics at the end.
fn executed(line: &str) -> Option<u64> {
    match line.strip_prefix("stat::number_of_executed_units:") {
        Some(count) => count.trim().parse().ok(),
        None => line.strip_prefix('#')?.split_whitespace().next()?.parse().ok(),
    }
}
