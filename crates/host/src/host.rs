//! The host: everything started, wired and stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use flagstone_events::Stream;
use flagstone_events::token::TokenError;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::account::Account;
use crate::clock::{self, HostClock};
use crate::config::{HostConfig, Report};
use crate::engine::{Code, Engine};
use crate::evaluation::{ContextText, Evaluation, unit_at};
use crate::live::{Live, Loaded};
use crate::peppers::Peppers;
use crate::record::{Recorded, Recorder};
use crate::report::{ReportConfig, ReportCounts, Reporter, Wire};
use crate::reporting::Reporting;
use crate::spool::{Spool, SpoolLimits};
use crate::status::{EventStatus, HostStatus};
use crate::store::Store;
use crate::sync::{self, Access, Gate, Horizon, Keeper, Source, State, SyncConfig, SyncStatus, Syncer};
use crate::{HostError, limits};

/// A running host. Evaluation is synchronous and never waits for network or disk; share it in an `Arc`.
pub struct Host {
    live: Arc<Live>,
    engine: Arc<Engine>,
    clock: Arc<HostClock>,
    has_pulse: bool,
    sync: Arc<Mutex<SyncStatus>>,
    horizon: Arc<RwLock<Horizon>>,
    sync_now: Arc<Notify>,
    stop_sync: watch::Sender<bool>,
    account: Account,
    poll: Duration,
    spool: Arc<Mutex<Spool>>,
    report: Arc<ReportCounts>,
    stop_report: watch::Sender<Option<tokio::time::Instant>>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
    evaluations: AtomicU64,
}

/// An outcome to report: something measured about a unit.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OutcomeReport {
    /// What metrics refer to as their `event`.
    pub name: String,
    /// The caller's own id of the thing measured; makes a repeated report recognisable. It is not sent.
    pub request: String,
    /// Numbers as measured (they are sent as millionths).
    pub measures: BTreeMap<String, f64>,
    /// Yes-or-no observations.
    pub booleans: BTreeMap<String, bool>,
    /// Coarse dimensions declared in the plan.
    pub slices: BTreeMap<String, String>,
    /// When, unix milliseconds; none: now.
    pub at_ms: Option<u64>,
    /// The stream; none: the host's. Another than the host's is refused: streams never mix.
    pub stream: Option<Stream>,
    /// Whether the unit consents to analytics; none: it said nothing.
    pub analytics: Option<bool>,
}

impl Host {
    /// Starts a host: brings back what the disk kept, begins to sync and to report, and returns as soon as a verified
    /// snapshot is in force, or after `init_timeout` without one. It must run within a tokio runtime.
    ///
    /// # Errors
    /// [`HostError`] for settings, component, trust note or folders that cannot be used. A network that is down is no error.
    pub async fn start(config: HostConfig) -> Result<Self, HostError> {
        let component = config.component.clone();
        let folder = config.data_dir.join("compiled");
        let compiled =
            tokio::task::spawn_blocking(move || Engine::from_source_kept_in(&folder, &component)).await;
        let engine = Arc::new(compiled.map_err(|error| HostError::System(error.to_string()))??);
        if let Code::Compiled { instead_of_kept: Some(reason) } = engine.code() {
            tracing::warn!(reason, "the engine was compiled anew");
        }
        Self::start_with(config, engine).await
    }

    /// As [`Host::start`], with an engine that is compiled already; several hosts of one process can share it.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub async fn start_with(config: HostConfig, engine: Arc<Engine>) -> Result<Self, HostError> {
        check(&config)?;
        let access = Access {
            root_certificates: config.root_certificates.clone(),
            request_time: config.request_time,
            store_options: config.store_options.clone(),
        };
        let source = match &config.own_source {
            Some(own) => Arc::clone(own),
            None => sync::source(&config.source, &config.environment, &access)?,
        };
        let (store, kept, mut damage) = Store::open(&config.data_dir)?;
        let clock = Arc::new(HostClock::new(config.time.clone(), kept.latest_issued));
        let (audience, environment) = (config.audience.clone(), config.environment.clone());
        let keeper = Keeper::new(&config.trust, audience.clone(), environment.clone(), kept, clock.seconds());
        let (keeper, more_damage) = keeper.map_err(HostError::Trust)?;
        damage.extend(more_damage);

        let live = Arc::new(Live::new(Arc::clone(&engine), audience, environment, config.instances));
        let sync_config = SyncConfig {
            source: Arc::clone(&source),
            poll: config.poll,
            poll_live: config.poll_live,
            push: config.push,
            trust_poll: config.trust_poll,
            backoff_first: config.backoff_first,
        };
        let gate: Arc<dyn Gate> = Arc::<Live>::clone(&live);
        let mut sync = Syncer::new(sync_config, gate, keeper, Arc::new(store), Arc::clone(&clock), damage);
        sync.restore(config.embedded.clone().map(Arc::from)).await;
        let (sync_status, horizon, recovered) = (sync.status(), sync.horizon(), sync.recovered());

