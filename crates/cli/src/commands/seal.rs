//! `flagstone seal`: snapshot -> sealed file, signed.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{Signer, SnapshotStatement, SnapshotStatementDraft, Statement, inspect, seal_snapshot};
use flagstone_snapshot::{Snapshot, encode};
use serde_json::json;

use crate::files::{self, Compiling};
use crate::output::{Output, hex, time};

/// What the payload of a sealed snapshot is.
pub(crate) const PAYLOAD_TYPE: &str = "application/vnd.flagstone.snapshot.v1";

/// Sign a snapshot: who may use it, in which order, until when.
///
/// The file given is a snapshot (from `compile`) or a definition, which is then compiled first. A signature
/// is an approval: it carries the ceiling of every plan in the snapshot.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone seal flags.snapshot --audience acme.example/assistant --key ana.key -o flags.sealed\n  \
    flagstone seal flags.yaml --audience acme.example/assistant --key ana.key --after flags.sealed -o next.sealed")]
pub(crate) struct Arguments {
    /// A snapshot or a definition
    file: PathBuf,
    /// Who may use it: product and audience class
    #[arg(long, value_name = "NAME")]
    audience: String,
    /// Secret release keys; each signs
    #[arg(long, value_name = "FILE", required = true)]
    key: Vec<PathBuf>,
    /// The sealed file before this one: its sequence plus one, and its digest as parent
    #[arg(long, value_name = "FILE", conflicts_with = "sequence")]
    after: Option<PathBuf>,
    /// Sequence number, where the file before is not at hand
    #[arg(long, value_name = "N", default_value_t = 1)]
    sequence: u64,
    /// The trust root's epoch
    #[arg(long, value_name = "N", default_value_t = 1)]
    epoch: u64,
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
    let (sequence, parent) = match &arguments.after {
        Some(path) => {
            let before = before(path)?;
            (before.sequence + 1, before.digest())
        }
        None => (arguments.sequence, [0; 32]),
    };
    let keys = arguments.key.iter().map(|path| files::secret_key(path)).collect::<Result<Vec<_>>>()?;
    let signers: Vec<&dyn Signer> = keys.iter().map(|key| key as &dyn Signer).collect();
    let issued = files::now();
    let draft = SnapshotStatementDraft {
        audience: arguments.audience.clone(),
        environment,
        epoch: arguments.epoch,
        sequence,
        issued,
        expires: issued + arguments.lifetime.as_secs(),
        parent,
        payload_type: PAYLOAD_TYPE.into(),
    };
    let file =
        seal_snapshot(&draft, &payload, &signers).map_err(|error| anyhow!("it cannot be sealed: {error}"))?;
    files::write(&arguments.output, &file)?;
    let digest = before(&arguments.output)?.digest();
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
    arguments.show.object(&json!({
        "sealed": true,
        "output": arguments.output,
        "audience": draft.audience,
        "environment": draft.environment,
        "epoch": draft.epoch,
        "sequence": sequence,
        "digest": hex(&digest),
        "issued": issued,
        "expires": draft.expires,
        "signers": keys.iter().map(|key| key.verifying_key().name().to_owned()).collect::<Vec<_>>(),
        "ceilings": ceilings.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    }));
    Ok(ExitCode::SUCCESS)
}

/// The highest approved stage of each plan, by flag.
pub(crate) fn ceilings(snapshot: &Snapshot<'_>) -> Vec<(String, String)> {
    snapshot
        .flags()
        .filter_map(|flag| {
            let plan = flag.plan()?;
            let stage = plan.stage(plan.ceiling()?)?;
            Some((flag.key().to_owned(), stage.name.to_owned()))
        })
        .collect()
}
