//! Where sealed files come from: one small trait, and the places that are built in.

mod address;
mod client;
mod folder;
mod http;
#[cfg(feature = "object-store")]
mod object;
mod retry;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{self, BoxFuture, FutureExt};
use futures_util::stream::BoxStream;

use crate::{HostError, limits};

pub use client::client;
pub(crate) use http::plain;
pub(crate) use retry::retry_after;

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
    /// What the server asked for with `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl From<String> for FetchError {
    fn from(message: String) -> Self {
        Self { message, retry_after: None }
    }
}

/// The bytes of a live stream, as they come.
pub type LiveBytes = BoxStream<'static, Result<Vec<u8>, FetchError>>;

/// Where sealed files come from. It is asked for one item at a time. What it gives needs no trust: every byte is
/// verified afterwards, so a source may be a cache, a disk or a stranger.
pub trait Source: Debug + Send + Sync + 'static {
    /// Fetches an item, unless it still has the tag `known`, which came with an earlier [`Fetched::Body`]. It must not
    /// hold more than `largest` bytes, whatever it is sent, and must come to an end by itself.
    fn fetch<'a>(
        &'a self,
        item: Item,
        known: Option<&'a str>,
        largest: u64,
    ) -> BoxFuture<'a, Result<Fetched, FetchError>>;

    /// Whether pulses come from here. A source without them gives one sealed file, whatever digest it is asked for.
    fn has_pulse(&self) -> bool {
        true
    }

    /// Opens a stream of server-sent events that brings every new pulse. None: there is no such thing here.
    fn live(&self) -> BoxFuture<'_, Result<Option<LiveBytes>, FetchError>> {
        future::ready(Ok(None)).boxed()
    }

    /// Where batches of events can be posted, if they can.
    fn events(&self) -> Option<String> {
        None
    }
}

/// How to reach a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Root certificates (PEM) that count beside the system's, for `https` and `s3`.
    pub root_certificates: Option<Vec<u8>>,
    /// From the first byte of a request to the last of its answer.
    pub request_time: Duration,
    /// Options of an object store by the names that the `object_store` crate gives them (`endpoint`, `region`,
    /// `access_key_id`, `secret_access_key`, `allow_http`, ...). They win over the environment (`AWS_...`).
    pub store_options: BTreeMap<String, String>,
}

impl Default for Access {
    fn default() -> Self {
        Self { root_certificates: None, request_time: limits::REQUEST_TIME, store_options: BTreeMap::new() }
    }
}

/// The source at an address: `http://...`, `https://...`, `s3://bucket/prefix` (feature `object-store`), `file:PATH` or a
/// bare path (a folder or one sealed file).
///
/// # Errors
/// [`HostError::Config`] with a hint.
pub fn source(address: &str, environment: &str, access: &Access) -> Result<Arc<dyn Source>, HostError> {
    if let Some(rest) = address.strip_prefix("file:") {
        return Ok(folder::at(rest.strip_prefix("//").unwrap_or(rest)));
    }
    let Some((scheme, _)) = address.split_once("://") else { return Ok(folder::at(address)) };
    match scheme {
        "http" | "https" => {
            let client = client(access.root_certificates.as_deref())?;
            Ok(Arc::new(http::Http::new(client, address, environment, access.request_time)))
        }
        #[cfg(feature = "object-store")]
        "s3" => object::s3(address, access),
        #[cfg(not(feature = "object-store"))]
        "s3" => Err(HostError::Config(format!(
            "`{address}`: this build has no object stores\nhint: build `flagstone-host` with its feature `object-store`"
        ))),
        _ => Err(HostError::Config(format!(
            "`{address}` is no source\nhint: `https://host`, `s3://bucket/prefix` or `file:PATH`"
        ))),
    }
}
