//! A store with one attempt after another, fed by batches as reporters send them.

use std::collections::BTreeMap;
use std::sync::Arc;

use flagstone_compile::{Source, parse};
use flagstone_events::{
    Arm, Batch, Body, Event, ExposureFacts, OutcomeFacts, Pepper, SnapshotId, Stream, UnitKey, Withdrawal,
};
use flagstone_judge::MetricEvidence;

use super::recount::What;
use crate::attempts::{self, Attempt};
use crate::contribution::LATE;
use crate::derive::{self, Live};
use crate::evidence_rows::Rows;
use crate::metric::PlanMetric;
use crate::store::Store;
use crate::{evidence, ingest, plan, values, withdraw};

/// A multiple of the batches of scores, 2027-01-15.
pub(super) const BASE: u64 = 1_800_000_000_000;

/// Every kind, with windows, grace, caps and adjustment.
const METRICS: &str = "
metrics:
  wrong: { event: answer, bad: { wrong: true }, window: 100s, grace: 1h }
  cost: { event: answer, mean: cost, better: lower, winsorise: 7, window: 100s, grace: 1h }
  adjusted: { event: answer, mean: cost, better: lower, adjust: 60s, window: 100s, grace: 1h }
  running: { event: answer, mean: cost, better: lower }
  per-token: { event: answer, ratio: { of: cost, per: tokens }, better: lower, window: 100s, grace: 1h }
  each: { event: answer, ratio: { of: cost }, better: lower, window: 100s, grace: 1h }
  quality: { event: answer, score: { of: score, bar: 0.9, batch: 10m }, window: 100s, grace: 1h }
  slow: { event: answer, quantile: { of: score, at: 95% }, better: lower, window: 100s, grace: 1h }
flags: {}
";

pub(super) struct World {
    store: Store,
    metrics: Vec<PlanMetric>,
    pepper: Pepper,
    sequence: u64,
    case: u16,
    attempt: Option<Attempt>,
    snapshot: u16,
    _folder: tempfile::TempDir,
}

