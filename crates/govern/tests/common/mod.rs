//! A small world around one governor: keys, a definition, a clock to turn, reporters and the real HTTP API.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on stops"
)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use flagstone_compile::{Options, Source, compile};
use flagstone_evaluate::{Context, Control, OpenStage, decide_key};
use flagstone_events::{
    Arm, Batch, Body, Event, ExposureFacts, OutcomeFacts, Pepper, SnapshotId, Stream, UnitKey,
};
use flagstone_govern::{Govern, GovernConfig};
use flagstone_seal::{
    Mark, PulsePolicy, PulseStatement, Role, RoleKind, SecretKey, SnapshotStatementDraft, TrustDraft,
    TrustRoot, open_pulse, seal_snapshot, seal_trust,
};
use flagstone_snapshot::{Json, Snapshot, Value as Packed, encode};
use serde_json::{Value, json};

pub const ENVIRONMENT: &str = "production";
pub const AUDIENCE: &str = "acme.example/assistant";
pub const FLAG: &str = "answers";
/// 2026-09-21, in milliseconds.
pub const START_MS: u64 = 1_790_000_000_000;
pub const DAY: u64 = 86_400;

pub mod logs;

pub struct World {
    pub folder: tempfile::TempDir,
    pub clock: Arc<AtomicU64>,
    pub trust: Vec<u8>,
    pub root: TrustRoot,
    pub release: SecretKey,
    pub pulse: SecretKey,
    pub log: SecretKey,
    pub auto_start: bool,
    pub client: reqwest::Client,
}

