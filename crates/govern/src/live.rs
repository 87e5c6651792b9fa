//! The live stream: the status as server-sent events, once at the start and again whenever it changes.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::error::Refusal;
use crate::governor::Governor;
use crate::{limits, status};

/// Who may listen: a bounded number, and only until the governor stops.
#[derive(Clone)]
pub(crate) struct Listeners {
    places: Arc<Semaphore>,
    /// Hosts have places of their own: a crowd of dashboards must not keep pulses from them.
    hosts: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

struct Listener {
    governor: Arc<Governor>,
    status: watch::Receiver<Arc<str>>,
    stop: watch::Receiver<bool>,
    first: bool,
    _place: OwnedSemaphorePermit,
}

impl Listeners {
    pub(crate) fn new(stop: watch::Receiver<bool>) -> Self {
        let places = |number| Arc::new(Semaphore::new(number));
        Self { places: places(limits::MAX_LISTENERS), hosts: places(limits::MAX_LISTENING_HOSTS), stop }
    }

    /// A place for one more host at the stream of pulses, and the word that ends it.
    ///
    /// # Errors
    /// 503 when all places are taken; such a host goes on polling.
    pub(crate) fn host(&self) -> Result<(OwnedSemaphorePermit, watch::Receiver<bool>), Refusal> {
        let place = Arc::clone(&self.hosts).try_acquire_owned();
        let taken =
            |_| Refusal::new(503, "too-many-listeners", "all places at the stream of pulses are taken");
        Ok((place.map_err(taken)?, self.stop.clone()))
    }

    /// A stream for one more listener.
    ///
    /// # Errors
    /// 503 when all places are taken.
    pub(crate) fn listen(&self, governor: &Arc<Governor>) -> Result<Response, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned();
        let place = place.map_err(|_| {
            Refusal::new(503, "too-many-listeners", "all places at the live stream are taken")
        })?;
        let listener = Listener {
            governor: Arc::clone(governor),
            status: governor.status.subscribe(),
            stop: self.stop.clone(),
            first: true,
            _place: place,
        };
        let events = stream::unfold(listener, |mut listener| async move {
            let text = listener.next().await?;
            Some((Ok::<_, Infallible>(Event::default().event("status").data(text)), listener))
        });
        let alive = KeepAlive::new().interval(Duration::from_secs(15));
        Ok(Sse::new(events).keep_alive(alive).into_response())
    }
}

impl Listener {
    /// The next status; none when the governor stops.
    async fn next(&mut self) -> Option<String> {
        if self.first {
            self.first = false;
        } else {
            tokio::select! {
                changed = self.status.changed() => changed.ok()?,
                _ = self.stop.wait_for(|stop| *stop) => return None,
            }
        }
        let status = self.status.borrow_and_update().clone();
        Some(status::with_time(&status, self.governor.now_ms()))
    }
}
