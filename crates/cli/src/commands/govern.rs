//! `flagstone govern`: the control plane of one environment.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use flagstone_govern::{Govern, GovernConfig};
use flagstone_seal::SecretKey;
use serde_json::json;

use crate::commands::keys;
use crate::files;
use crate::key_file;
use crate::output::{self, Output};
use crate::passphrase::Passphrase;
use crate::signers::Signing;
use crate::stop;

/// Run the control plane: take in events, judge, publish the pulse, show the dashboard.
///
/// With its pulse key it can only move rollouts beneath the ceilings that release keys have signed. A second key signs the
/// ledger's log: pin its public half where the ledger is verified (`flagstone ledger verify`). Runs until Ctrl-C or SIGTERM. With --json the first line of standard output is one object with its address.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  flagstone govern --database govern.sqlite --trust trust.note --pulse-key pulse.key \\\n    --audience acme.example/assistant --environment production --listen 127.0.0.1:7070"
)]
pub(crate) struct Arguments {
    /// The SQLite file; made when missing
    #[arg(long, value_name = "FILE")]
    database: PathBuf,
    /// A trust note: the one that hosts pin, or a later one; newer ones may be published to it
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// The secret pulse key, or its public half with `--signer-command`
    #[arg(long, value_name = "FILE")]
    pulse_key: PathBuf,
    #[command(flatten)]
    signing: Signing,
    /// The secret log key, which signs the ledger's checkpoints; by default a file beside the database, made when missing
    #[arg(long, value_name = "FILE")]
    log_key: Option<PathBuf>,
    /// The folder of the ledger's log; by default beside the database, with the ending `.ledger`
    #[arg(long, value_name = "FOLDER")]
    log: Option<PathBuf>,
    /// The audience of its snapshots and pulses
    #[arg(long, value_name = "NAME")]
    audience: String,
    /// The environment that it governs
    #[arg(long, value_name = "NAME")]
    environment: String,
    /// Where to listen; port 0 picks one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    #[command(flatten)]
    pace: Pace,
    /// What reporters must send as a bearer token
    #[arg(long, value_name = "TOKEN", env = "FLAGSTONE_REPORTER_TOKEN", hide_env_values = true)]
    reporter_token: Option<String>,
    /// What operators must send as a bearer token
    #[arg(long, value_name = "TOKEN", env = "FLAGSTONE_OPERATOR_TOKEN", hide_env_values = true)]
    operator_token: Option<String>,
    /// Units in the smallest cell of slices that is shown
    #[arg(long, value_name = "UNITS", default_value_t = 20)]
    k_anonymity: u64,
    /// The playground's page, linked from the dashboard: the folder that `cargo xtask build --browser` makes
    #[arg(long, value_name = "FOLDER")]
    playground: Option<PathBuf>,
    #[command(flatten)]
    show: Output,
}

/// How fast a control plane works.
#[derive(clap::Args)]
pub(crate) struct Pace {
    /// How often evidence is judged
    #[arg(long, value_name = "DURATION", default_value = "60s")]
    tick: humantime::Duration,
    /// How long a pulse lives, the exposure lease: three ticks to 15 minutes
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pulse_lifetime: humantime::Duration,
    /// How long a metric may be silent before its rollout holds
    #[arg(long, value_name = "DURATION")]
    staleness: Option<humantime::Duration>,
    /// Open the first stage of new rollouts without waiting for an operator
    #[arg(long)]
    auto_start: bool,
}

impl Pace {
    pub(crate) fn set(&self, config: &mut GovernConfig) {
        config.tick = self.tick.into();
        config.pulse_lifetime = self.pulse_lifetime.into();
        if let Some(staleness) = self.staleness {
            config.staleness = staleness.into();
        }
        config.auto_start = self.auto_start;
    }
}

/// The playground's folder beside this program: `playground`, or where the build makes it; none when it was not made.
pub(crate) fn playground_beside() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?;
    let folder = program.parent()?;
    [folder.join("playground"), folder.join("../guest/playground")]
        .into_iter()
        .find(|folder| folder.join("index.html").is_file())
}

/// The log key in a file; a new one with this name, and its public half beside it, when there is none.
pub(crate) fn log_key(file: &Path, name: &str, passphrase: &Passphrase) -> Result<SecretKey> {
    if !file.exists() {
        // A name is the log's for good: no part of it may be one that keys cannot have.
        let secret = keys::generate(&name.replace('+', "-"))?;
        files::write_secret(file, format!("{}\n", secret.to_text()).as_bytes())?;
        let mut public = file.as_os_str().to_os_string();
        public.push(".pub");
        files::write(Path::new(&public), format!("{}\n", secret.verifying_key().to_text()).as_bytes())?;
    }
    key_file::secret_key(file, passphrase)
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    output::log();
    let trust = files::read(&arguments.trust)?;
    let key = arguments.signing.signer(&arguments.pulse_key)?;
    let log_key = match &arguments.log_key {
        Some(file) => key_file::secret_key(file, &arguments.signing.passphrase)?,
        None => log_key(
            &arguments.database.with_extension("log.key"),
            &format!("{}/{}/log", arguments.audience, arguments.environment),
            &arguments.signing.passphrase,
        )?,
    };
    let log_name = log_key.verifying_key().to_text();
    let mut config = GovernConfig::new(
        &arguments.database,
        &arguments.environment,
        &arguments.audience,
        trust,
        key,
        Box::new(log_key),
    );
    if let Some(folder) = &arguments.log {
        config.log.clone_from(folder);
    }
    config.listen = arguments.listen;
    config.playground.clone_from(&arguments.playground);
    config.k_anonymity = arguments.k_anonymity;
    config.reporter_token.clone_from(&arguments.reporter_token);
    config.operator_token.clone_from(&arguments.operator_token);
    arguments.pace.set(&mut config);
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let govern = Govern::start(config).await.map_err(anyhow::Error::new)?;
        arguments.show.say(&format!(
            "governing `{}`; dashboard: {}",
            arguments.environment,
            govern.dashboard()
        ));
        arguments.show.say(&format!("the ledger's log is signed by {log_name}"));
        arguments.show.object(
            &json!({"address": govern.address(), "dashboard": govern.dashboard(), "playground": govern.playground(), "logKey": log_name}),
        );
        stop::asked().await?;
        arguments.show.say("stopping");
        govern.shutdown().await;
        Ok(ExitCode::SUCCESS)
    })
}