/// A release-signed file with what it was made from.
#[derive(Clone)]
pub struct Release {
    pub definition: String,
    pub payload: Vec<u8>,
    pub file: Vec<u8>,
    pub mark: Mark,
}

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, [seed; 32]).expect("a usable seed")
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    pub fn new() -> Self {
        let (root_key, release, pulse) =
            (key("acme.example/root", 1), key("acme.example/release", 2), key("acme.example/pulse", 3));
        let role = |kind, key: &SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
        let now = START_MS / 1_000;
        let draft = TrustDraft {
            version: 1,
            epoch: 1,
            issued: now,
            expires: now + 300 * DAY,
            roles: vec![
                role(RoleKind::Root, &root_key),
                role(RoleKind::Release(ENVIRONMENT.into()), &release),
                role(RoleKind::Pulse(ENVIRONMENT.into()), &pulse),
            ],
            floors: Vec::new(),
            revoked_keys: Vec::new(),
            revoked_statements: Vec::new(),
        };
        let trust = seal_trust(&draft, &[&root_key]).expect("a trust note");
        Self {
            folder: tempfile::tempdir().expect("a folder"),
            clock: Arc::new(AtomicU64::new(START_MS)),
            root: TrustRoot::pin(&trust, now).expect("a good root"),
            trust,
            release,
            pulse,
            log: key("acme.example/assistant/production/log", 4),
            auto_start: false,
            client: reqwest::Client::new(),
        }
    }

    pub fn database(&self) -> PathBuf {
        self.folder.path().join("govern.sqlite")
    }

    pub fn config(&self) -> GovernConfig {
        let clock = Arc::clone(&self.clock);
        let signer = Box::new(self.pulse.clone());
        let mut config = GovernConfig::new(
            self.database(),
            ENVIRONMENT,
            AUDIENCE,
            self.trust.clone(),
            signer,
            Box::new(self.log.clone()),
        );
        // The tests tick by themselves, so that nothing depends on how fast this machine is.
        config.tick = Duration::from_secs(100);
        config.clock = Arc::new(move || clock.load(Ordering::SeqCst));
        config.auto_start = self.auto_start;
        config
    }

    pub async fn start(&self) -> Govern {
        Govern::start(self.config()).await.expect("a governor")
    }

    pub fn now_ms(&self) -> u64 {
        self.clock.load(Ordering::SeqCst)
    }

    pub fn pass(&self, seconds: u64) {
        self.clock.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub fn url(&self, govern: &Govern, path: &str) -> String {
        format!("http://{}/v1/environments/{ENVIRONMENT}{path}", govern.address())
    }

    pub fn release(&self, sequence: u64, definition: &str) -> Release {
        self.release_by(&self.release, sequence, definition)
    }

    pub fn release_by(&self, signer: &SecretKey, sequence: u64, definition: &str) -> Release {
        let source = Source::new("flags.yaml", definition);
        let options = Options { environment: ENVIRONMENT.into(), strict: true, ..Options::default() };
        let outcome = compile(&source, &options);
        let draft = outcome.draft.unwrap_or_else(|| panic!("{}", outcome.diagnostics.render(&source, false)));
        let payload = encode(&draft).expect("within limits");
        let now = self.now_ms() / 1_000;
        let statement = SnapshotStatementDraft {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            epoch: 1,
            sequence,
            issued: now,
            expires: now + 30 * DAY,
            parent: [0; 32],
            payload_type: "application/vnd.flagstone.snapshot.v1".into(),
        };
        let file = seal_snapshot(&statement, &payload, &[signer]).expect("a sealed file");
        let claim = flagstone_seal::inspect(&file, 1 << 22).expect("readable");
        let flagstone_seal::Statement::Snapshot(statement) = claim.statement else { panic!("a snapshot") };
        Release { definition: definition.to_owned(), payload, file, mark: statement.mark() }
    }

    pub async fn post_file(&self, govern: &Govern, file: &[u8]) -> (u16, Value) {
        let request = self.client.post(self.url(govern, "/snapshots"));
        answer(request.header("content-type", "application/octet-stream").body(file.to_vec())).await
    }

    pub async fn put_definition(&self, govern: &Govern, release: &Release) -> (u16, Value) {
        let path = format!("/definitions/{}", flagstone_events::to_hex(&release.mark.digest));
        answer(self.client.put(self.url(govern, &path)).body(release.definition.clone())).await
    }

    /// Posts a file and its definition, which makes it current.
    pub async fn publish(&self, govern: &Govern, release: &Release) {
        let (status, body) = self.post_file(govern, &release.file).await;
        assert_eq!(status, 201, "{body}");
        let (status, body) = self.put_definition(govern, release).await;
        assert_eq!((status, &body["current"]), (201, &json!(true)), "{body}");
    }

    pub async fn order(&self, govern: &Govern, flag: &str, ask: &str) -> (u16, Value) {
        let url = self.url(govern, &format!("/flags/{flag}/{ask}"));
        answer(self.client.post(url).json(&json!({"by": "ana", "reason": "because of a test"}))).await
    }

    pub async fn report(&self, govern: &Govern, batch: &Batch) -> (u16, Value) {
        let request =
            self.client.post(self.url(govern, "/events")).header("content-type", "application/json");
        let (status, mut body) = answer(request.body(batch.to_json().expect("within limits"))).await;
        // The receipt, which every batch that was taken has.
        let named = body.as_object_mut().and_then(|body| body.remove("batch"));
        assert_eq!(named.as_ref().and_then(Value::as_str), (status == 200).then_some(batch.id.as_str()));
        (status, body)
    }

    /// What a host that polls gets, opened as a host opens it.
    pub async fn pulse(&self, govern: &Govern) -> PulseStatement {
        let response = self.client.get(self.url(govern, "/pulse")).send().await.expect("an answer");
        assert_eq!(response.status(), 200);
        let note = response.bytes().await.expect("a body");
        let policy = PulsePolicy {
            audience: AUDIENCE,
            environment: ENVIRONMENT,
            now: self.now_ms() / 1_000,
            last_number: None,
        };
        open_pulse(&note, &self.root, &policy).expect("a pulse that hosts accept")
    }

    pub async fn status(&self, govern: &Govern) -> Value {
        let (status, body) = answer(self.client.get(self.url(govern, "/status"))).await;
        assert_eq!(status, 200);
        body
    }

    pub async fn ledger(&self, govern: &Govern) -> Vec<Value> {
        let (_, body) = answer(self.client.get(self.url(govern, "/ledger"))).await;
        body["entries"].as_array().expect("entries").clone()
    }
}

pub async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The set under test: one planned flag and one without a plan.
pub fn definition(ceiling: &str, candidate: &str) -> String {
    set(&[planned(FLAG, "answer", ceiling, candidate)])
}

/// A set of planned flags over the metrics `wrong` and `slow` of each flag's own outcomes.
pub fn set(flags: &[(String, String)]) -> String {
    let (metrics, flags): (Vec<&str>, Vec<&str>) =
        flags.iter().map(|(m, f)| (m.as_str(), f.as_str())).unzip();
    format!(
        "
metadata: {{ flagSetId: assistant, environment: production }}
metrics:
{}
flags:
{}
  banner:
    state: ENABLED
    variants: {{ on: true, off: false }}
    defaultVariant: on
    baseline: off
",
        metrics.concat(),
        flags.concat()
    )
}

