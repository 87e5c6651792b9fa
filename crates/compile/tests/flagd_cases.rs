//! The published flagd evaluations and the classic JsonLogic rules, through compile and the engine.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use std::collections::HashMap;

use common::{options, shared, source};
use flagstone_compile::{FractionalVersion, Options, Source, compile};
use flagstone_evaluate::{Context, Control, decide_key, targeting_json};
use flagstone_snapshot::{Snapshot, encode};
use serde_json::Value;

/// 2026-10-01, when nothing else says what time it is.
const NOW: u64 = 1_790_812_800;

#[test]
fn flagd_evaluations() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("conformance/flagd");
    let text = std::fs::read_to_string(folder.join("cases.jsonl")).expect("the cases");
    let mut snapshots: HashMap<(String, u8), Vec<u8>> = HashMap::new();
    let (mut passed, mut failures) = (0, Vec::new());
    for line in text.lines() {
        let case: Value = serde_json::from_str(line).expect("a case");
        if case["deprecated"] == true {
            continue; // contradicts the rows about flags without a default variant
        }
        let version = match case["fractional"].as_str() {
            Some("v1") => FractionalVersion::V1,
            Some("v3") => FractionalVersion::V3,
            _ => FractionalVersion::V2,
        };
        let file = case["flags_file"].as_str().expect("a file").to_owned();
        let bytes = snapshots.entry((file.clone(), version as u8)).or_insert_with(|| {
            let options = Options { fractional: version, ..options() };
            let draft = compile(&source(&folder.join(&file)), &options).draft.expect("a draft");
            encode(&draft).expect("it can be laid out")
        });
        match check(&case, bytes) {
            Ok(()) => passed += 1,
            Err(why) => failures.push(format!("{}: {why}", case["id"])),
        }
    }
    println!("{passed} of {} evaluations", passed + failures.len());
    assert!(failures.is_empty(), "{passed} passed, {} not:\n{}", failures.len(), failures.join("\n"));
    assert!(passed >= 290);
}

/// One evaluation as a provider does it: decide, then the caller's accessor.
fn check(case: &Value, bytes: &[u8]) -> Result<(), String> {
    let snapshot = Snapshot::load(bytes).expect("it loads");
    let mut context = case["static_context"].as_object().cloned().unwrap_or_default();
    context.extend(case["context"].as_object().cloned().unwrap_or_default());
    let context = Context::from_json(&snapshot, &Value::Object(context).to_string()).expect("a context");
    let key = case["flag"]["key"].as_str().expect("a key");
    let decision = decide_key(&snapshot, &Control::closed(&snapshot), &context, key, NOW);
    let variant = decision
        .variant
        .zip(snapshot.flag(decision.flag))
        .and_then(|(variant, flag)| flag.variant(variant))
        .map(|variant| serde_json::from_str::<Value>(variant.json).expect("a value"));
    let wanted = case["flag"]["type"].as_str().expect("a type");
    let fits = |value: &Value| match wanted {
        "Boolean" => value.is_boolean(),
        "String" => value.is_string(),
        "Integer" | "Float" => value.is_number(),
        _ => value.is_object(),
    };
    let mut error = decision.error.map(|error| error.as_str());
    let mut reason = decision.reason.as_str();
    let value = match variant {
        Some(value) if fits(&value) => value,
        Some(_) => {
            (error, reason) = (Some("TYPE_MISMATCH"), "ERROR");
            case["flag"]["default"].clone()
        }
        None => case["flag"]["default"].clone(),
    };
    let expect = &case["expect"];
    if let Some(expected) = expect.get("value")
        && !same(expected, &value)
    {
        return Err(format!("value {value}, expected {expected}"));
    }
    if let Some(expected) = expect.get("reason").and_then(Value::as_str)
        && expected != reason
    {
        return Err(format!("reason {reason}, expected {expected}"));
    }
    if let Some(expected) = expect.get("error_code")
        && expected.as_str() != error
    {
        return Err(format!("error {error:?}, expected {expected}"));
    }
    if let Some(expected) = expect.get("metadata").and_then(Value::as_object) {
        let found = snapshot.flag(decision.flag).map(|flag| flag.metadata()).unwrap_or_default();
        let found: Value =
            if found.is_empty() { Value::Null } else { serde_json::from_str(found).expect("JSON") };
        let wrong = expected
            .iter()
            .find(|(key, value)| found.get(key.as_str()).is_none_or(|found| !same(found, value)));
        if wrong.is_some() || (expected.is_empty() && !found.is_null()) {
            return Err(format!("metadata {found}, expected {expected:?}"));
        }
    }
    Ok(())
}