        let (total_bytes, segment_bytes) = (config.spool_bytes, config.segment_bytes);
        let folder = config.data_dir.join("spool");
        let spool = Spool::open(&folder, SpoolLimits { segment_bytes, total_bytes }, instance_name);
        let spool = Arc::new(Mutex::new(spool.map_err(HostError::Spool)?));
        let written = Arc::new(Notify::new());
        let recorder = Recorder::start(Arc::clone(&spool), Arc::clone(&written), config.queue_events);
        let recorder = recorder.map_err(|error| HostError::System(format!("recording thread: {error}")))?;

        let named = (config.audience.as_str(), config.environment.as_str());
        let next = config.reporting.next_pepper.clone();
        let peppers = Peppers::open(config.pepper.clone(), next, named, &config.data_dir);
        let account = Account {
            recorder,
            peppers: peppers.map_err(|error| HostError::System(format!("change of pepper: {error}")))?,
            clock: Arc::clone(&clock),
            live: Arc::clone(&live),
            stream: config.stream,
            window_ms: config.exposure_window_ms,
            reporting: config.reporting.clone(),
        };

        let mut tasks = Vec::new();
        let report = Arc::new(ReportCounts::default());
        let (stop_report, report_stopped) = watch::channel(None);
        if let Some((url, wire)) = report_url(&config, source.as_ref(), &access)? {
            let reporter = Reporter {
                config: ReportConfig {
                    url,
                    wire,
                    token: config.reporting.report_token.clone(),
                    poison: config.data_dir.join("poison"),
                    batch_events: config.batch_events,
                    linger: config.linger,
                    backoff_first: config.backoff_first,
                },
                client: sync::client(config.root_certificates.as_deref())?,
                spool: Arc::clone(&spool),
                counts: Arc::clone(&report),
                written,
                recovered: (config.report == Report::Source).then_some(recovered),
            };
            tasks.push(tokio::spawn(reporter.run(report_stopped)));
        }

