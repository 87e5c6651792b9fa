//! `flagstone seal`: snapshot -> sealed file, signed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{
    SnapshotStatement, SnapshotStatementDraft, Statement, TrustRoot, inspect, seal_snapshot,
};
use flagstone_snapshot::{Snapshot, encode};
use serde_json::json;

use crate::commands::snapshot_words::{ceilings, release_tally, tally_json};
use crate::commands::trust::words;
use crate::files::{self, Compiling};
use crate::output::{Output, hex, time};
use crate::signers::{Signing, borrowed};

/// What the payload of a sealed snapshot is.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.flagstone.snapshot.v1";

/// Sign a snapshot: who may use it, in which order, until when.
///
/// The file given is a snapshot (from `compile`) or a definition, which is then compiled first. A signature
/// is an approval: it carries the ceiling of every plan in the snapshot. Where more signatures are needed, the file is
/// passed to the next person, who adds one with `flagstone sign`.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone seal flags.snapshot --audience acme.example/assistant --key ana.key -o flags.sealed\n  \
    flagstone seal flags.yaml --audience acme.example/assistant --key ana.key --after flags.sealed --trust trust.note -o next.sealed")]
pub(crate) struct Arguments {
    /// A snapshot or a definition
    file: PathBuf,
    /// Who may use it: product and audience class
    #[arg(long, value_name = "NAME")]
    audience: String,
    /// Release keys; each signs
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    #[command(flatten)]
    signing: Signing,
    /// The trust note in force: its epoch is taken, and you are told who is still to sign
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The sealed file before this one: its digest as parent, its epoch, and its sequence plus one (1 in a new epoch)
    #[arg(long, value_name = "FILE", conflicts_with = "sequence")]
    after: Option<PathBuf>,
    /// Sequence number, where the file before is not at hand
    #[arg(long, value_name = "N", default_value_t = 1)]
    sequence: u64,
    /// The trust root's epoch; by default that of `--trust`, of `--after`, or 1
    #[arg(long, value_name = "N")]
    epoch: Option<u64>,
    /// How long it holds, at most 31 days
    #[arg(long, value_name = "DURATION", default_value = "14d")]
    lifetime: humantime::Duration,
    /// Where to write the sealed file
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    show: Output,
}

/// The snapshot in a file, compiled when the file is a definition. None when the definition has errors.
pub(crate) fn payload(path: &Path, compiling: &Compiling) -> Result<Option<Vec<u8>>> {
    let bytes = files::read(path)?;
    if bytes.starts_with(&flagstone_snapshot::layout::MAGIC) {
        return Ok(Some(bytes));
    }
    let (source, outcome) = files::definition(path, &compiling.options())?;
    let Some(draft) = outcome.draft else { return Ok(None) };
    encode(&draft).map(Some).with_context(|| format!("`{}` cannot be laid out", source.name()))
}

/// What the statement before a new one says.
pub(crate) fn before(path: &Path) -> Result<SnapshotStatement> {
    let bytes = files::read(path)?;
    match inspect(&bytes, SERVER_PAYLOAD_BYTES) {
        Ok(claim) => match claim.statement {
            Statement::Snapshot(statement) => Ok(statement),
            _ => bail!("`{}` is no sealed snapshot", path.display()),
        },
        Err(error) => bail!("`{}` is no sealed snapshot: {error}", path.display()),
    }
}

/// SHA-256 of a statement's text.
pub(crate) fn statement_digest(statement: &Statement) -> [u8; 32] {
    match statement {
        Statement::Trust(trust) => trust.digest(),
        Statement::Snapshot(snapshot) => snapshot.digest(),
        Statement::Pulse(pulse) => pulse.digest(),
    }
}

/// Epoch, sequence and parent of a new file.
fn place(arguments: &Arguments, trust: Option<&TrustRoot>) -> Result<(u64, u64, [u8; 32])> {
    let before = arguments.after.as_deref().map(before).transpose()?;
    let of_trust = trust.map(TrustRoot::epoch);
    let epoch = arguments.epoch.or(of_trust).or(before.as_ref().map(|before| before.epoch)).unwrap_or(1);
    Ok(match before {
        Some(before) if before.epoch == epoch => (epoch, before.sequence.saturating_add(1), before.digest()),
        Some(before) if before.epoch < epoch => (epoch, 1, before.digest()),
        Some(before) => bail!("the file before is of epoch {}, above {epoch}", before.epoch),
        None => (epoch, arguments.sequence, [0; 32]),
    })
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Some(payload) = payload(&arguments.file, &arguments.compiling)? else {
        arguments.show.object(&json!({"sealed": false}));
        return Ok(ExitCode::FAILURE);
    };
    let snapshot =
        Snapshot::load(&payload).map_err(|error| anyhow!("`{}`: {error}", arguments.file.display()))?;
    let environment = snapshot.environment().to_owned();
    let asked = arguments.compiling.environment.as_deref();
    if environment.is_empty() || asked.is_some_and(|asked| asked != environment) {
        bail!(
            "the snapshot is for the environment `{environment}`{}\nhint: name one in `metadata.environment` or with `flagstone compile --environment`",
            asked.map(|asked| format!(", not `{asked}`")).unwrap_or_default()
        );
    }
    let issued = files::now();
    let trust = arguments.trust.as_deref().map(|path| files::trust(path, issued)).transpose()?;
    let (epoch, sequence, parent) = place(arguments, trust.as_ref())?;
    let signers = arguments.signing.signers(&arguments.key)?;
    let draft = SnapshotStatementDraft {
        audience: arguments.audience.clone(),
        environment,
        epoch,
        sequence,
        issued,
        expires: issued + arguments.lifetime.as_secs(),
        parent,
        payload_type: PAYLOAD_TYPE.into(),
    };
    let file = seal_snapshot(&draft, &payload, &borrowed(&signers))
        .map_err(|error| anyhow!("it cannot be sealed: {error}"))?;
    files::write(&arguments.output, &file)?;
    arguments.show.say(&format!(
        "sealed for `{}` in `{}`, sequence {sequence}, until {}: {} ({} bytes)",
        draft.audience,
        draft.environment,
        time(draft.expires),
        arguments.output.display(),
        file.len()
    ));
    let ceilings = ceilings(&snapshot);
    for (flag, stage) in &ceilings {
        arguments.show.say(&format!("  this signature approves `{flag}` up to stage `{stage}`"));
    }
    let claim = inspect(&file, SERVER_PAYLOAD_BYTES).map_err(|error| anyhow!("it does not read: {error}"))?;
    let Statement::Snapshot(statement) = &claim.statement else { bail!("it is no snapshot") };
    let tally = trust.as_ref().map(|trust| release_tally(&claim.note, statement, trust)).transpose();
    let tally = tally.map_err(|error| anyhow!("nobody may release to `{}`: {error}", draft.environment))?;
    if let Some(tally) = &tally {
        arguments.show.say(&format!("  {}", words::signatures(tally)));
    }
    arguments.show.object(&json!({
        "sealed": true,
        "output": arguments.output,
        "audience": draft.audience,
        "environment": draft.environment,
        "epoch": draft.epoch,
        "sequence": sequence,
        "digest": hex(&statement.digest()),
        "issued": issued,
        "expires": draft.expires,
        "signers": signers.iter().map(|one| one.verifier_key().name().to_owned()).collect::<Vec<_>>(),
        "signatures": tally.as_ref().map(tally_json),
        "ceilings": ceilings.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    }));
    Ok(ExitCode::SUCCESS)
}
