//! Where reports arrive: counts every event once, by instance.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use flagstone_events::{Batch, EventId};

#[derive(Default)]
pub(crate) struct Receiver {
    /// Events by their number, by instance. After a restart a host may report an exposure again, under a new number and
    /// with the same id: that is for whoever counts exposures, and govern does.
    events: BTreeMap<String, HashMap<u64, EventId>>,
    /// Events that came again.
    pub(crate) repeated: u64,
}

impl Receiver {
    pub(crate) fn received(&self) -> u64 {
        self.events.values().map(|events| events.len() as u64).sum()
    }

    /// The highest numbers that instances have given.
    pub(crate) fn numbered(&self) -> u64 {
        self.events.values().filter_map(|events| events.keys().max()).sum()
    }
}

/// Serves it on a port of its own; gives back its address.
pub(crate) async fn serve(receiver: Arc<Mutex<Receiver>>) -> String {
    let app = Router::new().route("/v1/environments/production/events", post(receive)).with_state(receiver);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

async fn receive(State(receiver): State<Arc<Mutex<Receiver>>>, body: Bytes) -> (StatusCode, String) {
    let batch = Batch::from_json(&body).unwrap();
    let mut receiver = receiver.lock().unwrap();
    for event in &batch.events {
        let of = receiver.events.entry(batch.instance.clone()).or_default();
        if let Some(before) = of.insert(event.sequence, event.body.id()) {
            assert_eq!(before, event.body.id(), "one number has one event");
            receiver.repeated += 1;
        }
    }
    (StatusCode::OK, super::common::receipt(&batch))
}
