//! HTTP doors for services in other languages, on one machine or in one pod: OFREP evaluation, outcomes, status, metrics.

mod bulk;
mod doors;
mod guard;
mod metrics;
mod ofrep;

use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use crate::{Host, limits};

/// The routes, to serve by themselves or to merge into a router of one's own.
pub fn router(host: Arc<Host>) -> Router {
    Router::new()
        .route("/ofrep/v1/evaluate/flags", post(bulk::evaluate))
        .route("/ofrep/v1/evaluate/flags/{*key}", post(ofrep::evaluate))
        .route("/ofrep/v1/configuration", get(bulk::configuration))
        .route("/v1/outcomes", post(doors::outcomes))
        .route("/v1/withdrawals", post(doors::withdraw))
        .route("/v1/status", get(doors::status))
        .route("/metrics", get(metrics::metrics))
        .route_layer(middleware::from_fn_with_state(Arc::clone(&host), guard::guard))
        // Not behind the guard: an exposure token vouches for itself, and health is for whoever looks after the process.
        .route("/v1/exposures", post(doors::expose))
        .route("/healthz", get(doors::health))
        .layer(DefaultBodyLimit::max(limits::REQUEST_BYTES))
        .with_state(host)
}

/// Serves the doors until `stop` comes to an end, then lets open requests finish.
///
/// # Errors
/// What the listener said.
pub async fn serve(
    host: Arc<Host>,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<()> {
    axum::serve(listener, router(host)).with_graceful_shutdown(stop).await
}
