//! `flagstone up`: the whole loop in one process, on embedded defaults.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use flagstone_govern::{Govern, GovernConfig};
use flagstone_host::HostConfig;
use flagstone_seal::{SecretKey, Signer, SnapshotStatementDraft, seal_snapshot, seal_trust};
use flagstone_snapshot::encode;
use serde_json::json;

use crate::commands::govern::{Pace, log_key, playground_beside};
use crate::commands::host::{Running, pepper};
use crate::commands::publish::Publisher;
use crate::commands::{keys, seal, trust};
use crate::files::{self, Compiling};
use crate::key_file;
use crate::output::{self, Output, time};
use crate::passphrase::Passphrase;
use crate::stop;

/// Run everything at once: compile, seal, publish, govern, host. For trying things out and for small teams.
///
/// Keys, trust root, database and spool live in one folder and are made on first use; nothing else is
/// needed. The definition is watched: saved changes are compiled, sealed and published, and a definition
/// with errors changes nothing. Since one person holds all keys here, saving the file is the approval.
/// Runs until Ctrl-C or SIGTERM. With --json the first line of standard output is one object with the addresses.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone up flags.yaml\n  \
    flagstone up flags.yaml --auto-start --tick 1s --pulse-lifetime 60s\n  \
    curl -X POST 127.0.0.1:7171/ofrep/v1/evaluate/flags/new-answers -d '{\"context\":{\"targetingKey\":\"ana\"}}'")]
pub(crate) struct Arguments {
    /// The definition
    definition: PathBuf,
    /// Where keys, database and spool live
    #[arg(long, value_name = "FOLDER", default_value = ".flagstone")]
    data: PathBuf,
    /// The audience of the sealed files
    #[arg(long, value_name = "NAME", default_value = "local/flagstone")]
    audience: String,
    /// Where the control plane and its dashboard listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7070")]
    listen: SocketAddr,
    /// Where the host serves OFREP, outcomes and status
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7171")]
    host_listen: SocketAddr,
    /// The playground's page, linked from the dashboard; by default the one beside this program, if it was built
    #[arg(long, value_name = "FOLDER")]
    playground: Option<PathBuf>,
    #[command(flatten)]
    pace: Pace,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    passphrase: Passphrase,
    #[command(flatten)]
    show: Output,
}

/// How long a sealed file of `up` holds; it is sealed anew at half of that.
const LIFETIME: u64 = 14 * 86_400;
/// How often the definition is looked at.
const WATCH: Duration = Duration::from_millis(500);

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    output::log();
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(everything(arguments))
}

async fn everything(arguments: &Arguments) -> Result<ExitCode> {
    let show = arguments.show;
    let Some(first) = Compiled::read(arguments)? else {
        show.say("nothing started: the definition has errors");
        show.object(&json!({"started": false}));
        return Ok(ExitCode::FAILURE);
    };
    let keys = Keys::open(arguments, &first.environment)?;
    let mut config = GovernConfig::new(
        arguments.data.join("govern.sqlite"),
        &first.environment,
        &arguments.audience,
        keys.trust.clone(),
        Box::new(keys.pulse.clone()),
        Box::new(keys.log.clone()),
    );
    config.listen = arguments.listen;
    config.playground = arguments.playground.clone().or_else(playground_beside);
    arguments.pace.set(&mut config);
    let govern = Govern::start(config).await.map_err(anyhow::Error::new)?;
    let base = format!("http://{}", govern.address());
    let mut publishing = Publishing {
        arguments,
        publisher: Publisher::new(&base, None)?,
        release: keys.release,
        last: arguments.data.join("last.sealed"),
        seen: String::new(),
    };
    publishing.publish(first).await?;
    let host = HostConfig::new(
        &base,
        keys.trust,
        &arguments.audience,
        publishing.environment()?,
        arguments.data.join("host"),
        pepper(&arguments.data)?,
    );
    let running =
        Running::start(HostConfig { poll: Duration::from_secs(1), ..host }, arguments.host_listen).await?;
    show.say(&format!("dashboard   {}", govern.dashboard()));
    if let Some(playground) = govern.playground() {
        show.say(&format!("playground  {playground}"));
    }
    show.say(&format!("evaluate    POST http://{}/ofrep/v1/evaluate/flags/KEY", running.address));
    show.say(&format!("outcomes    POST http://{}/v1/outcomes", running.address));
    show.say(&format!("watching    {}", arguments.definition.display()));
    show.object(&json!({
        "started": true, "dashboard": govern.dashboard(), "playground": govern.playground(), "govern": govern.address(), "host": running.address,
    }));
    let mut look = tokio::time::interval(WATCH);
    let mut stop = std::pin::pin!(stop::asked());
    loop {
        tokio::select! {
            asked = &mut stop => {
                asked?;
                break;
            }
            _ = look.tick() => {
                if let Err(error) = publishing.look().await {
                    show.say(&format!("the definition in force stays: {error:#}"));
                }
            }
        }
    }
    show.say("stopping; delivering what is left");
    let status = running.shutdown(Duration::from_secs(5)).await;
    show.say(&format!(
        "{} events delivered, {} in the spool",
        status.events.delivered, status.events.pending
    ));
    govern.shutdown().await;
    Ok(ExitCode::SUCCESS)
}

