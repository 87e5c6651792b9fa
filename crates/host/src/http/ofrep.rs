//! OFREP (OpenFeature Remote Evaluation Protocol), evaluation of one flag.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Map, Value, json};

use crate::{Decision, Host, sync};

/// Header with which a client asks for exposure tokens, where it cannot change the body.
pub(super) const TOKEN_HEADER: &str = "flagstone-exposure-token";

/// What a request asks for.
pub(super) struct Asked {
    pub(super) context: Value,
    /// Whether the exposure is to be recorded now.
    pub(super) apply: bool,
    /// Whether exposure tokens are wanted.
    pub(super) token: bool,
}

impl Asked {
    /// Reads a body. The error is OpenFeature's code and the details.
    pub(super) fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, (&'static str, String)> {
        let mut request: Value =
            serde_json::from_slice(body).map_err(|error| ("PARSE_ERROR", error.to_string()))?;
        let yes_or_no = |name: &str, otherwise: bool| match request.get(name) {
            None => Ok(otherwise),
            Some(Value::Bool(said)) => Ok(*said),
            Some(_) => Err(("PARSE_ERROR", format!("`{name}` must be true or false"))),
        };
        let by_header = headers.get(TOKEN_HEADER).is_some_and(|value| value == "yes" || value == "true");
        let token = yes_or_no("exposureToken", by_header)?;
        let apply = yes_or_no("apply", !token)?;
        match request.get_mut("context").map(Value::take) {
            Some(context @ Value::Object(_)) => Ok(Self { context, apply, token }),
            _ => Err(("INVALID_CONTEXT", "`context` must be an object".to_owned())),
        }
    }
}

/// `POST /ofrep/v1/evaluate/flags/{key}` with `{"context": {...}}`. The exposure is recorded, unless the body says
/// `"apply": false` or asks for a token to record it by (additions to OFREP).
pub(super) async fn evaluate(
    State(host): State<Arc<Host>>,
    Path(key): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let asked = match Asked::read(&headers, &body) {
        Ok(asked) => asked,
        Err((code, details)) => {
            let body = json!({"key": key, "errorCode": code, "errorDetails": details});
            return (StatusCode::BAD_REQUEST, Json(body));
        }
    };
    let evaluation = host.evaluate(&key, &asked.context);
    if asked.apply {
        host.expose(&evaluation);
    }
    let token = asked.token.then(|| host.exposure_token(&evaluation)).flatten();
    let (status, body) = answer(&evaluation.decision, evaluation.state, token.as_deref());
    (status, Json(body))
}

/// A decision as an OFREP answer.
pub(super) fn answer(decision: &Decision, state: sync::State, token: Option<&str>) -> (StatusCode, Value) {
    if let Some(code) = &decision.error_code {
        let (status, Json(body)) = failure(decision, code);
        return (status, body);
    }
    let mut success = Map::new();
    success.insert("key".into(), json!(decision.flag));
    success.insert("reason".into(), json!(decision.reason));
    if let Some(variant) = &decision.variant {
        // Without them the caller's own default is meant ("code default" in OFREP).
        success.insert("variant".into(), json!(variant));
        success.insert("value".into(), decision.value.clone());
    }
    success.insert("metadata".into(), metadata(decision, state, token));
    (StatusCode::OK, Value::Object(success))
}

fn failure(decision: &Decision, code: &str) -> (StatusCode, Json<Value>) {
    let key = &decision.flag;
    let body = |details: String| Json(json!({"key": key, "errorCode": code, "errorDetails": details}));
    match code {
        "FLAG_NOT_FOUND" => (StatusCode::NOT_FOUND, body(format!("flag `{key}` was not found"))),
        "TARGETING_KEY_MISSING" => (
            StatusCode::BAD_REQUEST,
            body("the context has no `targetingKey`, which this flag needs".to_owned()),
        ),
        "INVALID_CONTEXT" => {
            let details = "the context is too large, or not one the engine takes";
            (StatusCode::BAD_REQUEST, body(details.to_owned()))
        }
        "PARSE_ERROR" => (StatusCode::BAD_REQUEST, body(format!("flag `{key}` cannot be evaluated"))),
        "PROVIDER_NOT_READY" => {
            let details = json!({"errorDetails": "no snapshot has been accepted yet", "errorCode": code});
            (StatusCode::SERVICE_UNAVAILABLE, Json(details))
        }
        _ => (StatusCode::INTERNAL_SERVER_ERROR, body(format!("flag `{key}` could not be evaluated"))),
    }
}

/// OFREP metadata holds plain values only; the plan's particulars are added under names of our own.
fn metadata(decision: &Decision, state: sync::State, token: Option<&str>) -> Value {
    let mut plain = Map::new();
    if let Value::Object(members) = &decision.metadata {
        let scalar = |value: &Value| matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_));
        plain.extend(members.iter().filter(|(_, value)| scalar(value)).map(|(k, v)| (k.clone(), v.clone())));
    }
    let particulars = [
        ("flagstone.state", Some(state.name().to_owned())),
        ("flagstone.detail", decision.detail.clone()),
        ("flagstone.stage", decision.stage.as_ref().map(|stage| stage.name.clone())),
        ("flagstone.cohort", decision.cohort.as_ref().map(|cohort| cohort.name.clone())),
        ("flagstone.exposureToken", token.map(str::to_owned)),
    ];
    for (name, value) in particulars {
        if let Some(value) = value {
            plain.insert(name.to_owned(), Value::String(value));
        }
    }
    Value::Object(plain)
}
