//! Starting and stopping a governor: the listener, the tick, and a handle to both.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use crate::governor::Governor;
use crate::http::{Shared, router};
use crate::ledger::LedgerHead;
use crate::ledger_file::{self, LedgerFile};
use crate::live::Listeners;
use crate::playground::Playground;
use crate::{GovernConfig, GovernError, status};

/// How long open connections may take to end at a shutdown.
const DRAIN: Duration = Duration::from_secs(3);

/// A running control plane of one environment. Dropping it stops it without waiting.
pub struct Govern {
    address: SocketAddr,
    governor: Arc<Governor>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    ticker: JoinHandle<()>,
}

/// What an audit of a ledger found, when it found nothing wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Audit {
    /// The newest entry: remember it, and a later audit notices a rewritten or shortened ledger.
    pub head: LedgerHead,
    /// Decisions replayed from their inputs, each to the same judgement to the last bit.
    pub decisions: u64,
    /// Orders whose words are kept and are those that the record commits to.
    pub words: u64,
    /// Orders whose words were erased.
    pub erased: u64,
}

impl Govern {
    /// Opens the store, verifies the ledger and the pulse key, publishes, listens.
    ///
    /// # Errors
    /// [`GovernError`]; nothing is left running.
    pub async fn start(config: GovernConfig) -> Result<Self, GovernError> {
        let (listen, period) = (config.listen, config.tick);
        let playground = config.playground.as_deref().map(Playground::read).transpose()?;
        let governor = Arc::new(Governor::open(config).await?);
        governor.tick().await?;
        let failed = |source| GovernError::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = watch::Sender::new(false);
        let shared = Shared { governor: Arc::clone(&governor), live: Listeners::new(stop.subscribe()) };
        let server = tokio::spawn(serve(listener, router(shared, playground), stop.subscribe()));
        let ticker = tokio::spawn(tick(Arc::clone(&governor), period, stop.subscribe()));
        Ok(Self { address, governor, stop, server, ticker })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The dashboard's address.
    #[must_use]
    pub fn dashboard(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// The playground's address, where there is one.
    #[must_use]
    pub fn playground(&self) -> Option<String> {
        self.governor.config.playground.as_ref().map(|_| format!("http://{}/playground/", self.address))
    }

    /// The status, as `GET …/status` gives it.
    #[must_use]
    pub fn status(&self) -> Value {
        let status = self.governor.status.borrow().clone();
        let text = status::with_time(&status, self.governor.now_ms());
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Judges and publishes now, beside the regular ticks.
    ///
    /// # Errors
    /// When the store cannot be used or the pulse cannot be signed.
    pub async fn tick(&self) -> Result<(), GovernError> {
        self.governor.tick().await
    }

    /// Recomputes the ledger's chain and replays every decision; see [`Govern::audit_file`].
    ///
    /// # Errors
    /// As [`Govern::audit_file`].
    pub async fn audit(&self, remembered: Option<LedgerHead>) -> Result<Audit, GovernError> {
        let mut read = self.governor.store.read().await?;
        ledger_file::audit(&mut read, remembered).await
    }

    /// Audits a store from outside, running or not, without changing it.
    ///
    /// # Errors
    /// [`GovernError::Ledger`] names the first bad entry.
    pub async fn audit_file(database: &Path, remembered: Option<LedgerHead>) -> Result<Audit, GovernError> {
        LedgerFile::open(database).await?.audit(remembered).await
    }

    /// Stops listening, lets requests under way end, closes the store.
    pub async fn shutdown(mut self) {
        self.stop.send_replace(true);
        if tokio::time::timeout(DRAIN, &mut self.server).await.is_err() {
            self.server.abort();
        }
        if tokio::time::timeout(DRAIN, &mut self.ticker).await.is_err() {
            self.ticker.abort();
        }
        self.governor.store.close().await;
    }
}

impl Drop for Govern {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        self.server.abort();
        self.ticker.abort();
    }
}

async fn serve(listener: TcpListener, router: axum::Router, mut stop: watch::Receiver<bool>) {
    let stopped = async move {
        // An error means that the handle is gone, which is a stop too.
        let _ = stop.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
        tracing::error!(%error, "the listener ended");
    }
}

async fn tick(governor: Arc<Governor>, period: Duration, mut stop: watch::Receiver<bool>) {
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Err(error) = governor.tick().await {
            tracing::error!(%error, "a tick failed; it is tried again at the next");
        }
    }
}
