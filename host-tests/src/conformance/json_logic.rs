//! JsonLogic rules with their results. `compatible.json` is the classic set; the other files carry newer
//! community rules and are information.

use std::path::Path;

use anyhow::{Context as _, Result};
use flagstone_compile::{Options, Source, compile};
use flagstone_evaluate::{Context, targeting_json};
use flagstone_snapshot::{Snapshot, encode};
use serde_json::{Value, json};

use super::Suite;
use super::number::same;

pub(super) fn run(folder: &Path) -> Result<Vec<Suite>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            for inner in std::fs::read_dir(&path)? {
                files.push(inner?.path());
            }
        } else {
            files.push(path);
        }
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    files
        .iter()
        .map(|path| {
            let name = path.strip_prefix(folder)?.with_extension("");
            suite(path, &format!("json-logic/{}", name.display()))
        })
        .collect()
}

fn suite(path: &Path, name: &str) -> Result<Suite> {
    let mut suite = Suite::new(name);
    let rows: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let rows = rows.as_array().context("a suite is a list of rows")?;
    for (index, row) in rows.iter().filter(|row| row.is_object()).enumerate() {
        let description = row["description"].as_str().unwrap_or_default();
        suite.row(&format!("{index} {description}"), check(row));
    }
    Ok(suite)
}

/// Runs a rule as the targeting of a flag. Data that is no object becomes the element of an iteration, the
/// one scope of the language that may be any value.
fn check(row: &Value) -> Result<(), String> {
    let data = row.get("data").cloned().unwrap_or(Value::Null);
    let wrapped = !data.is_object() && !data.is_null();
    let (rule, data) = if wrapped {
        (json!({"map": [{"var": "data"}, row["rule"]]}), json!({"data": [data]}))
    } else {
        (json!({"if": [true, row["rule"]]}), if data.is_null() { json!({}) } else { data })
    };
    let seen = evaluate(&rule, &data);
    match (row.get("result"), row.get("error"), seen) {
        (Some(expected), None, Ok(seen)) => {
            let seen = if wrapped { seen[0].clone() } else { seen };
            if same(&seen, expected) { Ok(()) } else { Err(format!("{seen}, expected {expected}")) }
        }
        (None, Some(_), Err(_)) => Ok(()),
        (None, Some(error), Ok(seen)) => Err(format!("{seen}, expected the error {error}")),
        (_, _, Err(error)) => Err(error),
        _ => Err("the row has neither result nor error".into()),
    }
}

fn evaluate(rule: &Value, data: &Value) -> Result<Value, String> {
    let definition = json!({"flags": {"rule": {
        "state": "ENABLED", "variants": {"a": true}, "defaultVariant": "a", "targeting": rule,
    }}});
    let source = Source::new("rule.json", definition.to_string());
    let outcome = compile(&source, &Options::default());
    let draft = outcome.draft.ok_or("did not compile")?;
    let bytes = encode(&draft).map_err(|error| error.to_string())?;
    let snapshot = Snapshot::load(&bytes).map_err(|error| error.to_string())?;
    let flag = snapshot.flag(0).ok_or("there is no flag")?;
    if flag.broken().is_some() {
        return Err("the rule does not parse".into());
    }
    let context = Context::from_json(&snapshot, &data.to_string()).map_err(|error| error.to_string())?;
    let text = targeting_json(&snapshot, &context, 0, 0).ok_or("the rule gave no answer")?;
    serde_json::from_str(&text).map_err(|error| error.to_string())
}
