//! `flagstone start`, `halt`, `resume`: a person's word about one flag, kept in the ledger.

use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::json;

use crate::commands::publish::Publisher;
use crate::output::Output;

/// Who says what about which flag.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone start answers --environment production --by ana --reason 'review passed' --to http://127.0.0.1:7070\n  \
    flagstone halt answers --environment production --by ben --reason 'odd answers in billing' --to http://127.0.0.1:7070")]
pub(crate) struct Arguments {
    /// The flag's key
    flag: String,
    /// The environment
    #[arg(long, value_name = "NAME")]
    environment: String,
    /// Who you are, for the ledger
    #[arg(long, value_name = "NAME")]
    by: String,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The control plane's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7070")]
    to: String,
    /// The operator's token
    #[arg(long, value_name = "TOKEN", env = "FLAGSTONE_OPERATOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    show: Output,
}

/// Sends one order: `start`, `halt` or `resume`.
pub(crate) fn run(order: &str, arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { flag, environment, by, reason, to, token, show } = arguments;
    let publisher = Publisher::new(to, token.clone())?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let answer = runtime.block_on(publisher.order(environment, flag, order, by, reason))?;
    show.say(&format!("{order} of `{flag}` accepted; the next pulse says so"));
    show.object(&json!({"accepted": true, "order": order, "flag": flag, "answer": answer}));
    Ok(ExitCode::SUCCESS)
}
