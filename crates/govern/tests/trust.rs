//! What the governor refuses to publish, and what it cannot do even if it wanted to.
#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on stops")]

mod common;

use common::{AUDIENCE, DAY, ENVIRONMENT, FLAG, START_MS, World, answer, definition};
use flagstone_govern::{Govern, GovernError};
use flagstone_seal::{SecretKey, SnapshotStatementDraft, seal_snapshot};
use serde_json::json;

#[tokio::test]
async fn forged_older_foreign_and_contradicting_files_are_refused() {
    let world = World::new();
    let govern = world.start().await;
    let old = world.release(5, &definition("5%", "answer@15"));
    let new = world.release(6, &definition("20%", "answer@15"));
    world.publish(&govern, &old).await;
    world.publish(&govern, &new).await;
    let current = world.pulse(&govern).await.snapshot;

    let refused = async |file: &[u8]| {
        let (status, body) = world.post_file(&govern, file).await;
        (status, body["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(refused(&old.file).await, (409, "rollback".to_owned()));
    let stranger = SecretKey::from_seed("acme.example/release", [9; 32]).expect("a key");
    let forged = world.release_by(&stranger, 7, &definition("everyone", "answer@15"));
    assert_eq!(refused(&forged.file).await, (422, "threshold".to_owned()));
    let pulse_key = world.release_by(&world.pulse, 7, &definition("everyone", "answer@15"));
    let (status, code) = refused(&pulse_key.file).await;
    assert_eq!((status, code.as_str()), (422, "wrong-role"), "the governor's own key cannot raise a ceiling");
    let other = world.release(6, &definition("everyone", "answer@15"));
    assert_eq!(refused(&other.file).await, (409, "equivocation".to_owned()));
    for at in (0..new.file.len()).step_by(97) {
        let mut bent = world.release(7, &definition("20%", "answer@15")).file;
        let at = at % bent.len();
        bent[at] ^= 1;
        assert_eq!(refused(&bent).await.0, 422, "bit flipped at {at}");
    }
    let foreign = SnapshotStatementDraft {
        audience: AUDIENCE.into(),
        environment: "staging".into(),
        epoch: 1,
        sequence: 7,
        issued: START_MS / 1_000,
        expires: START_MS / 1_000 + DAY,
        parent: [0; 32],
        payload_type: "application/vnd.flagstone.snapshot.v1".into(),
    };
    let foreign = seal_snapshot(&foreign, &new.payload, &[&world.release]).expect("a file");
    assert_eq!(refused(&foreign).await.0, 422);

    let (status, _) = world.post_file(&govern, &new.file).await;
    assert_eq!(status, 200, "the current one again is no news");
    assert_eq!(world.pulse(&govern).await.snapshot, current, "nothing refused ever becomes current");
    let kinds: Vec<_> =
        world.ledger(&govern).await.iter().map(|entry| entry["record"]["kind"].clone()).collect();
    assert!(kinds.contains(&json!("snapshot-refused")), "the contradiction is kept: {kinds:?}");
    govern.shutdown().await;
}

#[tokio::test]
async fn a_definition_must_be_the_one_that_was_signed() {
    let world = World::new();
    let govern = world.start().await;
    let release = world.release(1, &definition("20%", "answer@15"));
    let (status, body) = world.put_definition(&govern, &release).await;
    assert_eq!((status, &body["error"]["code"]), (404, &json!("unknown-snapshot")));
    let (status, body) = world.post_file(&govern, &release.file).await;
    assert_eq!((status, &body["current"]), (201, &json!(false)));
    assert!(body["waits"].as_str().expect("a reason").contains("definition"), "{body}");
    let response = answer(world.client.get(world.url(&govern, "/pulse"))).await;
    assert_eq!((response.0, &response.1["error"]["code"]), (503, &json!("no-pulse")));

    for (wrong, code) in
        [(definition("everyone", "answer@15"), "other-flags"), ("{".to_owned(), "bad-definition")]
    {
        let mut other = release.clone();
        other.definition = wrong;
        let (status, body) = world.put_definition(&govern, &other).await;
        assert_eq!((status, &body["error"]["code"]), (422, &json!(code)), "{body}");
    }
    let (status, body) = world.put_definition(&govern, &release).await;
    assert_eq!((status, &body["current"]), (201, &json!(true)), "{body}");
    assert_eq!(world.put_definition(&govern, &release).await.0, 200);
    let mut other = release.clone();
    other.definition.push_str("\n# weaker guardrails\n");
    let (status, body) = world.put_definition(&govern, &other).await;
    assert_eq!((status, &body["error"]["code"]), (409, &json!("other-definition")));
    govern.shutdown().await;
}

#[tokio::test]
async fn the_wrong_pulse_key_is_found_at_the_start() {
    let world = World::new();
    let mut config = world.config();
    config.signer = std::sync::Arc::new(world.release.clone());
    let error = Govern::start(config).await.err().expect("refused");
    assert!(matches!(error, GovernError::Signer { .. }), "{error}");
    assert!(error.to_string().contains(&format!("pulse:{ENVIRONMENT}")), "{error}");
    let mut config = world.config();
    config.listen = "0.0.0.0:0".parse().expect("an address");
    let error = Govern::start(config).await.err().expect("refused");
    assert!(error.to_string().contains("token"), "open to the network without tokens: {error}");
}

#[tokio::test]
async fn tokens_types_tags_and_environments_are_checked() {
    let world = World::new();
    let mut config = world.config();
    config.operator_token = Some("operators-only-0123".into());
    config.reporter_token = Some("reporters-only-0123".into());
    let govern = Govern::start(config).await.expect("a governor");
    let release = world.release(1, &definition("20%", "answer@15"));
    assert_eq!(world.post_file(&govern, &release.file).await.0, 401);
    assert_eq!(world.order(&govern, FLAG, "halt").await.0, 401);
    let post = |token: &str, kind: &str| {
        let request = world.client.post(world.url(&govern, "/snapshots")).bearer_auth(token);
        answer(request.header("content-type", kind).body(release.file.clone()))
    };
    assert_eq!(post("reporters-only-0123", "application/octet-stream").await.0, 401);
    assert_eq!(post("operators-only-0123", "text/plain").await.0, 415);
    assert_eq!(post("operators-only-0123", "application/octet-stream").await.0, 201);

    let digest = flagstone_events::to_hex(&release.mark.digest);
    let got = world
        .client
        .get(world.url(&govern, &format!("/snapshots/{digest}")))
        .send()
        .await
        .expect("an answer");
    assert!(got.headers()["cache-control"].to_str().expect("text").contains("immutable"));
    assert_eq!(got.bytes().await.expect("bytes"), release.file);
    let trust = world.client.get(world.url(&govern, "/trust")).send().await.expect("an answer");
    let tag = trust.headers()["etag"].clone();
    let again = world.client.get(world.url(&govern, "/trust")).header("if-none-match", tag).send().await;
    assert_eq!(again.expect("an answer").status(), 304);
    let elsewhere = format!("http://{}/v1/environments/staging/status", govern.address());
    assert_eq!(answer(world.client.get(elsewhere)).await.0, 404);
    govern.shutdown().await;
}
