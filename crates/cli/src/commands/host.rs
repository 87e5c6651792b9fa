//! `flagstone host`: sync, decide and report for services on this machine.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use flagstone_events::{Pepper, from_hex, to_hex};
use flagstone_host::{ComponentSource, Host, HostConfig, HostStatus, http};
use serde_json::json;
use tokio::net::TcpListener;

use crate::commands::host_status;
use crate::files;
use crate::output::{self, Output};
use crate::stop;

/// Run a host: keep the newest verified snapshot in force, decide flags over OFREP, report what came of it.
///
/// Runs until Ctrl-C or SIGTERM, then delivers what it still holds. With --json the first line of standard output is
/// one object with its address, the last one its final status.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Examples:\n  \
    flagstone host --source http://127.0.0.1:7070 --trust trust.note --audience acme.example/assistant \\\n    --environment production --data host-data --listen 127.0.0.1:7171\n  \
    curl -X POST 127.0.0.1:7171/ofrep/v1/evaluate/flags/new-answers -d '{\"context\":{\"targetingKey\":\"ana\"}}'\n  \
    flagstone host status")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    // Options only because a subcommand does without them; clap sees that they are there.
    /// Where sealed files come from: a control plane's address (https or http), `s3://BUCKET/PREFIX` or `file:FOLDER`
    #[arg(long, value_name = "URL", required = true)]
    source: Option<String>,
    /// The trust note to pin
    #[arg(long, value_name = "FILE", required = true)]
    trust: Option<PathBuf>,
    /// The audience it belongs to
    #[arg(long, value_name = "NAME", required = true)]
    audience: Option<String>,
    /// The environment it runs in
    #[arg(long, value_name = "NAME", required = true)]
    environment: Option<String>,
    /// Its own folder: last good files, event spool, and the pepper of its pseudonyms
    #[arg(long, value_name = "FOLDER", required = true)]
    data: Option<PathBuf>,
    /// A sealed file to begin with when it is newer than what the folder holds, or the folder is new
    #[arg(long, value_name = "FILE")]
    embedded: Option<PathBuf>,
    /// Root certificates (PEM) to believe beside the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A setting of an object store, as endpoint=http://127.0.0.1:9000; by default from the environment (AWS_...)
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting)]
    store_option: Vec<(String, String)>,
    /// Do not ask the source for its stream of pulses; only poll
    #[arg(long)]
    no_push: bool,
    /// Where to serve OFREP, outcomes and status; port 0 picks one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:7171")]
    listen: SocketAddr,
    /// How often to look for a new pulse
    #[arg(long, value_name = "DURATION")]
    poll: Option<humantime::Duration>,
    /// The engine component; by default the one beside this program or under target/guest
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// How long to go on delivering events after being told to stop
    #[arg(long, value_name = "DURATION", default_value = "10s")]
    drain: humantime::Duration,
    #[command(flatten)]
    reporting: super::reporting::ReportingArguments,
    #[command(flatten)]
    show: Output,
}

#[derive(clap::Subcommand)]
enum Command {
    Status(host_status::Arguments),
}

/// `NAME=VALUE`.
fn setting(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is wanted")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The secret of a data folder's pseudonyms; made on first use.
pub(crate) fn pepper(data: &Path) -> Result<Pepper> {
    let path = data.join("pepper");
    if !path.exists() {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| anyhow!("the system gave no randomness: {error}"))?;
        files::write_secret(&path, to_hex(&bytes).as_bytes())?;
    }
    let bytes = from_hex::<32>(files::read_text(&path)?.trim())
        .with_context(|| format!("`{}` does not hold 64 hexadecimal digits", path.display()))?;
    Ok(Pepper::from_bytes(bytes))
}

/// A host and its doors, running.
pub(crate) struct Running {
    pub(crate) host: Arc<Host>,
    pub(crate) address: SocketAddr,
    stop: tokio::sync::oneshot::Sender<()>,
    server: tokio::task::JoinHandle<std::io::Result<()>>,
}

impl Running {
    pub(crate) async fn start(config: HostConfig, listen: SocketAddr) -> Result<Self> {
        let host = Arc::new(Host::start(config).await.map_err(anyhow::Error::new)?);
        let listener =
            TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr().context("the listener has no address")?;
        let (stop, stopped) = tokio::sync::oneshot::channel();
        let ended = async move {
            // Dropping the sender ends the server as well as a word does.
            let _ = stopped.await;
        };
        let server = tokio::spawn(http::serve(Arc::clone(&host), listener, ended));
        Ok(Running { host, address, stop, server })
    }

    /// Ends the doors, delivers what is left, and says how it went.
    pub(crate) async fn shutdown(self, drain: Duration) -> HostStatus {
        drop(self.stop);
        // A connection that is kept open by a client must not keep the host from draining.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.server).await;
        self.host.shutdown(drain).await;
        self.host.status()
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match &arguments.command {
        Some(Command::Status(arguments)) => host_status::run(arguments),
        None => serve(arguments),
    }
}

fn config(arguments: &Arguments) -> Result<HostConfig> {
    let Arguments {
        source: Some(source),
        trust: Some(trust),
        audience: Some(audience),
        environment: Some(environment),
        data: Some(data),
        ..
    } = arguments
    else {
        bail!("--source, --trust, --audience, --environment and --data are needed");
    };
    let mut config = HostConfig::new(source, files::read(trust)?, audience, environment, data, pepper(data)?);
    config.reporting = arguments.reporting.settings()?;
    if let Some(component) = &arguments.component {
        config.component = ComponentSource::Path(component.clone());
    }
    if let Some(poll) = arguments.poll {
        config.poll = poll.into();
        config.poll_live = config.poll_live.max(config.poll);
    }
    config.embedded = arguments.embedded.as_deref().map(files::read).transpose()?;
    config.root_certificates = arguments.ca.as_deref().map(files::read).transpose()?;
    config.store_options = arguments.store_option.iter().cloned().collect();
    if arguments.no_push {
        config.push = None;
    }
    Ok(config)
}

fn serve(arguments: &Arguments) -> Result<ExitCode> {
    output::log();
    let config = config(arguments)?;
    let show = arguments.show;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    runtime.block_on(async {
        let running = Running::start(config, arguments.listen).await?;
        show.say(&format!("serving OFREP on http://{}/ofrep/v1/", running.address));
        show.say(&format!("  {}", running.host.status().reason));
        show.object(&json!({"address": running.address}));
        stop::asked().await?;
        show.say("stopping; delivering what is left");
        let status = running.shutdown(arguments.drain.into()).await;
        show.say(&format!(
            "{} events delivered, {} still in the spool",
            status.events.delivered, status.events.pending
        ));
        show.object(&serde_json::to_value(&status).context("the status cannot be shown")?);
        Ok(ExitCode::SUCCESS)
    })
}
