//! One governor with its keys, its clock and a reporter.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::client::Client;
use flagstone_compile::{Options, Source, compile};
use flagstone_events::{
    Arm, Batch, Body, Event, ExposureFacts, OutcomeFacts, Pepper, SnapshotId, Stream, UnitKey,
};
use flagstone_govern::{Govern, GovernConfig};
use flagstone_seal::{
    Role, RoleKind, SecretKey, SnapshotStatementDraft, TrustDraft, seal_snapshot, seal_trust,
};

const ENVIRONMENT: &str = "production";
const AUDIENCE: &str = "acme.example/assistant";
const START_MS: u64 = 1_790_000_000_000;
const DAY: u64 = 86_400;

pub(crate) struct World {
    pub(crate) govern: Govern,
    pub(crate) clock: Arc<AtomicU64>,
    client: Client,
    snapshot: SnapshotId,
    pepper: Pepper,
    sequence: u64,
    previous: Option<String>,
}

impl World {
    /// A governor over this file, with the definition published; its flags start by themselves.
    pub(crate) async fn new(database: &Path, definition: &str) -> Self {
        let key = |name: &str, seed: u8| SecretKey::from_seed(name, [seed; 32]).expect("a usable seed");
        let (root, release, pulse) =
            (key("acme.example/root", 1), key("acme.example/release", 2), key("acme.example/pulse", 3));
        let role = |kind, key: &SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
        let now = START_MS / 1_000;
        let draft = TrustDraft {
            version: 1,
            epoch: 1,
            issued: now,
            expires: now + 300 * DAY,
            roles: vec![
                role(RoleKind::Root, &root),
                role(RoleKind::Release(ENVIRONMENT.into()), &release),
                role(RoleKind::Pulse(ENVIRONMENT.into()), &pulse),
            ],
            floors: Vec::new(),
            revoked_keys: Vec::new(),
            revoked_statements: Vec::new(),
        };
        let trust = seal_trust(&draft, &[&root]).expect("a trust note");
        let clock = Arc::new(AtomicU64::new(START_MS));
        let log = key("acme.example/assistant/production/log", 4);
        let mut config =
            GovernConfig::new(database, ENVIRONMENT, AUDIENCE, trust, Box::new(pulse), Box::new(log));
        config.tick = Duration::from_secs(100);
        config.auto_start = true;
        let time = Arc::clone(&clock);
        config.clock = Arc::new(move || time.load(Ordering::SeqCst));
        let govern = Govern::start(config).await.expect("a governor");

        let source = Source::new("flags.yaml", definition);
        let options = Options { environment: ENVIRONMENT.into(), strict: true, ..Options::default() };
        let outcome = compile(&source, &options);
        let draft = outcome.draft.unwrap_or_else(|| panic!("{}", outcome.diagnostics.render(&source, false)));
        let payload = flagstone_snapshot::encode(&draft).expect("within limits");
        let statement = SnapshotStatementDraft {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            epoch: 1,
            sequence: 1,
            issued: now,
            expires: now + 30 * DAY,
            parent: [0; 32],
            payload_type: "application/vnd.flagstone.snapshot.v1".into(),
        };
        let file = seal_snapshot(&statement, &payload, &[&release]).expect("a sealed file");
        let claim = flagstone_seal::inspect(&file, 1 << 24).expect("readable");
        let flagstone_seal::Statement::Snapshot(statement) = claim.statement else { panic!("a snapshot") };
        let mark = statement.mark();
        let snapshot = SnapshotId { epoch: mark.epoch, sequence: mark.sequence, digest: mark.digest };
        let address = govern.address();
        let mut world = Self {
            govern,
            clock,
            client: Client::connect(address).await,
            snapshot,
            pepper: Pepper::from_bytes([7; 32]),
            sequence: 1,
            previous: None,
        };
        world.client.send("POST", &path("/snapshots"), "application/octet-stream", &file).await;
        let definitions = path(&format!("/definitions/{}", flagstone_events::to_hex(&mark.digest)));
        world.client.send("PUT", &definitions, "text/plain", definition.as_bytes()).await;
        world.tick().await;
        world
    }

    pub(crate) async fn tick(&mut self) {
        self.clock.fetch_add(30_000, Ordering::SeqCst);
        self.govern.tick().await.expect("a tick");
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub(crate) fn key(number: u64) -> UnitKey {
        UnitKey::new(format!("user-{number}")).expect("a key")
    }

    /// An exposure in the first stage: 25 % treated beside 25 % of control. Every unit keeps its arm of the flag.
    pub(crate) fn exposure(&self, flag: &str, unit: u64, treated: bool, window: u64) -> Body {
        let facts = ExposureFacts {
            stream: Stream::Production,
            flag: flag.to_owned(),
            variant: if treated { "concise" } else { "today" }.to_owned(),
            arm: if treated { Arm::Treatment } else { Arm::Control },
            stage: Some(0),
            cohort: Some(0),
            probability: 500_000_000,
            snapshot: self.snapshot,
            reason: "SPLIT".to_owned(),
            at_ms: self.now_ms() + window,
        };
        Body::Exposure(facts.of_unit(&self.pepper, &Self::key(unit), 1).expect("an exposure"))
    }

    pub(crate) fn outcome(
        &self,
        name: &str,
        unit: u64,
        request: u64,
        measures: BTreeMap<String, i64>,
        booleans: BTreeMap<String, bool>,
        slices: BTreeMap<String, String>,
    ) -> Body {
        let facts = OutcomeFacts {
            stream: Stream::Production,
            name: name.to_owned(),
            request: request.to_string(),
            measures,
            booleans,
            slices,
            at_ms: self.now_ms() + 500,
        };
        Body::Outcome(facts.of_unit(&self.pepper, &Self::key(unit)).expect("an outcome"))
    }

    /// The next batch of this reporter, as it goes over the wire.
    pub(crate) fn batch(&mut self, bodies: Vec<Body>) -> Vec<u8> {
        let events: Vec<Event> =
            (self.sequence..).zip(bodies).map(|(sequence, body)| Event { sequence, body }).collect();
        self.sequence += events.len() as u64;
        let batch = Batch::new("bench-1", self.previous.clone(), BTreeMap::new(), events).expect("a batch");
        self.previous = Some(batch.id.clone());
        batch.to_json().expect("within limits").into_bytes()
    }

    pub(crate) async fn post(&mut self, body: &[u8]) {
        self.client.send("POST", &path("/events"), "application/json", body).await;
    }
}

fn path(door: &str) -> String {
    format!("/v1/environments/{ENVIRONMENT}{door}")
}
