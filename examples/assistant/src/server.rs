//! The model's HTTP endpoint, in the OpenAI chat-completions shape, so that a real model server can stand in its place.
//!
//! `POST /v1/chat/completions` takes `model`, `messages` (`role`, `content` as text), `temperature` (default 1),
//! `max_tokens` or `max_completion_tokens` (default 60), `seed`, and one field of its own: `order` (default 4), which
//! other servers ignore. `GET /v1/models` lists the one model. Errors have OpenAI's shape. Streaming is not offered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::model::{self, Finish, Message, Model, Settings};

/// A request, as this server reads it and [`crate::client`] writes it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompletionRequest {
    /// The model's name.
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<Message>,
    /// Sampling temperature, 0 to 2.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// The most tokens to produce.
    #[serde(default, alias = "max_completion_tokens", skip_serializing_if = "Option::is_none")]
    pub max_tokens: Option<usize>,
    /// The same seed gives the same text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Order of the n-gram model: this server's own field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<usize>,
    /// Only `false` is possible.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<bool>,
}

/// An answer, as this server writes it and [`crate::client`] reads it; unknown fields are left alone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CompletionResponse {
    /// A name for this answer.
    #[serde(default)]
    pub id: String,
    /// `chat.completion`.
    #[serde(default)]
    pub object: String,
    /// Unix seconds.
    #[serde(default)]
    pub created: u64,
    /// The model that answered.
    #[serde(default)]
    pub model: String,
    /// One answer.
    pub choices: Vec<Choice>,
    /// Tokens read and produced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// One answer of a response.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Choice {
    /// Position among the answers.
    #[serde(default)]
    pub index: u32,
    /// The text.
    pub message: Message,
    /// `stop` or `length`.
    #[serde(default)]
    pub finish_reason: Option<String>,
}

/// Tokens read and produced.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens of the messages.
    pub prompt_tokens: usize,
    /// Tokens of the answer.
    pub completion_tokens: usize,
    /// Both.
    pub total_tokens: usize,
}

/// A refused request in OpenAI's shape.
struct Refused(StatusCode, String, Option<&'static str>);

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(status, message, parameter) = self;
        let error =
            json!({ "message": message, "type": "invalid_request_error", "param": parameter, "code": null });
        (status, Json(json!({ "error": error }))).into_response()
    }
}

/// The endpoint's routes over a model.
pub fn routes(model: Arc<Model>) -> Router {
    Router::new()
        .route("/v1/chat/completions", post(complete))
        .route("/v1/models", get(models))
        .with_state(model)
}

/// Listens on an address (port 0 takes a free one) and serves until the handle is dropped or aborted.
///
/// # Errors
/// The address cannot be listened on.
pub async fn serve(model: Arc<Model>, address: SocketAddr) -> Result<(SocketAddr, JoinHandle<()>)> {
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on `{address}`"))?;
    let bound = listener.local_addr().context("the listening address is unknown")?;
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, routes(model)).await {
            tracing::error!(%error, "the model endpoint stopped");
        }
    });
    Ok((bound, task))
}

fn unix_time() -> (u64, u64) {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    (since.as_secs(), u64::try_from(since.as_nanos()).unwrap_or(u64::MAX))
}

async fn models() -> Json<serde_json::Value> {
    let one = json!({ "id": model::NAME, "object": "model", "created": 0, "owned_by": "harbour" });
    Json(json!({ "object": "list", "data": [one] }))
}

async fn complete(
    State(model): State<Arc<Model>>,
    request: Result<Json<CompletionRequest>, JsonRejection>,
) -> Result<Json<CompletionResponse>, Refused> {
    let Json(request) = request.map_err(|error| Refused(error.status(), error.body_text(), None))?;
    let refuse =
        |message: &str, parameter| Err(Refused(StatusCode::BAD_REQUEST, message.to_owned(), Some(parameter)));
    if request.model != model::NAME {
        let message = format!("no model `{}`; there is `{}`", request.model, model::NAME);
        return Err(Refused(StatusCode::NOT_FOUND, message, Some("model")));
    }
    if request.messages.is_empty() {
        return refuse("`messages` is empty", "messages");
    }
    if request.stream == Some(true) {
        return refuse("streaming is not offered; leave `stream` out", "stream");
    }
    let temperature = request.temperature.unwrap_or(1.0);
    if !(0.0..=2.0).contains(&temperature) {
        return refuse("`temperature` must be between 0 and 2", "temperature");
    }
    let order = request.order.unwrap_or(4);
    if !(1..=model::HIGHEST_ORDER).contains(&order) {
        return refuse("`order` must be between 1 and 5", "order");
    }
    let (created, nanoseconds) = unix_time();
    let settings = Settings {
        order,
        temperature,
        max_tokens: request.max_tokens.unwrap_or(60).min(1_000),
        seed: request.seed.unwrap_or(nanoseconds),
    };
    let generated = model.complete(&request.messages, &settings);
    let finish = match generated.finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
    };
    Ok(Json(CompletionResponse {
        id: format!("chatcmpl-{nanoseconds:x}"),
        object: "chat.completion".to_owned(),
        created,
        model: model::NAME.to_owned(),
        choices: vec![Choice {
            index: 0,
            message: Message::new(model::Role::Assistant, generated.text),
            finish_reason: Some(finish.to_owned()),
        }],
        usage: Some(Usage {
            prompt_tokens: generated.prompt_tokens,
            completion_tokens: generated.completion_tokens,
            total_tokens: generated.prompt_tokens + generated.completion_tokens,
        }),
    }))
}