/// The keys of a data folder, made on first use.
struct Keys {
    release: SecretKey,
    pulse: SecretKey,
    log: SecretKey,
    trust: Vec<u8>,
}

impl Keys {
    /// Keys made here are plain files, since nobody is asked; they can be put in place as encrypted ones, too.
    fn open(arguments: &Arguments, environment: &str) -> Result<Self> {
        let data = &arguments.data;
        let key = |role: &str| {
            let path = data.join("keys").join(format!("{role}.key"));
            if !path.exists() {
                let secret = keys::generate(&format!("local/{role}"))?;
                files::write_secret(&path, format!("{}\n", secret.to_text()).as_bytes())?;
            }
            key_file::secret_key(&path, &arguments.passphrase)
        };
        let (root, release, pulse) = (key("root")?, key("release")?, key("pulse")?);
        let log = log_key(&data.join("keys").join("log.key"), "local/log", &arguments.passphrase)?;
        let path = data.join("trust.note");
        if !path.exists() {
            let draft = trust::draft(
                environment,
                (vec![root.verifying_key()], 1),
                (vec![release.verifying_key()], 1),
                vec![pulse.verifying_key()],
                files::now(),
                365 * 86_400,
            );
            let note = seal_trust(&draft, &[&root])
                .map_err(|error| anyhow!("the trust root cannot be signed: {error}"))?;
            files::write(&path, &note)?;
        }
        files::trust(&path, files::now())?;
        Ok(Keys { release, pulse, log, trust: files::read(&path)? })
    }
}

/// A definition, compiled.
struct Compiled {
    text: String,
    environment: String,
    payload: Vec<u8>,
}

impl Compiled {
    /// None when the definition has errors, which have been shown then.
    fn read(arguments: &Arguments) -> Result<Option<Self>> {
        let mut options = arguments.compiling.options();
        let (source, outcome) = files::definition(&arguments.definition, &options)?;
        let Some(mut draft) = outcome.draft else { return Ok(None) };
        if draft.environment.is_empty() {
            // Sealed files are always for one environment.
            options.environment = "local".into();
            let again = flagstone_compile::compile(&source, &options);
            let Some(named) = again.draft else { return Ok(None) };
            draft = named;
        }
        let payload = encode(&draft).with_context(|| format!("`{}` cannot be laid out", source.name()))?;
        Ok(Some(Compiled { text: source.text().to_owned(), environment: draft.environment, payload }))
    }
}

struct Publishing<'a> {
    arguments: &'a Arguments,
    publisher: Publisher,
    release: SecretKey,
    /// The file that was sealed last, to go on from.
    last: PathBuf,
    /// The definition's text that was seen last, good or bad.
    seen: String,
}

impl Publishing<'_> {
    fn environment(&self) -> Result<String> {
        Ok(seal::before(&self.last)?.environment)
    }

    /// Compiles, seals and publishes when the definition was saved anew, or the file in force grows old.
    async fn look(&mut self) -> Result<()> {
        let text = files::read_text(&self.arguments.definition)?;
        let ageing = seal::before(&self.last)?.expires < files::now() + LIFETIME / 2;
        if text == self.seen && !ageing {
            return Ok(());
        }
        self.seen = text;
        match Compiled::read(self.arguments)? {
            Some(compiled) => self.publish(compiled).await,
            None => Err(anyhow!("the saved one has errors")),
        }
    }

    async fn publish(&mut self, compiled: Compiled) -> Result<()> {
        let Compiled { text, environment, payload } = compiled;
        let issued = files::now();
        let mut draft = SnapshotStatementDraft {
            audience: self.arguments.audience.clone(),
            environment,
            epoch: 1,
            sequence: 1,
            issued,
            expires: issued + LIFETIME,
            parent: [0; 32],
            payload_type: seal::PAYLOAD_TYPE.into(),
        };
        if self.last.exists() {
            let before = seal::before(&self.last)?;
            draft.sequence = before.sequence + 1;
            draft.parent = before.digest();
        }
        let signer: &dyn Signer = &self.release;
        let file = seal_snapshot(&draft, &payload, &[signer])
            .map_err(|error| anyhow!("it cannot be sealed: {error}"))?;
        self.publisher.publish(&file, Some(text.clone())).await?;
        files::write(&self.last, &file)?;
        self.seen = text;
        self.arguments.show.say(&format!(
            "published   sequence {}, holds until {}",
            draft.sequence,
            time(draft.expires)
        ));
        Ok(())
    }
}
