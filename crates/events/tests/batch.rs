//! Batches: what is sent is what is read, and everything else is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::collections::BTreeMap;

use flagstone_events::*;
use proptest::prelude::*;
use serde_json::{Value, json};

fn exposure(user: u32, at_ms: u64) -> Body {
    let facts = ExposureFacts {
        stream: Stream::Production,
        flag: "assistant".into(),
        variant: "careful".into(),
        arm: Arm::Treatment,
        stage: Some(2),
        cohort: Some(1),
        probability: 100_000_000,
        snapshot: SnapshotId { epoch: 1, sequence: 7, digest: [0xab; 32] },
        reason: "SPLIT".into(),
        at_ms,
    };
    let key = UnitKey::new(format!("user-{user}")).unwrap();
    Body::Exposure(facts.of_unit(&Pepper::from_bytes([1; 32]), &key, 86_400_000).unwrap())
}

fn outcome(measures: BTreeMap<String, i64>, slices: BTreeMap<String, String>) -> OutcomeFacts {
    OutcomeFacts {
        stream: Stream::Production,
        name: "answer".into(),
        request: "r1".into(),
        measures,
        booleans: BTreeMap::from([("unsupported".into(), true)]),
        slices,
        at_ms: 1_787_300_000_000,
    }
}

fn batch(first: u64, count: u64) -> Batch {
    let events =
        (first..first + count).map(|sequence| Event { sequence, body: exposure(1, sequence) }).collect();
    Batch::new("edge-1", None, BTreeMap::from([("queue-full".into(), 3)]), events).unwrap()
}

fn received(change: impl FnOnce(&mut Value)) -> Result<Batch, EventError> {
    let mut value = serde_json::to_value(batch(5, 3)).unwrap();
    change(&mut value);
    Batch::from_json(value.to_string().as_bytes())
}

fn code(change: impl FnOnce(&mut Value)) -> &'static str {
    received(change).unwrap_err().code()
}

#[test]
fn the_wire_text_of_an_exposure_is_as_documented() {
    let event = Event { sequence: 9, body: exposure(1, 1_787_300_000_000) };
    let value = serde_json::to_value(&event).unwrap();
    let digest = "ab".repeat(32);
    let (id, unit) = (event.body.id().to_string(), value["unit"].clone());
    assert_eq!(
        value,
        json!({"sequence": 9, "type": "exposure", "id": id, "stream": "production", "flag": "assistant",
            "variant": "careful", "arm": "treatment", "stage": 2, "cohort": 1, "probability": 100000000, "unit": unit,
            "snapshot": {"epoch": 1, "sequence": 7, "digest": digest}, "reason": "SPLIT", "at_ms": 1787300000000u64})
    );
}

#[test]
fn a_batch_id_can_be_recomputed_by_anybody() {
    // The canonical JSON and its hash made by Python: `json.dumps(.., sort_keys=True, separators=(',', ':'))` and `hashlib`.
    let text = concat!(
        r#"{"version":1,"id":"d177f975e832dc33816c039929dc6ef03dc401d80396f88d35c6d4455d8db549","instance":"i","first_sequence":1,"count":1,"previous":null,"dropped":{},"#,
        r#""events":[{"sequence":1,"type":"outcome","id":"000102030405060708090a0b0c0d0e0f","stream":"evaluation","#,
        r#""name":"answer","unit":"101112131415161718191a1b1c1d1e1f","measures":{"latency_ms":-1500000},"#,
        r#""booleans":{"refused":false},"slices":{"language":"én"},"at_ms":1787300000000}]}"#
    );
    let read = Batch::from_json(text.as_bytes()).unwrap();
    assert_eq!(read.to_json().unwrap(), text);
    assert_eq!(read.verify(), Ok(()));
}

