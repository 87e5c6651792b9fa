//! An object store: `s3://bucket/prefix`, any server that speaks S3. Requests go through the host's own HTTP client, so
//! roots, redirects and proxies are as everywhere; attempts are not repeated here, since the back-off is sync's.

use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{BoxFuture, FutureExt};
use http_body_util::BodyExt;
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};
use object_store::path::Path;
use object_store::{ClientOptions, GetOptions, ObjectStore, RetryConfig};

use super::{Access, FetchError, Fetched, Item, Source, address, client, retry_after};
use crate::HostError;

/// What the server asked for with its last refusal; the store's own errors do not say.
type Asked = Arc<Mutex<Option<Duration>>>;

/// Items are objects below a prefix, named as files in a folder are.
#[derive(Debug)]
pub(super) struct Objects {
    store: Arc<dyn ObjectStore>,
    prefix: Path,
    request_time: Duration,
    asked: Asked,
}

/// The source at `s3://bucket/prefix`. Settings come from the environment (`AWS_...`) and, before it, from the options.
pub(super) fn s3(url: &str, access: &Access) -> Result<Arc<dyn Source>, HostError> {
    let wrong = |what: String| HostError::Config(format!("`{url}`: {what}"));
    let (bucket, prefix) =
        url.strip_prefix("s3://").map_or(("", ""), |rest| rest.split_once('/').unwrap_or((rest, "")));
    if bucket.is_empty() {
        return Err(wrong("no bucket\nhint: `s3://bucket/prefix`".to_owned()));
    }
    let asked = Asked::default();
    let service = Service { client: client(access.root_certificates.as_deref())?, asked: Arc::clone(&asked) };
    let once = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    let mut builder =
        AmazonS3Builder::from_env().with_bucket_name(bucket).with_retry(once).with_http_connector(service);
    for (name, value) in &access.store_options {
        let key = AmazonS3ConfigKey::from_str(&name.to_lowercase()).map_err(|_| {
            wrong(format!("`{name}` is no option of an S3 store\nhint: endpoint, region, access_key_id, secret_access_key, ..."))
        })?;
        builder = builder.with_config(key, value);
    }
    let store = builder.build().map_err(|error| wrong(error.to_string()))?;
    let prefix = Path::parse(prefix).map_err(|error| wrong(error.to_string()))?;
    Ok(Arc::new(Objects::new(Arc::new(store), prefix, access.request_time, asked)))
}

impl Objects {
    pub(super) fn new(
        store: Arc<dyn ObjectStore>,
        prefix: Path,
        request_time: Duration,
        asked: Asked,
    ) -> Self {
        Self { store, prefix, request_time, asked }
    }

    async fn get(&self, item: Item, known: Option<&str>, largest: u64) -> Result<Fetched, FetchError> {
        let path = Path::from(format!("{}/{}", self.prefix, address::file(item)));
        let options = GetOptions { if_none_match: known.map(str::to_owned), ..GetOptions::default() };
        let answer = match self.store.get_opts(&path, options).await {
            Ok(answer) => answer,
            Err(object_store::Error::NotModified { .. }) if known.is_some() => {
                return Ok(Fetched::NotModified);
            }
            Err(object_store::Error::NotFound { .. }) => return Ok(Fetched::Missing),
            Err(error) => return Err(plain(&error)),
        };
        let tag = answer.meta.e_tag.clone();
        let mut bytes = Vec::new();
        let mut stream = answer.into_stream();
        while let Some(chunk) = stream.next().await {
            let chunk = chunk.map_err(|error| plain(&error))?;
            if (bytes.len() as u64).saturating_add(chunk.len() as u64) > largest {
                return Err(format!("the object is longer than {largest} bytes").into());
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Fetched::Body(bytes, tag))
    }
}

impl Source for Objects {
    fn fetch<'a>(
        &'a self,
        item: Item,
        known: Option<&'a str>,
        largest: u64,
    ) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        async move {
            match tokio::time::timeout(self.request_time, self.get(item, known, largest)).await {
                Ok(answer) => answer.map_err(|error| {
                    let retry_after = self.asked.lock().unwrap_or_else(PoisonError::into_inner).take();
                    FetchError { retry_after, ..error }
                }),
                Err(_) => Err(format!("no whole object within {} s", self.request_time.as_secs_f64()).into()),
            }
        }
        .boxed()
    }
}

/// The outermost sentence names the path and the innermost cause what happened; both are needed.
fn plain(error: &object_store::Error) -> FetchError {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    let (whole, cause) = (error.to_string(), cause.to_string());
    if whole.contains(&cause) { whole.into() } else { format!("{whole}: {cause}").into() }
}

/// The host's HTTP client as the store wants one.
#[derive(Debug, Clone)]
struct Service {
    client: reqwest::Client,
    asked: Asked,
}

impl HttpConnector for Service {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait::async_trait]
impl HttpService for Service {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let url = reqwest::Url::parse(&parts.uri.to_string());
        let url = url.map_err(|error| HttpError::new(HttpErrorKind::Request, error))?;
        let mut ours = reqwest::Request::new(parts.method, url);
        *ours.headers_mut() = parts.headers;
        if let Some(bytes) = body.as_bytes().filter(|bytes| !bytes.is_empty()) {
            *ours.body_mut() = Some(bytes.clone().into());
        }
        let answer = self.client.execute(ours).await;
        let answer = answer.map_err(|error| HttpError::new(HttpErrorKind::Connect, error))?;
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = retry_after(answer.headers());
        let (parts, body) = http::Response::<reqwest::Body>::from(answer).into_parts();
        let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body)))
    }
}
