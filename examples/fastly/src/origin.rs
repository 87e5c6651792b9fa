//! The control plane, through the backend `control`, and the cache of this point of presence. Nothing that comes from either is
//! believed before it was verified.

use std::io::{Read as _, Write as _};
use std::time::Duration;

use fastly::cache::core::{self, CacheKey};
use fastly::http::Method;
use fastly::{Body, Error, Request};

const BACKEND: &str = "control";
/// Bytes of an answer at most: a payload for servers (docs/sealed-files.md) and room for what stands before it.
const MOST: u64 = (4 << 20) + (64 << 10);

/// The control plane's doors of one environment.
pub struct Origin {
    address: String,
    environment: String,
}

impl Origin {
    /// At an address.
    pub fn new(address: &str, environment: &str) -> Self {
        Self { address: address.trim_end_matches('/').to_owned(), environment: environment.to_owned() }
    }

    fn request(&self, method: Method, path: &str) -> Request {
        let url = format!("{}/v1/environments/{}/{path}", self.address, self.environment);
        // Kept by name in the cache below instead, for what is kept there was verified.
        Request::new(method, url).with_pass(true)
    }

    /// What is published at a path.
    pub fn get(&self, path: &str) -> Result<Vec<u8>, Error> {
        let answer = self.request(Method::GET, path).send(BACKEND)?;
        let status = answer.get_status();
        if !status.is_success() {
            return Err(Error::msg(format!("the control plane answered {status} for `{path}`")));
        }
        read(answer.into_body(), MOST)?.ok_or_else(|| {
            Error::msg(format!("what the control plane has at `{path}` is larger than {MOST} bytes"))
        })
    }

    /// Hands over events as JSON text; the answer's text.
    pub fn post(&self, path: &str, json: String) -> Result<String, Error> {
        let request = self.request(Method::POST, path).with_header("content-type", "application/json");
        let answer = request.with_body(json).send(BACKEND)?;
        let status = answer.get_status();
        if !status.is_success() {
            return Err(Error::msg(format!("the control plane answered {status} for `{path}`")));
        }
        Ok(answer.into_body_str_lossy())
    }

    fn key(&self, name: &str) -> CacheKey {
        CacheKey::from(format!("flagstone/{}/{name}", self.environment))
    }

    /// What was kept under a name and is not too old.
    pub fn kept(&self, name: &str) -> Option<Vec<u8>> {
        let found = core::lookup(self.key(name)).execute().ok()??;
        read(found.to_stream().ok()?, MOST).ok()?
    }

    /// Keeps bytes under a name for so many seconds; not at all for 0. A cache that takes nothing costs time only.
    pub fn keep(&self, name: &str, bytes: &[u8], seconds: u64) {
        if seconds == 0 {
            return;
        }
        let kept = || -> Result<(), Error> {
            let mut writer = core::insert(self.key(name), Duration::from_secs(seconds)).execute()?;
            writer.write_all(bytes)?;
            Ok(writer.finish()?)
        };
        if let Err(error) = kept() {
            eprintln!("flagstone: not cached: {error}");
        }
    }
}

/// A body's bytes; none when there are more than `most`.
pub fn read(body: Body, most: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    body.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}
