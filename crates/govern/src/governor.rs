//! The governor itself: the store, the trust root, the plans in force and what has been published.

use std::sync::Arc;

use tokio::sync::{Mutex, watch};

use crate::pulse::Published;
use crate::snapshots::{Current, Waiting};
use crate::store::Store;
use crate::trust::InForce;
use crate::{GovernConfig, GovernError, ledger, pulse, snapshots, trust};

/// Everything the HTTP routes and the tick share.
pub(crate) struct Governor {
    pub(crate) config: GovernConfig,
    pub(crate) store: Store,
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
    /// The status last sent, without the time, to send only changes.
    pub(crate) shown: String,
}

impl Governor {
    /// Opens the store and takes up where the last run ended: the same snapshot, stages, evidence and pulse number.
    pub(crate) async fn open(config: GovernConfig) -> Result<Self, GovernError> {
        config.check()?;
        let now_ms = (config.clock)();
        let store = Store::open(&config.database, &config.audience, &config.environment).await?;
        let mut write = store.write().await?;
        let head = ledger::verify(&mut write, None).await?;
        let trust = trust::open(&mut write, &config, now_ms).await?;
        pulse::check_signer(&config, &trust.root, now_ms)?;
        let (current, waiting) = snapshots::adopt(&mut write, &config, &trust.root, now_ms).await?;
        let published = pulse::last(&mut write).await?;
        let published = published.map(|last| trust::judge_pulse(&config, &trust.root, last, now_ms / 1_000));
        let published = published.map(Arc::new);
        write.commit().await?;
        tracing::info!(entries = head.entries, environment = %config.environment, "ledger verified");
        Ok(Self {
            config,
            store,
            trust: watch::Sender::new(Arc::new(trust)),
            steering: Mutex::new(Steering { current, waiting, shown: String::new() }),
            published: watch::Sender::new(published),
            status: watch::Sender::new(Arc::from("{}")),
        })
    }

    /// The time, unix milliseconds.
    pub(crate) fn now_ms(&self) -> u64 {
        (self.config.clock)()
    }
}
