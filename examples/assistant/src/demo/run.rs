//! One demonstration from beginning to end.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use flagstone_govern::Govern;
use flagstone_host::{Host, HostStatus};
use tokio::sync::watch;

use super::driver::Driver;
use super::keys::Keys;
use super::operator::Operator;
use super::parts::{asked_to_stop, free_port, known, probe, start_host};
use super::plane::{DATABASE, Plane};
use super::report;
use super::screen::{self, Screen};
use super::summary::{Interruption, Ledger, Published, Requests, Summary};
use super::view::Status;
use crate::client::{Client, Endpoint};
use crate::model::Model;
use crate::server;
use crate::service::Parts;
use crate::traffic::{Surface, Traffic};

/// How often the status is looked at.
const LOOK: Duration = Duration::from_millis(500);
/// After both candidates are settled, traffic goes on for this long, so that the end is seen at the edge.
const AFTERWARDS: Duration = Duration::from_secs(3);
/// How long the last events may take to arrive.
const DELIVERY: Duration = Duration::from_secs(20);
/// How long a busy control plane may leave us without an answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// People of whom the first work for Harbour.
const STAFF: usize = 40;

/// How to run it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Ends by itself.
    pub headless: bool,
    /// Seed of people, questions and model.
    pub seed: u64,
    /// Requests a second.
    pub rate: u32,
    /// People.
    pub people: usize,
    /// Headless: give up after this.
    pub at_most: Duration,
    /// Kill the control plane this long after the start.
    pub kill_at: Option<Duration>,
    /// Start it again after this.
    pub down_for: Duration,
    /// Port of the control plane; none takes a free one.
    pub port: Option<u16>,
    /// Where files are kept; none is a temporary folder, removed at the end.
    pub data: Option<PathBuf>,
    /// A model elsewhere instead of the built-in one.
    pub model: Option<Endpoint>,
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn now() -> u64 {
    now_ms() / 1_000
}

/// Runs the demonstration and returns its summary.
///
/// # Errors
/// A part that does not start or stops working; what merely did not come out as hoped is in the summary.
pub async fn run(options: Options) -> Result<Summary> {
    let (_temporary, folder) = match &options.data {
        Some(folder) => (None, folder.clone()),
        None => {
            let made =
                tempfile::Builder::new().prefix("assistant-").tempdir().context("no temporary folder")?;
            let path = made.path().to_owned();
            (Some(made), path)
        }
    };
    let mut demo = Demo::start(&options, &folder).await?;
    let outcome = demo.steer().await;
    let summary = demo.finish().await;
    outcome?;
    summary
}

/// Everything that runs.
struct Demo {
    options: Options,
    folder: PathBuf,
    screen: Screen,
    plane: Plane,
    operator: Operator,
    host: Arc<Host>,
    driver: Arc<Driver>,
    stop: watch::Sender<bool>,
    traffic: tokio::task::JoinHandle<()>,
    started: Instant,
    interruption: Option<Interruption>,
    /// When the killed control plane comes back.
    back_at: Option<Instant>,
}

