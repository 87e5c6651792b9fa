//! `flagstone keys rotate`: a fresh key, and the proposal that puts it where an old one is.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use super::new::Protection;
use crate::commands::trust::changes::{Changes, key};
use crate::commands::trust::{self, Current, Told};
use crate::output::Output;

/// Make a new key and propose the trust root in which it takes the place of an old one
///
/// The old key stays good for whoever has the old trust root, until the root keys have signed the proposal and it is
/// published. Nothing is revoked: use `revoke` for a key that others may have.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  flagstone keys rotate ana.key.pub --trust trust.note --new-key ana-2.key -o proposal.note"
)]
pub(crate) struct Arguments {
    /// The key to replace: a file, its text, or its name in the trust root
    old: String,
    /// The trust note in force
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// Where to write the new secret key
    #[arg(long, value_name = "FILE")]
    new_key: PathBuf,
    /// The new key's name; by default the old one's (their key ids differ)
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Keep the old key beside the new one, so that what it signed stays good until it is removed in a later step
    #[arg(long)]
    keep_old: bool,
    /// How long the proposed trust root holds, at most a year
    #[arg(long, value_name = "DURATION", default_value = "365d")]
    lifetime: humantime::Duration,
    /// Where to write the proposal
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    protection: Protection,
    #[command(flatten)]
    show: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let current = Current::read(&arguments.trust)?;
    let old = key(&arguments.old, current.root.statement())?;
    let holds = |keys: &[flagstone_seal::VerifierKey]| keys.iter().any(|one| one.public() == old.public());
    if !current.root.statement().roles.iter().any(|role| holds(&role.keys)) {
        bail!(
            "`{}` holds no role in `{}`, so there is nothing to replace\n\
             hint: `flagstone trust show {}` lists the keys",
            old.name(),
            arguments.trust.display(),
            arguments.trust.display()
        );
    }
    let name = arguments.name.as_deref().unwrap_or(old.name());
    let (new, _) = arguments.protection.make(name, &arguments.new_key)?;
    let mut next = Changes::default().next(current.root.statement(), arguments.lifetime)?;
    for role in &mut next.roles {
        let Some(place) = role.keys.iter().position(|held| held.public() == old.public()) else { continue };
        if arguments.keep_old {
            role.keys.push(new.clone());
        } else if let Some(held) = role.keys.get_mut(place) {
            *held = new.clone();
        }
    }
    arguments.show.say(&format!(
        "new key in {} ({}), public key beside it",
        arguments.new_key.display(),
        arguments.protection.words()
    ));
    trust::propose(
        &next,
        &current,
        &[],
        &arguments.output,
        &Told::new(arguments.show).with("newKey", new.to_text()),
    )
}
