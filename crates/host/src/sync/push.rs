//! The stream of pulses: held open beside the polls, one connection at a time, and given up when it is silent, floods or
//! brings what is refused. Nothing here touches what is in force: a pulse is handed to sync, which verifies it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flagstone_seal::limits::MAX_PULSE_BYTES;
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::events::{Allowance, Event, Parser, TooLong};
use super::{FetchError, LiveBytes, Source, SyncStatus};
use crate::{backoff, clock, limits};

/// A pulse that came by itself.
#[derive(Debug)]
pub(super) struct Push {
    /// The note.
    pub(super) note: Vec<u8>,
    /// Its entity tag, to ask with at the next look.
    pub(super) tag: Option<String>,
    /// Whether it was put in force (or is in force already). Until then the stream is not read any further.
    pub(super) answer: oneshot::Sender<Result<(), String>>,
}

/// Why a stream is over.
enum End {
    /// The source has none.
    Absent,
    /// Anything else. Streams end; the next one is opened after a back-off.
    Broken(FetchError),
    /// Nobody is there any more to take pulses.
    Gone,
}

impl From<String> for End {
    fn from(message: String) -> Self {
        Self::Broken(message.into())
    }
}

/// Holds the stream.
pub(super) struct Listener {
    pub(super) source: Arc<dyn Source>,
    pub(super) silence: Duration,
    pub(super) backoff_first: Duration,
    pub(super) pushes: mpsc::Sender<Push>,
    /// Whether the stream is live: it is open and has brought a pulse that was accepted.
    pub(super) live: watch::Sender<bool>,
    pub(super) status: Arc<Mutex<SyncStatus>>,
}

impl Listener {
    /// Opens stream after stream, until sync is gone.
    pub(super) async fn run(self) {
        loop {
            let opened = Instant::now();
            let end = self.one().await;
            self.live.send_replace(false);
            let wait = {
                let mut status = self.lock();
                let push = &mut status.push;
                push.live = false;
                match end {
                    End::Gone => return,
                    End::Absent => {
                        (push.absent, push.failures, push.last_error) = (true, 0, None);
                        backoff::steady(limits::PUSH_ABSENT, clock::random())
                    }
                    End::Broken(error) => {
                        let before = if opened.elapsed() >= limits::PUSH_SETTLED { 0 } else { push.failures };
                        push.failures = before.saturating_add(1);
                        tracing::debug!(%error, failures = push.failures, "the stream of pulses ended; looks go on");
                        push.last_error = Some(error.message);
                        match error.retry_after {
                            Some(asked) => backoff::as_asked(asked, self.backoff_first, clock::random()),
                            None => {
                                backoff::after_failures(self.backoff_first, push.failures, clock::random())
                            }
                        }
                    }
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = self.pushes.closed() => return,
            }
        }
    }

    /// One stream, from its opening to its end.
    async fn one(&self) -> End {
        let stream = match self.source.live().await {
            Ok(Some(stream)) => stream,
            Ok(None) => return End::Absent,
            Err(error) => return End::Broken(error),
        };
        {
            let mut status = self.lock();
            status.push.absent = false;
            status.push.streams = status.push.streams.saturating_add(1);
        }
        match self.read(stream).await {
            Err(end) => end,
            Ok(()) => "the server ended the stream".to_owned().into(),
        }
    }

    async fn read(&self, mut stream: LiveBytes) -> Result<(), End> {
        let opened = Instant::now();
        let mut parser = Parser::new(MAX_PULSE_BYTES);
        let mut allowance =
            Allowance::new(limits::PUSH_BURST_BYTES, limits::PUSH_BYTES_A_SECOND, Duration::ZERO);
        let mut spend = |bytes: u64| {
            let enough = allowance.spend(bytes, opened.elapsed());
            enough.then_some(()).ok_or_else(|| End::from("the stream floods".to_owned()))
        };
        loop {
            let next = tokio::select! {
                next = tokio::time::timeout(self.silence, stream.next()) => next,
                () = self.pushes.closed() => return Err(End::Gone),
            };
            let silent = |_| format!("no sign of life for {} s", self.silence.as_secs_f64());
            let Some(chunk) = next.map_err(silent)? else { return Ok(()) };
            let chunk = chunk.map_err(End::Broken)?;
            spend(chunk.len() as u64)?;
            let too_long = |TooLong| format!("an event is longer than {MAX_PULSE_BYTES} bytes");
            for event in parser.feed(&chunk).map_err(too_long)? {
                spend(limits::PUSH_EVENT_BYTES)?;
                if event.name == "pulse" {
                    self.hand_over(event).await?;
                }
            }
        }
    }

    async fn hand_over(&self, event: Event) -> Result<(), End> {
        let (answer, answered) = oneshot::channel();
        let tag = (!event.id.is_empty()).then(|| format!("\"{}\"", event.id));
        let push = Push { note: event.data.into_bytes(), tag, answer };
        self.pushes.send(push).await.map_err(|_| End::Gone)?;
        answered.await.map_err(|_| End::Gone)??;
        self.live.send_replace(true);
        let mut status = self.lock();
        status.push.live = true;
        status.push.last_error = None;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, SyncStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
