//! A folder laid out like the paths over HTTP, or one sealed file by itself.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flagstone_events::to_hex;
use futures_util::future::{BoxFuture, FutureExt};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use super::{FetchError, Fetched, Item, Source, address};

/// The source at a path: a file is one sealed file and nothing else, anything else is a folder (or will be one).
pub(super) fn at(path: &str) -> Arc<dyn Source> {
    let path = Path::new(path);
    if path.is_file() { Arc::new(File(path.to_owned())) } else { Arc::new(Folder(path.to_owned())) }
}

/// The files `trust`, `trust.{version}`, `pulse` and `snapshots/{digest}`.
#[derive(Debug)]
struct Folder(PathBuf);

/// One sealed file: no pulse, so every rollout plan stays closed.
#[derive(Debug)]
struct File(PathBuf);

impl Source for Folder {
    fn fetch<'a>(
        &'a self,
        item: Item,
        known: Option<&'a str>,
        largest: u64,
    ) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        file(self.0.join(address::file(item)), known, largest).boxed()
    }
}

impl Source for File {
    fn fetch<'a>(
        &'a self,
        _: Item,
        known: Option<&'a str>,
        largest: u64,
    ) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        file(self.0.clone(), known, largest).boxed()
    }

    fn has_pulse(&self) -> bool {
        false
    }
}

async fn file(path: PathBuf, known: Option<&str>, largest: u64) -> Result<Fetched, FetchError> {
    let read = async {
        let mut bytes = Vec::new();
        let file = tokio::fs::File::open(&path).await?;
        // One more than allowed, to tell a file that is too long from one that just fits.
        file.take(largest.saturating_add(1)).read_to_end(&mut bytes).await?;
        if bytes.len() as u64 > largest {
            return Err(io::Error::other(format!("longer than {largest} bytes")));
        }
        Ok(bytes)
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