        let (first, mut first_attempt) = watch::channel(false);
        let (stop_sync, sync_stopped) = watch::channel(false);
        let sync_now = Arc::new(Notify::new());
        tasks.push(tokio::spawn(sync.run(first, Arc::clone(&sync_now), sync_stopped)));
        if live.current().is_none() {
            // Either way the host starts; without a snapshot it answers with the callers' own defaults.
            let _ = tokio::time::timeout(config.init_timeout, first_attempt.wait_for(|done| *done)).await;
        }
        Ok(Self {
            live,
            engine,
            clock,
            has_pulse: source.has_pulse(),
            sync: sync_status,
            horizon,
            sync_now,
            stop_sync,
            account,
            poll: config.poll,
            spool,
            report,
            stop_report,
            tasks: Mutex::new(tasks),
            evaluations: AtomicU64::new(0),
        })
    }

    /// Decides a flag for a context: the JSON text of an object, or a `serde_json::Value`. Never fails: what went wrong is in
    /// the decision (`PROVIDER_NOT_READY` without a snapshot, `GENERAL` when the engine had to be stopped), and then the
    /// variant is none and the caller's own default is meant.
    pub fn evaluate(&self, flag: &str, context: impl Into<ContextText>) -> Evaluation {
        let context = context.into();
        let (now, at_ms) = (self.clock.seconds(), self.clock.milliseconds());
        let unanswered = |code| {
            self.evaluations.fetch_add(1, Ordering::Relaxed);
            Evaluation::unanswered(flag, code, None, (self.state_at(now), at_ms))
        };
        if context.text.len() > limits::CONTEXT_BYTES {
            return unanswered("INVALID_CONTEXT");
        }
        match self.live.current() {
            Some(loaded) => self.decide(&loaded, &context, flag, (now, at_ms)),
            None => unanswered("PROVIDER_NOT_READY"),
        }
    }

    /// As [`Host::evaluate`], with a trace of why: JSON text. None without a snapshot, or when the engine had to be stopped.
    pub fn explain(&self, flag: &str, context: impl Into<ContextText>) -> Option<String> {
        let ContextText { text: context, .. } = context.into();
        if context.len() > limits::CONTEXT_BYTES {
            return None;
        }
        self.live.explain(&self.live.current()?, &context, flag, self.clock.seconds()).ok()
    }

    /// Decides every flag for a context, in key order, all with the same snapshot and as of the same moment. `Err` with
    /// the error code when none can be decided.
    ///
    /// # Errors
    /// `INVALID_CONTEXT` for a context that is too large, `PROVIDER_NOT_READY` without a snapshot.
    pub fn evaluate_all(&self, context: impl Into<ContextText>) -> Result<Vec<Evaluation>, &'static str> {
        let context = context.into();
        if context.text.len() > limits::CONTEXT_BYTES {
            return Err("INVALID_CONTEXT");
        }
        let loaded = self.live.current().ok_or("PROVIDER_NOT_READY")?;
        let (now, at_ms) = (self.clock.seconds(), self.clock.milliseconds());
        let decided =
            loaded.flags().iter().map(|flag| self.decide(&loaded, &context, &flag.key, (now, at_ms)));
        Ok(decided.collect())
    }

    fn decide(
        &self,
        loaded: &Arc<Loaded>,
        context: &ContextText,
        flag: &str,
        (now, at_ms): (u64, u64),
    ) -> Evaluation {
        self.evaluations.fetch_add(1, Ordering::Relaxed);
        let (snapshot, analytics) = (Some(loaded.id()), context.analytics);
        let unit = match loaded.unit(flag) {
            None | Some("targetingKey") => context.unit.clone(),
            Some(path) => unit_at(&context.text, path),
        };
        match self.live.decide(loaded, &context.text, flag, now) {
            Ok((decision, text)) => {
                Evaluation { decision, text, state: self.state_at(now), snapshot, at_ms, analytics, unit }
            }
            Err(_) => Evaluation::unanswered(flag, "GENERAL", snapshot, (self.state_at(now), at_ms)),
        }
    }

    /// Records that a unit was really given what an evaluation said. Never waits.
    pub fn expose(&self, evaluation: &Evaluation) -> Recorded {
        self.account.expose(evaluation)
    }

    /// An opaque text with which a browser can say later, through [`Host::redeem`], that a unit was given what an evaluation said.
    /// It tells nothing of the unit. None when there would be nothing to record.
    pub fn exposure_token(&self, evaluation: &Evaluation) -> Option<String> {
        self.account.token(evaluation)
    }

    /// Records the exposure that a token holds, as of when it was decided. A token that comes again is the same event.
    ///
    /// # Errors
    /// [`TokenError`] for a token that is altered, expired, or made by others.
    pub fn redeem(&self, token: &str) -> Result<Recorded, TokenError> {
        self.account.redeem(token)
    }

    /// Records an outcome of a unit, named by its targeting key. Never waits.
    pub fn outcome(&self, unit: &str, report: OutcomeReport) -> Recorded {
        self.account.outcome(unit, report)
    }

    /// Records that a unit, named by its targeting key, takes its consent back: the control plane erases what it has of
    /// it, in every stream. Never waits.
    pub fn withdraw(&self, unit: &str) -> Recorded {
        self.account.withdraw(unit)
    }

    /// A fingerprint of some bytes that only this host can make, for entity tags.
    pub(crate) fn fingerprint_of(&self, parts: &[&[u8]]) -> String {
        self.account.fingerprint_of(parts)
    }

    /// Settings of what is reported, and the period at which callers may ask again.
    pub(crate) fn reporting(&self) -> (&Reporting, Duration) {
        (&self.account.reporting, self.poll)
    }

    /// Waits until everything recorded so far is on disk. Blocks; false when `time` was not enough.
    pub fn flush(&self, time: Duration) -> bool {
        self.account.recorder.flush(time)
    }

    /// Asks for a look at the pulse at once instead of after the poll period.
    pub fn sync_now(&self) {
        self.sync_now.notify_one();
    }

    /// The keys of the flags in force, in order.
    #[must_use]
    pub fn flags(&self) -> Vec<String> {
        let loaded = self.live.current();
        loaded.iter().flat_map(|loaded| loaded.flags()).map(|flag| flag.key.clone()).collect()
    }

    /// How good what is served is, without the rest of the status; cheap enough for every decision.
    #[must_use]
    pub fn state(&self) -> State {
        self.state_at(self.clock.seconds())
    }

    fn state_at(&self, now: u64) -> State {
        self.horizon.read().unwrap_or_else(PoisonError::into_inner).state(now)
    }

    /// How it stands.
    #[must_use]
    pub fn status(&self) -> HostStatus {
        let sync = self.sync.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.clock.seconds();
        let (state, reason) = sync.state(now, self.has_pulse);
        HostStatus {
            state,
            reason,
            now,
            serving: self.live.current().map(|loaded| loaded.id()),
            component: self.engine.digest().to_owned(),
            evaluations: self.evaluations.load(Ordering::Relaxed),
            traps: self.live.traps(),
            reverts: self.live.reverts(),
            events: self.event_status(),
            sync,
        }
    }

    fn event_status(&self) -> EventStatus {
        let counts = self.account.recorder.counts();
        let spool = self.spool.lock().unwrap_or_else(PoisonError::into_inner);
        let mut dropped = spool.dropped().clone();
        for (reason, count) in counts.unfolded().into_iter().filter(|(_, count)| *count > 0) {
            *dropped.entry(reason.to_owned()).or_default() += count;
        }
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        EventStatus {
            instance: spool.instance().to_owned(),
            made: load(&counts.made),
            repeated: load(&counts.repeated),
            spooled: load(&counts.spooled),
            delivered: load(&self.report.delivered),
            duplicates: load(&self.report.duplicates),
            batches: load(&self.report.batches),
            pending: spool.pending(),
            spool_bytes: spool.bytes(),
            dropped,
            failures: load(&self.report.failures),
            last_error: self.report.last_error(),
        }
    }

    /// Stops: takes no more events, writes the queue to the spool, delivers what it can within `deadline`. What could not be
    /// delivered stays in the spool for the next start. The status that comes back is the last one.
    pub async fn shutdown(&self, deadline: Duration) -> HostStatus {
        let until = tokio::time::Instant::now() + deadline;
        let _ = self.stop_sync.send(true);
        // The queue first: what is in the spool is safe whatever happens next.
        tokio::task::yield_now().await;
        let queue_time = deadline.min(limits::REQUEST_TIME);
        if !self.account.recorder.stop(queue_time) {
            tracing::error!(
                "not every event could be written to the spool in time; the rest is counted as lost"
            );
        }
        let _ = self.stop_report.send(Some(until));
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        for task in tasks {
            let abort = task.abort_handle();
            if tokio::time::timeout_at(until + Duration::from_millis(100), task).await.is_err() {
                abort.abort();
            }
        }
        if let Err(error) = self.spool.lock().unwrap_or_else(PoisonError::into_inner).sync() {
            tracing::error!(%error, "the event spool could not be synchronised");
        }
        self.status()
    }
}

