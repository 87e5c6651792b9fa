//! The control plane as a process of its own: this program again, with a hidden command. So it can be killed with
//! SIGKILL in the middle of everything, and started again on what it left on the disk.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use flagstone_govern::{Govern, GovernConfig};
use flagstone_seal::SecretKey;
use tokio::process::{Child, Command};

use super::keys::{AUDIENCE, ENVIRONMENT, Keys};

const TICK: Duration = Duration::from_secs(1);
/// Longer than any interruption that the demonstration makes, so that a killed control plane takes nothing back.
const PULSE_LIFETIME: Duration = Duration::from_secs(60);
const READY_WITHIN: Duration = Duration::from_secs(30);

/// The store's file in the control plane's folder.
pub const DATABASE: &str = "govern.sqlite";

/// The running (or killed) control plane.
#[derive(Debug)]
pub struct Plane {
    folder: PathBuf,
    listen: SocketAddr,
    http: reqwest::Client,
    child: Option<Child>,
}

impl Plane {
    /// Writes down what the control plane may know (trust note, pulse key, log key) and starts it.
    ///
    /// # Errors
    /// The folder cannot be written, or the process does not start or answer.
    pub async fn start(
        folder: &Path,
        listen: SocketAddr,
        keys: &Keys,
        http: reqwest::Client,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        std::fs::write(folder.join("trust"), &keys.trust).context("cannot write the trust note")?;
        std::fs::write(folder.join("pulse.key"), keys.pulse.to_text())
            .context("cannot write the pulse key")?;
        std::fs::write(folder.join("log.key"), keys.log.to_text()).context("cannot write the log key")?;
        let mut plane = Self { folder: folder.to_owned(), listen, http, child: None };
        plane.restart().await?;
        Ok(plane)
    }

    /// `http://host:port`.
    pub fn address(&self) -> String {
        format!("http://{}", self.listen)
    }

    /// Starts the process, on whatever the one before left behind, and waits until it answers.
    ///
    /// # Errors
    /// The process does not start or does not answer.
    pub async fn restart(&mut self) -> Result<()> {
        let program = std::env::current_exe().context("this program's own path is unknown")?;
        let log = File::options().create(true).append(true).open(self.folder.join("log"));
        let log = log.context("cannot open the control plane's log")?;
        let mut command = Command::new(program);
        // Ctrl-C in a terminal goes to a whole group of processes; this one must outlive it for the last counts.
        #[cfg(unix)]
        command.process_group(0);
        let child = command
            .arg("control-plane")
            .arg("--data")
            .arg(&self.folder)
            .arg("--listen")
            .arg(self.listen.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the control plane")?;
        let child = self.child.insert(child);
        let since = Instant::now();
        let url = format!("http://{}/v1/environments/{ENVIRONMENT}/status", self.listen);
        while since.elapsed() < READY_WITHIN {
            if let Some(status) = child.try_wait()? {
                bail!("the control plane ended ({status})\n{}", last_lines(&self.folder.join("log")));
            }
            if self.http.get(&url).send().await.is_ok_and(|response| response.status().is_success()) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the control plane does not answer at `{url}`\n{}", last_lines(&self.folder.join("log")))
    }

    /// SIGKILL: no goodbye, no flush.
    ///
    /// # Errors
    /// It was not running.
    pub async fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("the control plane is not running")?;
        child.kill().await.context("cannot kill the control plane")
    }

    /// Asks it to end by closing its input, and waits; what does not end in time is killed.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        drop(child.stdin.take());
        if tokio::time::timeout(Duration::from_secs(10), child.wait()).await.is_err()
            && let Err(error) = child.kill().await
        {
            tracing::warn!(%error, "the control plane could not be killed");
        }
    }

    /// The status as it answers it now.
    ///
    /// # Errors
    /// It is not there, or what it answers is not JSON.
    pub async fn status(&self) -> Result<serde_json::Value> {
        let url = format!("{}/v1/environments/{ENVIRONMENT}/status", self.address());
        let response = self.http.get(&url).send().await.with_context(|| format!("cannot reach `{url}`"))?;
        response.error_for_status()?.json().await.context("the status is not JSON")
    }
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(8);
    lines.get(from..).unwrap_or_default().join("\n")
}

/// The hidden command: runs a control plane until its input is closed (so it never outlives the demonstration).
///
/// # Errors
/// The folder lacks what [`Plane::start`] wrote, or the control plane does not start.
pub async fn serve(folder: &Path, listen: SocketAddr) -> Result<()> {
    let trust = std::fs::read(folder.join("trust")).context("cannot read the trust note")?;
    let key = std::fs::read_to_string(folder.join("pulse.key")).context("cannot read the pulse key")?;
    let key = SecretKey::from_text(key.trim()).context("the pulse key cannot be read")?;
    let log = std::fs::read_to_string(folder.join("log.key")).context("cannot read the log key")?;
    let log = SecretKey::from_text(log.trim()).context("the log key cannot be read")?;
    let mut config =
        GovernConfig::new(folder.join(DATABASE), ENVIRONMENT, AUDIENCE, trust, Box::new(key), Box::new(log));
    config.listen = listen;
    config.tick = TICK;
    config.pulse_lifetime = PULSE_LIFETIME;
    config.auto_start = true;
    let govern = Govern::start(config).await?;
    let (closed, wait) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        // Reads until the other end is closed; nothing is ever sent.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        let _ = closed.send(());
    });
    // An error means that the reading thread is gone, and with it whoever started us.
    let _ = wait.await;
    govern.shutdown().await;
    Ok(())
}
