//! The HTTP API: routes, limits, who may do what. Described route by route in docs/govern.md.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use flagstone_events::{from_hex, to_hex};
use serde::Deserialize;
use serde_json::json;

use crate::canonical::sha256;
use crate::error::Refusal;
use crate::governor::Governor;
use crate::operator::{Ask, Order};
use crate::playground::Playground;
use crate::{
    dashboard, ingest, ledger, limits, live, log, pulse_live, reports, snapshots, status, trust_routes,
};

/// What every route gets.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) governor: Arc<Governor>,
    pub(crate) live: live::Listeners,
}

pub(crate) type Answer = Result<Response, Refusal>;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = json!({"error": {"code": self.code, "message": self.message}});
        (status, Json(body)).into_response()
    }
}

/// All routes.
pub(crate) fn router(shared: Shared, playground: Option<Playground>) -> Router {
    let environment = Router::new()
        .merge(trust_routes::routes())
        .route("/pulse", get(pulse))
        .route("/pulse/live", get(pulse_live::live))
        .route("/snapshots", post(post_snapshot).layer(DefaultBodyLimit::max(limits::MAX_SEALED_FILE)))
        .route("/snapshots/{digest}", get(snapshot))
        .route(
            "/definitions/{digest}",
            put(put_definition).layer(DefaultBodyLimit::max(limits::MAX_DEFINITION)),
        )
        .route("/events", post(events).layer(DefaultBodyLimit::max(limits::MAX_EVENTS_BODY)))
        .route("/events/live", get(live_events))
        .route("/status", get(get_status))
        .route("/ledger", get(get_ledger))
        .route("/log/{*path}", get(log_file))
        .route("/flags/{key}/halt", post(halt))
        .route("/flags/{key}/resume", post(resume))
        .route("/flags/{key}/start", post(start))
        .merge(reports::routes())
        .layer(DefaultBodyLimit::max(limits::MAX_OPERATOR_BODY));
    Router::new()
        .nest("/v1/environments/{environment}", environment)
        .merge(dashboard::routes())
        .merge(playground.map(Playground::routes).unwrap_or_default())
        .route("/healthz", get(healthz))
        .fallback(|| async { Refusal::new(404, "not-found", "there is nothing here") })
        .with_state(shared)
}

/// That the path names the environment governed here.
pub(crate) fn check_environment(shared: &Shared, environment: &str) -> Result<(), Refusal> {
    let own = &shared.governor.config.environment;
    if environment == own {
        return Ok(());
    }
    let message = format!("environment `{environment}` is not governed here\nhint: this is `{own}`");
    Err(Refusal::new(404, "unknown-environment", message))
}

/// That the request bears the token, when one is set. Digests are compared, so that timing tells nothing.
pub(crate) fn check_token(headers: &HeaderMap, token: Option<&String>) -> Result<(), Refusal> {
    let Some(token) = token else { return Ok(()) };
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if sha256(&[sent.as_bytes()]) == sha256(&[token.as_bytes()]) {
        return Ok(());
    }
    Err(Refusal::new(401, "unauthorised", "a bearer token is needed, and this is not it"))
}

/// That the body says it is of this type. Browsers cannot send these types across sites without asking first, so a
/// foreign page cannot give orders.
pub(crate) fn check_type(headers: &HeaderMap, wanted: &'static str) -> Result<(), Refusal> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if sent.split(';').next().is_some_and(|sent| sent.trim().eq_ignore_ascii_case(wanted)) {
        return Ok(());
    }
    Err(Refusal::new(415, "content-type", format!("content-type must be `{wanted}`")))
}

/// Bytes with an entity tag, or 304 when the client has them.
pub(crate) fn tagged(
    headers: &HeaderMap,
    etag: &str,
    content_type: &'static str,
    cache: &'static str,
    body: Vec<u8>,
) -> Response {
    let quoted = format!("\"{etag}\"");
    let asked = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let has = asked.split(',').any(|tag| tag.trim().trim_start_matches("W/") == quoted);
    let tag = HeaderValue::from_str(&quoted).unwrap_or(HeaderValue::from_static("\"\""));
    let head = [
        (header::ETAG, tag),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
        (header::CONTENT_TYPE, HeaderValue::from_static(content_type)),
    ];
    if has { (StatusCode::NOT_MODIFIED, head).into_response() } else { (head, body).into_response() }
}

fn digest_of(text: &str) -> Result<[u8; 32], Refusal> {
    from_hex::<32>(text)
        .ok_or_else(|| Refusal::new(404, "unknown-snapshot", "a digest is 64 lower-case hexadecimal digits"))
}

async fn pulse(State(shared): State<Shared>, Path(environment): Path<String>, headers: HeaderMap) -> Answer {
    check_environment(&shared, &environment)?;
    let published = shared.governor.published.borrow().clone();
    let Some(pulse) = published.filter(|pulse| !pulse.withdrawn) else {
        let message = "there is no pulse yet\nhint: post a sealed snapshot, and its definition when it has rollout plans";
        return Err(Refusal::new(503, "no-pulse", message));
    };
    Ok(tagged(&headers, &pulse.etag, "text/plain; charset=utf-8", "no-cache", pulse.note.clone()))
}