impl Drop for Host {
    /// Without [`Host::shutdown`] nothing more is delivered, but what was recorded is in the spool for the next start.
    fn drop(&mut self) {
        for task in self.tasks.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            task.abort();
        }
    }
}

impl std::fmt::Debug for Host {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Host")
            .field("serving", &self.live.current().map(|loaded| loaded.id()))
            .finish_non_exhaustive()
    }
}

fn check(config: &HostConfig) -> Result<(), HostError> {
    let wrong = |what: &str| Err(HostError::Config(what.to_owned()));
    if !(1..=flagstone_events::limits::MAX_BATCH_EVENTS).contains(&config.batch_events) {
        return wrong("`batch_events` is out of range\nhint: 1 to 1,000");
    }
    if config.request_time.is_zero() {
        return wrong("`request_time` must not be zero");
    }
    let short =
        |token: &Option<String>| token.as_ref().is_some_and(|token| token.len() < limits::SHORTEST_TOKEN);
    if short(&config.reporting.door_token) {
        return wrong("`door_token` has fewer than 16 characters");
    }
    if config.reporting.next_pepper.as_ref().is_some_and(|next| next.at_latest_ms < next.not_before_ms) {
        return wrong("`next_pepper` must change at the latest after it may change");
    }
    if config.exposure_window_ms == 0 {
        return wrong("`exposure_window_ms` must be at least 1");
    }
    if config.audience.is_empty() || config.environment.is_empty() {
        return wrong("`audience` and `environment` must not be empty");
    }
    Ok(())
}

fn report_url(
    config: &HostConfig,
    source: &dyn Source,
    access: &Access,
) -> Result<Option<(String, Wire)>, HostError> {
    if let Some(address) = &config.reporting.otlp {
        let secure = address.strip_prefix("https://");
        if secure.or_else(|| address.strip_prefix("http://")).is_none_or(str::is_empty) {
            return Err(HostError::Config(format!(
                "`{address}` is no address of an OTLP receiver\nhint: as `http://127.0.0.1:4318`"
            )));
        }
        let address = address.trim_end_matches('/');
        let url =
            if address.ends_with("/v1/logs") { address.to_owned() } else { format!("{address}/v1/logs") };
        let set = format!("{}/{}", config.audience, config.environment);
        return Ok(Some((url, Wire::Otlp { set })));
    }
    match &config.report {
        Report::Keep => Ok(None),
        Report::Source => Ok(source.events().map(|url| (url, Wire::Batches))),
        Report::To(address) => match sync::source(address, &config.environment, access)?.events() {
            Some(url) => Ok(Some((url, Wire::Batches))),
            None => Err(HostError::Config(
                "events can be reported over http only\nhint: `https://host`".to_owned(),
            )),
        },
    }
}

fn instance_name() -> String {
    flagstone_events::to_hex(&clock::random().to_be_bytes())
}
