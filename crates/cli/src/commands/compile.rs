//! `flagstone compile`: definition -> diagnostics and snapshot.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result};
use flagstone_snapshot::encode;
use serde_json::json;

use crate::files::{self, Compiling};
use crate::output::{Output, answer};

/// Compile a definition (flagd's format and our additions, YAML or JSON) to a snapshot.
///
/// Diagnostics go to standard error with file, line, column and excerpt. Exit code 1 when the definition has
/// errors; without --lenient nothing is written then.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone compile flags.yaml                        check only\n  \
    flagstone compile flags.yaml -o flags.snapshot --environment production\n  \
    flagstone compile flags.json --json                 diagnostics for machines")]
pub(crate) struct Arguments {
    /// The definition
    definition: PathBuf,
    /// Where to write the snapshot; without it the definition is only checked
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    show: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (source, outcome) = files::definition(&arguments.definition, &arguments.compiling.options())?;
    let diagnostics = outcome.diagnostics.to_json(&source);
    let errors = outcome.diagnostics.errors();
    let Some(draft) = outcome.draft else {
        arguments.show.say(&format!("nothing built: {}", count(errors, "error")));
        arguments.show.object(&json!({
            "built": false, "errors": errors, "diagnostics": diagnostics,
        }));
        return Ok(ExitCode::FAILURE);
    };
    let bytes = encode(&draft).with_context(|| format!("`{}` cannot be laid out", source.name()))?;
    let plans = draft.flags.iter().filter(|flag| flag.plan.is_some()).count();
    let mut line = format!(
        "{} ({} with a plan) for `{}`: {} bytes",
        count(draft.flags.len(), "flag"),
        plans,
        draft.environment,
        bytes.len()
    );
    if let Some(path) = &arguments.output {
        files::write(path, &bytes)?;
        line += &format!(", written to {}", path.display());
    }
    arguments.show.say(&line);
    arguments.show.object(&json!({
        "built": true,
        "environment": draft.environment,
        "flags": draft.flags.len(),
        "plans": plans,
        "bytes": bytes.len(),
        "output": arguments.output,
        "errors": errors,
        "diagnostics": diagnostics,
    }));
    Ok(answer(errors == 0))
}

fn count(number: usize, what: &str) -> String {
    format!("{number} {what}{}", if number == 1 { "" } else { "s" })
}
