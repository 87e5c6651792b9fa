//! `flagstone trust`: the root that hosts pin.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, anyhow};
use flagstone_seal::{Role, RoleKind, Signer, TrustDraft, TrustRoot, VerifierKey, seal_trust};
use serde_json::json;

use crate::commands::keys::public;
use crate::files;
use crate::output::{Output, time};

/// Make and show trust roots: which keys may sign what.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Make version 1 of a trust root, signed by its root keys
    #[command(
        after_help = "Example:\n  flagstone trust init --environment production --root root.key \\\n    --release ana.key.pub --release ben.key.pub --release-threshold 2 --pulse pulse.key.pub -o trust.note"
    )]
    Init {
        /// The environment whose snapshots and pulses it speaks of
        #[arg(long, value_name = "NAME")]
        environment: String,
        /// Root secret keys; each signs
        #[arg(long, value_name = "FILE", required = true)]
        root: Vec<PathBuf>,
        /// How many root keys must agree to the next version; by default all given
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
        show: Output,
    },
    /// Verify a trust note by its own root keys and show what it says
    Show {
        /// The note
        file: PathBuf,
        #[command(flatten)]
        show: Output,
    },
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

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let (note, file, show) = match command {
        Command::Init {
            environment,
            root,
            root_threshold,
            release,
            release_threshold,
            pulse,
            lifetime,
            output,
            show,
        } => {
            let roots = root.iter().map(|path| files::secret_key(path)).collect::<Result<Vec<_>>>()?;
            let draft = draft(
                environment,
                (
                    roots.iter().map(|key| key.verifying_key()).collect(),
                    root_threshold.unwrap_or(root.len() as u32),
                ),
                (release.iter().map(|path| public(path)).collect::<Result<_>>()?, *release_threshold),
                pulse.iter().map(|path| public(path)).collect::<Result<_>>()?,
                files::now(),
                lifetime.as_secs(),
            );
            let signers: Vec<&dyn Signer> = roots.iter().map(|key| key as &dyn Signer).collect();
            let note = seal_trust(&draft, &signers)
                .map_err(|error| anyhow!("the trust root cannot be signed: {error}"))?;
            files::write(output, &note)?;
            (note, output, show)
        }
        Command::Show { file, show } => (files::read(file)?, file, show),
    };
    let trust = TrustRoot::pin(&note, files::now())
        .map_err(|error| anyhow!("`{}` is no usable trust root: {error}", file.display()))?;
    show.say(&format!(
        "trust root version {}, epoch {}, until {} ({})",
        trust.version(),
        trust.epoch(),
        time(trust.expires()),
        file.display()
    ));
    let mut roles = Vec::new();
    for role in &trust.statement().roles {
        let name = role.kind.to_text();
        let keys: Vec<String> = role.keys.iter().map(|key| key.name().to_owned()).collect();
        show.say(&format!("  {name}: {} of {}", role.threshold, keys.join(", ")));
        roles.push(json!({"role": name, "threshold": role.threshold, "keys": keys}));
    }
    show.object(&json!({
        "file": file,
        "version": trust.version(),
        "epoch": trust.epoch(),
        "issued": trust.issued(),
        "expires": trust.expires(),
        "roles": roles,
    }));
    Ok(ExitCode::SUCCESS)
}
