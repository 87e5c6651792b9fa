//! The assistant itself: a question in, an answer out, and what was measured about it.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::articles::Passage;
use crate::client::Client;
use crate::measure::{Checker, Measured};
use crate::prompt::{Behaviour, Templates};
use crate::retrieve::Index;

/// Everything that answers are made of, loaded once.
#[derive(Debug)]
pub struct Parts {
    /// The articles' sections.
    pub passages: Vec<Passage>,
    /// Retrieval over them.
    pub index: Index,
    /// The prompt templates.
    pub templates: Templates,
    /// The check of statements.
    pub checker: Checker,
}

impl Parts {
    /// Loads articles and templates and prepares retrieval and measure.
    ///
    /// # Errors
    /// An article or template that does not parse.
    pub fn load() -> Result<Self> {
        let passages = crate::articles::load()?;
        let (index, checker) = (Index::new(&passages), Checker::new(&passages));
        Ok(Self { passages, index, templates: Templates::load()?, checker })
    }
}

/// An answer and what was measured about it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The produced text.
    pub text: String,
    /// What the text says.
    pub measured: Measured,
    /// How long it took, retrieval included.
    pub latency: Duration,
}

/// Answers a question under a behaviour through the model's endpoint. `passage` is the position of the section that
/// the question came from, if it is known: its fact is what the answer should say.
///
/// # Errors
/// An unknown prompt template, or no answer from the endpoint.
pub async fn answer(
    parts: &Parts,
    client: &Client,
    behaviour: &Behaviour,
    question: &str,
    passage: Option<usize>,
    seed: u64,
) -> Result<Answer> {
    let fact = match passage {
        Some(position) => parts.passages.get(position).context("no such passage")?.fact.as_slice(),
        None => &[],
    };
    let template = parts.templates.get(&behaviour.prompt_template)?;
    let start = Instant::now();
    let messages = template.render(question, behaviour.retrieval_depth, &parts.index, &parts.passages);
    let text = client.complete(messages, behaviour, seed).await?;
    let latency = start.elapsed();
    let measured = parts.checker.measure(&text, fact);
    Ok(Answer { text, measured, latency })
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddr};
    use std::sync::Arc;

    use super::*;
    use crate::client::Endpoint;
    use crate::model::{self, Model};
    use crate::server;

    fn behaviour() -> Behaviour {
        Behaviour {
            model: model::NAME.to_owned(),
            prompt_template: "answer@2".to_owned(),
            order: 5,
            temperature: 0.3,
            retrieval_depth: 3,
            max_tokens: 60,
        }
    }

    async fn start() -> (Parts, String) {
        let parts = Parts::load().unwrap();
        let model = Arc::new(Model::train(&parts.passages));
        let (bound, _task) = server::serve(model, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
        (parts, format!("http://{bound}/v1"))
    }

    #[tokio::test]
    async fn a_question_is_answered_over_http_as_the_model_answers_it() {
        let (parts, url) = start().await;
        let client = Client::new(Endpoint { url, ..Default::default() }, Duration::from_secs(5)).unwrap();
        let position = parts.passages.iter().position(|p| p.topic == "reservation time limit").unwrap();
        let question = "What is the reservation time limit?";
        let answer = answer(&parts, &client, &behaviour(), question, Some(position), 9).await.unwrap();
        assert!(answer.measured.found, "{}", answer.text);
        let messages =
            parts.templates.get("answer@2").unwrap().render(question, 3, &parts.index, &parts.passages);
        let direct = Model::train(&parts.passages).complete(&messages, &behaviour().settings(9 >> 1));
        assert_eq!(answer.text, direct.text);
    }

    #[tokio::test]
    async fn the_endpoint_speaks_openais_shape_for_answers_and_errors() {
        let (_, url) = start().await;
        let http = reqwest::Client::new();
        let post = async |body: serde_json::Value| {
            let response = http.post(format!("{url}/chat/completions")).json(&body).send().await.unwrap();
            (response.status().as_u16(), response.json::<serde_json::Value>().await.unwrap())
        };
        let messages = serde_json::json!([{ "role": "user", "content": "hello" }]);
        let (status, answer) = post(serde_json::json!({ "model": model::NAME, "messages": messages })).await;
        assert_eq!((status, answer["object"].as_str()), (200, Some("chat.completion")), "{answer}");
        assert_eq!(answer["choices"][0]["message"]["role"], "assistant");
        assert!(answer["usage"]["total_tokens"].as_u64() > Some(0));
        let (status, error) = post(serde_json::json!({ "model": "other", "messages": messages })).await;
        assert_eq!((status, error["error"]["param"].as_str()), (404, Some("model")));
        let body = serde_json::json!({ "model": model::NAME, "messages": messages, "temperature": 7 });
        let (status, error) = post(body).await;
        assert_eq!((status, error["error"]["param"].as_str()), (400, Some("temperature")));
        assert_eq!(post(serde_json::json!({ "model": model::NAME })).await.0, 422);
    }

    #[tokio::test]
    async fn an_endpoint_that_is_not_there_is_named() {
        let endpoint = Endpoint { url: "http://127.0.0.1:9/v1".to_owned(), ..Default::default() };
        let client = Client::new(endpoint, Duration::from_secs(1)).unwrap();
        let error = client.complete(Vec::new(), &behaviour(), 1).await.unwrap_err();
        assert!(error.to_string().contains("127.0.0.1:9"), "{error}");
    }
}
