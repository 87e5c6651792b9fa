//! The caller of a chat-completions endpoint: ours, or any other that speaks OpenAI's shape.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::model::Message;
use crate::prompt::Behaviour;
use crate::server::{CompletionRequest, CompletionResponse};

/// Where the model is and how to speak to it.
#[derive(Debug, Clone, Default)]
pub struct Endpoint {
    /// Base address up to and without `/chat/completions`, such as `http://127.0.0.1:8080/v1`.
    pub url: String,
    /// Sent instead of a behaviour's model name.
    pub model: Option<String>,
    /// Sent as a bearer token.
    pub token: Option<String>,
}

/// A client with its pool of connections.
#[derive(Debug, Clone)]
pub struct Client {
    endpoint: Endpoint,
    address: String,
    http: reqwest::Client,
    patience: Duration,
}

impl Client {
    /// A client for an endpoint; one answer may take up to `patience`.
    ///
    /// # Errors
    /// The HTTP client cannot be set up.
    pub fn new(endpoint: Endpoint, patience: Duration) -> Result<Self> {
        let http = flagstone_host::client(None).context("cannot set up the HTTP client")?;
        let address = format!("{}/chat/completions", endpoint.url.trim_end_matches('/'));
        Ok(Self { endpoint, address, http, patience })
    }

    /// Lets the model write the next message.
    ///
    /// # Errors
    /// The endpoint cannot be reached, refuses, or answers without a choice.
    pub async fn complete(&self, messages: Vec<Message>, behaviour: &Behaviour, seed: u64) -> Result<String> {
        let request = CompletionRequest {
            model: self.endpoint.model.clone().unwrap_or_else(|| behaviour.model.clone()),
            messages,
            temperature: Some(behaviour.temperature),
            max_tokens: Some(behaviour.max_tokens),
            // Other servers read seeds as signed 64-bit numbers.
            seed: Some(seed >> 1),
            order: Some(behaviour.order),
            stream: None,
        };
        let mut call = self.http.post(&self.address).timeout(self.patience).json(&request);
        if let Some(token) = &self.endpoint.token {
            call = call.bearer_auth(token);
        }
        let response =
            call.send().await.with_context(|| format!("cannot reach the model at `{}`", self.address))?;
        let status = response.status();
        if !status.is_success() {
            let body = response.text().await.unwrap_or_default();
            bail!("the model at `{}` answered {status}: {body}", self.address);
        }
        let answer: CompletionResponse =
            response.json().await.context("the model's answer is not a completion")?;
        let choice = answer.choices.into_iter().next().context("the model's answer holds no choice")?;
        Ok(choice.message.content)
    }
}
