//! Who may use the doors: whoever bears the token, when one is set.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::Host;

/// Lets a request through that bears the token.
pub(super) async fn guard(State(host): State<Arc<Host>>, request: Request<Body>, next: Next) -> Response {
    if allowed(&host, request.headers()) { next.run(request).await } else { refused() }
}

/// Whether the request bears the token, when one is set.
pub(super) fn allowed(host: &Host, headers: &HeaderMap) -> bool {
    let (reporting, _) = host.reporting();
    let Some(token) = &reporting.door_token else { return true };
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    same(sent.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default(), token)
}

/// Whether two texts are the same, in a time that does not depend on where they differ.
fn same(left: &str, right: &str) -> bool {
    let (left, right) = (Sha256::digest(left), Sha256::digest(right));
    left.iter().zip(right).fold(0, |differences, (left, right)| differences | (left ^ right)) == 0
}

/// 401.
pub(super) fn refused() -> Response {
    let details = "a bearer token is needed, and this is not it";
    let body = Json(json!({"error": "unauthorised", "errorCode": "GENERAL", "errorDetails": details}));
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], body).into_response()
}