#[test]
fn changed_content_is_refused() {
    assert_eq!(received(|_| {}).unwrap(), batch(5, 3));
    assert_eq!(code(|b| b["events"][1]["variant"] = json!("other")), "wrong-id");
    assert_eq!(code(|b| b["instance"] = json!("edge-2")), "wrong-id");
    assert_eq!(code(|b| b["previous"] = json!("00".repeat(32))), "wrong-id");
    assert_eq!(code(|b| b["id"] = json!("00".repeat(32))), "wrong-id");
    assert_eq!(code(|b| b["version"] = json!(2)), "unknown-version");
    assert_eq!(code(|b| b["version"] = json!("1")), "malformed");
    assert_eq!(code(|b| b["events"][0]["at_ms"] = json!(1.5)), "out-of-range");
    assert_eq!(code(|b| b["events"][0]["stream"] = json!("prod")), "malformed");
    assert_eq!(Batch::from_json(b"[]").unwrap_err().code(), "malformed");
    assert_eq!(Batch::from_json(b"{").unwrap_err().code(), "malformed");
}

#[test]
fn newer_drop_counts_keep_the_id_and_unknown_members_are_covered_by_it() {
    assert!(received(|b| b["dropped"]["spool-full"] = json!(12)).is_ok());
    assert_eq!(code(|b| b["events"][0]["later"] = json!("added")), "wrong-id");
    assert_eq!(code(|b| b["dropped"]["x"] = json!(-1)), "malformed");
}

#[test]
fn sequences_must_be_contiguous_and_counted() {
    let shape = |change: fn(&mut Batch)| {
        let mut changed = batch(5, 3);
        change(&mut changed);
        changed.verify().unwrap_err().code()
    };
    assert_eq!(shape(|b| b.events[1].sequence = 9), "bad-sequence");
    assert_eq!(shape(|b| b.events.swap(0, 1)), "bad-sequence");
    assert_eq!(shape(|b| b.count = 2), "bad-sequence");
    assert_eq!(shape(|b| b.first_sequence = 4), "bad-sequence");
    assert_eq!(
        shape(|b| {
            b.events.clear();
            b.count = 0
        }),
        "bad-sequence"
    );
    let zero = Batch::new("i", None, BTreeMap::new(), vec![Event { sequence: 0, body: exposure(1, 1) }]);
    assert_eq!(zero.unwrap_err().code(), "out-of-range");
}

#[test]
fn caps_hold_exactly() {
    let many = |count: u64| {
        let events = (1..=count).map(|sequence| Event { sequence, body: exposure(1, sequence) }).collect();
        Batch::new("i", None, BTreeMap::new(), events)
    };
    assert!(many(1_000).is_ok());
    assert_eq!(many(1_001).unwrap_err().code(), "too-large");
    let pepper = Pepper::from_bytes([1; 32]);
    let key = UnitKey::new("u").unwrap();
    let made = |facts: OutcomeFacts| facts.of_unit(&pepper, &key).map_err(|error| error.code());
    let measures =
        |count: usize| (0..count).map(|index| (format!("m{index}"), 1)).collect::<BTreeMap<_, _>>();
    assert!(made(outcome(measures(32), BTreeMap::new())).is_ok());
    assert_eq!(made(outcome(measures(33), BTreeMap::new())), Err("too-large"));
    let slice = |length: usize| BTreeMap::from([("language".to_owned(), "x".repeat(length))]);
    assert!(made(outcome(BTreeMap::new(), slice(64))).is_ok());
    assert_eq!(made(outcome(BTreeMap::new(), slice(65))), Err("too-large"));
    assert_eq!(made(outcome(BTreeMap::from([("m".into(), i64::MIN)]), BTreeMap::new())), Err("out-of-range"));
    assert_eq!(
        made(OutcomeFacts { name: "a\nb".into(), ..outcome(BTreeMap::new(), BTreeMap::new()) }),
        Err("bad-name")
    );
    let blank = vec![b' '; 1_048_577];
    assert_eq!(Batch::from_json(&blank).unwrap_err().code(), "too-large");
}

