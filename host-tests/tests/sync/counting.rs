//! A source that counts how many requests of its host are under way at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flagstone_host::{FetchError, Fetched, Item, Source};
use futures_util::future::{BoxFuture, FutureExt};

/// Another source, counted.
#[derive(Debug)]
pub(crate) struct Counting {
    inner: Arc<dyn Source>,
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Counting {
    pub(crate) fn new(inner: Arc<dyn Source>) -> Arc<Self> {
        Arc::new(Self { inner, now: AtomicUsize::new(0), most: AtomicUsize::new(0) })
    }

    /// The most that were under way at once.
    pub(crate) fn most(&self) -> usize {
        self.most.load(Ordering::SeqCst)
    }
}

/// Counts down also when the request is given up.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source for Counting {
    fn fetch<'a>(
        &'a self,
        item: Item,
        known: Option<&'a str>,
        largest: u64,
    ) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        async move {
            let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
            let _under_way = UnderWay(&self.now);
            self.most.fetch_max(now, Ordering::SeqCst);
            self.inner.fetch(item, known, largest).await
        }
        .boxed()
    }
}
