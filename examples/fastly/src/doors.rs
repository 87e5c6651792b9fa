//! OFREP for pages without rules, as `flagstone host` speaks it (docs/host.md): one flag, all flags, the configuration, and exposures
//! by token.

use std::sync::Arc;

use fastly::http::{Method, StatusCode};
use fastly::{Request, Response};
use flagstone::{Decision, InForce, Unit};
use flagstone_events::Exposure;
use flagstone_events::token::TokenError;
use serde_json::{Map, Value, json};

use crate::{Edge, origin, page, report};

/// Largest body taken, bytes.
const MOST: u64 = 144 * 1_024;
/// How long a token is good, milliseconds.
const TOKEN_MS: u64 = 3_600_000;
const EVALUATE: &str = "/ofrep/v1/evaluate/flags";

/// Answers a request.
pub fn answer(mut request: Request, edge: &mut Edge, now_ms: u64) -> Response {
    let (method, path) = (request.get_method().clone(), request.get_path().to_owned());
    let key = path.strip_prefix(EVALUATE).and_then(|rest| rest.strip_prefix('/'));
    match (method, path.as_str(), key) {
        (Method::GET, "/", _) => page::answer(&request, edge, now_ms),
        (Method::GET, "/ofrep/v1/configuration", _) => configuration(&request, edge.settings.poll),
        (Method::POST, "/v1/exposures", _) => redeem(&mut request, edge, now_ms),
        (Method::POST, EVALUATE, _) => bulk(&mut request, edge, now_ms),
        (Method::POST, _, Some(key)) => match percent_encoding::percent_decode_str(key).decode_utf8() {
            Ok(key) => one(&mut request, edge, &key, now_ms),
            Err(_) => failed(400, "PARSE_ERROR", "the flag's key is no UTF-8"),
        },
        _ => Response::from_status(StatusCode::NOT_FOUND).with_body("not found"),
    }
}

/// What a request asks for.
struct Asked {
    context: Value,
    /// Whether the exposure is to be recorded now.
    apply: bool,
    /// Whether exposure tokens are wanted.
    token: bool,
}

impl Asked {
    /// Reads a body. The error is OpenFeature's code and the details.
    fn read(request: &mut Request) -> Result<Self, (&'static str, String)> {
        let bytes =
            origin::read(request.take_body(), MOST).map_err(|error| ("PARSE_ERROR", error.to_string()))?;
        let bytes =
            bytes.ok_or_else(|| ("INVALID_CONTEXT", format!("the body has more than {MOST} bytes")))?;
        let body: Value =
            serde_json::from_slice(&bytes).map_err(|error| ("PARSE_ERROR", error.to_string()))?;
        let yes_or_no = |name: &str, otherwise: bool| match body.get(name) {
            None => Ok(otherwise),
            Some(Value::Bool(said)) => Ok(*said),
            Some(_) => Err(("PARSE_ERROR", format!("`{name}` must be true or false"))),
        };
        let by_header = matches!(request.get_header_str("flagstone-exposure-token"), Some("yes" | "true"));
        let token = yes_or_no("exposureToken", by_header)?;
        let apply = yes_or_no("apply", !token)?;
        match body.get("context") {
            Some(context @ Value::Object(_)) => Ok(Self { context: context.clone(), apply, token }),
            _ => Err(("INVALID_CONTEXT", "`context` must be an object".to_owned())),
        }
    }

    fn unit(&self) -> Unit {
        Unit::json(self.context.to_string())
    }
}

fn in_force(edge: &Edge) -> Option<Arc<InForce>> {
    edge.keep.flags().and_then(flagstone::Flags::in_force)
}

fn not_ready() -> Response {
    failed(503, "PROVIDER_NOT_READY", "no snapshot has been accepted yet")
}

