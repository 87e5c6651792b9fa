//! `flagstone publish`: sealed file -> control plane, with the definition that it was compiled from.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{Statement, inspect};
use serde_json::{Value, json};

use crate::files;
use crate::output::{Output, hex};

/// Hand a sealed file to the control plane, which verifies it and names it in its next pulse.
///
/// A snapshot with rollout plans needs its definition beside it: metrics and guardrails are judged by that,
/// and it must compile to the very bytes that were signed.
#[derive(clap::Args)]
#[command(
    after_help = "Example:\n  flagstone publish flags.sealed --definition flags.yaml --to http://127.0.0.1:7070"
)]
pub(crate) struct Arguments {
    /// The sealed file
    file: PathBuf,
    /// The definition it was compiled from
    #[arg(long, value_name = "FILE")]
    definition: Option<PathBuf>,
    /// The control plane's address
    #[arg(long, value_name = "URL")]
    to: String,
    /// The operator's token
    #[arg(long, value_name = "TOKEN", env = "FLAGSTONE_OPERATOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    #[command(flatten)]
    show: Output,
}

/// A control plane to publish to.
pub(crate) struct Publisher {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
}

impl Publisher {
    pub(crate) fn new(base: &str, token: Option<String>) -> Result<Self> {
        Ok(Publisher {
            client: flagstone_host::client(None)?,
            base: base.trim_end_matches('/').into(),
            token,
        })
    }

    /// Sends definition and file; the answer says whether the snapshot is now the current one.
    pub(crate) async fn publish(&self, file: &[u8], definition: Option<String>) -> Result<Value> {
        let claim =
            inspect(file, SERVER_PAYLOAD_BYTES).map_err(|error| anyhow!("it is no sealed file: {error}"))?;
        let Statement::Snapshot(statement) = claim.statement else { bail!("it is no sealed snapshot") };
        let environment = format!("{}/v1/environments/{}", self.base, statement.environment);
        let request = self.client.post(format!("{environment}/snapshots"));
        let request = request.header("content-type", "application/octet-stream").body(file.to_vec());
        let mut answer = self.send(request).await?;
        if let Some(definition) = definition {
            let url = format!("{environment}/definitions/{}", hex(&statement.digest()));
            let request = self.client.put(url).header("content-type", "text/plain").body(definition);
            answer = self.send(request).await?;
        }
        Ok(answer)
    }

    /// The next trust note of an environment.
    pub(crate) async fn trust(&self, environment: &str, note: Vec<u8>) -> Result<Value> {
        let url = format!("{}/v1/environments/{environment}/trust", self.base);
        let request = self.client.post(url).header("content-type", "application/octet-stream");
        self.send(request.body(note)).await
    }

    /// An operator's order about one flag: `start`, `halt` or `resume`.
    pub(crate) async fn order(
        &self,
        environment: &str,
        flag: &str,
        order: &str,
        by: &str,
        reason: &str,
    ) -> Result<Value> {
        let url = format!("{}/v1/environments/{environment}/flags/{flag}/{order}", self.base);
        self.send(self.client.post(url).json(&json!({"by": by, "reason": reason}))).await
    }

    /// The report on a flag, now or at a moment (unix seconds).
    pub(crate) async fn report(&self, environment: &str, flag: &str, at: Option<u64>) -> Result<Value> {
        let url = format!("{}/v1/environments/{environment}/flags/{flag}/report", self.base);
        let moment = at.map(|at| format!("?at={at}")).unwrap_or_default();
        self.send(self.client.get(url + &moment)).await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Value> {
        let request = match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        };
        let answer = request.send().await.with_context(|| format!("cannot reach `{}`", self.base))?;
        let status = answer.status();
        let text = answer.text().await.context("the answer broke off")?;
        let body: Value = serde_json::from_str(&text).unwrap_or(Value::String(text));
        if status.is_success() {
            return Ok(body);
        }
        let message = body["error"]["message"].as_str().map_or_else(|| body.to_string(), str::to_owned);
        let code = body["error"]["code"].as_str().unwrap_or("no-code");
        bail!("`{}` refused it: {message} ({code}, {status})", self.base)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let file = files::read(&arguments.file)?;
    let definition = arguments.definition.as_deref().map(files::read_text).transpose()?;
    let publisher = Publisher::new(&arguments.to, arguments.token.clone())?;
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let answer = runtime.block_on(publisher.publish(&file, definition))?;
    let current = answer["current"] == Value::Bool(true);
    let mut line =
        format!("published to {}, digest {}", arguments.to, answer["digest"].as_str().unwrap_or_default());
    match answer["waits"].as_str() {
        Some(why) => line += &format!("; it waits: {why}"),
        None if current => line += "; the next pulse names it",
        None => {}
    }
    arguments.show.say(&line);
    arguments.show.object(&json!({"published": true, "current": current, "answer": answer}));
    Ok(ExitCode::SUCCESS)
}