/// Equal as JavaScript's numbers are: 1 and 1.0 are the same.
fn same(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => left.as_f64() == right.as_f64(),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| right.get(key).is_some_and(|other| same(value, other)))
        }
        _ => left == right,
    }
}

/// Runs one rule; none when it is refused.
fn run(rule: &Value, data: &Value) -> Option<Value> {
    // A rule that is no object is wrapped, since targeting is one.
    let rule = if rule.is_object() { rule.clone() } else { serde_json::json!({ "log": [rule] }) };
    let flag = serde_json::json!({"state": "ENABLED", "variants": {"a": 1}, "targeting": rule});
    let text = serde_json::json!({ "flags": { "f": flag } }).to_string();
    let draft = compile(&Source::new("rule.json", text), &options()).draft.expect("a draft");
    if draft.flags[0].broken.is_some() {
        return None;
    }
    let bytes = encode(&draft).expect("it can be laid out");
    let snapshot = Snapshot::load(&bytes).expect("it loads");
    let data = if data.is_null() { serde_json::json!({}) } else { data.clone() };
    let context = Context::from_json(&snapshot, &data.to_string()).expect("a context");
    let answer = targeting_json(&snapshot, &context, 0, NOW)?;
    serde_json::from_str(&answer).ok()
}

#[test]
fn classic_json_logic() {
    let Some(shared) = shared() else { return };
    let text =
        std::fs::read_to_string(shared.join("conformance/json-logic/compatible.json")).expect("the file");
    let cases: Vec<Value> = serde_json::from_str(&text).expect("it is JSON");
    let (mut passed, mut failures) = (0, Vec::new());
    for case in &cases {
        // A context is an object; rules about data that is none cannot be asked here.
        if !(case["data"].is_object() || case["data"].is_null()) {
            continue;
        }
        let answer = run(&case["rule"], &case["data"]);
        if answer.as_ref().is_some_and(|answer| same(answer, &case["result"])) {
            passed += 1;
        } else {
            failures.push(format!(
                "{} with {}: {answer:?}, expected {}",
                case["rule"], case["data"], case["result"]
            ));
        }
    }
    println!("{passed} of {} rules", passed + failures.len());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Community rules that flagd's own engine passes only in part: counted, so that a change shows.
#[test]
fn newer_json_logic_is_counted() {
    let Some(shared) = shared() else { return };
    let mut lines = Vec::new();
    for folder in ["arithmetic", "array", "comparison", "control", "string"] {
        let (mut passed, mut total) = (0, 0);
        for file in common::json_files(&shared.join("conformance/json-logic").join(folder)) {
            let cases: Vec<Value> =
                serde_json::from_str(&std::fs::read_to_string(&file).expect("the file")).expect("it is JSON");
            for case in cases.iter().filter(|case| case.is_object()) {
                let Some(expected) = case.get("result") else { continue };
                if !(case["data"].is_object() || case["data"].is_null()) {
                    continue;
                }
                total += 1;
                let ok = run(&case["rule"], &case["data"]).is_some_and(|answer| same(&answer, expected));
                passed += usize::from(ok);
                if !ok {
                    println!("{folder}: {} with {}: expected {expected}", case["rule"], case["data"]);
                }
            }
        }
        lines.push(format!("{folder}: {passed} of {total}"));
    }
    println!("{}", lines.join("\n"));
    assert!(lines.iter().all(|line| !line.contains(": 0 of")), "{lines:?}");
}
