//! A small world for tests: keys, what they sign, and a control plane that can be told to misbehave.
#![allow(dead_code, missing_docs, unreachable_pub)] // every test takes what it needs of it
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub mod bench;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use flagstone_seal::{
    Mark, PulseStage, PulseStatement, Role, RoleKind, SecretKey, SnapshotStatement, SnapshotStatementDraft,
    TrustDraft, inspect, seal_pulse, seal_snapshot, seal_trust,
};
use flagstone_snapshot::{
    Draft, DraftFlag, DraftPlan, DraftStage, DraftVariant, FlagKind, Json, OnExpiry, encode,
};
use futures_util::{StreamExt, stream};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;

pub const NOW: u64 = 1_787_300_000;
pub const DAY: u64 = 86_400;
pub const AUDIENCE: &str = "acme.example/assistant";
pub const ENVIRONMENT: &str = "production";

pub fn key(name: &str, number: u8) -> SecretKey {
    SecretKey::from_seed(name, [number; 32]).unwrap()
}

pub struct World {
    pub root: SecretKey,
    pub release: SecretKey,
    pub governor: SecretKey,
    pub now: u64,
}

impl World {
    pub fn new() -> Self {
        Self::at(NOW)
    }

    pub fn at(now: u64) -> Self {
        let (root, release) = (key("acme.example/root", 1), key("acme.example/release", 2));
        Self { root, release, governor: key("acme.example/pulse", 3), now }
    }

    pub fn trust_draft(&self, version: u64, epoch: u64) -> TrustDraft {
        let role = |kind, key: &SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
        TrustDraft {
            version,
            epoch,
            issued: self.now - 10,
            expires: self.now + 300 * DAY,
            roles: vec![
                role(RoleKind::Root, &self.root),
                role(RoleKind::Release(ENVIRONMENT.into()), &self.release),
                role(RoleKind::Pulse(ENVIRONMENT.into()), &self.governor),
            ],
            floors: vec![],
            revoked_keys: vec![],
            revoked_statements: vec![],
        }
    }

    pub fn trust(&self) -> Vec<u8> {
        seal_trust(&self.trust_draft(1, 1), &[&self.root]).unwrap()
    }

    pub fn snapshot(&self, sequence: u64, payload: &[u8]) -> Vec<u8> {
        self.snapshot_with(sequence, payload, |_| {})
    }

    pub fn snapshot_with(
        &self,
        sequence: u64,
        payload: &[u8],
        change: impl FnOnce(&mut SnapshotStatementDraft),
    ) -> Vec<u8> {
        let mut draft = SnapshotStatementDraft {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            epoch: 1,
            sequence,
            issued: self.now - 5,
            expires: self.now + 7 * DAY,
            parent: [0; 32],
            payload_type: "application/vnd.flagstone.snapshot.v1".into(),
        };
        change(&mut draft);
        seal_snapshot(&draft, payload, &[&self.release]).unwrap()
    }

    pub fn pulse(&self, number: u64, snapshot: Mark, stages: &[(&str, u8)], halts: &[&str]) -> Vec<u8> {
        self.pulse_with(number, snapshot, stages, halts, |_| {})
    }

    pub fn pulse_with(
        &self,
        number: u64,
        snapshot: Mark,
        stages: &[(&str, u8)],
        halts: &[&str],
        change: impl FnOnce(&mut PulseStatement),
    ) -> Vec<u8> {
        let mut pulse = PulseStatement {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            number,
            issued: self.now - 1,
            expires: self.now + 300,
            snapshot,
            stages: stages
                .iter()
                .map(|(flag, stage)| PulseStage { flag: (*flag).to_owned(), stage: *stage, since: 0 })
                .collect(),
            halts: halts.iter().map(|flag| (*flag).to_owned()).collect(),
        };
        change(&mut pulse);
        seal_pulse(&pulse, &self.governor).unwrap()
    }
}

/// A flag set with a plan: `assistant` (baseline order 2, candidate order 3, everybody in a 50/50 stage, safe on expiry) and
/// `plain`, always `true`. `salt` makes payloads different.
pub fn draft(salt: &str) -> Draft {
    let variant = |name: &str, order| {
        let value = Json::Object(vec![("order".into(), Json::Integer(order))]);
        DraftVariant { name: name.into(), value }
    };
    let stage =
        DraftStage { name: "half".into(), treat: 500_000_000, control: 500_000_000, ..DraftStage::default() };
    let assistant = DraftFlag {
        variants: vec![variant("baseline", 2), variant("candidate", 3)],
        default_variant: Some(0),
        baseline: Some(0),
        on_expiry: OnExpiry::Safe,
        plan: Some(DraftPlan {
            baseline: 0,
            candidate: 1,
            unit: "targetingKey".into(),
            consent: None,
            data_domains: vec![],
            salt: flagstone_snapshot::bucket_salt("rollout", "assistant"),
            ceiling: Some(0),
            stages: vec![stage],
            ..DraftPlan::default()
        }),
        ..DraftFlag::new("assistant", FlagKind::Object)
    };
    let plain = DraftFlag {
        variants: vec![DraftVariant { name: "on".into(), value: Json::Bool(true) }],
        default_variant: Some(0),
        ..DraftFlag::new("plain", FlagKind::Boolean)
    };
    Draft {
        flag_set: salt.into(),
        environment: ENVIRONMENT.into(),
        flags: vec![assistant, plain],
        ..Draft::default()
    }
}

