//! `flagstone trust publish`: the next trust note -> control plane, from where hosts take it.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use super::changes::only_environment;
use super::read_proposal;
use crate::commands::publish::Publisher;
use crate::files;
use crate::output::Output;

/// Hand the next trust note to the control plane, which verifies it and moves to it at once
///
/// Hosts follow by themselves, one version after the other, however long they slept.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  flagstone trust publish trust-2.note --to http://127.0.0.1:7070")]
pub(crate) struct Arguments {
    /// The trust note
    file: PathBuf,
    /// The environment of the control plane; not needed while the note speaks of one only
    #[arg(long, value_name = "NAME")]
    environment: Option<String>,
    /// The control plane's address
    #[arg(long, value_name = "URL")]
    to: String,
    /// The operator's token
    #[arg(long, value_name = "TOKEN", env = "FLAGSTONE_OPERATOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    show: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { file, to, show, .. } = arguments;
    let note = read_proposal(file)?;
    let environment = match &arguments.environment {
        Some(name) => name.clone(),
        None => only_environment(note.statement())?,
    };
    let publisher = Publisher::new(to, arguments.token.clone())?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let answer = runtime.block_on(publisher.trust(&environment, files::read(file)?))?;
    let version = note.statement().version;
    let mut line = format!("published to {to}: trust root version {version} is in force");
    for (member, words) in [("refused", "the snapshot in force is refused under it"), ("waits", "it waits")] {
        if let Some(why) = answer[member].as_str() {
            line += &format!("; {words}: {why}");
        }
    }
    show.say(&line);
    show.object(&json!({"published": true, "version": version, "answer": answer}));
    Ok(ExitCode::SUCCESS)
}
