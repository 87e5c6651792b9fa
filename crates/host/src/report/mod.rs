//! Delivery of events in the background, at least once: takes batches from the spool, sends them, and moves on
//! only when the receiver has said that it has them.

mod send;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flagstone_events::otlp::{self, Encoding};
use flagstone_events::{Batch, Body, Event};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use crate::spool::{Spool, Taken, reason};
use crate::{backoff, clock, durable, limits};

use send::{Answer, Request, send};

/// Settings of the reporter.
#[derive(Debug, Clone)]
pub(crate) struct ReportConfig {
    /// Where events are posted.
    pub(crate) url: String,
    /// In which form.
    pub(crate) wire: Wire,
    /// What the receiver asks for as a bearer token.
    pub(crate) token: Option<String>,
    /// Where refused batches are kept.
    pub(crate) poison: PathBuf,
    pub(crate) batch_events: usize,
    pub(crate) linger: Duration,
    pub(crate) backoff_first: Duration,
}

/// The form in which events are posted. Batching, retries, the spool and the account of losses are the same for all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wire {
    /// Batches of docs/events.md.
    Batches,
    /// OTLP logs as protobuf; `set` names the flag set.
    Otlp { set: String },
}

/// What the reporter has done, for the status.
#[derive(Debug, Default)]
pub(crate) struct ReportCounts {
    /// Events that the receiver has acknowledged.
    pub(crate) delivered: AtomicU64,
    /// Of these, those it already had.
    pub(crate) duplicates: AtomicU64,
    /// Batches acknowledged.
    pub(crate) batches: AtomicU64,
    /// Failures in a row.
    pub(crate) failures: AtomicU64,
    last_error: Mutex<Option<String>>,
}

