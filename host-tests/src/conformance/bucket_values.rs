//! Literals of other systems' bucketing: where their hash puts a unit is where ours of the same name does.

use std::path::Path;

use anyhow::{Context as _, Result};
use flagstone_compile::peers;
use serde_json::Value;

use super::Suite;

pub(super) fn run(folder: &Path) -> Result<Suite> {
    let mut suite = Suite::new("bucket-values");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("bucket-values.json"))?)?;
    for (system, part) in file.as_object().context("an object of systems")? {
        for (index, row) in part["rows"].as_array().context("rows is a list")?.iter().enumerate() {
            suite.row(&format!("{system} {index}"), check(system, row));
        }
    }
    Ok(suite)
}

fn check(system: &str, row: &Value) -> Result<(), String> {
    let text = |key: &str| row[key].as_str().ok_or_else(|| format!("the row has no `{key}`"));
    let (seen, expected) = match system {
        "launchdarkly" => {
            let prefix = peers::launchdarkly_prefix(text("key")?, text("salt")?, row["seed"].as_i64());
            let value = peers::launchdarkly(&prefix, text("value")?);
            (peers::scaled(value, 100_000), row["bucket_100000"].as_u64())
        }
        "confidence" => {
            let buckets = row["buckets"].as_u64().unwrap_or_default();
            (peers::confidence(text("salt")?, text("unit")?, buckets), row["bucket"].as_u64())
        }
        "statsig" => (peers::statsig(text("input")?), u64::from_str_radix(text("u64_hex")?, 16).ok()),
        // The data has the unit and the experiment in one text already.
        "optimizely" => (peers::optimizely(text("input")?, "").into(), row["bucket_10000"].as_u64()),
        other => return Err(format!("no function for {other}")),
    };
    match expected {
        Some(expected) if expected == seen => Ok(()),
        Some(expected) => Err(format!("it is {seen}, expected {expected}")),
        None => Err("the row has no expectation".into()),
    }
}
