//! From the application to the spool: a bounded queue and one thread that empties it, so that neither an
//! evaluation nor a report of an outcome ever waits for a disk.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use flagstone_events::{Body, EventId};
use tokio::sync::Notify;

use crate::limits;
use crate::spool::reason::NO_CONSENT;
use crate::spool::{Spool, reason};

/// What became of an event at the moment it was handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// On its way to the spool.
    Queued,
    /// Lost, and counted under this reason.
    Dropped(&'static str),
    /// Not kept, on purpose: counted under this reason, and nothing else of it remains.
    Reduced(&'static str),
    /// There was nothing to record: no variant was given, or the context names no unit.
    Nothing,
}

/// Counts of this process, beside what the spool remembers.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Events handed over.
    pub(crate) made: AtomicU64,
    /// Exposures that the same window had already seen; not sent again.
    pub(crate) repeated: AtomicU64,
    /// Events written to the spool.
    pub(crate) spooled: AtomicU64,
    /// Events that the queue took, and those of them that the thread has dealt with.
    queued: AtomicU64,
    handled: AtomicU64,
    /// Lost before the queue and not yet passed on to the spool's count.
    queue_full: AtomicU64,
    invalid: AtomicU64,
    shutdown: AtomicU64,
    /// Not kept, on purpose.
    sampled_out: AtomicU64,
    no_consent: AtomicU64,
}

