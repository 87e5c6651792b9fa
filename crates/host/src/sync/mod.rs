//! Sync: looks at the pulse, fetches a snapshot when the pulse names another, verifies, and hands it to the
//! [`Gate`], which puts it in force or refuses it. One attempt at a time; every failure is tried again.

mod attempt;
mod events;
mod keeper;
mod push;
mod restore;
mod source;
mod status;
#[cfg(test)]
mod swarm;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::backoff;
use crate::clock::{self, HostClock};
use crate::store::Store;

pub use keeper::Candidate;
pub(crate) use keeper::Keeper;
pub use source::{Access, FetchError, Fetched, Item, LiveBytes, Source, client, source};
pub(crate) use source::{plain, retry_after};
pub(crate) use status::Horizon;
pub use status::{PulseStatus, PushStatus, SnapshotStatus, State, SyncStatus};

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
    pub(crate) source: Arc<dyn Source>,
    pub(crate) poll: Duration,
    /// The period while a stream brings pulses.
    pub(crate) poll_live: Duration,
    /// The longest silence of that stream; none: it is not asked for.
    pub(crate) push: Option<Duration>,
    pub(crate) trust_poll: Duration,
    pub(crate) backoff_first: Duration,
}

/// The syncing side of a host. Owned by one task, so there is never more than one attempt in flight.
pub(crate) struct Syncer {
    config: SyncConfig,
    gate: Arc<dyn Gate>,
    keeper: Keeper,
    store: Arc<Store>,
    clock: Arc<HostClock>,
    status: Arc<Mutex<SyncStatus>>,
    /// For every decision: read without waiting for the status.
    horizon: Arc<RwLock<Horizon>>,
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
    ) -> Self {
        let trust_version = keeper.trust_version();
        let status = SyncStatus { damage, trust_version, ..SyncStatus::default() };
        let status = Arc::new(Mutex::new(status));
        let (horizon, recovered) = (Arc::default(), Arc::new(Notify::new()));
        Self { config, gate, keeper, store, clock, status, horizon, recovered, tags: Tags::default() }
    }

    /// A view of the status that stays up to date.
    pub(crate) fn status(&self) -> Arc<Mutex<SyncStatus>> {
        Arc::clone(&self.status)
    }

    /// Told when an attempt succeeds after others had failed: the source is back.
    pub(crate) fn recovered(&self) -> Arc<Notify> {
        Arc::clone(&self.recovered)
    }

    /// Until when what is served is what.
    pub(crate) fn horizon(&self) -> Arc<RwLock<Horizon>> {
        Arc::clone(&self.horizon)
    }

    /// Attempts until told to stop. `first` is told after the first attempt, `now` asks for one at once. Between the looks
    /// pulses that come by themselves are put in force, here, so that nothing ever happens twice at a time.
    pub(crate) async fn run(
        mut self,
        first: watch::Sender<bool>,
        now: Arc<Notify>,
        mut stop: watch::Receiver<bool>,
    ) {
        let (pushes, mut pushed) = mpsc::channel(1);
        let live = watch::Sender::new(false);
        let mut lives = live.subscribe();
        let mut listeners = JoinSet::new(); // ends with this task, however that ends
        if let Some(silence) = self.config.push.filter(|_| self.config.source.has_pulse()) {
            let source = Arc::clone(&self.config.source);
            let (status, backoff_first) = (self.status(), self.config.backoff_first);
            listeners.spawn(push::Listener { source, silence, backoff_first, pushes, live, status }.run());
        }
        loop {
            let wait = self.look(&lives).await;
            let _ = first.send(true); // nobody may be waiting any more
            let mut due = Instant::now() + wait;
            loop {
                tokio::select! {
                    () = tokio::time::sleep_until(due) => break,
                    () = now.notified() => break,
                    Some(push) = pushed.recv() => self.pushed(push).await,
                    Ok(()) = lives.changed() => {
                        if !*lives.borrow_and_update() {
                            // Without the stream the floor is the ordinary one again.
                            let ordinary = backoff::steady(self.config.poll, clock::random());
                            due = due.min(Instant::now() + ordinary);
                        }
                    }
                    () = told(&mut stop) => return,
                }
            }
        }
    }

    /// One attempt, and how long to wait for the next.
    async fn look(&mut self, lives: &watch::Receiver<bool>) -> Duration {
        let attempt = self.attempt().await;
        let mut status = self.lock();
        let wait = match attempt {
            Ok(()) => {
                if status.failures > 0 {
                    self.recovered.notify_one();
                }
                status.failures = 0;
                status.went_well();
                status.last_success_ms = Some(self.clock.milliseconds());
                let period = if *lives.borrow() { self.floor(&status) } else { self.config.poll };
                backoff::steady(period, clock::random())
            }
            Err(error) => {
                status.went_wrong();
                tracing::warn!(%error, failures = status.failures, "sync failed, the last good snapshot stays");
                status.last_error = Some(error.message);
                let first = self.config.backoff_first;
                match error.retry_after {
                    Some(asked) => backoff::as_asked(asked, first, clock::random()),
                    None => backoff::after_failures(first, status.failures, clock::random()),
                }
            }
        };
        self.tell(&status);
        wait
    }

    /// The period while a stream brings pulses; within half of the lease, since a stream may be open and yet bring none.
    fn floor(&self, status: &SyncStatus) -> Duration {
        let now = self.clock.seconds();
        let lease = status.pulse.map_or(0, |pulse| pulse.expires.saturating_sub(now));
        self.config.poll_live.min(self.config.poll.max(Duration::from_secs(lease / 2)))
    }

    /// Puts a pulse in force that came by itself. Its failure is the stream's, and says nothing about the looks.
    async fn pushed(&mut self, push: push::Push) {
        let taken = self.take_pushed(push.note, push.tag).await;
        let mut status = self.lock();
        let answer = match taken {
            Ok(new) => {
                if new {
                    status.push.pulses = status.push.pulses.saturating_add(1);
                    status.went_well();
                }
                Ok(())
            }
            Err(error) => {
                tracing::warn!(%error, "a pushed pulse could not be put in force, what was there stays");
                Err(error.message)
            }
        };
        self.tell(&status);
        drop(status);
        let _ = push.answer.send(answer); // the stream may be gone by now
    }

    /// What decisions say of the state, from now on.
    fn tell(&self, status: &SyncStatus) {
        let horizon = status.horizon(self.config.source.has_pulse());
        *self.horizon.write().unwrap_or_else(PoisonError::into_inner) = horizon;
    }

    fn lock(&self) -> MutexGuard<'_, SyncStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Until it is told to stop, or nobody is left who could.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