impl ReportCounts {
    pub(crate) fn last_error(&self) -> Option<String> {
        self.last_error.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn failed(&self, error: &str) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_owned());
    }

    fn succeeded(&self) {
        self.failures.store(0, Ordering::Relaxed);
        *self.last_error.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// The delivering side. Owned by one task, so there is never more than one request in flight.
pub(crate) struct Reporter {
    pub(crate) config: ReportConfig,
    pub(crate) client: reqwest::Client,
    pub(crate) spool: Arc<Mutex<Spool>>,
    pub(crate) counts: Arc<ReportCounts>,
    pub(crate) written: Arc<Notify>,
    /// Told when the source that events also go to is back, none when they go elsewhere: evidence that waited
    /// out an outage must not wait out a long back-off too. Sync's own jitter keeps hosts apart.
    pub(crate) recovered: Option<Arc<Notify>>,
}

/// What one round came to.
enum Round {
    /// A batch is with the receiver, or set aside.
    Done,
    /// There was nothing to send.
    Empty,
    /// Try again; the server may have said when.
    Failed(Option<Duration>),
}

impl Reporter {
    /// Delivers until told to stop, then what is left until the deadline. What is left after that stays in the spool.
    pub(crate) async fn run(self, mut stop: watch::Receiver<Option<Instant>>) {
        let mut failures = 0_u32;
        loop {
            let deadline = *stop.borrow();
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return;
            }
            let round = match deadline {
                Some(deadline) => match tokio::time::timeout_at(deadline, self.round()).await {
                    Ok(round) => round,
                    Err(_) => {
                        self.lock().release();
                        return;
                    }
                },
                None => self.round().await,
            };
            let wait = match round {
                Round::Done => {
                    failures = 0;
                    continue;
                }
                Round::Empty if deadline.is_some() => return,
                Round::Empty => None,
                Round::Failed(asked) => {
                    failures = failures.saturating_add(1);
                    let first = self.config.backoff_first;
                    let random = clock::random();
                    let wait = match asked {
                        Some(asked) => backoff::as_asked(asked, first, random),
                        None => backoff::after_failures(first, failures, random),
                    };
                    // With a deadline to keep there is no time for long waits.
                    Some(if deadline.is_some() { wait.min(Duration::from_millis(250)) } else { wait })
                }
            };
            tokio::select! {
                () = self.pause(wait) => {}
                _ = stop.wait_for(|now| *now != deadline) => {}
            }
        }
    }

    /// After a failure: the wait. With nothing to send: until there is something, and a little longer for more.
    async fn pause(&self, wait: Option<Duration>) {
        match wait {
            Some(wait) => match &self.recovered {
                Some(recovered) => {
                    let _ = tokio::time::timeout(wait, recovered.notified()).await;
                }
                None => tokio::time::sleep(wait).await,
            },
            None => {
                self.written.notified().await;
                let until = Instant::now() + self.config.linger;
                while self.lock().pending() < self.config.batch_events as u64 && Instant::now() < until {
                    let _ = tokio::time::timeout_at(until, self.written.notified()).await;
                }
            }
        }
    }

    async fn round(&self) -> Round {
        match self.deliver().await {
            Ok(round) => round,
            Err(error) => {
                tracing::error!(%error, "the event spool cannot be read or written");
                self.counts.failed(&error.to_string());
                self.lock().release();
                Round::Failed(None)
            }
        }
    }

    async fn deliver(&self) -> std::io::Result<Round> {
        let wanted = self.config.batch_events;
        let taken = self.with_spool(move |spool| spool.take(wanted, limits::BATCH_BYTES)).await?;
        let Some((first, last)) = taken.first().zip(taken.last()).map(|(first, last)| (first.0, last.0))
        else {
            return Ok(Round::Empty);
        };
        let events = last.saturating_sub(first).saturating_add(1);
        let (batch, text) = match self.batch(taken) {
            Ok(made) => made,
            Err(problem) => {
                // What we wrote ourselves and cannot read again (another version of this program): no use in trying again.
                tracing::error!(%problem, first, last, "events in the spool do not make a batch; given up");
                self.counts.failed(&problem);
                self.with_spool(move |spool| spool.set_aside(events, last)).await?;
                return Ok(Round::Done);
            }
        };
        let (body, content_type) = match &self.config.wire {
            Wire::Batches => (text.clone().into_bytes(), "application/json"),
            Wire::Otlp { set } => {
                (otlp::encode(&batch, set, Encoding::Protobuf), Encoding::Protobuf.content_type())
            }
        };
        let (url, token) = (&self.config.url, self.config.token.as_deref());
        let request = Request { url, token, content_type, body, batch: &batch.id };
        match send(&self.client, request).await {
            Answer::Accepted { duplicates, rejected, problem } => {
                let rejected = rejected.min(events);
                if rejected > 0 {
                    tracing::error!(%problem, rejected, "the receiver rejected some events for good");
                    self.keep_poison(&batch.id, &text)?;
                }
                let id = batch.id;
                self.with_spool(move |spool| {
                    spool.count(reason::POISON, rejected);
                    spool.acknowledge(&id, last)
                })
                .await?;
                self.counts.delivered.fetch_add(events.saturating_sub(rejected), Ordering::Relaxed);
                self.counts.duplicates.fetch_add(duplicates, Ordering::Relaxed);
                self.counts.batches.fetch_add(1, Ordering::Relaxed);
                self.counts.succeeded();
                Ok(Round::Done)
            }
            Answer::Retry { problem, after } => {
                tracing::warn!(%problem, events, "events were not delivered; they stay in the spool");
                self.counts.failed(&problem);
                self.lock().release();
                Ok(Round::Failed(after))
            }
            Answer::Poison { problem } => {
                tracing::error!(%problem, id = batch.id, events, "the receiver refused a batch for good; set aside");
                self.counts.failed(&problem);
                self.keep_poison(&batch.id, &text)?;
                self.with_spool(move |spool| spool.set_aside(events, last)).await?;
                Ok(Round::Done)
            }
        }
    }

    fn batch(&self, taken: Taken) -> Result<(Batch, String), String> {
        let events = taken.into_iter().map(|(sequence, text)| {
            let body: Body = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
            Ok::<_, String>(Event { sequence, body })
        });
        let events = events.collect::<Result<Vec<_>, _>>()?;
        let spool = self.lock();
        let (instance, previous) = (spool.instance().to_owned(), spool.previous().map(str::to_owned));
        let dropped = spool.dropped().clone();
        drop(spool);
        let batch = Batch::new(&instance, previous, dropped, events).map_err(|error| error.to_string())?;
        let text = batch.to_json().map_err(|error| error.to_string())?;
        Ok((batch, text))
    }

    /// Keeps a refused batch for a person to look at, and makes room by deleting the oldest.
    fn keep_poison(&self, id: &str, text: &str) -> std::io::Result<()> {
        let folder = &self.config.poison;
        std::fs::create_dir_all(folder)?;
        durable::write(folder, &format!("{id}.json"), text.as_bytes())?;
        let mut kept = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            kept.push((entry.metadata()?.modified()?, entry.path()));
        }
        kept.sort();
        let surplus = kept.len().saturating_sub(limits::POISON_FILES);
        kept.into_iter().take(surplus).try_for_each(|(_, path)| std::fs::remove_file(path))
    }

    /// Runs where waiting for the disk holds nobody up.
    async fn with_spool<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Spool) -> std::io::Result<T> + Send + 'static,
    ) -> std::io::Result<T> {
        let spool = Arc::clone(&self.spool);
        let ran = tokio::task::spawn_blocking(move || {
            run(&mut spool.lock().unwrap_or_else(PoisonError::into_inner))
        });
        ran.await.map_err(std::io::Error::other)?
    }

    fn lock(&self) -> MutexGuard<'_, Spool> {
        self.spool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
