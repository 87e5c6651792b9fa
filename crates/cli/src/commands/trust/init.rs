//! `flagstone trust init`: version 1 of a trust root.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use flagstone_seal::{Proposal, Role, RoleKind, TrustDraft, VerifierKey};

use super::{Told, headline, tell_changes, tell_signatures};
use crate::commands::keys::public;
use crate::files;
use crate::key_file::KeyFile;
use crate::output::Output;
use crate::passphrase::Passphrase;

/// Make version 1 of a trust root, signed by the root keys at hand
///
/// Root keys are given as secret files, which sign, or as public ones, whose holders sign later with `trust sign`:
/// nobody has to hold more than one of them.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  flagstone trust init --environment production --root root.key --root ben-root.key.pub \\\n    --release ana.key.pub --release ben.key.pub --release-threshold 2 --pulse pulse.key.pub -o trust.note"
)]
pub(crate) struct Arguments {
    /// The environment whose snapshots and pulses it speaks of
    #[arg(long, value_name = "NAME")]
    environment: String,
    /// Root keys; each secret one signs
    #[arg(long, value_name = "FILE", required = true)]
    root: Vec<PathBuf>,
    /// How many root keys must agree to it and to the next version; by default all given
    #[arg(long, value_name = "N")]
    root_threshold: Option<u32>,
    /// Release keys (public or secret files): they sign snapshots, and with them each plan's ceiling
    #[arg(long, value_name = "FILE", required = true)]
    release: Vec<PathBuf>,
    /// How many release keys must sign a snapshot
    #[arg(long, value_name = "N", default_value_t = 1)]
    release_threshold: u32,
    /// The pulse key: the governor's
    #[arg(long, value_name = "FILE", required = true)]
    pulse: Vec<PathBuf>,
    /// How long it holds, at most a year
    #[arg(long, value_name = "DURATION", default_value = "365d")]
    lifetime: humantime::Duration,
    /// Where to write the note
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    show: Output,
}

/// A trust root of one environment, version 1.
pub(crate) fn draft(
    environment: &str,
    (root, root_threshold): (Vec<VerifierKey>, u32),
    (release, release_threshold): (Vec<VerifierKey>, u32),
    pulse: Vec<VerifierKey>,
    issued: u64,
    lifetime: u64,
) -> TrustDraft {
    TrustDraft {
        version: 1,
        epoch: 1,
        issued,
        expires: issued + lifetime,
        roles: vec![
            Role { kind: RoleKind::Root, threshold: root_threshold, keys: root },
            Role { kind: RoleKind::Release(environment.into()), threshold: release_threshold, keys: release },
            Role { kind: RoleKind::Pulse(environment.into()), threshold: 1, keys: pulse },
        ],
        floors: Vec::new(),
        revoked_keys: Vec::new(),
        revoked_statements: Vec::new(),
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Arguments { environment, root, output, show, .. } = arguments;
    let publics = |paths: &[PathBuf]| paths.iter().map(|path| public(path)).collect::<Result<Vec<_>>>();
    let draft = draft(
        environment,
        (publics(root)?, arguments.root_threshold.unwrap_or(root.len() as u32)),
        (publics(&arguments.release)?, arguments.release_threshold),
        publics(&arguments.pulse)?,
        files::now(),
        arguments.lifetime.as_secs(),
    );
    let unsigned = |error| anyhow!("the trust root cannot be signed: {error}");
    let mut proposal = Proposal::new(&draft).map_err(unsigned)?;
    for path in root {
        let file = KeyFile::read(path)?;
        if !matches!(file, KeyFile::Public(_)) {
            proposal.sign(&file.secret(path, &arguments.passphrase)?).map_err(unsigned)?;
        }
    }
    files::write(output, &proposal.to_bytes())?;
    show.say(&headline(proposal.statement(), output));
    tell_changes(None, &proposal, *show);
    tell_signatures(None, &proposal, output, &Told::new(*show))?;
    Ok(ExitCode::SUCCESS)
}
