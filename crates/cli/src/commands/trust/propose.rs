//! `flagstone trust propose`: the next version, for root keys to sign.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;

use super::changes::Changes;
use super::{Current, Told, propose};
use crate::output::Output;
use crate::signers::Signing;

/// Make the next version of a trust root from the one in force, for root keys to sign
///
/// The result is a small file to pass round: each root key holder looks at it and signs it with `trust sign`. It needs
/// enough of the root keys of before and enough of its own; `trust show` says who is missing.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone trust propose --trust trust.note --add-release cyd.key.pub --release-threshold 2 -o proposal.note\n  \
    flagstone trust propose --trust trust.note --raise-epoch --floor production 2 1 --key root.key -o proposal.note")]
pub(crate) struct Arguments {
    /// The trust note in force
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// How long it holds, at most a year
    #[arg(long, value_name = "DURATION", default_value = "365d")]
    lifetime: humantime::Duration,
    /// Root keys that sign it at once
    #[arg(long, value_name = "FILE")]
    key: Vec<PathBuf>,
    #[command(flatten)]
    signing: Signing,
    /// Where to write the proposal
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    show: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let current = Current::read(&arguments.trust)?;
    let next = arguments.changes.next(current.root.statement(), arguments.lifetime)?;
    let signers = arguments.signing.signers(&arguments.key)?;
    propose(&next, &current, &signers, &arguments.output, &Told::new(arguments.show))
}
