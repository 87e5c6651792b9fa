//! The pulse as a stream of server-sent events: the newest at once, and every new one as soon as it is signed.
//!
//! An event is named `pulse`; its id is the entity tag that `GET …/pulse` gives the same note, its data the note as it
//! is: text whose lines are the event's lines. Between events there is a sign of life every 15 s.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::error::Refusal;
use crate::http::{Shared, check_environment};
use crate::pulse::Published;

/// Time between signs of life; hosts give a stream up after 45 s without one.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

struct Listener {
    published: watch::Receiver<Option<Arc<Published>>>,
    stop: watch::Receiver<bool>,
    /// What was sent last; a renewed status of the same pulse is no news.
    sent: Option<u64>,
    _place: OwnedSemaphorePermit,
}

/// `GET /v1/environments/{environment}/pulse/live`.
pub(crate) async fn live(
    State(shared): State<Shared>,
    Path(environment): Path<String>,
) -> Result<Response, Refusal> {
    check_environment(&shared, &environment)?;
    let (place, stop) = shared.live.host()?;
    let mut published = shared.governor.published.subscribe();
    published.mark_changed(); // the newest one is news to whoever comes
    let listener = Listener { published, stop, sent: None, _place: place };
    let events = stream::unfold(listener, |mut listener| async move {
        let pulse = listener.next().await?;
        let text = String::from_utf8_lossy(&pulse.note).into_owned();
        let event = Event::default().event("pulse").id(&pulse.etag).data(text);
        Some((Ok::<_, Infallible>(event), listener))
    });
    let alive = KeepAlive::new().interval(SIGN_OF_LIFE);
    Ok(Sse::new(events).keep_alive(alive).into_response())
}

impl Listener {
    /// The next pulse; none when the governor stops. A listener that is slow gets the newest, not all.
    async fn next(&mut self) -> Option<Arc<Published>> {
        loop {
            tokio::select! {
                changed = self.published.changed() => changed.ok()?,
                _ = self.stop.wait_for(|stop| *stop) => return None,
            }
            let newest = self.published.borrow_and_update().clone();
            if let Some(pulse) = newest.filter(|pulse| self.sent != Some(pulse.number)) {
                self.sent = Some(pulse.number);
                return Some(pulse);
            }
        }
    }
}
