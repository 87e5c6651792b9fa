//! OFREP for clients that ask for everything at once: bulk evaluation, and the configuration of providers.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::ofrep::{self, Asked};
use crate::Host;

/// `POST /ofrep/v1/evaluate/flags`: every flag for one context. No exposure is recorded, for nobody has been given
/// anything yet: whoever shows a flag says so with its token.
pub(super) async fn evaluate(State(host): State<Arc<Host>>, headers: HeaderMap, body: Bytes) -> Response {
    let asked = match Asked::read(&headers, &body) {
        Ok(asked) => asked,
        Err((code, details)) => return failed(StatusCode::BAD_REQUEST, code, &details),
    };
    // Thousands of decisions take milliseconds: not on a thread that serves others.
    let answered = tokio::task::spawn_blocking(move || answer(&host, &asked, &headers)).await;
    answered.unwrap_or_else(|_| {
        failed(StatusCode::INTERNAL_SERVER_ERROR, "GENERAL", "the flags could not be evaluated")
    })
}

fn answer(host: &Host, asked: &Asked, headers: &HeaderMap) -> Response {
    let evaluations = match host.evaluate_all(&asked.context) {
        Ok(evaluations) => evaluations,
        Err("PROVIDER_NOT_READY") => {
            let details = "no snapshot has been accepted yet";
            return failed(StatusCode::SERVICE_UNAVAILABLE, "PROVIDER_NOT_READY", details);
        }
        Err(code) => return failed(StatusCode::BAD_REQUEST, code, "the context is too large"),
    };
    let mut flags: Vec<Value> =
        evaluations.iter().map(|one| ofrep::answer(&one.decision, one.state, None).1).collect();
    let tag = tag(host, asked, &flags, evaluations.first());
    if matches(headers, &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    if asked.token {
        flags = evaluations
            .iter()
            .map(|one| ofrep::answer(&one.decision, one.state, host.exposure_token(one).as_deref()).1)
            .collect();
    }
    ([(header::ETAG, tag)], Json(json!({"flags": flags}))).into_response()
}

/// The entity tag: of the snapshot, the context, and every answer (which is how the pulse and the time count: one that changes
/// nothing for this context leaves the tag). Keyed, because a plain hash of a context could be found by trying. Tokens
/// are left out, for they are new each time; instead the tag changes in the middle of their life, so that nobody keeps dead ones.
fn tag(host: &Host, asked: &Asked, flags: &[Value], first: Option<&crate::Evaluation>) -> HeaderValue {
    let answers = Value::from(flags).to_string();
    let context = asked.context.to_string();
    let snapshot = first.and_then(|one| one.snapshot).map(|snapshot| snapshot.digest).unwrap_or_default();
    let half_life = (host.reporting().0.token_lifetime_ms / 2).max(1);
    let age = first.filter(|_| asked.token).map_or(0, |one| one.at_ms / half_life);
    let fingerprint = host.fingerprint_of(&[
        b"bulk",
        &snapshot,
        context.as_bytes(),
        answers.as_bytes(),
        &age.to_be_bytes(),
    ]);
    quoted(&fingerprint)
}

fn quoted(fingerprint: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{fingerprint}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

fn matches(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(|one| one.trim().trim_start_matches("W/"));
    known.any(|one| one.as_bytes() == tag.as_bytes())
}

fn failed(status: StatusCode, code: &str, details: &str) -> Response {
    (status, Json(json!({"errorCode": code, "errorDetails": details}))).into_response()
}

/// `GET /ofrep/v1/configuration`: how often it makes sense to ask, and that answers are not to be cached without asking.
pub(super) async fn configuration(State(host): State<Arc<Host>>, headers: HeaderMap) -> Response {
    let (_, poll) = host.reporting();
    let period = u64::try_from(poll.as_millis()).unwrap_or(u64::MAX);
    let body = json!({
        "name": "flagstone",
        "capabilities": {
            "cacheInvalidation": {
                "polling": {"enabled": true, "minPollingInterval": period, "minPollingIntervalMs": period},
            },
            "flagEvaluation": {"unsupportedTypes": []},
            "caching": {"enabled": false},
        },
    });
    let tag = quoted(&host.fingerprint_of(&[b"configuration", body.to_string().as_bytes()]));
    if matches(&headers, &tag) {
        return (StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response();
    }
    ([(header::ETAG, tag)], Json(body)).into_response()
}
