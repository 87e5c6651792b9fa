//! `flagstone sign`: the second person looks at a sealed file and agrees.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, anyhow, bail};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{RoleKind, SnapshotStatement, Statement, TrustRoot, VerifierKey, cosign, inspect};
use flagstone_snapshot::Snapshot;
use serde_json::json;

use crate::commands::keys::public;
use crate::commands::snapshot_words::{ceilings, changes, plans, release_tally, tally_json};
use crate::commands::trust::words;
use crate::files;
use crate::output::{Output, agreed, hex, time};
use crate::signers::Signing;

/// Look at a sealed file and add your release key's signature
///
/// Shows what the file says, how far it lets each rollout go and what changes against the file before, asks, and adds
/// one signature. For trust roots there is `trust sign`.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  flagstone sign next.sealed --key ben.key --trust trust.note --after flags.sealed"
)]
pub(crate) struct Arguments {
    /// The sealed file
    file: PathBuf,
    /// Your release key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    signing: Signing,
    /// The trust note in force, to say whether your signature counts and who is still to sign
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The sealed file before it, to show what changes
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
    /// Sign without asking; needed where there is no terminal to ask at
    #[arg(long)]
    yes: bool,
    /// Where to write it; by default over the same file
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

/// What changes from the file before, and whether it is the one that was named as parent.
pub(crate) fn changes_after(
    path: &Path,
    statement: &SnapshotStatement,
    snapshot: &Snapshot<'_>,
) -> Result<Vec<String>> {
    let bytes = files::read(path)?;
    let claim = inspect(&bytes, SERVER_PAYLOAD_BYTES);
    let claim = claim.map_err(|error| anyhow!("`{}` is no sealed snapshot: {error}", path.display()))?;
    let (Statement::Snapshot(old), Some(payload)) = (&claim.statement, claim.payload) else {
        bail!("`{}` is no sealed snapshot", path.display())
    };
    let old_snapshot = Snapshot::load(payload).map_err(|error| anyhow!("`{}`: {error}", path.display()))?;
    let mut lines = Vec::new();
    let follows = statement.parent == old.digest();
    lines.push(format!(
        "epoch {}, sequence {} -> epoch {}, sequence {}{}",
        old.epoch,
        old.sequence,
        statement.epoch,
        statement.sequence,
        if follows { "" } else { "; it does not name that file as the one before it" }
    ));
    lines.extend(changes(&old_snapshot, snapshot));
    Ok(lines)
}

/// That a signature of this key counts.
fn check_role(key: &VerifierKey, environment: &str, trust: &TrustRoot) -> Result<()> {
    let kind = RoleKind::Release(environment.into());
    let holds = trust.role(&kind).is_some_and(|role| role.keys.iter().any(|one| one == key));
    if holds && !trust.statement().is_revoked_key(key) {
        return Ok(());
    }
    bail!("`{}` does not hold the role `{}`: its signature would not count", key.name(), kind.to_text())
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let show = arguments.show;
    let bytes = files::read(&arguments.file)?;
    let claim = inspect(&bytes, SERVER_PAYLOAD_BYTES)
        .map_err(|error| anyhow!("`{}` is no sealed file: {error}", arguments.file.display()))?;
    let (Statement::Snapshot(statement), Some(payload)) = (&claim.statement, claim.payload) else {
        bail!(
            "`{}` is no sealed snapshot\nhint: `flagstone trust sign` signs trust roots",
            arguments.file.display()
        )
    };
    let snapshot =
        Snapshot::load(payload).map_err(|error| anyhow!("`{}`: {error}", arguments.file.display()))?;
    let key = public(&arguments.key)?;
    let trust = arguments.trust.as_deref().map(|path| files::trust(path, files::now())).transpose()?;
    if let Some(trust) = &trust {
        check_role(&key, &statement.environment, trust)?;
    }
    show.say(&format!(
        "`{}` in `{}`, epoch {}, sequence {}, until {} ({})",
        statement.audience,
        statement.environment,
        statement.epoch,
        statement.sequence,
        time(statement.expires),
        arguments.file.display()
    ));
    for line in plans(&snapshot) {
        show.say(&format!("  {line}"));
    }
    if let Some(after) = &arguments.after {
        for line in changes_after(after, statement, &snapshot)? {
            show.say(&format!("  {line}"));
        }
    }
    if !agreed(&format!("approve this as `{}`?", key.name()), arguments.yes)? {
        show.say("not signed");
        show.object(&json!({"signed": false}));
        return Ok(ExitCode::FAILURE);
    }
    let signer = arguments.signing.signer(&arguments.key)?;
    let signed = cosign(&bytes, &*signer).map_err(|error| anyhow!("it cannot be signed: {error}"))?;
    let output = arguments.output.as_ref().unwrap_or(&arguments.file);
    files::write(output, &signed)?;
    show.say(&format!("signed by {} ({})", words::key(&key), output.display()));
    let claim =
        inspect(&signed, SERVER_PAYLOAD_BYTES).map_err(|error| anyhow!("it does not read: {error}"))?;
    let tally = trust.as_ref().map(|trust| release_tally(&claim.note, statement, trust)).transpose();
    let tally =
        tally.map_err(|error| anyhow!("nobody may release to `{}`: {error}", statement.environment))?;
    if let Some(tally) = &tally {
        show.say(&format!("  {}", words::signatures(tally)));
    }
    show.object(&json!({
        "signed": true,
        "output": output,
        "signer": key.name(),
        "digest": hex(&statement.digest()),
        "epoch": statement.epoch,
        "sequence": statement.sequence,
        "signatures": tally.as_ref().map(tally_json),
        "ceilings": ceilings(&snapshot).into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    }));
    Ok(ExitCode::SUCCESS)
}
