//! The published tests of flagd's JSON Schemas: what is valid there compiles strictly, what is not does not.
//!
//! Rules stand alone there. Each is put into a flag whose variants are all the texts that the rule has, beside a
//! shared rule for each name that it refers to, so that only what the schema is about can be wrong.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flagstone_compile::{Format, Options, Source, compile};
use serde_json::{Map, Value, json};

use super::Suite;

pub(super) fn run(folder: &Path) -> Result<Suite> {
    let mut suite = Suite::new("flagd-schemas");
    for (kind, rules) in [("flags", false), ("flagd", false), ("targeting", true)] {
        for (verdict, valid) in [("positive", true), ("negative", false)] {
            for file in files(&folder.join("test").join(kind).join(verdict))? {
                let text = std::fs::read_to_string(&file)?;
                let text = if rules { in_a_flag(&serde_json::from_str(&text)?) } else { text };
                let leaf = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
                suite.row(&format!("{kind}/{verdict}/{leaf}"), check(&text, valid));
            }
        }
    }
    Ok(suite)
}

fn check(text: &str, valid: bool) -> Result<(), String> {
    let source = Source::with_format("test.json", text, Format::Json);
    let outcome = compile(&source, &Options { strict: true, ..Options::default() });
    match (outcome.draft.is_some(), valid) {
        (true, false) => Err("it compiles".into()),
        (false, true) => Err(outcome.diagnostics.render(&source, false)),
        _ => Ok(()),
    }
}

fn in_a_flag(rule: &Value) -> String {
    let (mut texts, mut references) = (BTreeSet::from(["on".to_owned()]), BTreeSet::new());
    names(rule, &mut texts, &mut references);
    let object = |names: BTreeSet<String>, value: Value| -> Value {
        names.into_iter().map(|name| (name, value.clone())).collect::<Map<_, _>>().into()
    };
    json!({
        "flags": { "f": { "state": "ENABLED", "variants": object(texts, json!(1)), "targeting": rule } },
        "$evaluators": object(references, json!({ "var": "x" })),
    })
    .to_string()
}

/// The texts and booleans of a rule, which name variants when they are answers, and what `$ref` refers to.
fn names(rule: &Value, texts: &mut BTreeSet<String>, references: &mut BTreeSet<String>) {
    match rule {
        Value::String(text) => drop(texts.insert(text.clone())),
        Value::Bool(value) => drop(texts.insert(value.to_string())),
        Value::Array(items) => items.iter().for_each(|item| names(item, texts, references)),
        Value::Object(members) => {
            for (operator, value) in members {
                match value {
                    Value::String(name) if operator == "$ref" => drop(references.insert(name.clone())),
                    _ => names(value, texts, references),
                }
            }
        }
        _ => {}
    }
}

/// The JSON files of a folder, sorted; none when it is not there.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        files.push(entry.context("an entry")?.path());
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}
