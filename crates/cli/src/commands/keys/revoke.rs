//! `flagstone keys revoke`: the proposal that takes a key out of force for good.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use flagstone_seal::{RoleKind, TrustStatement, VerifierKey};

use crate::commands::trust::changes::{Changes, key};
use crate::commands::trust::{self, Current, Told};
use crate::output::Output;

/// Propose the trust root that revokes a key: it holds no role any more and never counts again
///
/// What was signed under other keys stays good. If the key may have signed files in other hands, raise the epoch
/// and set a floor in the same step.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  \
    flagstone keys revoke ben.key.pub --trust trust.note --add-release ben-2.key.pub \\\n    \
    --raise-epoch --floor production 2 1 -o proposal.note")]
pub(crate) struct Arguments {
    /// The key: a file, its text, or its name in the trust root
    key: String,
    /// The trust note in force
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    #[command(flatten)]
    changes: Changes,
    /// How long the proposed trust root holds, at most a year
    #[arg(long, value_name = "DURATION", default_value = "365d")]
    lifetime: humantime::Duration,
    /// Where to write the proposal
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    show: Output,
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let current = Current::read(&arguments.trust)?;
    let before = current.root.statement();
    let revoked = key(&arguments.key, before)?;
    let changes = arguments.changes.also_revoking(&revoked);
    let next = changes.next(before, arguments.lifetime)?;
    let hints = hints(&revoked, before, &next);
    let told = Told::new(arguments.show).with("hints", hints.clone());
    let code = trust::propose(&next, &current, &[], &arguments.output, &told)?;
    for hint in hints {
        arguments.show.say(&format!("hint: {hint}"));
    }
    Ok(code)
}

/// What else a person may want who revokes a key that could sign releases.
fn hints(revoked: &VerifierKey, before: &TrustStatement, next: &TrustStatement) -> Vec<String> {
    let mut hints = Vec::new();
    for role in
        before.roles.iter().filter(|role| role.keys.iter().any(|key| key.public() == revoked.public()))
    {
        let RoleKind::Release(environment) = &role.kind else { continue };
        let shut =
            next.floors.iter().any(|floor| floor.environment == *environment && floor.epoch > before.epoch);
        if shut {
            continue;
        }
        let could = if role.threshold == 1 { "alone" } else { "with enough others" };
        let epoch = before.epoch.saturating_add(1);
        hints.push(format!(
            "this key {could} could release to `{environment}`: if somebody else had it, shut out what may have been \
             signed with `--raise-epoch --floor {environment} {epoch} 1`, and publish a snapshot of epoch {epoch}"
        ));
    }
    hints
}
