//! The reader of contexts against serde_json: what one takes the other takes, and both mean the same.
#![cfg(feature = "json")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flagstone_evaluate::{Context, targeting_json};
use flagstone_snapshot::{Draft, DraftFlag, DraftVariant, FlagKind, Op, Program, Snapshot, encode};
use proptest::prelude::*;
use serde_json::Value;

/// A snapshot whose one rule answers with the whole context.
fn mirror() -> Vec<u8> {
    let flag = DraftFlag {
        variants: vec![DraftVariant { name: "on".into(), value: true.into() }],
        targeting: Some(Program(vec![Op::Constant("".into()), Op::Variable])),
        ..DraftFlag::new("mirror", FlagKind::Boolean)
    };
    encode(&Draft { flags: vec![flag], ..Draft::default() }).unwrap()
}

fn read(text: &str) -> Option<Value> {
    let bytes = mirror();
    let snapshot = Snapshot::load(&bytes).unwrap();
    let context = Context::from_json(&snapshot, text).ok()?;
    Some(serde_json::from_str(&targeting_json(&snapshot, &context, 0, 0).unwrap()).unwrap())
}

/// Numbers compare by value: `1.0` prints as `1`.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

#[track_caller]
fn agree(text: &str) {
    let expected = serde_json::from_str::<Value>(text).ok().filter(Value::is_object);
    match (read(text), expected) {
        (None, None) => {}
        (Some(seen), Some(expected)) => assert!(same(&seen, &expected), "{text}: {seen} and {expected}"),
        (seen, expected) => panic!("{text}: {seen:?} and {expected:?}"),
    }
}

#[test]
fn values_and_what_is_none() {
    for value in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "-1",
        "1.5",
        "1e5",
        "1E-5",
        "1e+5",
        "0.1",
        "123456789012345678901234567890",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "-9223372036854775809",
        "18446744073709551615",
        "18446744073709551616",
        "1e308",
        "1.7976931348623157e308",
        "5e-324",
        "1e-400",
        "\"\"",
        "\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"",
        "\"é😀\"",
        "[]",
        "[1,[2,{}]]",
        "{}",
        "{\"b\":1,\"a\":2,\"b\":3}",
        " [ 1 , 2 ] ",
        "\"\\u0000\"",
        // None of these is a value.
        "",
        "nul",
        "tru",
        "01",
        "1.",
        ".5",
        "+1",
        "-",
        "1e",
        "1e+",
        "NaN",
        "Infinity",
        "1e999",
        "'a'",
        "\"a",
        "\"\\x\"",
        "\"\\ud800\"",
        "\"\\udc00\"",
        "\"\\ud800\\u0041\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\n\"",
        "[1,]",
        "[,1]",
        "[1 2]",
        "[",
        "{\"a\"}",
        "{\"a\":}",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":1",
        "1 1",
    ] {
        agree(&format!("{{\"value\":{value}}}"));
        agree(&format!(" {{ \"value\" : {value} , \"z\" : 1 }} "));
    }
    for text in ["", "{}", " {} ", "{} x", "[]", "1", "{\"a\":1}}", "\u{feff}{}"] {
        agree(text);
    }
}

#[test]
fn nesting_and_members_stop_at_their_limits() {
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(&nested(15)).is_some());
    assert!(read(&nested(16)).is_none());
    assert!(read(&nested(10_000)).is_none());
    assert!(read(&format!("{{\"a\":[{}]}}", vec!["null"; 10_000].join(","))).is_some());
    assert!(read(&format!("{{\"a\":[{}]}}", vec!["null"; 10_001].join(","))).is_none());
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::from),
        ".{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn whatever_is_written_is_read(value in json()) {
        agree(&serde_json::json!({ "value": value }).to_string());
    }

    #[test]
    fn a_changed_byte_is_taken_by_both_or_by_neither(value in json(), at in any::<prop::sample::Index>(), with in 0x20u8..0x7f) {
        let mut bytes = serde_json::json!({ "value": value }).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Ok(text) = String::from_utf8(bytes) {
            agree(&text);
        }
    }
}
