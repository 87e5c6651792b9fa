//! `flagstone trust show`: what a trust root or a proposal says, who has signed it, who is missing.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::{Current, Told, headline, read_proposal, tell_changes, tell_signatures};
use crate::output::{Output, answer};

/// Show what a trust note or a proposal says, who has signed it and who is missing
///
/// With `--trust` it shows what changes against the version in force. Exit code 1 when it is not ready: signatures are
/// missing, or a reader at the version in force would refuse it.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  flagstone trust show trust.note\n  \
    flagstone trust show proposal.note --trust trust.note")]
pub(crate) struct Arguments {
    /// The note
    file: PathBuf,
    /// The trust note in force, to compare with
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { file, trust, show } = arguments;
    let proposal = read_proposal(file)?;
    let current = trust.as_deref().map(Current::read).transpose()?;
    show.say(&headline(proposal.statement(), file));
    tell_changes(current.as_ref(), &proposal, *show);
    Ok(answer(tell_signatures(current.as_ref(), &proposal, file, &Told::new(*show))?))
}
