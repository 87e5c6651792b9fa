//! `cargo xtask chaos`: the chaos test of `host-tests` for as long as one likes, with its summary as the last line.

use std::io::{BufRead, BufReader};
use std::process::{ExitCode, Stdio};

use anyhow::{Context, Result, bail};

use crate::artefacts;
use crate::places::Places;
use crate::run::{cargo, say};

/// The test, by the name that its binary knows it by.
const TEST: &str = "nothing_is_wrong_torn_or_lost_in_chaos";

/// Builds what is needed and runs it; failure when anything was wrong, torn or lost.
pub(crate) fn run(places: &Places, minutes: f64, json: bool) -> Result<ExitCode> {
    if !(minutes > 0.0 && minutes <= 10_080.0) {
        bail!("`--minutes` is out of range\nhint: more than 0, at most a week (10080)");
    }
    let seconds = (minutes * 60.0).ceil() as u64;
    artefacts::component(places)?;
    say(&format!("chaos for {seconds} s: hosts killed behind proxies that misbehave, clocks that are off"));
    let mut command = cargo(places);
    // The whole workspace's features, so that the check's libraries serve here too.
    command.args(["test", "--quiet", "--workspace", "--test", "chaos", "--"]);
    command.args(["--exact", TEST, "--nocapture", "--test-threads=1"]);
    command.env("FLAGSTONE_COMPONENT", places.component());
    command.env("FLAGSTONE_CHAOS_SECONDS", seconds.to_string());
    let mut child = command.stdout(Stdio::piped()).spawn().context("cannot start cargo")?;
    let mut summary = None;
    if let Some(out) = child.stdout.take() {
        for line in BufReader::new(out).lines() {
            let line = line.context("cannot read from the test")?;
            if line.starts_with('{') {
                summary = Some(line);
            } else if line.starts_with("chaos: ") {
                eprintln!("{line}");
            }
        }
    }
    let status = child.wait()?;
    let Some(summary) = summary else { bail!("the test ended without a summary ({status})") };
    if !json {
        say(if status.success() { "nothing was wrong, torn or lost" } else { "it did not hold" });
    }
    println!("{summary}");
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
