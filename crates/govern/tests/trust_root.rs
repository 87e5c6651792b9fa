//! The trust root moves on while the governor runs: what it takes, what it refuses, what comes of it at once.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use common::{AUDIENCE, DAY, ENVIRONMENT, Release, START_MS, World, answer, definition};
use flagstone_govern::{Govern, GovernError};
use flagstone_seal::{
    Floor, RoleKind, SecretKey, SnapshotStatementDraft, TrustDraft, TrustRoot, seal_snapshot, seal_trust,
};
use serde_json::{Value, json};

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, [seed; 32]).expect("a usable seed")
}

/// The next trust note after `before`, changed and signed by the world's root key.
fn next(before: &TrustRoot, change: impl FnOnce(&mut TrustDraft)) -> (TrustRoot, Vec<u8>) {
    let mut draft = before.statement().clone();
    draft.version += 1;
    change(&mut draft);
    let note = seal_trust(&draft, &[&key("acme.example/root", 1)]).expect("a trust note");
    (TrustRoot::pin(&note, START_MS / 1_000).expect("a good root"), note)
}

async fn post(world: &World, govern: &Govern, note: &[u8]) -> (u16, Value) {
    let request = world.client.post(world.url(govern, "/trust"));
    answer(request.header("content-type", "application/octet-stream").body(note.to_vec())).await
}

async fn get(world: &World, govern: &Govern, path: &str) -> (u16, Vec<u8>) {
    let got = world.client.get(world.url(govern, path)).send().await.expect("an answer");
    (got.status().as_u16(), got.bytes().await.expect("a body").to_vec())
}

/// A release of a later epoch.
fn release_of(world: &World, epoch: u64, sequence: u64) -> Release {
    let mut release = world.release(1, &definition("20%", "answer@15"));
    let now = world.now_ms() / 1_000;
    let draft = SnapshotStatementDraft {
        audience: AUDIENCE.into(),
        environment: ENVIRONMENT.into(),
        epoch,
        sequence,
        issued: now,
        expires: now + 30 * DAY,
        parent: [0; 32],
        payload_type: "application/vnd.flagstone.snapshot.v1".into(),
    };
    release.file = seal_snapshot(&draft, &release.payload, &[&world.release]).expect("a sealed file");
    let claim = flagstone_seal::inspect(&release.file, 1 << 22).expect("readable");
    let flagstone_seal::Statement::Snapshot(statement) = claim.statement else { panic!("a snapshot") };
    release.mark = statement.mark();
    release
}

#[tokio::test]
async fn the_next_trust_root_is_in_force_at_once_and_after_a_restart() {
    let world = World::new();
    let govern = world.start().await;
    world.publish(&govern, &world.release(1, &definition("20%", "answer@15"))).await;
    let (second, note) = next(&world.root, |draft| draft.expires += DAY);
    let (status, body) = post(&world, &govern, &note).await;
    assert_eq!((status, &body["version"], &body["refused"]), (201, &json!(2), &Value::Null), "{body}");
    assert_eq!(body["current"]["sequence"], 1);
    assert_eq!(get(&world, &govern, "/trust").await, (200, note.clone()));
    assert_eq!(get(&world, &govern, "/trust/1").await, (200, world.trust.clone()));
    assert_eq!(get(&world, &govern, "/trust/2").await, (200, note.clone()));
    for unknown in ["/trust/3", "/trust/0", "/trust/x", "/trust/99999999999999999999"] {
        assert_eq!(get(&world, &govern, unknown).await.0, 404, "{unknown}");
    }
    let (status, body) = post(&world, &govern, &note).await;
    assert_eq!((status, &body["version"]), (200, &json!(2)), "the same again is no news");
    let entries = world.ledger(&govern).await;
    let told: Vec<_> = entries.iter().filter(|entry| entry["record"]["kind"] == "trust").collect();
    let versions: Vec<_> = told.iter().map(|entry| &entry["record"]["data"]["version"]).collect();
    assert_eq!(versions, [1, 2], "{entries:?}");
    govern.shutdown().await;

    // The configured note is still the first one; the store goes on from there.
    let govern = world.start().await;
    assert_eq!(get(&world, &govern, "/trust").await, (200, note));
    let (third, note) = next(&second, |draft| draft.epoch = 2);
    assert_eq!(post(&world, &govern, &note).await.0, 201);
    govern.shutdown().await;

    // Started with a note that is newer still: it is kept and written down.
    let (_, note) = next(&third, |draft| draft.expires += DAY);
    let mut config = world.config();
    config.trust.clone_from(&note);
    let govern = Govern::start(config).await.expect("a governor");
    assert_eq!(get(&world, &govern, "/trust").await, (200, note.clone()));
    assert_eq!(get(&world, &govern, "/trust/4").await, (200, note));
    let entries = world.ledger(&govern).await;
    let last = entries.iter().rfind(|entry| entry["record"]["kind"] == "trust").expect("an entry");
    assert_eq!(last["record"]["data"]["version"], 4, "{entries:?}");
    govern.audit(None).await.expect("a whole ledger");
    govern.shutdown().await;

    // Started with another note under a version that is stored: nothing is guessed.
    let (_, other) = next(&world.root, |draft| draft.epoch = 9);
    let mut config = world.config();
    config.trust = other;
    let error = Govern::start(config).await.err().expect("refused");
    assert!(matches!(error, GovernError::StoredTrust { version: 2, .. }), "{error}");
}

