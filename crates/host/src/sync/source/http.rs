//! A control plane, or a cache before it, over `http` or `https`.

use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use reqwest::header::{ACCEPT, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use reqwest::{Client, Response};

use super::{FetchError, Fetched, Item, LiveBytes, Source, address, retry_after};

/// What a stream of server-sent events says it is.
const EVENT_STREAM: &str = "text/event-stream";

/// Everything of one environment is below one address.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    /// Without a slash at its end.
    environment: String,
    request_time: Duration,
}

impl Http {
    pub(super) fn new(client: Client, base: &str, environment: &str, request_time: Duration) -> Self {
        let environment = format!("{}/v1/environments/{environment}", base.trim_end_matches('/'));
        Self { client, environment, request_time }
    }

    async fn within<T>(&self, asked: impl Future<Output = Result<T, FetchError>>) -> Result<T, FetchError> {
        match tokio::time::timeout(self.request_time, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(format!("no whole answer within {} s", self.request_time.as_secs_f64()).into()),
        }
    }

    async fn get(&self, item: Item, known: Option<&str>, largest: u64) -> Result<Fetched, FetchError> {
        let mut request = self.client.get(format!("{}/{}", self.environment, address::path(item)));
        if let Some(tag) = known {
            request = request.header(IF_NONE_MATCH, tag);
        }
        let answer = request.send().await.map_err(|error| plain(&error))?;
        match answer.status().as_u16() {
            200 => {}
            304 if known.is_some() => return Ok(Fetched::NotModified),
            404 => return Ok(Fetched::Missing),
            _ => return Err(refused(&answer)),
        }
        let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok(Fetched::Body(body(answer, largest).await?, tag))
    }

    async fn open_live(&self) -> Result<Option<LiveBytes>, FetchError> {
        let request =
            self.client.get(format!("{}/pulse/live", self.environment)).header(ACCEPT, EVENT_STREAM);
        let answer = request.send().await.map_err(|error| plain(&error))?;
        match answer.status().as_u16() {
            200 => {}
            404 | 405 | 406 | 501 => return Ok(None),
            _ => return Err(refused(&answer)),
        }
        let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case(EVENT_STREAM)) {
            return Ok(None); // something else lives at this path
        }
        let bytes = answer.bytes_stream();
        Ok(Some(bytes.map(|chunk| chunk.map(|bytes| bytes.to_vec()).map_err(|error| plain(&error))).boxed()))
    }
}

impl Source for Http {
    fn fetch<'a>(
        &'a self,
        item: Item,
        known: Option<&'a str>,
        largest: u64,
    ) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        self.within(self.get(item, known, largest)).boxed()
    }

    fn live(&self) -> BoxFuture<'_, Result<Option<LiveBytes>, FetchError>> {
        self.within(self.open_live()).boxed()
    }

    fn events(&self) -> Option<String> {
        Some(format!("{}/events", self.environment))
    }
}

/// The body, given up at the first byte beyond `largest`.
async fn body(mut answer: Response, largest: u64) -> Result<Vec<u8>, FetchError> {
    let too_long = || FetchError::from(format!("the answer is longer than {largest} bytes"));
    if answer.content_length().is_some_and(|length| length > largest) {
        return Err(too_long());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| plain(&error))? {
        if (body.len() as u64).saturating_add(chunk.len() as u64) > largest {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn refused(answer: &Response) -> FetchError {
    let message = format!("the server answered {}", answer.status().as_u16());
    FetchError { message, retry_after: retry_after(answer.headers()) }
}

/// The innermost cause, which is what a person can use: `connection refused`, not `error sending request`.
pub(crate) fn plain(error: &reqwest::Error) -> FetchError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let url = error.url().map(|url| format!("`{url}`: ")).unwrap_or_default();
    format!("{url}{cause}").into()
}
