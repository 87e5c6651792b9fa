//! What a host reports, of whom, and how: consent, samples, names, tokens, OTLP, and the doors that ask for it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use common::bench::Bench;
use common::{Manner, NOW, payload, publish, sum, wait_until};
use flagstone_events::{Body, Inclusion, Pepper, Sampling, Stream};
use flagstone_host::{Consent, Host, NextPepper, OutcomeReport, Recorded, http};
use serde_json::{Value, json};

fn context(unit: &str, more: Value) -> Value {
    let mut context = json!({"targetingKey": unit});
    context.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    context
}

fn outcome(request: &str) -> OutcomeReport {
    OutcomeReport {
        name: "answer".into(),
        request: request.into(),
        booleans: BTreeMap::from([("wrong".into(), false)]),
        ..OutcomeReport::default()
    }
}

/// Threat 28: whatever a context says of consent in whatever form, an event exists only where analytics is granted.
#[tokio::test(flavor = "multi_thread")]
async fn threat_28_no_event_without_consent_and_the_sum_still_adds_up() {
    let forms = [
        (json!({}), None),
        (json!({"consent": null}), None),
        (json!({"consent": []}), Some(false)),
        (json!({"consent": ["beta", "exposure"]}), Some(false)),
        (json!({"consent": {"analytics": false}}), Some(false)),
        (json!({"consent": {"analytics": "yes"}}), Some(false)),
        (json!({"consent": {"exposure": true}}), Some(false)),
        (json!({"consent": "no"}), Some(false)),
        (json!({"consent": true}), Some(false)),
        (json!({"consent": 5}), Some(false)),
        (json!({"consent": "analytics"}), Some(true)),
        (json!({"consent": ["beta", "analytics"]}), Some(true)),
        (json!({"consent": {"analytics": true}}), Some(true)),
    ];
    for rule in [Consent::Stated, Consent::Required] {
        let bench = Bench::new().await;
        let host = bench.host_with(|config| config.reporting.consent = rule).await;
        let (mut reduced, mut allowed) = (0, BTreeSet::new());
        for number in 0..130 {
            let (said, grants) = &forms[number % forms.len()];
            let grants = grants.unwrap_or(rule == Consent::Stated);
            let unit = format!("user-{number}");
            let asked = context(&unit, said.clone());
            // As a value and as text, which are read in different ways.
            for evaluation in
                [host.evaluate("assistant", &asked), host.evaluate("plain", asked.to_string().as_str())]
            {
                assert!(evaluation.value().is_some(), "the decision is made either way");
                let recorded = host.expose(&evaluation);
                assert_eq!(recorded == Recorded::Queued, grants, "{said} under {rule:?}");
                assert_eq!(host.exposure_token(&evaluation).is_some(), grants);
                if grants {
                    allowed.insert(number);
                } else {
                    reduced += 1;
                    assert_eq!(recorded, Recorded::Reduced("no-consent"));
                }
            }
            let analytics = forms[number % forms.len()].1;
            let recorded = host.outcome(&unit, OutcomeReport { analytics, ..outcome(&unit) });
            assert_eq!(recorded == Recorded::Queued, grants);
            reduced += u64::from(!grants);
        }
        let status = host.shutdown(Duration::from_secs(10)).await;
        assert_eq!(status.events.dropped.get("no-consent"), Some(&reduced));
        assert_eq!(sum(&status.events), status.events.made);
        let received = bench.received();
        assert_eq!(received.len(), 3 * allowed.len());
        let units: BTreeSet<String> = received.values().map(|body| body.unit().to_string()).collect();
        assert_eq!(units.len(), allowed.len(), "of nobody else");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sample_keeps_whole_units_and_says_with_which_probability() {
    let bench = Bench::new().await;
    let sampling = Sampling { inclusion: Inclusion::new(250_000_000).unwrap() };
    let host = bench.host_with(|config| config.reporting.sampling = sampling).await;
    let mut kept = BTreeMap::new();
    for number in 0..800 {
        let unit = format!("user-{number}");
        let evaluation = host.evaluate("assistant", context(&unit, json!({})));
        let recorded = host.expose(&evaluation);
        assert_eq!(
            host.outcome(&unit, outcome(&unit)) == Recorded::Queued,
            recorded == Recorded::Queued,
            "{unit}"
        );
        assert!(matches!(recorded, Recorded::Queued | Recorded::Reduced("sampled-out")), "{recorded:?}");
        if recorded == Recorded::Queued {
            *kept.entry(evaluation.decision.variant.unwrap()).or_insert(0) += 1;
        }
    }
    let status = host.shutdown(Duration::from_secs(10)).await;
    assert_eq!(sum(&status.events), status.events.made);
    let total: u64 = kept.values().sum();
    assert_eq!(status.events.dropped["sampled-out"], 2 * (800 - total));
    // Five standard deviations of 800 draws at a quarter, and of their split into two equal arms.
    assert!((139..=261).contains(&total), "{total}");
    assert!(kept["candidate"].abs_diff(kept["baseline"]) < 5 * 15, "{kept:?}");
    for body in bench.received().values() {
        let inclusion = match body {
            Body::Exposure(exposure) => exposure.inclusion,
            Body::Outcome(outcome) => outcome.inclusion,
            Body::Withdrawal(_) => panic!("nobody withdrew"),
        };
        assert_eq!(inclusion.parts(), 250_000_000);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_the_hosts_and_never_mix() {
    let bench = Bench::new().await;
    let host = bench.host_with(|config| config.stream = Stream::Evaluation).await;
    assert_eq!(host.expose(&host.evaluate("plain", context("ana", json!({})))), Recorded::Queued);
    assert_eq!(host.outcome("ana", outcome("own")), Recorded::Queued);
    let across = |stream| host.outcome("ana", OutcomeReport { stream: Some(stream), ..outcome("across") });
    assert_eq!(across(Stream::Evaluation), Recorded::Queued);
    for other in [Stream::Production, Stream::Training] {
        assert_eq!(across(other), Recorded::Dropped("invalid"), "{other:?}");
    }
    host.shutdown(Duration::from_secs(5)).await;
    let received = bench.received();
    assert_eq!(received.len(), 3);
    assert!(received.values().all(|body| body.stream() == Stream::Evaluation));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_withdrawal_names_the_unit_in_every_stream_and_under_every_pepper() {
    let bench = Bench::new().await;
    let next =
        NextPepper { pepper: Pepper::from_bytes([8; 32]), not_before_ms: u64::MAX, at_latest_ms: u64::MAX };
    let host = bench.host_with(|config| config.reporting.next_pepper = Some(next)).await;
    assert_eq!(host.withdraw("ana"), Recorded::Queued);
    assert_eq!(host.withdraw(""), Recorded::Dropped("invalid"));
    host.shutdown(Duration::from_secs(5)).await;
    let received = bench.received();
    let named: BTreeSet<_> = received.values().map(|body| (body.stream(), body.unit())).collect();
    assert_eq!((received.len(), named.len()), (6, 6));
    assert!(received.values().all(|body| matches!(body, Body::Withdrawal(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn units_keep_their_names_while_a_rollout_is_open() {
    let bench = Bench::new().await;
    let start = NOW * 1_000;
    let next = NextPepper {
        pepper: Pepper::from_bytes([8; 32]),
        not_before_ms: start + 10_000,
        at_latest_ms: start + 250_000,
    };
    let host = bench.host_with(|config| config.reporting.next_pepper = Some(next)).await;
    let ask = |number: u64| {
        host.outcome("ana", outcome(&number.to_string()));
        assert!(host.flush(Duration::from_secs(5)));
    };
    ask(0);
    bench.time.store(start + 20_000, Ordering::Relaxed);
    ask(1); // may change, but `assistant` is at a stage
    let token = host.exposure_token(&host.evaluate("assistant", context("ana", json!({})))).unwrap();
    let file = bench.world.snapshot(1, &payload("one"));
    publish(&bench.plane, &bench.world, 2, &file, &[], &[]);
    wait_until("closed", || host.status().sync.pulse.is_some_and(|pulse| pulse.number == 2)).await;
    bench.time.store(start + 30_000, Ordering::Relaxed);
    ask(2);
    assert_eq!(host.redeem(&token), Ok(Recorded::Queued), "a token of the pepper before is still good");
    host.shutdown(Duration::from_secs(5)).await;
    let mut units: BTreeMap<u64, _> = BTreeMap::new();
    let received = bench.received();
    for body in received.values().filter(|body| matches!(body, Body::Outcome(_))) {
        units.insert(body.at_ms() - start, body.unit());
    }
    assert_eq!(units[&0], units[&20_000]);
    assert_ne!(units[&0], units[&30_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_go_out_over_otlp_with_the_same_guarantees() {
    let bench = Bench::new().await;
    bench.plane.lock().unwrap().events_manner = Manner::Status(503, None);
    let address = bench.address.clone();
    let host = bench.host_with(|config| config.reporting.otlp = Some(address)).await;
    for number in 0..50 {
        let unit = format!("user-{number}");
        host.expose(&host.evaluate("assistant", context(&unit, json!({}))));
        host.outcome(&unit, outcome(&unit));
    }
    wait_until("failures", || host.status().events.failures > 1).await;
    bench.plane.lock().unwrap().events_manner = Manner::Well;
    wait_until("delivery", || host.status().events.delivered == 100).await;
    assert_eq!(bench.received().len(), 100);
    assert!(bench.plane.lock().unwrap().batches.is_empty(), "in place of our own wire, not beside it");
    // Partial success: what the receiver will never take is counted, declared, and kept for a person to look at.
    bench.plane.lock().unwrap().reject_records = 1;
    (0..3).for_each(|n| assert_eq!(host.outcome("u", outcome(&format!("more {n}"))), Recorded::Queued));
    let status = host.shutdown(Duration::from_secs(5)).await;
    let lost = status.events.dropped["poison"];
    assert!((1..=3).contains(&lost), "{lost}");
    assert_eq!((status.events.delivered, sum(&status.events)), (103 - lost, status.events.made));
    assert!(bench.folder.path().join("poison").is_dir());
}

struct Doors {
    base: String,
    client: reqwest::Client,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Doors {
    async fn open(host: &Arc<Host>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        tokio::spawn(http::serve(Arc::clone(host), listener, async { drop(stopped.await) }));
        Self { base, client: reqwest::Client::new(), stop }
    }

    async fn post(&self, path: &str, body: Value, headers: &[(&str, &str)]) -> (u16, Value, String) {
        let mut request = self.client.post(format!("{}{path}", self.base)).json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let answer = request.send().await.unwrap();
        let tag =
            answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default(), tag)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_says_later_and_once_what_it_was_given() {
    let bench = Bench::new().await;
    let host =
        bench.host_with(|config| config.reporting.door_token = Some("a door token of length".into())).await;
    let doors = Doors::open(&host).await;
    let bearer = [("authorization", "Bearer a door token of length")];
    let asked = json!({"context": context("ana@example.com", json!({})), "exposureToken": true});
    let (_, body, _) = doors.post("/ofrep/v1/evaluate/flags/assistant", asked, &bearer).await;
    let token = body["metadata"]["flagstone.exposureToken"].as_str().unwrap().to_owned();
    assert!(!body.to_string().contains("ana@"), "{body}");
    assert_eq!(host.status().events.made, 0, "nothing is recorded until it is shown");
    let redeem = async |token: &str| doors.post("/v1/exposures", json!({"token": token}), &[]).await;
    for _ in 0..3 {
        let (status, body, _) = redeem(&token).await;
        assert_eq!((status, &body["recorded"]), (200, &json!("yes")), "a browser needs no bearer token");
    }
    let mut altered = token.clone();
    altered.replace_range(60..61, if &token[60..61] == "A" { "B" } else { "A" });
    let (status, body, _) = redeem(&altered).await;
    assert_eq!((status, &body["error"]), (403, &json!("token-forged")));
    let (status, body, _) = redeem("nonsense").await;
    assert_eq!((status, body["error"].as_str().unwrap().starts_with("token-")), (400, true), "{body}");
    bench.time.fetch_add(3_600_000, Ordering::Relaxed);
    let (status, body, _) = redeem(&token).await;
    assert_eq!((status, &body["error"]), (410, &json!("token-expired")));
    let both = json!({"token": token, "flag": "plain"});
    assert_eq!(doors.post("/v1/exposures", both, &bearer).await.0, 400);
    let told = json!({"flag": "plain", "context": {"targetingKey": "ben"}});
    assert_eq!(doors.post("/v1/exposures", told.clone(), &[]).await.0, 401, "this form is not for browsers");
    assert_eq!(doors.post("/v1/exposures", told, &bearer).await.0, 200);
    drop(doors.stop);
    let status = host.shutdown(Duration::from_secs(5)).await;
    assert_eq!((status.events.made, status.events.repeated, bench.received().len()), (4, 2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doors_ask_for_the_token_when_one_is_set() {
    let bench = Bench::new().await;
    let host = bench
        .host_with(|config| {
            config.reporting.door_token = Some("a door token of length".into());
            config.reporting.report_token = Some("a report token".into());
        })
        .await;
    let doors = Doors::open(&host).await;
    let body =
        json!({"context": {"targetingKey": "ana"}, "targetingKey": "ana", "name": "x", "request": "y"});
    for path in
        ["/ofrep/v1/evaluate/flags/plain", "/ofrep/v1/evaluate/flags", "/v1/outcomes", "/v1/withdrawals"]
    {
        for wrong in [
            "",
            "Bearer ",
            "Bearer a door token of lengtH",
            "Basic a door token of length",
            "a door token of length",
        ] {
            let (status, answer, _) = doors.post(path, body.clone(), &[("authorization", wrong)]).await;
            assert_eq!((status, &answer["error"]), (401, &json!("unauthorised")), "{path} with `{wrong}`");
        }
        let right = [("authorization", "Bearer a door token of length")];
        assert_ne!(doors.post(path, body.clone(), &right).await.0, 401, "{path}");
    }
    for (path, wanted) in [("/v1/status", 401), ("/ofrep/v1/configuration", 401), ("/healthz", 200)] {
        let answer = doors.client.get(format!("{}{path}", doors.base)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), wanted, "{path}");
    }
    drop(doors.stop);
    host.shutdown(Duration::from_secs(5)).await;
    let plane = bench.plane.lock().unwrap();
    assert!(!plane.authorisations.is_empty());
    assert!(
        plane.authorisations.iter().all(|sent| sent == "Bearer a report token"),
        "{:?}",
        plane.authorisations
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bulk_evaluation_and_its_entity_tag() {
    let bench = Bench::new().await;
    let host = bench.host_with(|_| {}).await;
    let doors = Doors::open(&host).await;
    let path = "/ofrep/v1/evaluate/flags";
    let body = |unit: &str| json!({"context": context(unit, json!({}))});
    let (status, answer, tag) = doors.post(path, body("ana"), &[]).await;
    let keys: Vec<_> =
        answer["flags"].as_array().unwrap().iter().map(|flag| flag["key"].as_str().unwrap()).collect();
    assert_eq!((status, keys), (200, vec!["assistant", "plain"]));
    for flag in answer["flags"].as_array().unwrap() {
        let one = format!("{path}/{}", flag["key"].as_str().unwrap());
        let asked = json!({"context": context("ana", json!({})), "apply": false});
        assert_eq!(&doors.post(&one, asked, &[]).await.1, flag, "the same as one by one");
    }
    let again = async |unit: &str, tag: &str| doors.post(path, body(unit), &[("if-none-match", tag)]).await;
    assert_eq!(again("ana", &tag).await.0, 304);
    assert_eq!(again("ana", &format!("\"x\", W/{tag}")).await.0, 304);
    assert_eq!(again("ben", &tag).await.0, 200, "another context");
    // A pulse that changes nothing leaves it, one that closes the stage does not; neither does another snapshot.
    let file = bench.world.snapshot(1, &payload("one"));
    let number = |wanted| host.status().sync.pulse.is_some_and(|pulse| pulse.number == wanted);
    publish(&bench.plane, &bench.world, 2, &file, &[("assistant", 0)], &[]);
    wait_until("a pulse", || number(2)).await;
    assert_eq!(again("ana", &tag).await.0, 304);
    publish(&bench.plane, &bench.world, 3, &file, &[], &[]);
    wait_until("a pulse", || number(3)).await;
    let (status, _, closed) = again("ana", &tag).await;
    assert_eq!((status, closed != tag), (200, true));
    publish(&bench.plane, &bench.world, 4, &bench.world.snapshot(2, &payload("two")), &[], &[]);
    wait_until("a snapshot", || host.status().serving.is_some_and(|serving| serving.sequence == 2)).await;
    assert_eq!(again("ana", &closed).await.0, 200);
    // With tokens, which are new each time but leave the tag alone until half of their life is over.
    let wanted = [("flagstone-exposure-token", "yes")];
    let (_, answer, with) = doors.post(path, body("ana"), &wanted).await;
    assert!(answer["flags"][1]["metadata"]["flagstone.exposureToken"].is_string(), "{answer}");
    let tokens = async || {
        let headers = [("flagstone-exposure-token", "yes"), ("if-none-match", with.as_str())];
        doors.post(path, body("ana"), &headers).await.0
    };
    assert_eq!(tokens().await, 304);
    bench.time.fetch_add(1_800_000, Ordering::Relaxed);
    assert_eq!(tokens().await, 200);
    assert_eq!(host.status().events.made, 0, "nobody has been given anything");
    for (wrong, code) in
        [(json!({"context": 5}), "INVALID_CONTEXT"), (json!({"context": {}, "apply": 1}), "PARSE_ERROR")]
    {
        let (status, answer, _) = doors.post(path, wrong, &[]).await;
        assert_eq!((status, &answer["errorCode"]), (400, &json!(code)));
    }
    let get = doors.client.get(format!("{}/ofrep/v1/configuration", doors.base));
    let answer = get.send().await.unwrap();
    let tag = answer.headers()["etag"].clone();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(
        (&body["name"], &body["capabilities"]["cacheInvalidation"]["polling"]["enabled"]),
        (&json!("flagstone"), &json!(true))
    );
    let get = doors.client.get(format!("{}/ofrep/v1/configuration", doors.base)).header("if-none-match", tag);
    assert_eq!(get.send().await.unwrap().status().as_u16(), 304);
    drop(doors.stop);
    host.shutdown(Duration::from_secs(5)).await;
}

/// Threat 27: who knows every id but not the pepper finds nobody, and two streams have nobody in common.
#[tokio::test(flavor = "multi_thread")]
async fn threat_27_a_dictionary_of_all_ids_finds_nobody() {
    let names: Vec<String> = (0..300).map(|number| format!("user-{number}")).collect();
    let mut streams = Vec::new();
    for stream in [Stream::Production, Stream::Training] {
        let bench = Bench::new().await;
        let host = bench.host_with(|config| config.stream = stream).await;
        for name in &names {
            host.expose(&host.evaluate("assistant", context(name, json!({}))));
        }
        host.shutdown(Duration::from_secs(10)).await;
        streams.push(bench.received().values().map(|body| body.unit()).collect::<BTreeSet<_>>());
    }
    assert_eq!((streams[0].len(), streams[1].len()), (300, 300));
    assert_eq!(streams[0].intersection(&streams[1]).count(), 0);
    let mut dictionary = BTreeSet::new();
    for name in &names {
        let key = flagstone_events::UnitKey::new(name.as_str()).unwrap();
        for guess in [[0; 32], [0xff; 32], [1; 32]] {
            for stream in [Stream::Production, Stream::Evaluation, Stream::Training] {
                dictionary.insert(flagstone_events::Pseudonym::of(&Pepper::from_bytes(guess), stream, &key));
            }
        }
        use sha2::Digest as _;
        let plain = sha2::Sha256::digest(name.as_bytes());
        dictionary.insert(flagstone_events::Pseudonym::from_bytes(plain[..16].try_into().unwrap()));
    }
    assert_eq!(
        dictionary.intersection(&streams[0]).count() + dictionary.intersection(&streams[1]).count(),
        0
    );
}
