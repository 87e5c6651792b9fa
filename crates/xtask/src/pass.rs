//! Commands that build what is needed and then hand over to a program of ours.

use std::ffi::OsString;
use std::process::{Command, ExitCode};

use anyhow::Result;

use crate::artefacts;
use crate::places::Places;
use crate::run::{ours, output, say, status};

/// Builds the component and the assistant, then runs `assistant demo`; its exit code is ours.
pub(crate) fn demo(places: &Places, arguments: &[OsString]) -> Result<ExitCode> {
    artefacts::component(places)?;
    hand_over(places, "assistant", "assistant", &["demo"], arguments)
}

/// Runs the conformance runner of host-tests; its exit code is ours.
pub(crate) fn conformance(places: &Places, arguments: &[OsString]) -> Result<ExitCode> {
    hand_over(places, "host-tests", "conformance", &[], arguments)
}

fn hand_over(
    places: &Places,
    package: &str,
    binary: &str,
    first: &[&str],
    arguments: &[OsString],
) -> Result<ExitCode> {
    say(&format!("building `{binary}`"));
    let program = binary_of(places, package, binary)?;
    let mut command = Command::new(program);
    command.args(first).args(arguments).env("FLAGSTONE_COMPONENT", places.component());
    let code = status(&mut command)?.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

/// Builds a binary with the everyday profile and returns where cargo put it.
pub(crate) fn binary_of(places: &Places, package: &str, binary: &str) -> Result<std::path::PathBuf> {
    let mut command = ours(places);
    command.args(["build", "--package", package, "--bin", binary]);
    command.arg("--message-format=json-render-diagnostics");
    let messages = output(&mut command)?;
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| message["target"]["name"] == binary)
        .find_map(|message| message["executable"].as_str().map(std::path::PathBuf::from))
        .ok_or_else(|| anyhow::anyhow!("cargo named no executable for `{binary}`"))
}
