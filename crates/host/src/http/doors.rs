//! The doors that OFREP does not have: exposures told afterwards, outcomes, status, health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use flagstone_events::Stream;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Host, OutcomeReport, Recorded, sync};

type Answer = (StatusCode, Json<Value>);

/// How long an outcome's caller is kept waiting for the disk before the door says that it cannot promise.
const DISK_TIME: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExposeRequest {
    flag: String,
    context: Value,
}

/// `POST /v1/exposures` with `{"flag", "context"}`: the unit has now been given what an evaluation with `"apply": false`
/// decided. It is decided again, so a caller cannot report what the rules did not give.
pub(super) async fn expose(State(host): State<Arc<Host>>, body: Bytes) -> Answer {
    let request: ExposeRequest = match parse(&body) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let evaluation = host.evaluate(&request.flag, &request.context);
    recorded(host.expose(&evaluation))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct OutcomeRequest {
    targeting_key: String,
    name: String,
    request: String,
    #[serde(default)]
    measures: BTreeMap<String, f64>,
    #[serde(default)]
    booleans: BTreeMap<String, bool>,
    #[serde(default)]
    slices: BTreeMap<String, String>,
    at_ms: Option<u64>,
    stream: Option<Stream>,
}

/// `POST /v1/outcomes`. The answer 200 means that the outcome is on disk.
pub(super) async fn outcomes(State(host): State<Arc<Host>>, body: Bytes) -> Answer {
    let request: OutcomeRequest = match parse(&body) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let unit = request.targeting_key;
    let report = OutcomeReport {
        name: request.name,
        request: request.request,
        measures: request.measures,
        booleans: request.booleans,
        slices: request.slices,
        at_ms: request.at_ms,
        stream: request.stream,
    };
    let outcome = host.outcome(&unit, report);
    if outcome == Recorded::Queued {
        let waiting = Arc::clone(&host);
        let flushed = tokio::task::spawn_blocking(move || waiting.flush(DISK_TIME)).await;
        if !flushed.unwrap_or(false) {
            return (StatusCode::ACCEPTED, Json(json!({"recorded": "queued"})));
        }
    }
    recorded(outcome)
}

/// `GET /v1/status`.
pub(super) async fn status(State(host): State<Arc<Host>>) -> Answer {
    match serde_json::to_value(host.status()) {
        Ok(status) => (StatusCode::OK, Json(status)),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": error.to_string()}))),
    }
}

/// `GET /healthz`: 200 as soon as a snapshot is in force, whatever its age; the state is in the body.
pub(super) async fn health(State(host): State<Arc<Host>>) -> Answer {
    let status = host.status();
    let code = match status.state {
        sync::State::Empty => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::OK,
    };
    (code, Json(json!({"state": status.state, "reason": status.reason})))
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Answer> {
    let refused = |error: serde_json::Error| {
        (StatusCode::BAD_REQUEST, Json(json!({"error": "bad-request", "details": error.to_string()})))
    };
    serde_json::from_slice(body).map_err(refused)
}

fn recorded(recorded: Recorded) -> Answer {
    match recorded {
        Recorded::Queued => (StatusCode::OK, Json(json!({"recorded": "yes"}))),
        Recorded::Nothing => (StatusCode::OK, Json(json!({"recorded": "nothing"}))),
        Recorded::Dropped("invalid") => (
            StatusCode::BAD_REQUEST,
            Json(json!({"error": "invalid", "details": "a name, number or size is out of range"})),
        ),
        Recorded::Dropped(reason) => {
            (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"recorded": "no", "dropped": reason})))
        }
    }
}
