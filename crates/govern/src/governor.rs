//! The governor itself: the store, the trust root, the plans in force and what has been published.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError};

use tokio::sync::{Mutex, watch};

use crate::decision::Inputs;
use crate::log::{self, Log};
use crate::pulse::Published;
use crate::snapshots::{Current, Waiting};
use crate::store::Store;
use crate::trust::InForce;
use crate::{GovernConfig, GovernError, ledger, ledger_notes, pulse, snapshots, trust};

/// Entries added to the log under one checkpoint at most.
const CHUNK: u32 = 4_096;

/// Everything the HTTP routes and the tick share.
pub(crate) struct Governor {
    pub(crate) config: GovernConfig,
    pub(crate) store: Store,
    log: Arc<std::sync::Mutex<Log>>,
    /// How many entries the log has; nothing that a later one speaks of is served.
    pub(crate) logged: AtomicU64,
    /// Changed by whoever holds the steering.
    pub(crate) trust: watch::Sender<Arc<InForce>>,
    /// Held by whoever changes a stage, a halt or the current snapshot: ticks and operators take turns.
    pub(crate) steering: Mutex<Steering>,
    pub(crate) published: watch::Sender<Option<Arc<Published>>>,
    /// The newest status, as JSON text.
    pub(crate) status: watch::Sender<Arc<str>>,
}

/// What steering works on.
#[derive(Debug, Default)]
pub(crate) struct Steering {
    pub(crate) current: Option<Current>,
    pub(crate) waiting: Vec<Waiting>,
    /// A pulse that is stored and not published yet, since its entry is not in the log yet.
    pub(crate) unpublished: Option<Published>,
    /// The status last sent, without the time, to send only changes.
    pub(crate) shown: String,
    /// What the judge was given at the last tick, by flag: what a report is on.
    pub(crate) newest: Arc<BTreeMap<String, Inputs>>,
    /// Attempts whose newest evidence is that of the last look kept of them.
    pub(crate) looked: BTreeSet<i64>,
}

impl Governor {
    /// Opens the store and takes up where the last run ended: the same snapshot, stages, evidence and pulse number.
    pub(crate) async fn open(config: GovernConfig) -> Result<Self, GovernError> {
        config.check()?;
        let now_ms = (config.clock)();
        let store = Store::open(&config.database, &config.audience, &config.environment).await?;
        let mut write = store.write().await?;
        let head = ledger::verify(&mut write, None).await?;
        // Before the news of this start: what has signed so far may be an older key.
        let mut keys = ledger_notes::log_keys(&mut write).await?;
        let key = config.log_signer.verifier_key();
        ledger_notes::log_key(&mut write, (&config.audience, &config.environment), &key, now_ms).await?;
        keys.push(key);
        let trust = trust::open(&mut write, &config, now_ms).await?;
        pulse::check_signer(&config, &trust.root, now_ms)?;
        let (current, waiting) = snapshots::adopt(&mut write, &config, &trust.root, now_ms).await?;
        let published = pulse::last(&mut write).await?;
        let published = published.map(|last| trust::judge_pulse(&config, &trust.root, last, now_ms / 1_000));
        write.commit().await?;
        tracing::info!(entries = head.entries, environment = %config.environment, "ledger verified");
        let (folder, probe) = (config.log.clone(), config.log_probe.clone());
        let mut read = store.read().await?;
        let log =
            log::open(&mut read, log::Disk { folder, probe }, Arc::clone(&config.log_signer), keys).await?;
        drop(read);
        let governor = Self {
            logged: AtomicU64::new(log.size()),
            log: Arc::new(std::sync::Mutex::new(log)),
            config,
            store,
            trust: watch::Sender::new(Arc::new(trust)),
            steering: Mutex::new(Steering { current, waiting, ..Steering::default() }),
            published: watch::Sender::new(None),
            status: watch::Sender::new(Arc::from("{}")),
        };
        governor.catch_up().await?;
        governor.published.send_replace(published.map(Arc::new));
        Ok(governor)
    }

    /// Brings the log up to the database: entries, tiles and a signed checkpoint, all synced. To be called by whoever
    /// holds the steering, after a commit and before anything that follows from it is served.
    pub(crate) async fn catch_up(&self) -> Result<(), GovernError> {
        let mut read = self.store.read().await?;
        loop {
            let size = self.logged.load(Ordering::SeqCst);
            let entries = ledger::leaves(&mut read, size, CHUNK).await?;
            if entries.is_empty() {
                return Ok(());
            }
            let log = Arc::clone(&self.log);
            // A call that panicked has left the log as it was, so its lock is good still.
            let append = move || {
                let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
                log.append(&entries).map(|()| log.size())
            };
            self.logged.store(log::blocking(append).await?, Ordering::SeqCst);
        }
    }

    /// The time, unix milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        (self.config.clock)()
    }
}