impl Counts {
    /// Losses that the spool does not know yet, by reason.
    pub(crate) fn unfolded(&self) -> [(&'static str, u64); 5] {
        self.losses().map(|(name, count)| (name, count.load(Ordering::Relaxed)))
    }

    fn losses(&self) -> [(&'static str, &AtomicU64); 5] {
        [
            (reason::QUEUE_FULL, &self.queue_full),
            (reason::INVALID, &self.invalid),
            (reason::SHUTDOWN, &self.shutdown),
            (reason::SAMPLED_OUT, &self.sampled_out),
            (reason::NO_CONSENT, &self.no_consent),
        ]
    }
}

enum Job {
    Event(Box<Body>),
    Flush(SyncSender<()>),
    Stop,
}

/// The queue's end that the application holds.
pub(crate) struct Recorder {
    queue: SyncSender<Job>,
    closed: AtomicBool,
    counts: Arc<Counts>,
    spool: Arc<Mutex<Spool>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Recorder {
    /// Starts the thread. `written` is told whenever new events lie in the spool.
    pub(crate) fn start(
        spool: Arc<Mutex<Spool>>,
        written: Arc<Notify>,
        queue: usize,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = sync_channel(queue.max(1));
        let counts = Arc::new(Counts::default());
        let writer =
            Writer { spool: Arc::clone(&spool), counts: Arc::clone(&counts), written, seen: Seen::default() };
        let thread =
            std::thread::Builder::new().name("flagstone-record".into()).spawn(|| writer.run(receiver))?;
        Ok(Self {
            queue: sender,
            closed: AtomicBool::new(false),
            counts,
            spool,
            thread: Mutex::new(Some(thread)),
        })
    }

    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Hands an event over; never waits.
    pub(crate) fn record(&self, body: Body) -> Recorded {
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        let lost = |count: &AtomicU64, reason| {
            count.fetch_add(1, Ordering::Relaxed);
            Recorded::Dropped(reason)
        };
        if self.closed.load(Ordering::Acquire) {
            return lost(&self.counts.shutdown, reason::SHUTDOWN);
        }
        match self.queue.try_send(Job::Event(Box::new(body))) {
            Ok(()) => {
                self.counts.queued.fetch_add(1, Ordering::Relaxed);
                Recorded::Queued
            }
            Err(TrySendError::Full(_)) => lost(&self.counts.queue_full, reason::QUEUE_FULL),
            Err(TrySendError::Disconnected(_)) => lost(&self.counts.shutdown, reason::SHUTDOWN),
        }
    }

    /// Counts an event that could not be made because it breaks a cap of the format.
    pub(crate) fn invalid(&self) -> Recorded {
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        self.counts.invalid.fetch_add(1, Ordering::Relaxed);
        Recorded::Dropped(reason::INVALID)
    }

    /// Counts an event of which nothing may be kept but the count.
    pub(crate) fn reduce(&self, reason: &'static str) -> Recorded {
        self.counts.made.fetch_add(1, Ordering::Relaxed);
        let counts = &self.counts;
        let count = if reason == NO_CONSENT { &counts.no_consent } else { &counts.sampled_out };
        count.fetch_add(1, Ordering::Relaxed);
        Recorded::Reduced(reason)
    }

    /// Waits until everything handed over before is synchronised to disk. False when that took too long.
    pub(crate) fn flush(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        let (done, wait) = sync_channel(1);
        let mut job = Job::Flush(done);
        loop {
            match self.queue.try_send(job) {
                Ok(()) => break,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) if Instant::now() < until => {
                    job = back;
                    std::thread::sleep(Duration::from_millis(1));
                }
                Err(TrySendError::Full(_)) => return false,
            }
        }
        wait.recv_timeout(until.saturating_duration_since(Instant::now())).is_ok()
    }

    /// Takes no more events, writes what is queued and ends the thread. False when that took too long; what was
    /// still queued is then counted as lost.
    pub(crate) fn stop(&self, time: Duration) -> bool {
        self.closed.store(true, Ordering::Release);
        let flushed = self.flush(time);
        let told = self.queue.try_send(Job::Stop).is_ok();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if flushed && told {
            return thread.is_none_or(|thread| thread.join().is_ok());
        }
        let left = self.counts.queued.load(Ordering::Relaxed);
        let left = left.saturating_sub(self.counts.handled.load(Ordering::Relaxed));
        self.spool.lock().unwrap_or_else(PoisonError::into_inner).count(reason::SHUTDOWN, left);
        false
    }
}

/// The thread's side.
struct Writer {
    spool: Arc<Mutex<Spool>>,
    counts: Arc<Counts>,
    written: Arc<Notify>,
    seen: Seen,
}

impl Writer {
    fn run(mut self, queue: Receiver<Job>) {
        let mut synced = Instant::now();
        loop {
            let wait = limits::SYNC_EVERY.saturating_sub(synced.elapsed());
            let first = match queue.recv_timeout(wait) {
                Ok(job) => Some(job),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => Some(Job::Stop),
            };
            let jobs = first.into_iter().chain(queue.try_iter().take(limits::DRAIN_EVENTS));
            let mut spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
            let mut flushes = Vec::new();
            let mut stop = false;
            let before = spool.last();
            for job in jobs {
                match job {
                    Job::Event(body) => {
                        write(&mut spool, &self.counts, &mut self.seen, &body);
                        self.counts.handled.fetch_add(1, Ordering::Relaxed);
                    }
                    Job::Flush(done) => flushes.push(done),
                    Job::Stop => stop = true,
                }
            }
            for (reason, count) in self.counts.losses() {
                let lost = count.swap(0, Ordering::Relaxed);
                if lost > 0 {
                    spool.count(reason, lost);
                }
            }
            let news = spool.last() != before;
            if stop || !flushes.is_empty() || synced.elapsed() >= limits::SYNC_EVERY {
                synced = Instant::now();
                if let Err(error) = spool.sync() {
                    tracing::error!(%error, "the event spool could not be synchronised");
                }
            }
            drop(spool);
            for done in flushes {
                let _ = done.try_send(()); // whoever waited has stopped waiting
            }
            if news {
                self.written.notify_one();
            }
            if stop {
                return;
            }
        }
    }
}

fn write(spool: &mut Spool, counts: &Counts, seen: &mut Seen, body: &Body) {
    let repeatable = matches!(body, Body::Exposure(_));
    if repeatable && seen.contains(body.id()) {
        counts.repeated.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let Ok(text) = serde_json::to_vec(body) else {
        spool.count(reason::INVALID, 1);
        return;
    };
    match spool.append(&text) {
        Ok(Some(_)) => {
            counts.spooled.fetch_add(1, Ordering::Relaxed);
            // Remembered only now: an exposure that was lost may be recorded when it comes again.
            if repeatable {
                seen.insert(body.id());
            }
        }
        Ok(None) => {}
        Err(error) => tracing::error!(%error, "an event could not be written to the spool"),
    }
}

/// Ids seen lately, in two generations, so that memory is bounded and forgetting is gradual.
#[derive(Default)]
struct Seen {
    young: HashSet<EventId>,
    old: HashSet<EventId>,
}

impl Seen {
    fn contains(&self, id: EventId) -> bool {
        self.young.contains(&id) || self.old.contains(&id)
    }

    fn insert(&mut self, id: EventId) {
        if self.young.len() >= limits::SEEN_IDS {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(id);
    }
}
