//! The doors of the trust root: `GET /trust`, `GET /trust/{version}`, `POST /trust`.

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use flagstone_seal::limits::MAX_TRUST_BYTES;

use crate::error::Refusal;
use crate::http::{Answer, Shared, check_environment, check_token, check_type, tagged};
use crate::trust;

const TEXT: &str = "text/plain; charset=utf-8";

/// The routes, below one environment.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/trust", get(newest).post(post).layer(DefaultBodyLimit::max(MAX_TRUST_BYTES)))
        .route("/trust/{version}", get(version))
}

async fn newest(State(shared): State<Shared>, Path(environment): Path<String>, headers: HeaderMap) -> Answer {
    check_environment(&shared, &environment)?;
    let here = shared.governor.trust.borrow().clone();
    Ok(tagged(&headers, &here.etag, TEXT, "no-cache", here.note.clone()))
}

async fn version(
    State(shared): State<Shared>,
    Path((environment, version)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    check_environment(&shared, &environment)?;
    let unknown =
        || Refusal::new(404, "unknown-trust", format!("there is no trust note of version `{version}`"));
    // Above the largest number the store holds there is certainly none.
    let number = version.parse::<u64>().ok().filter(|number| i64::try_from(*number).is_ok());
    // One that is stored but not in the log yet is not served.
    let newest = shared.governor.trust.borrow().root.version();
    let number = number.filter(|number| *number <= newest).ok_or_else(unknown)?;
    let mut read = shared.governor.store.read().await?;
    let note = trust::version(&mut read, number).await?.ok_or_else(unknown)?;
    let etag = flagstone_events::to_hex(&crate::canonical::sha256(&[&note]));
    Ok(tagged(&headers, &etag, TEXT, "no-cache", note))
}

async fn post(
    State(shared): State<Shared>,
    Path(environment): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    check_environment(&shared, &environment)?;
    check_token(&headers, shared.governor.config.operator_token.as_ref())?;
    check_type(&headers, "application/octet-stream")?;
    let (new, answer) = shared.governor.post_trust(&body).await?;
    Ok((if new { StatusCode::CREATED } else { StatusCode::OK }, Json(answer)).into_response())
}