async fn snapshot(
    State(shared): State<Shared>,
    Path((environment, digest)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    check_environment(&shared, &environment)?;
    let wanted = digest_of(&digest)?;
    let mut read = shared.governor.store.read().await?;
    let logged = shared.governor.logged.load(Ordering::SeqCst);
    let file = snapshots::published(&mut read, &wanted, logged).await?;
    let file =
        file.ok_or_else(|| Refusal::new(404, "unknown-snapshot", "no snapshot of this digest is here"))?;
    Ok(tagged(&headers, &digest, "application/octet-stream", "public, max-age=31536000, immutable", file))
}

async fn post_snapshot(
    State(shared): State<Shared>,
    Path(environment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    check_environment(&shared, &environment)?;
    check_token(&headers, shared.governor.config.operator_token.as_ref())?;
    check_type(&headers, "application/octet-stream")?;
    let (posted, adopted, waits) = shared.governor.post_snapshot(&body).await?;
    let status = if posted.known { StatusCode::OK } else { StatusCode::CREATED };
    let answer = json!({
        "digest": to_hex(&posted.mark.digest), "epoch": posted.mark.epoch, "sequence": posted.mark.sequence,
        "current": adopted, "waits": waits,
    });
    Ok((status, Json(answer)).into_response())
}

async fn put_definition(
    State(shared): State<Shared>,
    Path((environment, digest)): Path<(String, String)>,
    headers: HeaderMap,
    body: String,
) -> Answer {
    check_environment(&shared, &environment)?;
    check_token(&headers, shared.governor.config.operator_token.as_ref())?;
    let digest = digest_of(&digest)?;
    let (new, adopted, waits) = shared.governor.put_definition(&digest, &body).await?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(json!({"digest": to_hex(&digest), "current": adopted, "waits": waits}))).into_response())
}

async fn events(
    State(shared): State<Shared>,
    Path(environment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    check_environment(&shared, &environment)?;
    check_token(&headers, shared.governor.config.reporter_token.as_ref())?;
    check_type(&headers, "application/json")?;
    let (batch, stored) = ingest::take_in(&shared.governor.store, &body, shared.governor.now_ms()).await?;
    let ingest::Accepted { accepted, duplicates } = stored;
    // The name tells the reporter that it was this batch, and no stranger, that is meant.
    Ok(Json(json!({"batch": batch, "accepted": accepted, "duplicates": duplicates})).into_response())
}

async fn get_status(State(shared): State<Shared>, Path(environment): Path<String>) -> Answer {
    check_environment(&shared, &environment)?;
    let status = shared.governor.status.borrow().clone();
    let body = status::with_time(&status, shared.governor.now_ms());
    Ok(([(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")], body)
        .into_response())
}

async fn live_events(State(shared): State<Shared>, Path(environment): Path<String>) -> Answer {
    check_environment(&shared, &environment)?;
    shared.live.listen(&shared.governor)
}

#[derive(Debug, Deserialize)]
struct LedgerPage {
    #[serde(default)]
    after: u64,
    limit: Option<u32>,
}

async fn get_ledger(
    State(shared): State<Shared>,
    Path(environment): Path<String>,
    Query(page): Query<LedgerPage>,
) -> Answer {
    check_environment(&shared, &environment)?;
    let mut read = shared.governor.store.read().await?;
    let limit = page.limit.unwrap_or(limits::MAX_LEDGER_PAGE).min(limits::MAX_LEDGER_PAGE);
    let entries = ledger::page(&mut read, page.after, limit).await?;
    let head = ledger::head(&mut read).await?;
    let head = json!({"entries": head.entries, "hash": to_hex(&head.hash)});
    Ok(Json(json!({"head": head, "entries": entries})).into_response())
}

/// One of the log's files, as C2SP tlog-tiles asks: tiles never change, the checkpoint does.
async fn log_file(
    State(shared): State<Shared>,
    Path((environment, path)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    check_environment(&shared, &environment)?;
    let (folder, asked) = (shared.governor.config.log.clone(), path.clone());
    let found = tokio::task::spawn_blocking(move || log::find(&folder, &asked)).await;
    let found = found.map_err(std::io::Error::from).and_then(|found| found).map_err(|error| {
        tracing::error!(%error, path, "the log cannot be read");
        Refusal::new(500, "internal", "the log cannot be read")
    })?;
    let Some(bytes) = found else {
        let message =
            format!("the log has no `{path}`\nhint: `checkpoint`, `tile/0/000`, `tile/entries/000.p/5` …");
        return Err(Refusal::new(404, "no-log-file", message));
    };
    let etag = to_hex(&sha256(&[&bytes]));
    Ok(if path == "checkpoint" {
        tagged(&headers, &etag, "text/plain; charset=utf-8", "no-cache", bytes)
    } else {
        tagged(&headers, &etag, "application/octet-stream", "public, max-age=31536000, immutable", bytes)
    })
}

async fn order(shared: Shared, path: (String, String), headers: HeaderMap, body: Bytes, ask: Ask) -> Answer {
    check_environment(&shared, &path.0)?;
    check_token(&headers, shared.governor.config.operator_token.as_ref())?;
    check_type(&headers, "application/json")?;
    let order: Order = serde_json::from_slice(&body).map_err(|error| {
        Refusal::new(422, "bad-order", format!("{error}\nhint: {{\"by\":\"ana\",\"reason\":\"why\"}}"))
    })?;
    Ok(Json(shared.governor.order(&path.1, ask, &order).await?).into_response())
}

async fn halt(
    State(shared): State<Shared>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    order(shared, path, headers, body, Ask::Halt).await
}

async fn resume(
    State(shared): State<Shared>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    order(shared, path, headers, body, Ask::Resume).await
}

async fn start(
    State(shared): State<Shared>,
    Path(path): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Answer {
    order(shared, path, headers, body, Ask::Start).await
}

/// Healthy: there is a pulse and it has not run out.
async fn healthz(State(shared): State<Shared>) -> Response {
    let now = shared.governor.now_ms() / 1_000;
    let fresh = shared
        .governor
        .published
        .borrow()
        .as_ref()
        .is_some_and(|pulse| !pulse.withdrawn && pulse.expires > now);
    let status = if fresh { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, if fresh { "ok\n" } else { "no fresh pulse\n" }).into_response()
}