/// A flag with a plan, as (metrics, flag). Its outcomes are called `event`, its metrics `event-wrong`, `event-slow`.
pub fn planned(key: &str, event: &str, ceiling: &str, candidate: &str) -> (String, String) {
    let metrics = format!(
        "  {event}-wrong: {{ event: {event}, bad: {{ wrong: true }} }}
  {event}-slow:  {{ event: {event}, bad: {{ latency: {{ above: 2500ms }} }} }}
"
    );
    let flag = format!(
        "  {key}:
    state: ENABLED
    owner: answers@acme.example
    rationale: Shorter answers with two more passages tested better with support agents.
    expectedImpact: Satisfaction up two points, no more wrong answers than today.
    worstCase: Confident wrong billing advice to paying customers.
    rollbackPlan: Halt; every surface serves today within a minute.
    onExpiry: safe
    variants:
      today:   {{ prompt: answer@12 }}
      concise: {{ prompt: {candidate} }}
    defaultVariant: today
    rollout:
      baseline: today
      candidate: concise
      ceiling: {ceiling}
      guardrails:
        - {{ metric: {event}-wrong, role: deterioration, share: 60%, promote: {{ notWorseBy: 10% }} }}
        - {{ metric: {event}-slow, role: deterioration, share: 40% }}
      stages:
        - {{ name: 5%, treat: 5%, control: 10%, bake: 60s, need: {{ units: 20 }} }}
        - {{ name: 20%, treat: 20%, control: 30%, bake: 60s }}
        - {{ name: 50%, treat: 50%, control: 50%, bake: 60s }}
        - {{ name: everyone, treat: 99%, control: 1%, bake: 60s }}
"
    );
    (metrics, flag)
}

/// Traffic from one host: units ask for the flag under the pulse in force, and outcomes are measured.
pub struct Traffic {
    pub instance: String,
    pub sequence: u64,
    pub previous: Option<String>,
    /// The flag that is asked for, and the name of its outcomes.
    pub flag: &'static str,
    pub event: &'static str,
    /// Wrong answers in ten thousand, by variant.
    pub wrong_today: u64,
    pub wrong_concise: u64,
    /// Languages that the units speak, told as the slice `language`; empty: they do not tell.
    pub languages: &'static [&'static str],
    pepper: Pepper,
}

impl Traffic {
    pub fn new(instance: &str, wrong_today: u64, wrong_concise: u64) -> Self {
        Self::of(FLAG, "answer", instance, wrong_today, wrong_concise)
    }

    pub fn of(
        flag: &'static str,
        event: &'static str,
        instance: &str,
        wrong_today: u64,
        wrong_concise: u64,
    ) -> Self {
        let pepper = Pepper::from_bytes([7; 32]);
        let instance = instance.into();
        Self {
            instance,
            sequence: 1,
            previous: None,
            flag,
            event,
            wrong_today,
            wrong_concise,
            languages: &[],
            pepper,
        }
    }

