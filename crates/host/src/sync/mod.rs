//! Sync: looks at the pulse, fetches a snapshot when the pulse names another, verifies, and hands it to the
//! [`Gate`], which puts it in force or refuses it. One attempt at a time; every failure is tried again.

mod attempt;
mod keeper;
mod source;
mod status;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use crate::backoff;
use crate::clock::{self, HostClock};
use crate::limits;
use crate::store::Store;

pub use keeper::Candidate;
pub(crate) use keeper::Keeper;
pub use source::{FetchError, Fetched, Item, Source};
pub(crate) use source::{plain, retry_after};
pub use status::{PulseStatus, SnapshotStatus, State, SyncStatus};

/// Puts verified files in force. May block; sync calls it away from the event loop.
pub trait Gate: Send + Sync + 'static {
    /// Opens a candidate in a new instance, probes it and only then puts it in force, with `pulse` applied to it if
    /// there is one. On failure what was in force stays.
    ///
    /// # Errors
    /// A sentence.
    fn swap(&self, candidate: &Candidate, pulse: Option<&[u8]>, now: u64) -> Result<(), String>;

    /// Applies a pulse to what is in force.
    ///
    /// # Errors
    /// A sentence; the pulse before it stays in force.
    fn pulse(&self, note: &[u8], now: u64) -> Result<(), String>;
}

/// Settings of sync.
#[derive(Debug, Clone)]
pub(crate) struct SyncConfig {
    pub(crate) source: Source,
    pub(crate) poll: Duration,
    pub(crate) trust_poll: Duration,
    pub(crate) backoff_first: Duration,
}

/// The syncing side of a host. Owned by one task, so there is never more than one attempt in flight.
pub(crate) struct Syncer {
    config: SyncConfig,
    client: reqwest::Client,
    gate: Arc<dyn Gate>,
    keeper: Keeper,
    store: Arc<Store>,
    clock: Arc<HostClock>,
    status: Arc<Mutex<SyncStatus>>,
    recovered: Arc<Notify>,
    tags: Tags,
}

/// What to ask with the next time.
#[derive(Debug, Default)]
struct Tags {
    trust: Option<String>,
    pulse: Option<String>,
    file: Option<String>,
    /// When the trust root was last looked at, by the runtime's clock.
    trust_seen: Option<tokio::time::Instant>,
    /// The snapshot that the last pulse named.
    wanted: Option<flagstone_seal::Mark>,
}

impl Syncer {
    pub(crate) fn new(
        config: SyncConfig,
        gate: Arc<dyn Gate>,
        keeper: Keeper,
        store: Arc<Store>,
        clock: Arc<HostClock>,
        damage: Vec<String>,
    ) -> Result<Self, crate::HostError> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(limits::REQUEST_TIME)
            .no_proxy()
            .build()
            .map_err(|error| crate::HostError::System(format!("http client: {error}")))?;
        let trust_version = keeper.trust_version();
        let status = SyncStatus { damage, trust_version, ..SyncStatus::default() };
        let status = Arc::new(Mutex::new(status));
        let recovered = Arc::new(Notify::new());
        Ok(Self { config, client, gate, keeper, store, clock, status, recovered, tags: Tags::default() })
    }

    /// A view of the status that stays up to date.
    pub(crate) fn status(&self) -> Arc<Mutex<SyncStatus>> {
        Arc::clone(&self.status)
    }

    /// Told when an attempt succeeds after others had failed: the source is back.
    pub(crate) fn recovered(&self) -> Arc<Notify> {
        Arc::clone(&self.recovered)
    }

    pub(crate) fn client(&self) -> reqwest::Client {
        self.client.clone()
    }

    /// Attempts until told to stop. `first` is told after the first attempt, `now` asks for one at once.
    pub(crate) async fn run(
        mut self,
        first: watch::Sender<bool>,
        now: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) {
        loop {
            let wait = match self.attempt().await {
                Ok(()) => {
                    let mut status = self.lock();
                    if status.failures > 0 {
                        self.recovered.notify_one();
                    }
                    status.failures = 0;
                    status.last_success_ms = Some(self.clock.milliseconds());
                    backoff::steady(self.config.poll, clock::random())
                }
                Err(error) => {
                    let mut status = self.lock();
                    status.failures = status.failures.saturating_add(1);
                    tracing::warn!(%error, failures = status.failures, "sync failed, the last good snapshot stays");
                    status.last_error = Some(error.message);
                    match error.retry_after {
                        Some(asked) => backoff::as_asked(asked, self.config.backoff_first, clock::random()),
                        None => backoff::after_failures(
                            self.config.backoff_first,
                            status.failures,
                            clock::random(),
                        ),
                    }
                }
            };
            let _ = first.send(true); // nobody may be waiting any more
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = now.notified() => {}
                _ = stop.wait_for(|stop| *stop) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, SyncStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
