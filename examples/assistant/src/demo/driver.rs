//! The application under load: generated people ask, the flag decides, the model answers, the outcome is measured.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use flagstone_host::{Host, OutcomeReport};
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use super::tally::Tally;
use crate::client::Client;
use crate::prompt::Behaviour;
use crate::service::{self, Parts};
use crate::traffic::{Request, Surface, Traffic};

/// Requests under way at once; more are left out and counted.
const AT_ONCE: usize = 64;
/// How often the pacer looks at the clock.
const PACE: Duration = Duration::from_millis(10);

/// What a flag's surface uses when the host has no answer, and the name of its candidate.
#[derive(Debug, Clone)]
pub struct Known {
    /// The behaviour that callers fall back to: today's.
    pub fallback: Behaviour,
    /// Name of the candidate.
    pub candidate: String,
}

/// The application.
#[derive(Debug)]
pub struct Driver {
    host: Arc<Host>,
    parts: Parts,
    client: Client,
    traffic: Traffic,
    known: BTreeMap<Surface, Known>,
    tally: Mutex<Tally>,
    next: AtomicU64,
}

impl Driver {
    /// An application over a host and a model endpoint.
    pub fn new(
        host: Arc<Host>,
        parts: Parts,
        client: Client,
        traffic: Traffic,
        known: BTreeMap<Surface, Known>,
    ) -> Self {
        Self { host, parts, client, traffic, known, tally: Mutex::default(), next: AtomicU64::new(0) }
    }

    /// What was counted so far.
    pub fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves `rate` requests a second until told to stop, then lets those under way end.
    pub async fn run(self: Arc<Self>, rate: u32, stop: watch::Receiver<bool>) {
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut last = Instant::now();
        let mut due = 0.0;
        while !*stop.borrow() {
            pace.tick().await;
            due += last.elapsed().as_secs_f64() * f64::from(rate);
            last = Instant::now();
            while due >= 1.0 {
                due -= 1.0;
                let Ok(permit) = Arc::clone(&room).try_acquire_owned() else {
                    self.tally().skipped += 1;
                    continue;
                };
                let this = Arc::clone(&self);
                tokio::spawn(async move {
                    this.serve_next().await;
                    drop(permit);
                });
            }
        }
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        // All permits back: nothing is under way. The semaphore is never closed.
        let _ = tokio::time::timeout(Duration::from_secs(30), room.acquire_many(all)).await;
    }

    async fn serve_next(&self) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(request) = self.traffic.request(number, &self.parts.passages) else { return };
        if let Err(error) = self.serve(number, &request).await {
            let mut tally = self.tally();
            tally.failed += 1;
            if tally.failed.is_power_of_two() {
                tracing::warn!(error = %format!("{error:#}"), failed = tally.failed, "a request was not answered");
            }
        }
    }

    async fn serve(&self, number: u64, request: &Request) -> Result<()> {
        let person = self.traffic.people().get(request.person).context("no such person")?;
        let known = self.known.get(&request.surface).context("no such surface")?;
        let language = person.language.code();
        let context = json!({
            "targetingKey": person.key,
            "email": person.email,
            "language": language,
            "consent": ["service", "analytics"],
            "dataDomain": "help-centre",
        });
        let evaluation = self.host.evaluate(request.surface.flag(), context);
        self.tally().decided(request.surface, request.person, &evaluation, &known.candidate);
        let behaviour = match evaluation.value() {
            Some(value) => serde_json::from_value(value.clone()).context("the variant is no behaviour")?,
            None => known.fallback.clone(),
        };
        let recorded = self.host.expose(&evaluation);
        self.tally().exposed(recorded);
        let passage = Some(request.passage);
        let answer =
            service::answer(&self.parts, &self.client, &behaviour, &request.question, passage, request.seed)
                .await?;
        let measured = &answer.measured;
        let slices =
            [("language", language), ("intent", request.intent.name()), ("style", request.style.name())];
        let outcome = OutcomeReport {
            name: request.surface.outcome().to_owned(),
            request: number.to_string(),
            measures: [
                ("unsupported".to_owned(), measured.unsupported as f64),
                ("latency".to_owned(), answer.latency.as_secs_f64()),
            ]
            .into(),
            booleans: [("unanswered".to_owned(), !measured.found), ("refused".to_owned(), measured.refused)]
                .into(),
            slices: slices.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
            at_ms: None,
            stream: None,
            analytics: Some(true),
        };
        let recorded = self.host.outcome(&person.key, outcome);
        let variant = evaluation.decision.variant.as_deref().unwrap_or("(default)");
        let slices = (language, request.intent, request.style);
        self.tally().answered(request.surface, variant, slices, &answer, recorded);
        Ok(())
    }
}
