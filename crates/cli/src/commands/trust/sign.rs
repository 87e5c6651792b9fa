//! `flagstone trust sign`: a root key holder looks at a proposal and agrees.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use flagstone_seal::{RoleKind, VerifierKey};

use super::{Current, Told, headline, read_proposal, tell_changes, tell_signatures};
use crate::commands::keys::public;
use crate::files;
use crate::output::{Output, agreed};
use crate::signers::Signing;

/// Look at a proposed trust root and add your root key's signature
///
/// Shows in words what it changes against the version before, asks, and adds one signature to the file.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  flagstone trust sign proposal.note --trust trust.note --key root-ana.key"
)]
pub(crate) struct Arguments {
    /// The proposal
    file: PathBuf,
    /// The trust note in force, to show what changes; version 1 has none before it
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Your root key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    signing: Signing,
    /// Sign without asking; needed where there is no terminal to ask at
    #[arg(long)]
    yes: bool,
    /// Where to write it; by default over the same file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let show = arguments.show;
    let mut proposal = read_proposal(&arguments.file)?;
    let current = arguments.trust.as_deref().map(Current::read).transpose()?;
    let next = proposal.statement();
    match &current {
        None if next.version > 1 => bail!(
            "version {} follows another, and what changes cannot be shown without it\n\
             hint: `--trust FILE` with the trust note in force",
            next.version
        ),
        Some(current) if next.version != current.root.version() + 1 => bail!(
            "this is version {}, and the trust root in force is version {}: readers take one step at a time",
            next.version,
            current.root.version()
        ),
        Some(current) if next.epoch < current.root.epoch() => bail!(
            "this is epoch {}, and the trust root in force is epoch {}: readers never go back",
            next.epoch,
            current.root.epoch()
        ),
        _ => {}
    }
    let key = public(&arguments.key)?;
    let holds = |trust: &flagstone_seal::TrustStatement| {
        let role = trust.role(&RoleKind::Root);
        role.is_some_and(|role| role.keys.iter().any(|one: &VerifierKey| one == &key))
    };
    if !holds(next) && !current.as_ref().is_some_and(|current| holds(current.root.statement())) {
        bail!(
            "`{}` is a root key neither of this version nor of the one before: its signature would not count",
            key.name()
        );
    }
    show.say(&headline(next, &arguments.file));
    tell_changes(current.as_ref(), &proposal, show);
    if !agreed(&format!("sign this as `{}`?", key.name()), arguments.yes)? {
        show.say("not signed");
        show.object(&serde_json::json!({"signed": false}));
        return Ok(ExitCode::FAILURE);
    }
    let signer = arguments.signing.signer(&arguments.key)?;
    proposal.sign(&*signer).map_err(|error| anyhow!("it cannot be signed: {error}"))?;
    let output = arguments.output.as_ref().unwrap_or(&arguments.file);
    files::write(output, &proposal.to_bytes())?;
    show.say(&format!("signed by {} ({})", key.name(), output.display()));
    tell_signatures(current.as_ref(), &proposal, output, &Told::new(show).with("signed", true))?;
    Ok(ExitCode::SUCCESS)
}
