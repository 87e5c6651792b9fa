//! The doors that OFREP does not have: exposures told afterwards, outcomes, status, health.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use flagstone_events::Stream;
use flagstone_events::token::TokenError;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::guard;
use crate::{Host, OutcomeReport, Recorded, sync};

type Answer = (StatusCode, Json<Value>);

/// How long an outcome's caller is kept waiting for the disk before the door says that it cannot promise.
const DISK_TIME: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExposeRequest {
    flag: Option<String>,
    context: Option<Value>,
    token: Option<String>,
}

/// `POST /v1/exposures`. With `{"token"}`: a browser has shown what the token was handed out for; nothing else is needed, for
/// nobody but a host could have made it. With `{"flag", "context"}`: the unit has now been given what an evaluation
/// with `"apply": false` decided. It is decided again, so a caller cannot report what the rules did not give.
pub(super) async fn expose(State(host): State<Arc<Host>>, headers: HeaderMap, body: Bytes) -> Response {
    let request: ExposeRequest = match parse(&body) {
        Ok(request) => request,
        Err(refused) => return refused.into_response(),
    };
    match (request.token, request.flag, request.context) {
        (Some(token), None, None) => redeem(&host, &token).into_response(),
        (None, Some(_), Some(_)) if !guard::allowed(&host, &headers) => guard::refused(),
        (None, Some(flag), Some(context)) => {
            let evaluation = host.evaluate(&flag, &context);
            recorded(host.expose(&evaluation)).into_response()
        }
        _ => {
            let details = "either `token`, or `flag` and `context`";
            let body = Json(json!({"error": "bad-request", "details": details}));
            (StatusCode::BAD_REQUEST, body).into_response()
        }
    }
}

fn redeem(host: &Host, token: &str) -> Answer {
    let error = match host.redeem(token) {
        Ok(done) => return recorded(done),
        Err(error) => error,
    };
    let status = match error {
        TokenError::Malformed | TokenError::Version(_) => StatusCode::BAD_REQUEST,
        TokenError::Forged | TokenError::OtherAudience => StatusCode::FORBIDDEN,
        TokenError::Expired => StatusCode::GONE,
    };
    (status, Json(json!({"error": error.code(), "details": error.to_string()})))
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
    /// Whether the unit consents to analytics.
    analytics: Option<bool>,
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
        analytics: request.analytics,
    };
    let outcome = host.outcome(&unit, report);
    on_disk(host, outcome).await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct WithdrawRequest {
    targeting_key: String,
}

/// `POST /v1/withdrawals` with `{"targetingKey"}`: the unit takes its consent back. The answer 200 means that it is on disk.
pub(super) async fn withdraw(State(host): State<Arc<Host>>, body: Bytes) -> Answer {
    let request: WithdrawRequest = match parse(&body) {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let withdrawn = host.withdraw(&request.targeting_key);
    on_disk(host, withdrawn).await
}

/// Waits for the disk before it says that something is recorded.
async fn on_disk(host: Arc<Host>, outcome: Recorded) -> Answer {
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
        Recorded::Reduced(reason) => (StatusCode::OK, Json(json!({"recorded": "counted", "reason": reason}))),
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