impl World {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("govern.sqlite"), "acme", "test").await.unwrap();
        let source = Source::new("metrics.yaml", METRICS);
        let (definition, diagnostics) = parse(&source);
        assert!(!diagnostics.has_errors(), "{}", diagnostics.render(&source, false));
        let metrics = definition.unwrap().metrics;
        let metrics = metrics.iter().map(|one| plan::metric(one.name.to_string(), Some(one))).collect();
        let (pepper, attempt) = (Pepper::from_bytes([7; 32]), None);
        Self { store, metrics, pepper, sequence: 1, case: 0, attempt, snapshot: 0, _folder: folder }
    }

    /// The first attempt at another flag, with other units.
    pub(super) async fn begin(&mut self) {
        self.case += 1;
        self.attempt(1).await;
    }

    /// The next attempt at the same flag.
    pub(super) async fn begin_again(&mut self) {
        self.attempt(2).await;
    }

    async fn attempt(&mut self, number: u32) {
        self.snapshot += 1;
        let mut write = self.store.write().await.unwrap();
        let flag = self.flag();
        let digest = self.digest();
        let attempt = attempts::begin(&mut write, &flag, number, &digest, BASE - 200_000).await.unwrap();
        attempts::bind_snapshot(&mut write, &attempt, &digest).await.unwrap();
        write.commit().await.unwrap();
        self.attempt = Some(attempt);
    }

    fn digest(&self) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..2].copy_from_slice(&self.snapshot.to_be_bytes());
        digest
    }

    fn flag(&self) -> String {
        format!("flag-{}", self.case)
    }

    fn key(&self, unit: u64) -> UnitKey {
        UnitKey::new(format!("user-{}-{unit}", self.case)).unwrap()
    }

    fn body(&self, what: &What) -> Body {
        match *what {
            What::Exposed(one) => {
                let facts = ExposureFacts {
                    stream: Stream::Production,
                    flag: self.flag(),
                    variant: if one.treated { "new" } else { "old" }.into(),
                    arm: if one.treated { Arm::Treatment } else { Arm::Control },
                    stage: Some(1),
                    cohort: Some(1),
                    probability: if one.drawn { 500_000_000 } else { 0 },
                    snapshot: SnapshotId { epoch: 1, sequence: 1, digest: self.digest() },
                    reason: "SPLIT".into(),
                    at_ms: one.at_ms,
                };
                Body::Exposure(facts.of_unit(&self.pepper, &self.key(one.unit), 1).unwrap())
            }
            What::Measured(one) => {
                let million = |value: i64| value * 1_000_000;
                let mut measures = BTreeMap::from([("cost".to_owned(), million(one.cost))]);
                measures.extend(one.tokens.map(|tokens| ("tokens".to_owned(), million(tokens))));
                measures.extend(one.score.map(|score| ("score".to_owned(), score * 100_000)));
                let facts = OutcomeFacts {
                    stream: Stream::Production,
                    name: "answer".into(),
                    request: format!("{one:?}"),
                    measures,
                    booleans: BTreeMap::from([("wrong".to_owned(), one.bad)]),
                    slices: BTreeMap::new(),
                    at_ms: one.at_ms,
                };
                Body::Outcome(facts.of_unit(&self.pepper, &self.key(one.unit)).unwrap())
            }
        }
    }

    async fn send(&mut self, bodies: Vec<Body>, now_ms: u64) {
        let events = (self.sequence..).zip(bodies).map(|(sequence, body)| Event { sequence, body });
        let events: Vec<Event> = events.collect();
        self.sequence += events.len() as u64;
        let batch = Batch::new("edge-1", None, BTreeMap::new(), events).unwrap();
        let body = batch.to_json().unwrap();
        ingest::take_in(&self.store, body.as_bytes(), now_ms).await.map_err(|_| "refused").unwrap();
    }

    pub(super) async fn report(&mut self, happened: &[What], now_ms: u64) {
        let bodies = happened.iter().map(|what| self.body(what)).collect();
        self.send(bodies, now_ms).await;
    }

    pub(super) async fn withdraw(&mut self, unit: u64, at_ms: u64) {
        let key = self.key(unit);
        let withdrawal = Withdrawal::of_unit(&self.pepper, Stream::Production, &key, at_ms).unwrap();
        self.send(vec![Body::Withdrawal(withdrawal)], at_ms).await;
    }

    /// As the governor's tick does it.
    pub(super) async fn tick(&self, now_ms: u64) {
        let attempt = self.attempt.as_ref().unwrap();
        let live =
            [Live { attempt: attempt.id, metrics: self.metrics.clone().into(), slices: Arc::default() }];
        let mut write = self.store.write().await.unwrap();
        while derive::exposures(&mut write, &live).await.unwrap() > 0 {}
        while withdraw::apply(&mut write, &live).await.unwrap() > 0 {}
        for metric in &self.metrics {
            if let Some(rule) = &metric.rule {
                while derive::outcomes(&mut write, &[rule], &live).await.unwrap() > 0 {}
            }
            if let Some(value) = &metric.value {
                while values::outcomes(&mut write, &value.rule, &live).await.unwrap() > 0 {}
            }
        }
        while values::settle(&mut write, &live, now_ms).await.unwrap() > 0 {}
        values::handed(&mut write, &live, now_ms).await.unwrap();
        write.commit().await.unwrap();
    }

    /// The evidence, one entry for each cohort, and how many outcomes were late, by metric.
    pub(super) async fn evidence(&self, now_ms: u64) -> (Vec<MetricEvidence>, BTreeMap<String, u64>) {
        let attempt = self.attempt.as_ref().unwrap();
        let mut read = self.store.read().await.unwrap();
        let rows = Rows::read(&mut read, &[attempt.id]).await.unwrap();
        let late = rows.counts(attempt.id).iter().filter(|count| count.place.kind == LATE);
        let late = late.map(|count| (count.place.name.clone(), count.units)).collect();
        let (found, _) = evidence::gather(&mut read, &rows, attempt, &self.metrics, now_ms).await.unwrap();
        let plain = |metric: &MetricEvidence| {
            let empty = MetricEvidence { metric: metric.metric.clone(), ..MetricEvidence::default() };
            MetricEvidence { last_outcome: None, ..empty.merged(metric) }
        };
        (found.metrics.iter().map(plain).collect(), late)
    }
}