impl Demo {
    async fn start(options: &Options, folder: &Path) -> Result<Self> {
        let mut screen = Screen::new();
        let parts = Parts::load()?;
        let traffic = Traffic::new(options.seed, options.people, STAFF, &parts.passages);
        let endpoint = match &options.model {
            Some(endpoint) => endpoint.clone(),
            None => {
                let model = Model::train(&parts.passages);
                screen.event(&format!(
                    "trained the built-in model on {} passages ({} words, {} histories)",
                    parts.passages.len(),
                    model.vocabulary_size(),
                    model.histories()
                ));
                let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let (bound, _serving) = server::serve(Arc::new(model), any).await?;
                Endpoint { url: format!("http://{bound}/v1"), ..Endpoint::default() }
            }
        };
        let patience = Duration::from_secs(if options.model.is_some() { 120 } else { 10 });
        let client = Client::new(endpoint.clone(), patience)?;
        probe(&client).await?;
        screen.event(&format!("the model answers at {}/chat/completions", endpoint.url));
        // The control plane is on this machine: no certificates are needed.
        let http = reqwest::Client::builder().timeout(Duration::from_secs(10)).tls_certs_only([]);
        let http = http.build().context("no HTTP client")?;
        let keys = Keys::draw(now())?;
        let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, free_port(options.port)?));
        let plane = Plane::start(&folder.join("control-plane"), listen, &keys, http.clone()).await?;
        let mut operator = Operator::new(keys.release.clone(), http, &plane.address());
        operator.publish_first(now()).await?;
        screen.event(&format!("dashboard: {}/", plane.address()));
        let host = Arc::new(start_host(&plane, &keys, folder).await?);
        let driver = Arc::new(Driver::new(Arc::clone(&host), parts, client, traffic, known()?));
        let (stop, stopped) = watch::channel(false);
        let traffic = tokio::spawn(Arc::clone(&driver).run(options.rate, stopped));
        let people = options.people;
        screen.event(&format!(
            "{people} people ask {} questions a second (seed {})",
            options.rate, options.seed
        ));
        Ok(Self {
            options: options.clone(),
            folder: folder.to_owned(),
            screen,
            plane,
            operator,
            host,
            driver,
            stop,
            traffic,
            started: Instant::now(),
            interruption: None,
            back_at: None,
        })
    }

    /// Looks at the status again and again and does what an operator does, until it is over.
    async fn steer(&mut self) -> Result<()> {
        let mut settled: Option<Instant> = None;
        let mut heard = Instant::now();
        let mut stop = std::pin::pin!(asked_to_stop());
        let mut phases: BTreeMap<String, String> = BTreeMap::new();
        loop {
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = &mut stop => {
                    self.screen.event("stopping");
                    return self.bring_back().await;
                }
            }
            self.interrupt().await?;
            if self.back_at.is_none() {
                let status = match self.plane.status().await {
                    Ok(status) => status,
                    Err(_) if heard.elapsed() < PATIENCE => continue,
                    Err(error) => return Err(error),
                };
                heard = Instant::now();
                let status: Status = serde_json::from_value(status)
                    .context("the control plane's status is not as documented")?;
                for flag in &status.flags {
                    let at = format!("{} at {}", flag.phase, flag.stage_name());
                    if phases.insert(flag.flag.clone(), at.clone()) != Some(at) {
                        self.screen.event(&format!("{}: {}", flag.flag, flag.sentence));
                    }
                }
                self.operate(&status).await?;
                let lines = screen::lines(&status, self.traffic_line());
                self.screen.show(&lines);
                let phase = |surface: Surface| status.flag(surface.flag()).map(|flag| flag.phase.as_str());
                let over = matches!(phase(report::BETTER), Some("complete" | "halted"))
                    && matches!(phase(report::WORSE), Some("complete" | "halted"))
                    && (self.options.kill_at.is_none() || self.interruption.is_some());
                if over && settled.is_none() {
                    settled = Some(Instant::now());
                    self.screen.event("both candidates are settled");
                }
            }
            let spent = self.options.headless && self.started.elapsed() > self.options.at_most;
            let done = self.options.headless && settled.is_some_and(|since| since.elapsed() > AFTERWARDS);
            if spent || done {
                return self.bring_back().await;
            }
        }
    }

    /// The operator's rules.
    async fn operate(&mut self, status: &Status) -> Result<()> {
        for flag in &status.flags {
            if flag.phase == "awaiting-approval"
                && flag.is_green()
                && let Some(stage) = flag.next_ceiling()
            {
                let (key, stage) = (flag.flag.clone(), stage.to_owned());
                if self.operator.approve(&key, &stage, now()).await? {
                    self.screen
                        .event(&format!("operator: signed a snapshot that approves {key} up to {stage}"));
                }
            }
            if flag.phase == "halted" && self.operator.withdraw(&flag.flag, now()).await? {
                self.screen.event(&format!("operator: signed a snapshot that withdraws {}", flag.flag));
            }
        }
        Ok(())
    }

    /// Kills the control plane and brings it back, when it is time.
    async fn interrupt(&mut self) -> Result<()> {
        let due = self.options.kill_at.is_some_and(|at| self.started.elapsed() >= at);
        if due && self.interruption.is_none() && self.back_at.is_none() {
            self.plane.kill().await?;
            self.driver.tally().down = true;
            self.back_at = Some(Instant::now() + self.options.down_for);
            self.screen.event("control plane killed (SIGKILL); the edge goes on");
            self.interruption = Some(Interruption {
                killed_at: self.started.elapsed().as_secs_f64(),
                down: 0.0,
                decisions_meanwhile: 0,
                waiting: 0,
            });
        }
        if self.back_at.is_some_and(|at| Instant::now() >= at) {
            self.bring_back().await?;
        }
        Ok(())
    }

    async fn bring_back(&mut self) -> Result<()> {
        if self.back_at.take().is_none() {
            return Ok(());
        }
        let waiting = self.host.status().events.pending;
        self.plane.restart().await?;
        let mut tally = self.driver.tally();
        tally.down = false;
        if let Some(cut) = &mut self.interruption {
            cut.down = self.started.elapsed().as_secs_f64() - cut.killed_at;
            cut.decisions_meanwhile = tally.while_down;
            cut.waiting = waiting;
            let (down, decisions) = (cut.down, cut.decisions_meanwhile);
            drop(tally);
            self.screen.event(&format!(
                "control plane is back after {down:.1} s; {decisions} decisions were served meanwhile, {waiting} events waited"
            ));
        }
        Ok(())
    }

    fn traffic_line(&self) -> String {
        let events = self.host.status().events;
        let tally = self.driver.tally();
        let failed = if tally.failed > 0 { format!(" ({} failed)", tally.failed) } else { String::new() };
        format!(
            "{} requests{failed}, {} exposures given, {} events waiting, half of the answers within {:.0} ms",
            tally.requests,
            tally.exposures,
            events.pending,
            tally.latency_ms(0.5)
        )
    }

    /// Ends the traffic, lets the last events arrive, ends everything and sums up.
    async fn finish(mut self) -> Result<Summary> {
        let seconds = self.started.elapsed().as_secs_f64();
        let _ = self.stop.send(true);
        (&mut self.traffic).await.context("the traffic stopped")?;
        self.screen.clear();
        let host = self.drain().await;
        let status = self.last_status(&host).await;
        self.plane.stop().await;
        let status = status?;
        let database = self.folder.join("control-plane").join(DATABASE);
        let ledger = match Govern::audit_file(&database, None).await {
            Ok(audit) => Ledger { entries: audit.head.entries, decisions: audit.decisions, fault: None },
            Err(error) => Ledger { fault: Some(error.to_string()), ..Ledger::default() },
        };
        let tally = self.driver.tally().clone();
        let candidates: Vec<_> = status.flags.iter().map(|flag| report::candidate(flag, &tally)).collect();
        let (exposures, events) = report::sums(&tally, &host.events, &status);
        let requests = Requests {
            served: tally.requests,
            failed: tally.failed,
            skipped: tally.skipped,
            defaulted: tally.defaulted,
            latency_p50_ms: tally.latency_ms(0.5),
            latency_p95_ms: tally.latency_ms(0.95),
        };
        let cut = self.interruption.as_ref();
        let checks = report::checks(&candidates, &exposures, &events, &ledger, cut, &requests);
        let published = |release: &super::operator::Release| Published {
            sequence: release.sequence,
            digest: release.digest.clone(),
            reason: release.reason.clone(),
        };
        Ok(Summary {
            headless: self.options.headless,
            passed: checks.values().all(|held| *held),
            checks,
            seed: self.options.seed,
            seconds,
            candidates,
            snapshots: self.operator.published.iter().map(published).collect(),
            exposures,
            events,
            requests,
            interruption: self.interruption,
            ledger,
        })
    }

    /// The status once it shows everything that was acknowledged: it is made anew at every tick only.
    async fn last_status(&self, host: &HostStatus) -> Result<Status> {
        let acknowledged = host.events.delivered.saturating_sub(host.events.duplicates);
        let since = Instant::now();
        loop {
            let status: Status = serde_json::from_value(self.plane.status().await?)
                .context("the control plane's status is not as documented")?;
            let stored = status.delivery.exposures + status.delivery.outcomes;
            if stored >= acknowledged || since.elapsed() > DELIVERY {
                return Ok(status);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until the spool is empty, then stops the host.
    async fn drain(&self) -> HostStatus {
        let since = Instant::now();
        while since.elapsed() < DELIVERY {
            let host = Arc::clone(&self.host);
            let flushed = tokio::task::spawn_blocking(move || host.flush(Duration::from_secs(5))).await;
            if matches!(flushed, Ok(true)) && self.host.status().events.pending == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        self.host.shutdown(DELIVERY).await
    }
}