/// [`draft`], laid out.
pub fn payload(salt: &str) -> Vec<u8> {
    encode(&draft(salt)).unwrap()
}

/// The engine, compiled once for all tests of a file.
pub fn engine() -> Arc<flagstone_host::Engine> {
    static ENGINE: std::sync::OnceLock<Arc<flagstone_host::Engine>> = std::sync::OnceLock::new();
    let make = || match flagstone_host::Engine::from_source(&Default::default()) {
        Ok(engine) => Arc::new(engine),
        Err(error) => panic!("run `cargo xtask build` first: {error}"),
    };
    Arc::clone(ENGINE.get_or_init(make))
}

/// The identity of a sealed file.
pub fn mark(file: &[u8]) -> Mark {
    let claim = inspect(file, 1 << 22).unwrap();
    let text = claim.note.text();
    SnapshotStatement::parse(text).unwrap().mark()
}

pub fn hex(bytes: &[u8]) -> String {
    flagstone_events::to_hex(bytes)
}

/// How the control plane answers.
#[derive(Debug, Clone, Default)]
pub enum Manner {
    #[default]
    Well,
    Status(u16, Option<u64>),
    /// Breaks off after this many bytes.
    CutAfter(usize),
    /// Never stops sending.
    Endless,
}

/// What the control plane has and has seen.
#[derive(Debug, Default)]
pub struct Plane {
    pub trust: Option<Vec<u8>>,
    pub trust_versions: HashMap<u64, Vec<u8>>,
    pub pulse: Option<Vec<u8>>,
    pub snapshots: HashMap<String, Vec<u8>>,
    pub pulse_manner: Manner,
    pub snapshot_manner: Manner,
    pub events_manner: Manner,
    /// Every request, as `pulse`, `pulse 304`, `snapshot`, `trust`, `events`.
    pub seen: Vec<String>,
    pub batches: Vec<Vec<u8>>,
    /// The stream of pulses: what it begins with, and the rest as it is sent. None: there is no such route.
    pub live: Option<Live>,
    /// Streams open now, and the most that were at once.
    pub streams: Arc<(AtomicUsize, AtomicUsize)>,
    /// Requests of OTLP, and how many records of each are rejected.
    pub logs: Vec<Vec<u8>>,
    pub reject_records: u64,
    /// The `Authorization` of every report.
    pub authorisations: Vec<String>,
}

/// The bytes of a stream.
#[derive(Debug, Clone)]
pub struct Live {
    pub first: Vec<u8>,
    /// Dropping it (and all its clones) ends the stream.
    pub rest: broadcast::Sender<Vec<u8>>,
}

impl Live {
    pub fn new(first: &[u8]) -> Self {
        Self { first: first.to_vec(), rest: broadcast::Sender::new(64) }
    }
}

/// A pulse as an event of the stream.
pub fn pulse_event(note: &[u8]) -> Vec<u8> {
    let text = std::str::from_utf8(note).unwrap();
    let lines: String = text.split('\n').map(|line| format!("data: {line}\n")).collect();
    format!("event: pulse\nid: {}\n{lines}\n", hex(&Sha256::digest(note))).into_bytes()
}

pub type Shared = Arc<Mutex<Plane>>;

/// Publishes a snapshot and a pulse that names it.
pub fn publish(
    plane: &Shared,
    world: &World,
    number: u64,
    file: &[u8],
    stages: &[(&str, u8)],
    halts: &[&str],
) {
    let named = mark(file);
    let mut plane = plane.lock().unwrap();
    plane.snapshots.insert(hex(&named.digest), file.to_vec());
    plane.pulse = Some(world.pulse(number, named, stages, halts));
}

/// Serves a control plane on a port of its own; gives back its address.
pub async fn serve(plane: Shared) -> String {
    let app = Router::new()
        .route("/v1/environments/production/trust", get(trust))
        .route("/v1/environments/production/trust/{version}", get(trust_version))
        .route("/v1/environments/production/pulse", get(pulse))
        .route("/v1/environments/production/pulse/live", get(live))
        .route("/v1/environments/production/snapshots/{digest}", get(snapshot))
        .route("/v1/environments/production/events", post(events))
        .route("/v1/logs", post(logs))
        .with_state(plane);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    address
}

