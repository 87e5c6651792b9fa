//! Flagstone's own operators and segments through the engine: what compile folds, sorts and tabulates answers as the
//! reference says, and as the engine answers when nothing is known beforehand.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::strict;
use flagstone_compile::{Format, Source, compile};
use flagstone_evaluate::{Context, targeting_json};
use flagstone_snapshot::{Snapshot, encode};
use proptest::prelude::*;
use serde_json::{Value, json};

/// 2026-12-01T09:00:00Z.
const NOW: u64 = 1_796_115_600;

/// What a rule answers for a context.
fn answer(rule: &Value, context: &Value) -> Value {
    let segments: Vec<String> = (0..1_500).map(|at| format!("tenant-{at}")).collect();
    let text = json!({
        "segments": {
            "many": { "include": segments, "exclude": ["tenant-7"] },
            "listed": { "include": ["me"], "when": { "==": [{ "var": "plan" }, "beta"] } },
            "filtered": { "include": segments, "store": "bloom" }
        },
        // A list of one keeps any answer as it is.
        "flags": { "f": { "state": "ENABLED", "variants": { "a": 1 }, "targeting": { "merge": [[rule]] } } }
    });
    let outcome = compile(&Source::with_format("f.json", text.to_string(), Format::Json), &strict());
    let draft = outcome.draft.unwrap_or_else(|| panic!("{rule}: {:?}", outcome.diagnostics));
    let bytes = encode(&draft).expect("it can be laid out");
    let snapshot = Snapshot::load(&bytes).expect("it loads");
    let context = Context::from_json(&snapshot, &context.to_string()).expect("a context");
    let text = targeting_json(&snapshot, &context, 0, NOW).expect("an answer");
    serde_json::from_str::<Value>(&text).expect("JSON")[0].clone()
}

#[test]
fn operators_answer_as_the_reference_says() {
    let x = json!({ "var": "x" });
    let (yes, no, null) = (json!(true), json!(false), Value::Null);
    let cases = [
        (json!({ "equals_ignore_case": [x, "Straße"] }), json!("STRAßE"), &yes),
        (json!({ "equals_ignore_case": [x, "straße"] }), json!("STRASSE"), &no),
        (json!({ "equals_ignore_case": [x, "a"] }), json!(1), &null),
        (json!({ "starts_with_ignore_case": [x, "AC"] }), json!("acme"), &yes),
        (json!({ "ends_with_ignore_case": [x, "ME"] }), json!("acme"), &yes),
        (json!({ "contains_ignore_case": [x, "CM"] }), json!("acme"), &yes),
        (json!({ "contains_ignore_case": [x, "CM"] }), null.clone(), &null),
        (json!({ "in_ignore_case": [x, ["De", "fR"]] }), json!("FR"), &yes),
        (json!({ "in_ignore_case": [x, ["De", "fR"]] }), json!("it"), &no),
        (json!({ "matches": [x, "^[^@]+@acme\\.example$"] }), json!("me@acme.example"), &yes),
        (json!({ "matches": [x, "^[^@]+@acme\\.example$"] }), json!("me@acme.example "), &no),
        (json!({ "matches": [x, "a"] }), json!(3), &null),
        (json!({ "matches": [x, ""] }), null.clone(), &null),
        (json!({ "before": [x, { "now": [] }] }), json!("2026-12-01T10:59:59.999+02:00"), &yes),
        (json!({ "before": [x, "2026-12-01T09:00:00Z"] }), json!(NOW), &no),
        (json!({ "after": [x, "2026-12-01T09:00:00Z"] }), json!(NOW + 1), &yes),
        (json!({ "after": [x, 0] }), json!("soon"), &null),
        (json!({ "after": [x, 0] }), null.clone(), &null),
        (json!({ "now": [] }), null.clone(), &json!(NOW)),
        (json!({ "in_network": [x, "10.0.0.0/8"] }), json!("10.255.0.1"), &yes),
        (json!({ "in_network": [x, ["10.0.0.0/8", "2001:db8::/32"]] }), json!("::ffff:10.0.0.1"), &yes),
        (json!({ "in_network": [x, ["10.0.0.0/8", "2001:db8::/32"]] }), json!("2001:db9::"), &no),
        (json!({ "in_network": [x, "::/0"] }), json!("nowhere"), &null),
        (json!({ "between": [x, 18, 65] }), json!(65), &yes),
        (json!({ "between": [x, 18, 65] }), json!(65.5), &no),
        (json!({ "between": [x, 18, 65] }), json!("20"), &null),
        (json!({ "any_of": [x, [1, "b"]] }), json!(["a", 1.0]), &yes),
        (json!({ "any_of": [x, [1, "b"]] }), json!(["1"]), &no),
        (json!({ "any_of": [x, [1]] }), json!(1), &null),
        (json!({ "all_of": [x, ["a", "b"]] }), json!(["b", "c", "a"]), &yes),
        (json!({ "all_of": [x, ["a", "b"]] }), json!(["a"]), &no),
        (json!({ "none_of": [x, ["a"]] }), json!([]), &yes),
        (json!({ "none_of": [x, ["a"]] }), json!(["a"]), &no),
        (json!({ "none_of": [x, ["a"]] }), null.clone(), &null),
        (json!({ "!=": [x, "a"] }), null.clone(), &yes),
        (json!({ "<": [x, 18] }), null.clone(), &yes),
    ];
    for (rule, value, expected) in cases {
        let context = if value.is_null() { json!({}) } else { json!({ "x": value }) };
        assert_eq!(answer(&rule, &context), *expected, "{rule} of {value}");
    }
}

#[test]
fn segments_have_their_members_however_they_are_kept() {
    for (segment, key, expected) in [
        ("many", json!("tenant-1499"), true),
        ("many", json!("tenant-7"), false),
        ("many", json!("tenant-1500"), false),
        ("many", Value::Null, false),
        ("filtered", json!("tenant-0"), true),
        ("listed", json!("me"), true),
        ("listed", json!("you"), false),
    ] {
        let context = json!({ "targetingKey": key });
        assert_eq!(answer(&json!({ "segment": segment }), &context), json!(expected), "{key} in {segment}");
    }
    assert_eq!(answer(&json!({ "segment": "listed" }), &json!({ "plan": "beta" })), json!(true));
}

fn moment() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0..4_000_000_000i64).prop_map(Value::from),
        (-4_000_000_000.0..4_000_000_000.0f64).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (
            1900..2100u32,
            1..13u32,
            1..29u32,
            0..24u32,
            0..60u32,
            0..61u32,
            "(Z|[+-]0[0-9]:30)",
            "(\\.[0-9]{1,3})?"
        )
            .prop_map(|(y, mo, d, h, mi, s, zone, fraction)| {
                json!(format!("{y}-{mo:02}-{d:02}T{h:02}:{mi:02}:{s:02}{fraction}{zone}"))
            }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn times_are_the_same_known_or_not(left in moment(), right in moment()) {
        for operator in ["before", "after"] {
            let context = json!({ "x": left, "y": right });
            let unknown = answer(&json!({ operator: [{ "var": "x" }, { "var": "y" }] }), &context);
            prop_assert!(unknown.is_boolean());
            for rule in [
                json!({ operator: [left, right] }),
                json!({ operator: [{ "var": "x" }, right] }),
                json!({ operator: [left, { "var": "y" }] }),
            ] {
                prop_assert_eq!(answer(&rule, &context), unknown.clone(), "{}", rule);
            }
        }
    }
}
