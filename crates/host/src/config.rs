//! Settings of a host.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flagstone_events::{Pepper, Stream};

use crate::clock::Time;
use crate::engine::ComponentSource;
use crate::limits;
use crate::reporting::Reporting;
use crate::sync::Source;

/// Settings of a host. [`HostConfig::new`] fills in everything that has a sensible default; change the rest by field.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Where sealed files come from: `https://host`, `s3://bucket/prefix` or `file:PATH`, see [`crate::source`].
    pub source: String,
    /// A source of one's own, instead of an address.
    pub own_source: Option<Arc<dyn Source>>,
    /// Root certificates (PEM) that count beside the system's, for `https` and `s3`.
    pub root_certificates: Option<Vec<u8>>,
    /// Options of an object store, see [`crate::Access::store_options`].
    pub store_options: BTreeMap<String, String>,
    /// A sealed file that came with the program: served from the first moment when it is newer than what the disk kept. It
    /// may have expired; the host then starts in the state expired.
    pub embedded: Option<Vec<u8>>,
    /// The pinned trust note.
    pub trust: Vec<u8>,
    /// Who this host is, as `acme.example/assistant`.
    pub audience: String,
    /// Where it runs, as `production`.
    pub environment: String,
    /// Its own folder for the last good files, the event spool and the engine's compiled code.
    pub data_dir: PathBuf,
    /// The secret that pseudonyms are made with.
    pub pepper: Pepper,
    /// The engine component.
    pub component: ComponentSource,
    /// How many instances of the engine decide side by side; at least 1, at most [`limits::POOL_INSTANCES`]. Each answers one call at a time and
    /// holds the whole snapshot. One is enough for some hundred thousand decisions a second.
    pub instances: usize,
    /// The stream that events belong to unless said otherwise.
    pub stream: Stream,
    /// Where events go.
    pub report: Report,
    /// Time between looks at the pulse, give or take a tenth.
    pub poll: Duration,
    /// Time between looks at the pulse while a stream brings pulses by itself, give or take a tenth.
    pub poll_live: Duration,
    /// The longest silence after which the stream of pulses is given up and opened anew; none: it is not asked for.
    pub push: Option<Duration>,
    /// From the first byte of a request to the last of its answer.
    pub request_time: Duration,
    /// Time between looks at the trust root when nothing else calls for one.
    pub trust_poll: Duration,
    /// First step of the back-off after a failure.
    pub backoff_first: Duration,
    /// How long the start waits for a first snapshot from the network when the disk has none.
    pub init_timeout: Duration,
    /// How long a part-filled batch of events waits for more.
    pub linger: Duration,
    /// Events in one batch, at most 1,000.
    pub batch_events: usize,
    /// Bytes of the event spool.
    pub spool_bytes: u64,
    /// Bytes of one spool segment.
    pub segment_bytes: u64,
    /// Events between the application and the spool.
    pub queue_events: usize,
    /// Window within which repeated exposures of a unit count as one, milliseconds, at least 1.
    pub exposure_window_ms: u64,
    /// What is reported, of whom, and how.
    pub reporting: Reporting,
    /// Where the time comes from.
    pub time: Time,
}

/// Where events go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// To the control plane that the snapshots come from. With a `file:` source they stay in the spool.
    Source,
    /// To this control plane, as `https://host`.
    To(String),
    /// Into the spool only, where another host (or this one, started otherwise) can send them later.
    Keep,
}

impl HostConfig {
    /// Settings with defaults for everything that has one.
    pub fn new(
        source: impl Into<String>,
        trust: impl Into<Vec<u8>>,
        audience: impl Into<String>,
        environment: impl Into<String>,
        data_dir: impl Into<PathBuf>,
        pepper: Pepper,
    ) -> Self {
        Self {
            source: source.into(),
            own_source: None,
            root_certificates: None,
            store_options: BTreeMap::new(),
            embedded: None,
            trust: trust.into(),
            audience: audience.into(),
            environment: environment.into(),
            data_dir: data_dir.into(),
            pepper,
            component: ComponentSource::Find,
            instances: 1,
            stream: Stream::Production,
            report: Report::Source,
            poll: limits::POLL,
            poll_live: limits::POLL_LIVE,
            push: Some(limits::PUSH_SILENCE),
            request_time: limits::REQUEST_TIME,
            trust_poll: limits::TRUST_POLL,
            backoff_first: limits::BACKOFF_FIRST,
            init_timeout: limits::INIT_TIMEOUT,
            linger: limits::LINGER,
            batch_events: limits::BATCH_EVENTS,
            spool_bytes: limits::SPOOL_BYTES,
            segment_bytes: limits::SEGMENT_BYTES,
            queue_events: limits::QUEUE_EVENTS,
            exposure_window_ms: limits::EXPOSURE_WINDOW_MS,
            reporting: Reporting::default(),
            time: Time::system(),
        }
    }
}
