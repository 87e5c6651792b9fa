//! `flagstone open`: sealed file -> verified statement and flags, or the reason why not.

mod explain;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{Mark, OpenPolicy, open};
use flagstone_snapshot::Snapshot;
use serde_json::json;

use crate::commands::seal::before;
use crate::commands::snapshot_words::ceilings;
use crate::files;
use crate::output::{Output, coded, hex, time};

/// Verify a sealed file as a host would, and show what it says.
///
/// Exit code 1 when it is refused; the code of the refusal is one of docs/sealed-files.md.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone open flags.sealed --trust trust.note --audience acme.example/assistant --environment production\n  \
    flagstone open next.sealed --trust trust.note --audience acme.example/assistant --environment production \\\n    \
    --explain --after flags.sealed")]
pub(crate) struct Arguments {
    /// The sealed file
    file: PathBuf,
    #[command(flatten)]
    expect: Expect,
    /// Tell each check in its order, also beyond the first that fails; who signed and who is missing; what is approved
    #[arg(long)]
    explain: bool,
    /// Judge as a reader that has accepted this sealed file before; with `--explain` also tell what changes after it
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

/// What a host expects of a file.
#[derive(clap::Args)]
pub(crate) struct Expect {
    /// The trust note to verify it by
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: PathBuf,
    /// The audience it must be for
    #[arg(long, value_name = "NAME")]
    pub(crate) audience: String,
    /// The environment it must be for
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: String,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let (expect, show) = (&arguments.expect, arguments.show);
    let now = files::now();
    let trust = files::trust(&expect.trust, now)?;
    let bytes = files::read(&arguments.file)?;
    let remembered = arguments.after.as_deref().map(before).transpose()?;
    let policy = OpenPolicy {
        audience: &expect.audience,
        environment: &expect.environment,
        now,
        mark: remembered.map(|old| Mark { epoch: old.epoch, sequence: old.sequence, digest: old.digest() }),
        max_payload: SERVER_PAYLOAD_BYTES,
    };
    let explanation = match arguments.explain {
        true => explain::tell(&bytes, &trust, &policy, arguments.after.as_deref(), show)?,
        false => serde_json::Value::Null,
    };
    let refuse = |code: &str, reason: String| {
        show.say(&format!("refused: {}", coded(&reason, code)));
        show.object(&json!({
            "opened": false, "code": code, "reason": reason, "explanation": explanation.clone(),
        }));
        Ok(ExitCode::FAILURE)
    };
    let opened = match open(&bytes, &trust, &policy) {
        Ok(opened) => opened,
        Err(error) => return refuse(error.code(), error.to_string()),
    };
    let snapshot = match Snapshot::load(opened.payload) {
        Ok(snapshot) => snapshot,
        Err(error) => return refuse(error.code(), error.to_string()),
    };
    let statement = &opened.statement;
    show.say(&format!(
        "opened: `{}` in `{}`, epoch {}, sequence {}, signed by {}",
        statement.audience,
        statement.environment,
        statement.epoch,
        statement.sequence,
        opened.signers.join(", ")
    ));
    show.say(&format!("  issued {}, until {}", time(statement.issued), time(statement.expires)));
    show.say(&format!("  digest {}", hex(&opened.mark.digest)));
    show.say(&format!("  {} flags, {} bytes", snapshot.flag_count(), opened.payload.len()));
    let ceilings = ceilings(&snapshot);
    for (flag, stage) in &ceilings {
        show.say(&format!("  `{flag}` approved up to stage `{stage}`"));
    }
    show.object(&json!({
        "opened": true,
        "audience": statement.audience,
        "environment": statement.environment,
        "epoch": statement.epoch,
        "sequence": statement.sequence,
        "digest": hex(&opened.mark.digest),
        "parent": hex(&statement.parent),
        "issued": statement.issued,
        "expires": statement.expires,
        "signers": opened.signers,
        "payloadType": statement.payload_type,
        "payloadBytes": opened.payload.len(),
        "flags": snapshot.flags().map(|flag| flag.key().to_owned()).collect::<Vec<_>>(),
        "explanation": explanation,
        "ceilings": ceilings.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
    }));
    Ok(ExitCode::SUCCESS)
}
