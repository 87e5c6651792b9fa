//! `flagstone open --explain`: each check in the order of verification, who signed, who is missing, what changes.

use std::path::Path;

use anyhow::Result;
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::sign::{Check, Outcome, explain};
use flagstone_seal::{OpenPolicy, Statement, TrustRoot, inspect};
use flagstone_snapshot::Snapshot;
use serde_json::{Value, json};

use crate::commands::sign::changes_after;
use crate::commands::snapshot_words::{plans, release_tally, tally_json};
use crate::commands::trust::words;
use crate::output::{Output, coded, hex, time};

/// Tells all about a file, whether it opens or not; the JSON is the value of `explanation`.
pub(super) fn tell(
    file: &[u8],
    trust: &TrustRoot,
    policy: &OpenPolicy<'_>,
    after: Option<&Path>,
    show: Output,
) -> Result<Value> {
    show.say(&format!(
        "checked by trust root version {}, epoch {}, at {}:",
        trust.version(),
        trust.epoch(),
        time(policy.now)
    ));
    let claim = inspect(file, SERVER_PAYLOAD_BYTES).ok();
    let claim = claim.as_ref().and_then(|claim| match &claim.statement {
        Statement::Snapshot(statement) => Some((statement, claim)),
        _ => None,
    });
    let mut checks = Vec::new();
    for (check, outcome) in explain(file, trust, policy) {
        let (mark, words) = match &outcome {
            None => ("-  ", "not reached".to_owned()),
            Some(Ok(())) => {
                ("yes", claim.map_or(String::new(), |(statement, _)| holds(check, statement, trust, policy)))
            }
            // What would help is told once, below.
            Some(Err(error)) => {
                let coded = coded(&error.to_string(), error.code());
                ("no ", coded.lines().next().unwrap_or_default().to_owned())
            }
        };
        show.say(format!("  {mark} {:<24} {words}", check.name()).trim_end());
        checks.push(as_json(check, &outcome));
    }
    let mut tally = None;
    let mut changes = Vec::new();
    if let Some((statement, claim)) = claim {
        tally = release_tally(&claim.note, statement, trust).ok();
        if let Some(tally) = &tally {
            show.say(&format!("release:{}: {}", statement.environment, words::signatures(tally)));
            for other in &tally.others {
                show.say(&format!("  `{other}` signed, too; it does not count for this role"));
            }
        }
        if let Some(snapshot) = claim.payload.and_then(|payload| Snapshot::load(payload).ok()) {
            for line in plans(&snapshot) {
                show.say(&line);
            }
            if let Some(after) = after {
                changes = changes_after(after, statement, &snapshot)?;
                show.say(&format!("changes after {}:", after.display()));
                for line in &changes {
                    show.say(&format!("  {line}"));
                }
            }
        }
    }
    Ok(json!({
        "checks": checks,
        "signatures": tally.as_ref().map(tally_json),
        "changes": after.map(|_| changes),
    }))
}

/// What a check that holds was made with.
fn holds(
    check: Check,
    statement: &flagstone_seal::SnapshotStatement,
    trust: &TrustRoot,
    policy: &OpenPolicy<'_>,
) -> String {
    match check {
        Check::Place => format!("`{}` in `{}`", statement.audience, statement.environment),
        Check::Mark => match policy.mark {
            None => "nothing is remembered here".into(),
            Some(mark) => format!("not below epoch {}, sequence {}", mark.epoch, mark.sequence),
        },
        Check::Floor => {
            let (epoch, sequence) = trust.floor(policy.environment);
            format!(
                "epoch {}, sequence {}; the floor is epoch {epoch}, sequence {sequence}",
                statement.epoch, statement.sequence
            )
        }
        Check::Time => format!("issued {}, until {}", time(statement.issued), time(statement.expires)),
        Check::Revocation => format!("digest {}", hex(&statement.digest())),
        Check::Payload => format!("{} bytes", statement.payload_length),
        Check::Frame | Check::Note | Check::Signatures | Check::Threshold | Check::Statement => String::new(),
    }
}

fn as_json(check: Check, outcome: &Outcome) -> Value {
    let (passed, error) = match outcome {
        None => (None, None),
        Some(Ok(())) => (Some(true), None),
        Some(Err(error)) => (Some(false), Some(error)),
    };
    json!({
        "check": check.name(), "passed": passed,
        "code": error.map(flagstone_seal::SealError::code), "reason": error.map(ToString::to_string),
    })
}
