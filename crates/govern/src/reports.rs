//! Routes for what reporters send over OTLP, for slices and for reports on rollouts. Described in docs/govern.md.

use std::io::Read as _;

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router, extract::DefaultBodyLimit};
use flagstone_events::otlp::{self, Encoding};
use flate2::read::GzDecoder;
use serde::Deserialize;

use crate::error::Refusal;
use crate::http::{Shared, check_environment, check_token};
use crate::{ingest, limits, report, slices};

/// The routes of one environment.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/otlp/v1/logs", post(logs).layer(DefaultBodyLimit::max(limits::MAX_OTLP_BODY)))
        .route("/flags/{key}/slices", get(of_flag))
        .route("/flags/{key}/report", get(report_on))
}

/// `POST …/otlp/v1/logs`: events as OpenTelemetry log records.
async fn logs(
    State(shared): State<Shared>,
    Path(environment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    check_environment(&shared, &environment)?;
    check_token(&headers, shared.governor.config.reporter_token.as_ref())?;
    let encoding = encoding(&headers)?;
    let governor = &shared.governor;
    let taken = match unpacked(&headers, &body) {
        Ok(body) => ingest::take_in_otlp(&governor.store, &body, encoding, governor.now_ms()).await,
        Err(refused) => Err(refused),
    };
    let (status, body) = match taken {
        Ok((rejected, problem)) => {
            (StatusCode::OK, otlp::encode_answer(rejected, problem.as_deref(), encoding))
        }
        Err(refused) => {
            let status = StatusCode::from_u16(refused.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let message = format!("{}: {}", refused.code, refused.message);
            // OTLP clients try again after 503 only.
            let status = if status.is_server_error() { StatusCode::SERVICE_UNAVAILABLE } else { status };
            (status, otlp::encode_refusal(&message, !status.is_server_error(), encoding))
        }
    };
    Ok((status, [(header::CONTENT_TYPE, encoding.content_type())], body).into_response())
}

fn encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let sent = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sent = sent.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let known = [Encoding::Protobuf, Encoding::Json].into_iter().find(|one| one.content_type() == sent);
    known.ok_or_else(|| {
        let message = "content-type must be `application/x-protobuf` or `application/json`";
        Refusal::new(415, "content-type", message)
    })
}

/// The body as it was before `Content-Encoding: gzip`, which collectors use unless told otherwise.
fn unpacked(headers: &HeaderMap, body: &Bytes) -> Result<Vec<u8>, Refusal> {
    match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
        None | Some(b"identity") => Ok(body.to_vec()),
        Some(b"gzip") => {
            let mut unpacked = Vec::new();
            let most = u64::try_from(limits::MAX_OTLP_BODY).unwrap_or(u64::MAX);
            let read = GzDecoder::new(body.as_ref()).take(most.saturating_add(1)).read_to_end(&mut unpacked);
            read.map_err(|error| Refusal::new(400, "malformed", format!("not gzip: {error}")))?;
            if unpacked.len() > limits::MAX_OTLP_BODY {
                return Err(Refusal::new(413, "too-large", "the body unpacks to more than 4 MiB"));
            }
            Ok(unpacked)
        }
        Some(_) => Err(Refusal::new(415, "content-encoding", "content-encoding must be `gzip` or absent")),
    }
}

/// `GET …/flags/{key}/slices`: no cell of fewer than k units.
async fn of_flag(
    State(shared): State<Shared>,
    Path((environment, flag)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check_environment(&shared, &environment)?;
    check_token(&headers, shared.governor.config.operator_token.as_ref())?;
    Ok(Json(slices::of_flag(&shared.governor, &flag).await?).into_response())
}

#[derive(Debug, Deserialize)]
struct Moment {
    /// Unix seconds.
    at: Option<u64>,
}

/// `GET …/flags/{key}/report`: everything a person should read about a rollout.
async fn report_on(
    State(shared): State<Shared>,
    Path((environment, flag)): Path<(String, String)>,
    Query(moment): Query<Moment>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    check_environment(&shared, &environment)?;
    let governor = &shared.governor;
    check_token(&headers, governor.config.operator_token.as_ref())?;
    let newest = governor.steering.lock().await.newest.get(&flag).cloned();
    let mut read = governor.store.read().await?;
    let found = report::of(&mut read, &flag, moment.at, newest, governor.config.k_anonymity).await?;
    let Some(found) = found else {
        let message = format!("nothing is known of a rollout of `{flag}` at that time");
        return Err(Refusal::new(404, "no-report", message));
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(found)).into_response())
}