    /// The events of these units asking once each, exposures and outcomes apart.
    pub fn events(
        &self,
        release: &Release,
        pulse: &PulseStatement,
        units: std::ops::Range<u64>,
        at_ms: u64,
    ) -> (Vec<Body>, Vec<Body>) {
        let snapshot = Snapshot::load(&release.payload).expect("a snapshot");
        let stages = pulse.stages.iter().map(|line| OpenStage {
            flag: &line.flag,
            stage: line.stage,
            since: line.since,
        });
        let halts = pulse.halts.iter().map(String::as_str);
        let control = Control::new(&snapshot, pulse.expires, stages, halts);
        let (mut exposures, mut outcomes) = (Vec::new(), Vec::new());
        for unit in units {
            let name = format!("user-{unit}");
            let mut packed = Vec::new();
            Packed::write(&Json::Object(vec![("targetingKey".into(), name.as_str().into())]), &mut packed);
            let context = Context::from_packed(&snapshot, packed).expect("a context");
            let decision = decide_key(&snapshot, &control, &context, self.flag, at_ms / 1_000);
            let flag = snapshot.find(self.flag).and_then(|index| snapshot.flag(index)).expect("the flag");
            let variant = decision.variant.and_then(|index| flag.variant(index)).expect("a variant").name;
            let arm = match decision.arm {
                flagstone_evaluate::Arm::Treatment => Arm::Treatment,
                flagstone_evaluate::Arm::Control => Arm::Control,
                flagstone_evaluate::Arm::None => Arm::None,
            };
            let key = UnitKey::new(&name).expect("a key");
            let facts = ExposureFacts {
                stream: Stream::Production,
                flag: self.flag.into(),
                variant: variant.into(),
                arm,
                stage: decision.stage,
                cohort: decision.cohort,
                probability: decision.probability,
                snapshot: SnapshotId {
                    epoch: release.mark.epoch,
                    sequence: release.mark.sequence,
                    digest: release.mark.digest,
                },
                reason: decision.reason.as_str().into(),
                at_ms,
            };
            exposures
                .push(Body::Exposure(facts.of_unit(&self.pepper, &key, DAY * 1_000).expect("an exposure")));
            let rate = if variant == "concise" { self.wrong_concise } else { self.wrong_today };
            let outcome = OutcomeFacts {
                stream: Stream::Production,
                name: self.event.into(),
                request: format!("{name} at {at_ms}"),
                measures: BTreeMap::from([("latency".into(), 900_000)]),
                booleans: BTreeMap::from([(
                    "wrong".into(),
                    draw(&format!("{} {name} {at_ms}", self.flag)) < rate,
                )]),
                slices: self.language(&name),
                at_ms: at_ms + 500,
            };
            outcomes.push(Body::Outcome(outcome.of_unit(&self.pepper, &key).expect("an outcome")));
        }
        (exposures, outcomes)
    }

    fn language(&self, name: &str) -> BTreeMap<String, String> {
        let drawn = usize::try_from(draw(&format!("language of {name}"))).unwrap_or(0);
        let spoken = drawn.checked_rem(self.languages.len()).map(|at| self.languages[at]);
        spoken.map(|language| ("language".to_owned(), language.to_owned())).into_iter().collect()
    }

    /// The next batches of this instance holding these events, at most 1,000 in each.
    pub fn batches(&mut self, bodies: Vec<Body>) -> Vec<Batch> {
        let mut batches = Vec::new();
        for chunk in bodies.chunks(1_000) {
            let events =
                (self.sequence..).zip(chunk).map(|(sequence, body)| Event { sequence, body: body.clone() });
            let events: Vec<Event> = events.collect();
            self.sequence += events.len() as u64;
            let batch =
                Batch::new(&self.instance, self.previous.clone(), BTreeMap::new(), events).expect("a batch");
            self.previous = Some(batch.id.clone());
            batches.push(batch);
        }
        batches
    }

    /// One round: these units ask, everything is reported, the governor ticks.
    pub async fn round(
        &mut self,
        world: &World,
        govern: &Govern,
        release: &Release,
        units: std::ops::Range<u64>,
    ) {
        let pulse = world.pulse(govern).await;
        let (exposures, outcomes) = self.events(release, &pulse, units, world.now_ms());
        world.pass(30);
        for batch in self.batches(exposures.into_iter().chain(outcomes).collect()) {
            let (status, body) = world.report(govern, &batch).await;
            assert_eq!(status, 200, "{body}");
        }
        govern.tick().await.expect("a tick");
    }
}

/// A number in 0..10,000 that follows from the text: outcomes that are the same in every run.
pub fn draw(text: &str) -> u64 {
    let (low, _) = flagstone_snapshot::murmur3_x64_128(text.as_bytes(), 0);
    low % 10_000
}

/// The one planned flag of a status.
pub fn flag(status: &Value) -> &Value {
    &status["flags"][0]
}

/// A governor whose flag is started.
pub async fn started(world: &World) -> (Govern, Release) {
    let govern = world.start().await;
    let release = world.release(1, &definition("everyone", "answer@15"));
    world.publish(&govern, &release).await;
    world.order(&govern, FLAG, "start").await;
    (govern, release)
}

/// What is counted, without anything that depends on the wire or the time.
pub fn evidence(status: &Value) -> Value {
    let guardrails = flag(status)["guardrails"].as_array().expect("guardrails").iter().map(|one| {
        ["metric", "treatedBad", "controlBad", "treatedUnits", "controlUnits", "logE"]
            .map(|name| one[name].clone())
    });
    let guardrails: Vec<_> = guardrails.collect();
    json!({"guardrails": guardrails, "units": flag(status)["units"], "cohorts": flag(status)["cohorts"],
           "sampleRatio": flag(status)["sampleRatio"]})
}
