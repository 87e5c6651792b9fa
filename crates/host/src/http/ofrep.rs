//! OFREP (OpenFeature Remote Evaluation Protocol), evaluation of one flag.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{Decision, Host, sync};

/// `POST /ofrep/v1/evaluate/flags/{key}` with `{"context": {...}}`. The exposure is recorded, unless the body says
/// `"apply": false` (an addition to OFREP).
pub(super) async fn evaluate(
    State(host): State<Arc<Host>>,
    Path(key): Path<String>,
    body: Bytes,
) -> (StatusCode, Json<Value>) {
    let failed = |code: &str, details: &str| {
        (StatusCode::BAD_REQUEST, Json(json!({"key": key, "errorCode": code, "errorDetails": details})))
    };
    let request: Value = match serde_json::from_slice(&body) {
        Ok(request) => request,
        Err(error) => return failed("PARSE_ERROR", &error.to_string()),
    };
    let Some(context) = request.get("context").filter(|context| context.is_object()) else {
        return failed("INVALID_CONTEXT", "`context` must be an object");
    };
    let apply = match request.get("apply") {
        None => true,
        Some(Value::Bool(apply)) => *apply,
        Some(_) => return failed("PARSE_ERROR", "`apply` must be true or false"),
    };
    let evaluation = host.evaluate(&key, context);
    if apply {
        host.expose(&evaluation);
    }
    answer(&evaluation.decision, evaluation.state)
}

/// A decision as an OFREP answer.
fn answer(decision: &Decision, state: sync::State) -> (StatusCode, Json<Value>) {
    if let Some(code) = &decision.error_code {
        return failure(decision, code);
    }
    let mut success = Map::new();
    success.insert("key".into(), json!(decision.flag));
    success.insert("reason".into(), json!(decision.reason));
    if let Some(variant) = &decision.variant {
        // Without them the caller's own default is meant ("code default" in OFREP).
        success.insert("variant".into(), json!(variant));
        success.insert("value".into(), decision.value.clone());
    }
    success.insert("metadata".into(), metadata(decision, state));
    (StatusCode::OK, Json(Value::Object(success)))
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
fn metadata(decision: &Decision, state: sync::State) -> Value {
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
    ];
    for (name, value) in particulars {
        if let Some(value) = value {
            plain.insert(name.to_owned(), Value::String(value));
        }
    }
    Value::Object(plain)
}