#[tokio::test]
async fn what_root_keys_did_not_agree_to_changes_nothing() {
    let world = World::new();
    let mut config = world.config();
    config.operator_token = Some("operators-only-0123".into());
    let govern = Govern::start(config).await.expect("a governor");
    let send = |note: &[u8], token: &str, kind: &str| {
        let request = world.client.post(world.url(&govern, "/trust")).bearer_auth(token);
        answer(request.header("content-type", kind).body(note.to_vec()))
    };
    let octets = "application/octet-stream";
    let (second, note) = next(&world.root, |_| ());
    assert_eq!(send(&note, "somebody-else-0123", octets).await.0, 401);
    assert_eq!(
        send(&note, "operators-only-0123", "text/plain").await.0,
        415,
        "a foreign page could send this"
    );
    let refused = async |note: &[u8]| {
        let (status, body) = send(note, "operators-only-0123", octets).await;
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let mut draft = second.statement().clone();
    let stranger = key("acme.example/root", 9);
    draft.roles[0].keys = vec![stranger.verifying_key()];
    let by_the_new_only = seal_trust(&draft, &[&stranger]).expect("a note");
    assert_eq!(refused(&by_the_new_only).await, (422, "threshold".into()));
    let by_the_old_only = seal_trust(&draft, &[&key("acme.example/root", 1)]).expect("a note");
    assert_eq!(refused(&by_the_old_only).await, (422, "threshold".into()));
    let (_, gap) = next(&second, |_| ());
    assert_eq!(refused(&gap).await, (409, "trust-version".into()));
    let (_, lower) = next(&world.root, |draft| draft.epoch = 0);
    assert_eq!(refused(&lower).await, (409, "trust-epoch".into()));
    let (_, pulseless) = next(&world.root, |draft| {
        let role = draft.roles.iter_mut().find(|role| matches!(role.kind, RoleKind::Pulse(_)));
        role.expect("a pulse role").keys = vec![key("acme.example/pulse", 77).verifying_key()];
    });
    assert_eq!(refused(&pulseless).await, (409, "pulse-key".into()), "nothing could be stopped any more");
    let mut bent = note.clone();
    bent[40] ^= 1;
    assert_eq!(refused(&bent).await.0, 422);
    assert_eq!(refused(&vec![b'x'; 70_000]).await.0, 413);
    assert_eq!(get(&world, &govern, "/trust").await, (200, world.trust.clone()));
    assert_eq!(get(&world, &govern, "/trust/2").await.0, 404);
    assert_eq!(send(&note, "operators-only-0123", octets).await.0, 201, "the good one still goes in");
    govern.shutdown().await;
}

#[tokio::test]
async fn a_floor_takes_the_snapshot_out_and_a_new_epoch_recovers() {
    let mut world = World::new();
    let govern = world.start().await;
    // A thief signed the largest number that the store holds.
    let far = release_of(&world, 1, u64::try_from(i64::MAX).expect("it fits"));
    world.publish(&govern, &far).await;
    let stolen = world.pulse(&govern).await;
    let (status, body) = world.post_file(&govern, &world.release(2, &definition("20%", "a@1")).file).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("rollback")), "honest files cannot go on");

    let (second, note) = next(&world.root, |draft| {
        draft.epoch = 2;
        draft.floors = vec![Floor { environment: ENVIRONMENT.into(), epoch: 2, sequence: 1 }];
    });
    let (status, body) = post(&world, &govern, &note).await;
    assert_eq!((status, &body["current"]), (201, &Value::Null), "{body}");
    assert!(body["refused"].as_str().expect("a reason").contains("below-floor"), "{body}");
    let (status, _) = get(&world, &govern, "/pulse").await;
    assert_eq!(status, 503, "the pulse that names the thief's file is served no more");
    assert_eq!(answer(world.client.get(format!("http://{}/healthz", govern.address()))).await.0, 503);
    assert_eq!(world.status(&govern).await["snapshot"], Value::Null);
    govern.shutdown().await;
    let govern = world.start().await;
    assert_eq!(get(&world, &govern, "/pulse").await.0, 503, "nor after a restart");

    world.pass(60);
    let good = release_of(&world, 2, 1);
    world.publish(&govern, &good).await;
    world.root = second;
    let pulse = world.pulse(&govern).await;
    assert_eq!(pulse.snapshot, good.mark);
    assert!(pulse.number > stolen.number);
    let outages = world.ledger(&govern).await;
    assert!(outages.iter().any(|entry| entry["record"]["kind"] == "outage"), "the pause is counted");
    govern.audit(None).await.expect("a whole ledger");
    govern.shutdown().await;
}

#[tokio::test]
async fn a_revoked_pulse_is_replaced_at_once() {
    let mut world = World::new();
    let govern = world.start().await;
    world.publish(&govern, &world.release(1, &definition("20%", "answer@15"))).await;
    let before = world.pulse(&govern).await;
    let (second, note) = next(&world.root, |draft| draft.revoked_statements = vec![before.digest()]);
    world.pass(1);
    assert_eq!(post(&world, &govern, &note).await.0, 201);
    world.root = second;
    let after = world.pulse(&govern).await;
    assert!(after.number > before.number, "{after:?}");
    govern.shutdown().await;
}
