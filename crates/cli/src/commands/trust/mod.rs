//! `flagstone trust`: the root that hosts pin, and how people agree on the next one.

pub(crate) mod changes;
mod init;
mod propose;
mod publish;
mod show;
mod sign;
pub(crate) mod words;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use flagstone_seal::{Proposal, Tally, TrustRoot, TrustStatement};
use serde_json::{Map, Value, json};

pub(crate) use init::draft;

use crate::commands::snapshot_words::tally_json;
use crate::files;
use crate::output::{Output, coded, time};
use crate::signers::BoxedSigner;

/// Make, change and show trust roots: which keys may sign what.
///
/// The next version is proposed by one person, passed round as a small file, signed by enough old root keys and enough
/// new ones, and published; readers move to it by themselves.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Init(init::Arguments),
    Propose(Box<propose::Arguments>),
    Sign(sign::Arguments),
    Show(show::Arguments),
    Publish(publish::Arguments),
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    match command {
        Command::Init(arguments) => init::run(arguments),
        Command::Propose(arguments) => propose::run(arguments),
        Command::Sign(arguments) => sign::run(arguments),
        Command::Show(arguments) => show::run(arguments),
        Command::Publish(arguments) => publish::run(arguments),
    }
}

/// The trust root in force.
pub(crate) struct Current {
    pub(crate) root: TrustRoot,
}

impl Current {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        Ok(Self { root: files::trust(path, files::now())? })
    }
}

/// How a command on trust tells what it did.
pub(crate) struct Told {
    pub(crate) show: Output,
    more: Map<String, Value>,
}

impl Told {
    pub(crate) fn new(show: Output) -> Self {
        Self { show, more: Map::new() }
    }

    /// One more member of the JSON object.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.more.insert(name.into(), value.into());
        self
    }
}

/// Writes a proposal, signed by who is at hand, and says what it changes and who is still to sign.
pub(crate) fn propose(
    next: &TrustStatement,
    current: &Current,
    signers: &[BoxedSigner],
    output: &Path,
    told: &Told,
) -> Result<ExitCode> {
    let mut proposal =
        Proposal::new(next).map_err(|error| anyhow!("this trust root cannot be proposed: {error}"))?;
    for signer in signers {
        proposal.sign(&**signer).map_err(|error| anyhow!("it cannot be signed: {error}"))?;
    }
    files::write(output, &proposal.to_bytes())?;
    told.show.say(&format!("proposed: trust root version {} ({})", next.version, output.display()));
    tell_changes(Some(current), &proposal, told.show);
    tell_signatures(Some(current), &proposal, output, told)?;
    Ok(ExitCode::SUCCESS)
}

/// A proposal or trust note in a file.
pub(crate) fn read_proposal(path: &Path) -> Result<Proposal> {
    Proposal::parse(&files::read(path)?)
        .map_err(|error| anyhow!("`{}` is no trust note and no proposal of one: {error}", path.display()))
}

/// What the proposal changes, or all it says when nothing is known of the version before.
pub(crate) fn tell_changes(current: Option<&Current>, proposal: &Proposal, show: Output) {
    let next = proposal.statement();
    let lines = match current {
        Some(current) => words::changes(current.root.statement(), next),
        None => words::says(next),
    };
    for line in lines {
        show.say(&format!("  {line}"));
    }
}

/// Who has signed and who has not, of the old root keys and of the new; ends with the JSON object. True when it is
/// ready: a reader at the version before moves to it.
pub(crate) fn tell_signatures(
    current: Option<&Current>,
    proposal: &Proposal,
    file: &Path,
    told: &Told,
) -> Result<bool> {
    let (next, show) = (proposal.statement(), told.show);
    let count = |trust: &TrustStatement| {
        proposal.tally(trust).map_err(|error| anyhow!("`{}`: {error}", file.display()))
    };
    let old = current.map(|current| count(current.root.statement())).transpose()?;
    let new = count(next)?;
    // Where the root keys stay the same, there is one thing to tell.
    let differs = old.as_ref().filter(|old| **old != new);
    if let Some(old) = differs {
        show.say(&format!("  root keys of before: {}", words::signatures(old)));
    }
    let whose = if differs.is_some() { "root keys of this version" } else { "root keys" };
    show.say(&format!("  {whose}: {}", words::signatures(&new)));
    let now = files::now();
    // The reader's own word is the last one.
    let accepted = match current {
        Some(current) => current.root.advance(&proposal.to_bytes(), now).map(drop),
        None => TrustRoot::pin(&proposal.to_bytes(), now).map(drop),
    };
    let met = new.is_met() && old.as_ref().is_none_or(Tally::is_met);
    let ready = accepted.is_ok();
    match (&accepted, met) {
        (Ok(()), _) if current.is_none() && next.version > 1 => show.say(
            "signed by its own root keys; whether those of before have agreed is told with `--trust` and their trust note",
        ),
        (Ok(()), _) => show.say("ready"),
        (Err(_), false) => show.say("not ready: signatures are missing"),
        (Err(error), true) => show.say(&format!("not ready: {}", coded(&error.to_string(), error.code()))),
    }
    let mut object = json!({
        "file": file,
        "version": next.version,
        "epoch": next.epoch,
        "issued": next.issued,
        "expires": next.expires,
        "roles": next.roles.iter().map(|role| json!({
            "role": role.kind.to_text(),
            "threshold": role.threshold,
            "keys": role.keys.iter().map(|key| key.name()).collect::<Vec<_>>(),
            "keyTexts": role.keys.iter().map(flagstone_seal::VerifierKey::to_text).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
        "floors": next.floors.iter().map(|floor| json!({
            "environment": floor.environment, "epoch": floor.epoch, "sequence": floor.sequence,
        })).collect::<Vec<_>>(),
        "revokedKeys": next.revoked_keys.iter().map(flagstone_seal::VerifierKey::to_text).collect::<Vec<_>>(),
        "revokedStatements": next.revoked_statements.iter().map(|one| flagstone_events::to_hex(one)).collect::<Vec<_>>(),
        "changes": current.map(|current| words::changes(current.root.statement(), next)),
        "signatures": {"before": old.as_ref().map(tally_json), "own": tally_json(&new)},
        "ready": ready,
        "reason": accepted.err().map(|error| error.code()),
    });
    if let Some(members) = object.as_object_mut() {
        members.extend(told.more.clone());
    }
    show.object(&object);
    Ok(ready)
}

/// `until` and version of a statement, the line that every one of these commands begins with.
pub(crate) fn headline(trust: &TrustStatement, file: &Path) -> String {
    format!(
        "trust root version {}, epoch {}, until {} ({})",
        trust.version,
        trust.epoch,
        time(trust.expires),
        file.display()
    )
}