fn answer(manner: &Manner, headers: &HeaderMap, bytes: Option<Vec<u8>>) -> (Response, &'static str) {
    match manner {
        Manner::Well => {}
        Manner::Status(status, retry_after) => {
            let mut response = StatusCode::from_u16(*status).unwrap().into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, (*seconds).into());
            }
            return (response, "");
        }
        Manner::CutAfter(length) => {
            let start = Bytes::from(bytes.unwrap_or_default()[..*length].to_vec());
            let broken = stream::iter([Ok(start), Err(std::io::Error::other("cut"))]);
            return (Body::from_stream(broken).into_response(), "");
        }
        Manner::Endless => {
            let endless =
                stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 65_536])));
            return (Body::from_stream(endless).into_response(), "");
        }
    }
    let Some(bytes) = bytes else { return (StatusCode::NOT_FOUND.into_response(), "") };
    let tag = format!("\"{}\"", hex(&Sha256::digest(&bytes)));
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return (StatusCode::NOT_MODIFIED.into_response(), " 304");
    }
    (([(header::ETAG, tag)], bytes).into_response(), "")
}

async fn trust(State(plane): State<Shared>, headers: HeaderMap) -> Response {
    let mut plane = plane.lock().unwrap();
    let (response, mark) = answer(&Manner::Well, &headers, plane.trust.clone());
    plane.seen.push(format!("trust{mark}"));
    response
}

async fn trust_version(
    State(plane): State<Shared>,
    Path(version): Path<u64>,
    headers: HeaderMap,
) -> Response {
    let mut plane = plane.lock().unwrap();
    plane.seen.push(format!("trust/{version}"));
    answer(&Manner::Well, &headers, plane.trust_versions.get(&version).cloned()).0
}

async fn pulse(State(plane): State<Shared>, headers: HeaderMap) -> Response {
    let mut plane = plane.lock().unwrap();
    let (response, mark) = answer(&plane.pulse_manner, &headers, plane.pulse.clone());
    plane.seen.push(format!("pulse{mark}"));
    response
}

/// Counts itself while it is open.
struct Open(Arc<(AtomicUsize, AtomicUsize)>);

impl Open {
    fn new(count: &Arc<(AtomicUsize, AtomicUsize)>) -> Self {
        let now = count.0.fetch_add(1, Ordering::SeqCst) + 1;
        count.1.fetch_max(now, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

async fn live(State(plane): State<Shared>) -> Response {
    let mut plane = plane.lock().unwrap();
    plane.seen.push("live".to_owned());
    let Some(live) = &plane.live else { return StatusCode::NOT_FOUND.into_response() };
    let (first, rest) = (live.first.clone(), live.rest.subscribe());
    let rest = stream::unfold((rest, Open::new(&plane.streams)), |(mut rest, open)| async move {
        let next = rest.recv().await.ok()?;
        Some((Ok(Bytes::from(next)), (rest, open)))
    });
    let bytes = stream::iter([Ok::<_, std::io::Error>(Bytes::from(first))]).chain(rest);
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(bytes)).into_response()
}

async fn snapshot(State(plane): State<Shared>, Path(digest): Path<String>, headers: HeaderMap) -> Response {
    let mut plane = plane.lock().unwrap();
    let (response, mark) = answer(&plane.snapshot_manner, &headers, plane.snapshots.get(&digest).cloned());
    plane.seen.push(format!("snapshot{mark}"));
    response
}

/// A receiver of OTLP logs as protobuf.
async fn logs(State(plane): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut plane = plane.lock().unwrap();
    if let Manner::Status(status, _) = plane.events_manner {
        return (StatusCode::from_u16(status).unwrap(), "as told").into_response();
    }
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    plane.logs.push(body.to_vec());
    let protobuf = flagstone_events::otlp::Encoding::Protobuf;
    let said = flagstone_events::otlp::encode_answer(plane.reject_records, Some("as told"), protobuf);
    ([(header::CONTENT_TYPE, protobuf.content_type())], said).into_response()
}

async fn events(State(plane): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let mut plane = plane.lock().unwrap();
    plane.seen.push("events".to_owned());
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    plane.authorisations.push(bearer.unwrap_or_default().to_owned());
    if let Manner::Status(status, _) = plane.events_manner {
        return (StatusCode::from_u16(status).unwrap(), "as told").into_response();
    }
    plane.batches.push(body.to_vec());
    receipt(&flagstone_events::Batch::from_json(&body).unwrap()).into_response()
}

/// Every event made, by what has become of it.
pub fn sum(events: &flagstone_host::EventStatus) -> u64 {
    events.repeated + events.delivered + events.pending + events.dropped.values().sum::<u64>()
}

/// Waits until something is so; long, since machines are busy.
pub async fn wait_until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..6_000 {
        if condition() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("it did not happen within 30 s: {what}");
}

/// What a receiver answers that has taken a batch.
pub fn receipt(batch: &flagstone_events::Batch) -> String {
    format!(r#"{{"batch":"{}","accepted":{},"duplicates":0}}"#, batch.id, batch.events.len())
}
