//! Events as OpenTelemetry log records: what goes out and comes back is the same, in both encodings.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::collections::BTreeMap;

use flagstone_events::otlp::{Encoding, decode, decode_answer, encode, encode_answer};
use flagstone_events::{
    Arm, Batch, Body, Event, EventId, Exposure, Inclusion, Outcome, Pseudonym, SnapshotId, Stream,
    Withdrawal, limits,
};
use proptest::prelude::*;
use serde_json::{Value, json};

const BOTH: [Encoding; 2] = [Encoding::Protobuf, Encoding::Json];

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Za-z_.]{1,30}",
        "\\PC{1,40}",
        Just("name".to_owned()),
        Just("label".to_owned()),
        Just("score".to_owned()),
        Just("gen_ai.evaluation.result".to_owned()),
        Just("SPLIT".to_owned()),
        Just("split".to_owned()),
    ]
}

fn stream() -> impl Strategy<Value = Stream> {
    prop_oneof![Just(Stream::Production), Just(Stream::Evaluation), Just(Stream::Training)]
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![1_700_000_000_000..1_900_000_000_000_u64, 0..=limits::MAX_INTEGER]
}

fn inclusion() -> impl Strategy<Value = Inclusion> {
    prop_oneof![Just(1_000_000_000), 1..=1_000_000_000_u32].prop_map(|parts| Inclusion::new(parts).unwrap())
}

fn exposure() -> impl Strategy<Value = Body> {
    let who = (any::<[u8; 16]>(), any::<[u8; 16]>(), stream(), time(), inclusion());
    let what = (name(), name(), name(), 0..=1_000_000_000_u32);
    let arm = prop_oneof![Just(Arm::None), Just(Arm::Treatment), Just(Arm::Control)];
    let plan = (arm, any::<Option<u8>>(), any::<Option<u8>>());
    let snapshot = (0..=limits::MAX_INTEGER, 0..=limits::MAX_INTEGER, any::<[u8; 32]>());
    (who, what, plan, snapshot).prop_map(|(who, what, plan, snapshot)| {
        Body::Exposure(Exposure {
            id: EventId::from_bytes(who.0),
            stream: who.2,
            flag: what.0,
            variant: what.1,
            arm: plan.0,
            stage: plan.1,
            cohort: plan.2,
            probability: what.3,
            unit: Pseudonym::from_bytes(who.1),
            snapshot: SnapshotId { epoch: snapshot.0, sequence: snapshot.1, digest: snapshot.2 },
            reason: what.2,
            at_ms: who.3,
            inclusion: who.4,
        })
    })
}

fn outcome() -> impl Strategy<Value = Body> {
    let who = (any::<[u8; 16]>(), any::<[u8; 16]>(), stream(), time(), inclusion(), name());
    let most = limits::MAX_INTEGER.cast_signed();
    let measures = proptest::collection::btree_map(name(), -most..=most, 0..6);
    let booleans = proptest::collection::btree_map(name(), any::<bool>(), 0..6);
    let slices = proptest::collection::btree_map(name(), "[a-z]{1,12}", 0..6);
    (who, measures, booleans, slices).prop_map(|(who, measures, booleans, slices)| {
        Body::Outcome(Outcome {
            id: EventId::from_bytes(who.0),
            stream: who.2,
            name: who.5,
            unit: Pseudonym::from_bytes(who.1),
            measures,
            booleans,
            slices,
            at_ms: who.3,
            inclusion: who.4,
        })
    })
}

fn withdrawal() -> impl Strategy<Value = Body> {
    (any::<[u8; 16]>(), any::<[u8; 16]>(), stream(), time()).prop_map(|(id, unit, stream, at_ms)| {
        let (id, unit) = (EventId::from_bytes(id), Pseudonym::from_bytes(unit));
        Body::Withdrawal(Withdrawal { id, stream, unit, at_ms })
    })
}