#[test]
fn the_largest_event_fits_the_event_cap() {
    // 96 fields, and names of 6,000 bytes that all have to be escaped.
    let largest = |name_bytes: usize| {
        let names = |first: usize| (first..first + 32).map(move |index| format!("{index:\">name_bytes$}"));
        let facts = OutcomeFacts {
            stream: Stream::Production,
            name: "\"".repeat(256),
            request: "r".into(),
            measures: names(10).map(|name| (name, -9_007_199_254_740_991)).collect(),
            booleans: names(42).map(|name| (name, false)).collect(),
            slices: names(10).map(|name| (name, "\"".to_owned())).collect(),
            at_ms: 9_007_199_254_740_991,
        };
        facts.of_unit(&Pepper::from_bytes([1; 32]), &UnitKey::new("u").unwrap())
    };
    let event = Event { sequence: 9_007_199_254_740_991, body: Body::Outcome(largest(62).unwrap()) };
    let text = serde_json::to_string(&event).unwrap();
    assert!((13_000..=limits::MAX_EVENT_BYTES).contains(&text.len()), "{}", text.len());
    assert_eq!(largest(63).unwrap_err().code(), "too-large");
}

#[test]
fn micros_round_and_refuse() {
    assert_eq!(micros(1.5), Some(1_500_000));
    assert_eq!(micros(-0.000_000_5), Some(-1));
    assert_eq!(micros(0.000_000_4), Some(0));
    assert_eq!(micros(f64::NAN), None);
    assert_eq!(micros(f64::INFINITY), None);
    assert_eq!(micros(9_007_199_254.0), Some(9_007_199_254_000_000));
    assert_eq!(micros(9_007_199_255.0), None);
}

#[test]
fn canonical_json_is_rfc_8785_for_whole_numbers() {
    // RFC 8785 section 3.2.3: the order of keys by UTF-16 code units.
    let value = json!({"\u{20ac}": "Euro", "\r": "CR", "\u{fb33}": "Dalet", "1": "One", "\u{1f600}": "Emoji",
        "\u{80}": "Control", "\u{f6}": "O", "b": [1, -2, {"z": null, "a": true}]});
    let expected = concat!(
        "{\"\\r\":\"CR\",\"1\":\"One\",\"b\":[1,-2,{\"a\":true,\"z\":null}],\"\u{80}\":\"Control\",\"\u{f6}\":\"O\",",
        "\"\u{20ac}\":\"Euro\",\"\u{1f600}\":\"Emoji\",\"\u{fb33}\":\"Dalet\"}"
    );
    assert_eq!(canonical_json(&value).unwrap(), expected);
    let escapes = json!("\u{20ac}$\u{f}\nA'B\"\\\\\"/");
    assert_eq!(canonical_json(&escapes).unwrap(), "\"\u{20ac}$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"");
    assert!(canonical_json(&json!(1.5)).is_err());
    assert!(canonical_json(&json!(9_007_199_254_740_992_u64)).is_err());
    assert!(canonical_json(&json!(i64::MIN)).is_err());
}

proptest! {
    #[test]
    fn every_batch_reads_back(
        users in proptest::collection::vec(any::<u32>(), 1..20),
        first in 1..1_000_000_u64,
        slices in proptest::collection::btree_map("[a-z]{1,8}", "[a-z\\p{Greek}\"\\\\]{1,12}", 0..4),
        measures in proptest::collection::btree_map("\\PC{1,8}", -1_000_000_000_i64..1_000_000_000, 0..4),
    ) {
        let made = outcome(measures, slices).of_unit(&Pepper::from_bytes([9; 32]), &UnitKey::new("u").unwrap()).unwrap();
        let bodies = users.iter().map(|user| exposure(*user, 5)).chain([Body::Outcome(made)]);
        let events = (first..).zip(bodies).map(|(sequence, body)| Event { sequence, body }).collect();
        let sent = Batch::new("edge", Some("cd".repeat(32)), BTreeMap::new(), events).unwrap();
        prop_assert_eq!(Batch::from_json(sent.to_json().unwrap().as_bytes()).unwrap(), sent);
    }

    #[test]
    fn no_changed_byte_goes_unnoticed(position in any::<proptest::sample::Index>(), bit in 0..8_u32) {
        let sent = batch(1, 2);
        let mut bytes = sent.to_json().unwrap().into_bytes();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        // Only the declared drop counts stand outside the id; a change elsewhere must not pass as another batch.
        if let Ok(read) = Batch::from_json(&bytes) {
            prop_assert_eq!(&read.events, &sent.events);
            prop_assert_eq!(&read.id, &sent.id);
        }
    }
}
