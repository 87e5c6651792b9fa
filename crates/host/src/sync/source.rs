//! Where sealed files come from: a control plane over HTTP, a folder, or one file.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flagstone_events::to_hex;
use sha2::{Digest, Sha256};

use crate::HostError;
use crate::limits;

/// Where sealed files come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// A control plane, as `http://127.0.0.1:7070`: everything is at `/v1/environments/{environment}/...` below it.
    Http {
        /// The address that the paths of one environment follow, without a slash at its end.
        environment: String,
    },
    /// A folder with the files `trust`, `pulse` and `snapshots/<digest>`, laid out like the paths over HTTP.
    Folder(PathBuf),
    /// One sealed file and nothing else: no pulse, so every rollout plan stays closed.
    File(PathBuf),
}

/// What to fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// The trust note in force.
    Trust,
    /// An older trust note, by version, for a host that missed rotations.
    TrustVersion(u64),
    /// The pulse.
    Pulse,
    /// A sealed file, by the digest of its statement.
    Snapshot([u8; 32]),
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched {
    /// The bytes, and a tag to ask with the next time.
    Body(Vec<u8>, Option<String>),
    /// As the tag says: nothing new.
    NotModified,
    /// There is no such thing there.
    Missing,
}

/// Why nothing came back. Every one of these is tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FetchError {
    /// What happened, in a sentence.
    pub message: String,
    /// What the server asked for with `Retry-After` (in seconds; dates are not understood).
    pub retry_after: Option<Duration>,
}

impl From<String> for FetchError {
    fn from(message: String) -> Self {
        Self { message, retry_after: None }
    }
}

impl Source {
    /// Reads `http://…` or `file:…` (a folder or a file; a bare path is one too).
    ///
    /// # Errors
    /// [`HostError::Config`].
    pub fn parse(text: &str, environment: &str) -> Result<Self, HostError> {
        if let Some(rest) = text.strip_prefix("file:") {
            return Ok(Self::path(Path::new(rest.strip_prefix("//").unwrap_or(rest))));
        }
        if text.starts_with("http://") {
            let base = text.trim_end_matches('/');
            return Ok(Self::Http { environment: format!("{base}/v1/environments/{environment}") });
        }
        if text.starts_with("https://") {
            return Err(HostError::Config(format!(
                "`{text}`: this build speaks plain http only\nhint: sealed files prove themselves whatever carries \
                 them; for reports put a TLS proxy beside the host"
            )));
        }
        match text.split_once("://") {
            Some(_) => Err(HostError::Config(format!(
                "`{text}` is no source\nhint: `http://host:port` or `file:PATH`"
            ))),
            None => Ok(Self::path(Path::new(text))),
        }
    }

    fn path(path: &Path) -> Self {
        if path.is_file() { Self::File(path.to_owned()) } else { Self::Folder(path.to_owned()) }
    }

    /// Whether pulses can come from here.
    #[must_use]
    pub const fn has_pulse(&self) -> bool {
        !matches!(self, Self::File(_))
    }

    /// Fetches an item of at most `largest` bytes, unless it still has the tag `known`.
    ///
    /// # Errors
    /// [`FetchError`].
    pub async fn fetch(
        &self,
        client: &reqwest::Client,
        item: Item,
        known: Option<&str>,
        largest: u64,
    ) -> Result<Fetched, FetchError> {
        match self {
            Self::Http { environment } => {
                let url = format!("{environment}/{}", address(item));
                let get = http(client, &url, known, largest);
                match tokio::time::timeout(limits::REQUEST_TIME, get).await {
                    Ok(answer) => answer,
                    Err(_) => {
                        Err(format!("no whole answer within {} s", limits::REQUEST_TIME.as_secs()).into())
                    }
                }
            }
            Self::Folder(folder) => file(folder.join(address(item)), known, largest).await,
            Self::File(path) if matches!(item, Item::Snapshot(_)) => file(path.clone(), known, largest).await,
            Self::File(_) => Ok(Fetched::Missing),
        }
    }
}

fn address(item: Item) -> String {
    match item {
        Item::Trust => "trust".to_owned(),
        Item::TrustVersion(version) => format!("trust/{version}"),
        Item::Pulse => "pulse".to_owned(),
        Item::Snapshot(digest) => format!("snapshots/{}", to_hex(&digest)),
    }
}

async fn http(
    client: &reqwest::Client,
    url: &str,
    known: Option<&str>,
    largest: u64,
) -> Result<Fetched, FetchError> {
    let mut request = client.get(url);
    if let Some(tag) = known {
        request = request.header(reqwest::header::IF_NONE_MATCH, tag);
    }
    let mut answer = request.send().await.map_err(|error| plain(&error))?;
    let status = answer.status().as_u16();
    match status {
        200 => {}
        304 if known.is_some() => return Ok(Fetched::NotModified),
        404 => return Ok(Fetched::Missing),
        _ => {
            let retry_after = retry_after(answer.headers());
            return Err(FetchError { message: format!("the server answered {status}"), retry_after });
        }
    }
    let too_long = || FetchError::from(format!("the answer is longer than {largest} bytes"));
    let promised = answer.content_length();
    if promised.is_some_and(|length| length > largest) {
        return Err(too_long());
    }
    let tag =
        answer.headers().get(reqwest::header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| plain(&error))? {
        if (body.len() as u64).saturating_add(chunk.len() as u64) > largest {
            return Err(too_long());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Fetched::Body(body, tag))
}

/// `Retry-After` in seconds.
pub(crate) fn retry_after(headers: &reqwest::header::HeaderMap) -> Option<Duration> {
    let text = headers.get(reqwest::header::RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
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

async fn file(path: PathBuf, known: Option<&str>, largest: u64) -> Result<Fetched, FetchError> {
    let read = async {
        let length = tokio::fs::metadata(&path).await?.len();
        if length > largest {
            return Err(io::Error::other(format!("longer than {largest} bytes")));
        }
        tokio::fs::read(&path).await
    };
    match read.await {
        Ok(bytes) => {
            let tag = to_hex(&Sha256::digest(&bytes));
            let same = known == Some(tag.as_str());
            Ok(if same { Fetched::NotModified } else { Fetched::Body(bytes, Some(tag)) })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Fetched::Missing),
        Err(error) => Err(format!("`{}`: {error}", path.display()).into()),
    }
}