fn one(request: &mut Request, edge: &mut Edge, key: &str, now_ms: u64) -> Response {
    let asked = match Asked::read(request) {
        Ok(asked) => asked,
        Err((code, details)) => {
            return json(400, &json!({"key": key, "errorCode": code, "errorDetails": details}));
        }
    };
    let Some(of) = in_force(edge) else { return not_ready() };
    let mut unit = asked.unit();
    let decision = of.decide_key(&mut unit, key, now_ms / 1_000);
    let exposure = report::exposure(&of, &asked.context, &decision, &edge.settings.pepper, now_ms);
    let consents = report::consents(&asked.context);
    let token =
        exposure.as_ref().filter(|_| asked.token && consents).and_then(|exposure| seal(edge, exposure));
    let (status, body) = told(&of, &mut unit, key, &decision, token, now_ms);
    match exposure.filter(|_| asked.apply) {
        Some(exposure) if consents => edge.reporter.report(exposure),
        Some(_) => edge.reporter.drop("no-consent"),
        None => {}
    }
    json(status, &body)
}

fn bulk(request: &mut Request, edge: &Edge, now_ms: u64) -> Response {
    let asked = match Asked::read(request) {
        Ok(asked) => asked,
        Err((code, details)) => return failed(400, code, &details),
    };
    let Some(of) = in_force(edge) else { return not_ready() };
    let (mut unit, mut decisions) = (asked.unit(), Vec::new());
    of.decide_all(&mut unit, now_ms / 1_000, &mut decisions);
    let mut answers = |token: &dyn Fn(&Decision) -> Option<String>| -> Vec<Value> {
        let each = of.keys().zip(&decisions);
        each.map(|(key, decision)| told(&of, &mut unit, key, decision, token(decision), now_ms).1).collect()
    };
    let flags = answers(&|_| None);
    let tag = tag(edge, &asked, &of, &flags, now_ms);
    if known(request, &tag) {
        return Response::from_status(StatusCode::NOT_MODIFIED).with_header("etag", tag);
    }
    let token = |decision: &Decision| {
        seal(edge, &report::exposure(&of, &asked.context, decision, &edge.settings.pepper, now_ms)?)
    };
    let flags = if asked.token && report::consents(&asked.context) { answers(&token) } else { flags };
    json(200, &json!({"flags": flags})).with_header("etag", tag)
}

/// The entity tag: of the snapshot, the context and every answer; keyed, because a plain hash of a context could be found by trying.
/// Tokens are not in it; instead it changes in the middle of their life, so that nobody keeps dead ones.
fn tag(edge: &Edge, asked: &Asked, of: &InForce, flags: &[Value], now_ms: u64) -> String {
    let age = if asked.token { now_ms / (TOKEN_MS / 2) } else { 0 };
    let (context, answers) = (asked.context.to_string(), Value::from(flags).to_string());
    let digest = of.mark().digest;
    let parts = [b"bulk".as_slice(), &digest, context.as_bytes(), answers.as_bytes(), &age.to_be_bytes()];
    format!("\"{}\"", edge.settings.pepper.fingerprint_of(&parts))
}

fn known(request: &Request, tag: &str) -> bool {
    let said = request.get_header_str("if-none-match").unwrap_or_default();
    said.split(',').any(|one| one.trim().trim_start_matches("W/") == tag)
}

/// A decision as an OFREP answer: the status and the body.
fn told(
    of: &InForce,
    unit: &mut Unit,
    key: &str,
    decision: &Decision,
    token: Option<String>,
    now_ms: u64,
) -> (u16, Value) {
    let error = |status, code: &str, details: String| {
        (status, json!({"key": key, "errorCode": code, "errorDetails": details}))
    };
    if of.find(key).is_none() {
        return error(404, "FLAG_NOT_FOUND", format!("flag `{key}` was not found"));
    }
    if let Err(refused) = of.prepare(unit) {
        return error(400, "INVALID_CONTEXT", refused.to_string());
    }
    match decision.error.map(|code| code.as_str()) {
        None => {}
        Some(code @ "PARSE_ERROR") => return error(400, code, format!("flag `{key}` cannot be evaluated")),
        Some(code) => return error(500, code, format!("flag `{key}` could not be evaluated")),
    }
    let mut body = json!({
        "key": key, "reason": decision.reason.as_str(), "metadata": metadata(of, decision, token, now_ms),
    });
    // Without them the caller's own default is meant.
    if let (Some(variant), Some(value)) = (of.variant(decision), value(of, decision)) {
        body["variant"] = variant.into();
        body["value"] = value;
    }
    (200, body)
}