proptest! {
    #[test]
    fn an_event_that_went_out_and_came_back_is_the_same(
        bodies in proptest::collection::vec(prop_oneof![exposure(), outcome(), withdrawal()], 1..8),
        first in 1..1_000_000_u64,
        dropped in proptest::collection::btree_map("[a-z-]{1,20}", 0..=limits::MAX_INTEGER, 0..5),
    ) {
        let events = (first..).zip(bodies).map(|(sequence, body)| Event { sequence, body });
        let batch = Batch::new("edge-1", None, dropped, events.collect()).unwrap();
        // The same over our own wire, too.
        prop_assert_eq!(&Batch::from_json(batch.to_json().unwrap().as_bytes()).unwrap(), &batch);
        for encoding in BOTH {
            let received = decode(&encode(&batch, "acme/production", encoding), encoding).unwrap();
            prop_assert_eq!(&received.problem, &None);
            prop_assert_eq!(received.reports.len(), 1);
            let report = &received.reports[0];
            prop_assert_eq!(&report.events, &batch.events);
            prop_assert_eq!((report.instance.as_str(), &report.dropped), ("edge-1", &batch.dropped));
        }
    }

    #[test]
    fn bytes_that_are_not_otlp_do_not_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        for encoding in BOTH {
            let _ = decode(&body, encoding);
        }
        let _ = decode_answer(&body);
    }
}

fn request(records: Value) -> Vec<u8> {
    let instance = json!({"key": "service.instance.id", "value": {"stringValue": "judge-1"}});
    json!({"resourceLogs": [{"resource": {"attributes": [instance]}, "scopeLogs": [{"logRecords": records}]}]})
        .to_string()
        .into_bytes()
}

fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

#[test]
fn a_foreign_evaluation_result_is_an_outcome() {
    let record = json!({"timeUnixNano": "1787300000000000000", "eventName": "gen_ai.evaluation.result", "attributes": [
        text("gen_ai.evaluation.name", "Groundedness"),
        text("gen_ai.evaluation.score.label", "fail"),
        text("gen_ai.evaluation.explanation", "prose that is not kept"),
        {"key": "gen_ai.evaluation.score.value", "value": {"doubleValue": 0.25}},
        text("flagstone.unit", &"0a".repeat(16)), text("flagstone.event.id", &"0b".repeat(16)),
        text("flagstone.stream", "production"), {"key": "flagstone.sequence", "value": {"intValue": 3}},
    ]});
    let received = decode(&request(json!([record])), Encoding::Json).unwrap();
    assert_eq!(received.problem, None);
    let Body::Outcome(outcome) = &received.reports[0].events[0].body else { panic!("an outcome") };
    assert_eq!(outcome.name, "gen_ai.evaluation.result");
    assert_eq!(outcome.measures, BTreeMap::from([("score".to_owned(), 250_000)]));
    let slices = [("label", "fail"), ("name", "Groundedness")];
    assert_eq!(outcome.slices, slices.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(outcome.at_ms, 1_787_300_000_000);
}

#[test]
fn records_that_are_no_events_are_rejected_and_the_others_stand() {
    let unit = Pseudonym::from_bytes([1; 16]);
    let id = EventId::from_bytes([2; 16]);
    let body = Body::Withdrawal(Withdrawal { id, stream: Stream::Production, unit, at_ms: 5 });
    let batch = Batch::new("judge-1", None, BTreeMap::new(), vec![Event { sequence: 1, body }]).unwrap();
    let mut sent: Value = serde_json::from_slice(&encode(&batch, "set", Encoding::Json)).unwrap();
    let records = sent["resourceLogs"][0]["scopeLogs"][0]["logRecords"].as_array_mut().unwrap();
    records.push(json!({"body": {"stringValue": "a line of a log"}}));
    records.push(
        json!({"eventName": "gen_ai.evaluation.result", "attributes": [text("gen_ai.evaluation.name", "x")]}),
    );
    let received = decode(sent.to_string().as_bytes(), Encoding::Json).unwrap();
    assert_eq!((received.reports[0].events.len(), received.rejected), (1, 2));
    assert!(received.problem.unwrap().contains("no event"));
}

#[test]
fn partial_success_in_both_encodings() {
    let answer = encode_answer(3, Some("no unit"), Encoding::Protobuf);
    assert_eq!(decode_answer(&answer), (3, "no unit".to_owned()));
    assert_eq!(encode_answer(0, None, Encoding::Protobuf), Vec::<u8>::new());
    let answer: Value = serde_json::from_slice(&encode_answer(3, Some("no unit"), Encoding::Json)).unwrap();
    assert_eq!(answer, json!({"partialSuccess": {"rejectedLogRecords": "3", "errorMessage": "no unit"}}));
    assert_eq!(encode_answer(0, None, Encoding::Json), b"{}");
}
