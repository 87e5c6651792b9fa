//! flagd's Gherkin test bed: one evaluation a row.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use flagstone_compile::{Options, Source, compile};
use flagstone_evaluate::{Context, Control, decide_key, decision_json};
use flagstone_snapshot::{FractionalVersion, Snapshot, encode};
use serde_json::{Map, Value, json};

use super::Suite;
use super::number::same;

/// Any time will do: no row of the suite depends on it beyond its order of magnitude.
const NOW: u64 = 1_790_000_000;

pub(super) fn run(folder: &Path) -> Result<Suite> {
    let mut suite = Suite::new("flagd");
    let mut compiled: HashMap<(String, u8), Result<Vec<u8>, String>> = HashMap::new();
    let rows = std::fs::read_to_string(folder.join("cases.jsonl"))?;
    for line in rows.lines().filter(|line| !line.trim().is_empty()) {
        let row: Value = serde_json::from_str(line)?;
        let name = row["id"].as_str().unwrap_or("?");
        if row["deprecated"] == json!(true) {
            suite.skipped += 1;
            continue;
        }
        let file = row["flags_file"].as_str().context("a row names its flags_file")?;
        let version = match row["fractional"].as_str() {
            Some("v1") => FractionalVersion::V1,
            Some("v3") => FractionalVersion::V3,
            _ => FractionalVersion::V2,
        };
        let bytes = compiled
            .entry((file.into(), version as u8))
            .or_insert_with(|| snapshot(&folder.join(file), version).map_err(|error| format!("{error:#}")));
        let result = match bytes {
            Ok(bytes) => check(bytes, &row),
            Err(error) => Err(error.clone()),
        };
        suite.row(name, result);
    }
    Ok(suite)
}

fn snapshot(path: &Path, version: FractionalVersion) -> Result<Vec<u8>> {
    let source = Source::new(path.display().to_string(), std::fs::read_to_string(path)?);
    let options = Options { fractional: version, ..Options::default() };
    let outcome = compile(&source, &options);
    let draft = outcome.draft.with_context(|| format!("{} did not compile", path.display()))?;
    Ok(encode(&draft)?)
}

fn check(bytes: &[u8], row: &Value) -> Result<(), String> {
    let snapshot = Snapshot::load(bytes).map_err(|error| error.to_string())?;
    let mut attributes = Map::new();
    for part in [&row["static_context"], &row["context"]] {
        attributes.extend(part.as_object().cloned().unwrap_or_default());
    }
    let context =
        Context::from_json(&snapshot, &Value::Object(attributes).to_string()).map_err(|e| e.to_string())?;
    let key = row["flag"]["key"].as_str().unwrap_or_default();
    let decision = decide_key(&snapshot, &Control::closed(&snapshot), &context, key, NOW);
    let text = decision_json(&snapshot, &decision, key);
    let decided: Value = serde_json::from_str(&text).map_err(|error| format!("{error} in {text}"))?;
    let answer = answer(&decided, &row["flag"]);
    let expect = row["expect"].as_object().cloned().unwrap_or_default();
    for (name, expected) in &expect {
        let seen = &answer[match name.as_str() {
            "error_code" => "errorCode",
            other => other,
        }];
        let fits = match (name.as_str(), expected) {
            ("metadata", Value::Object(entries)) if entries.is_empty() => {
                seen.as_object().is_none_or(Map::is_empty)
            }
            ("metadata", Value::Object(entries)) => {
                entries.iter().all(|(key, value)| same(&seen[key], value))
            }
            _ => same(seen, expected),
        };
        if !fits {
            return Err(format!("{name} is {seen}, expected {expected}"));
        }
    }
    Ok(())
}

/// What an OpenFeature client would return: the caller's default where there is no variant or the type is
/// another one.
fn answer(decided: &Value, flag: &Value) -> Value {
    let default = &flag["default"];
    let fits = |value: &Value| match flag["type"].as_str().unwrap_or_default() {
        "Boolean" => value.is_boolean(),
        "String" => value.is_string(),
        "Integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "Float" => value.is_number(),
        _ => value.is_object() || value.is_array(),
    };
    let mut answer = decided.clone();
    if decided["variant"].is_null() {
        answer["value"] = default.clone();
    } else if !fits(&decided["value"]) {
        answer["value"] = default.clone();
        answer["reason"] = json!("ERROR");
        answer["errorCode"] = json!("TYPE_MISMATCH");
    }
    answer
}