/// The value that was decided; none: the caller's own default.
pub fn value(of: &InForce, decision: &Decision) -> Option<Value> {
    serde_json::from_str(of.value(decision)?).ok()
}

/// OFREP's metadata holds plain values only; ours are added under names of our own.
fn metadata(of: &InForce, decision: &Decision, token: Option<String>, now_ms: u64) -> Map<String, Value> {
    let mut plain: Map<String, Value> = serde_json::from_str(of.metadata(decision.flag)).unwrap_or_default();
    plain.retain(|_, value| matches!(value, Value::Bool(_) | Value::Number(_) | Value::String(_)));
    let name = |stage: Option<u8>| stage.and_then(|stage| of.stage(decision.flag, stage)).map(str::to_owned);
    let particulars = [
        ("flagstone.state", Some(of.state(now_ms / 1_000).name().to_owned())),
        ("flagstone.detail", decision.detail.as_str().map(str::to_owned)),
        ("flagstone.stage", name(decision.stage)),
        ("flagstone.cohort", name(decision.cohort)),
        ("flagstone.exposureToken", token),
    ];
    for (name, value) in particulars {
        if let Some(value) = value {
            plain.insert(name.to_owned(), value.into());
        }
    }
    plain
}

/// The token with which a page says that it has shown this.
pub fn seal(edge: &Edge, exposure: &Exposure) -> Option<String> {
    edge.tokens.seal(exposure, exposure.at_ms.saturating_add(TOKEN_MS))
}

/// A page has shown what a token was handed out for.
fn redeem(request: &mut Request, edge: &mut Edge, now_ms: u64) -> Response {
    let body = origin::read(request.take_body(), MOST).ok().flatten().unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let Some(token) = body.get("token").and_then(Value::as_str) else {
        return json(400, &json!({"error": "token-malformed", "details": "the body is no `{\"token\": …}`"}));
    };
    match edge.tokens.open(token, now_ms) {
        Ok(exposure) => {
            edge.reporter.report(exposure);
            json(200, &json!({"recorded": "yes"}))
        }
        Err(refused) => {
            let status = match refused {
                TokenError::Malformed | TokenError::Version(_) => 400,
                TokenError::Forged | TokenError::OtherAudience => 403,
                TokenError::Expired => 410,
            };
            json(status, &json!({"error": refused.code(), "details": refused.to_string()}))
        }
    }
}

/// How often it makes sense to ask, and that answers are not to be cached without asking.
fn configuration(request: &Request, poll: u64) -> Response {
    let period = poll.saturating_mul(1_000);
    let tag = format!("\"poll-{period}\"");
    if known(request, &tag) {
        return Response::from_status(StatusCode::NOT_MODIFIED).with_header("etag", tag);
    }
    let polling = json!({"enabled": true, "minPollingInterval": period, "minPollingIntervalMs": period});
    let body = json!({"name": "flagstone", "capabilities": {
        "cacheInvalidation": {"polling": polling}, "flagEvaluation": {"unsupportedTypes": []}, "caching": {"enabled": false},
    }});
    json(200, &body).with_header("etag", tag)
}

fn failed(status: u16, code: &str, details: &str) -> Response {
    json(status, &json!({"errorCode": code, "errorDetails": details}))
}

fn json(status: u16, body: &Value) -> Response {
    Response::from_status(status)
        .with_header("content-type", "application/json")
        .with_header("cache-control", "no-store")
        .with_body(body.to_string())
}
