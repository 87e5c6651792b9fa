//! `eppo_core`: Eppo's evaluator, by key, without a log event (which is its cheaper way).

use std::hint::black_box;
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use eppo_core::eval::eval_details::AllocationEvaluationCode;
use eppo_core::eval::{get_assignment, get_assignment_details};
use eppo_core::timestamp::{Timestamp, now};
use eppo_core::ufc::UniversalFlagConfig;
use eppo_core::{AttributeValue, Attributes, Configuration, SdkMetadata, Str};
use flagstone_measure::{Answer, Shape};
use serde_json::{Value, json};

use super::Peer;

/// Shards are counted in parts of this.
const SHARDS: u32 = 10_000;

/// A configuration and the keys in order.
pub(crate) struct Eppo {
    configuration: Configuration,
    keys: Vec<String>,
    now: Timestamp,
}

impl Peer for Eppo {
    const CRATE: &'static str = "eppo_core";
    type Prepared = (Str, Arc<Attributes>);

    /// It has no segments, so their countries are written out; "ends with" is a regular expression.
    fn configuration(flags: &[Shape]) -> Result<String> {
        let flags: serde_json::Map<String, Value> =
            flags.iter().map(|flag| (flag.key.clone(), entry(flag))).collect();
        Ok(json!({"createdAt": "2026-09-21T00:00:00Z", "format": "SERVER", "environment": {"name": "test"},
            "flags": flags, "bandits": {}})
        .to_string())
    }

    fn load(configuration: &str) -> Result<Self> {
        let about = SdkMetadata { name: "bench", version: "0" };
        let config = UniversalFlagConfig::from_json(about, configuration.as_bytes().to_vec())?;
        // The keys in order are ours to remember; they are a small part of what is loaded.
        let count = configuration.matches("\"totalShards\"").count();
        let keys = (0..count).map(|flag| format!("flag-{flag:04}-rollout")).collect();
        let configuration = Configuration::from_server_response(config, None);
        Ok(Eppo { configuration, keys, now: now() })
    }

    fn prepare(context: &Value) -> Result<Self::Prepared> {
        let mut attributes = Attributes::default();
        for (name, value) in context.as_object().context("not an object")? {
            let value: AttributeValue = match value {
                Value::String(text) => text.as_str().into(),
                Value::Bool(value) => (*value).into(),
                other => other.as_f64().context("not a plain attribute")?.into(),
            };
            attributes.insert(name.as_str().into(), value);
        }
        let key = context["targetingKey"].as_str().context("no targeting key")?;
        Ok((key.into(), Arc::new(attributes)))
    }

    fn answer(&mut self, (key, attributes): &Self::Prepared, flag: usize) -> Result<Answer> {
        let configuration = Some(&self.configuration);
        let (full, _) =
            get_assignment_details(configuration, &self.keys[flag], key, attributes, None, self.now);
        let plain = get_assignment(configuration, &self.keys[flag], key, attributes, None, self.now)?;
        ensure!(full.variation == plain.map(|plain| plain.value), "its two ways disagree");
        let details = &full.evaluation_details;
        let name = details.variation_key.as_ref().context("no variation")?.as_str();
        let matched = |code| matches!(code, AllocationEvaluationCode::Match);
        let rule = details.allocations.iter().position(|each| matched(each.allocation_evaluation_code));
        Ok(Answer { variant: name.trim_start_matches('v').parse()?, rule: rule.map(|rule| rule as u8) })
    }

    fn ask(&mut self, (key, attributes): &Self::Prepared, flag: usize) {
        let configuration = Some(&self.configuration);
        let keys = black_box(&self.keys);
        let _ = black_box(get_assignment(configuration, &keys[flag], key, attributes, None, self.now));
    }
}

fn entry(flag: &Shape) -> Value {
    let kind = match &flag.variants[0].1 {
        Value::Bool(_) => "BOOLEAN",
        Value::String(_) => "STRING",
        Value::Number(_) => "NUMERIC",
        _ => "JSON",
    };
    let value = |value: &Value| if value.is_object() { json!(value.to_string()) } else { value.clone() };
    let variations: serde_json::Map<String, Value> = flag
        .variants
        .iter()
        .map(|(name, of)| (name.clone(), json!({"key": name, "value": value(of)})))
        .collect();
    let rule = |key: &str, attribute: &str, operator: &str, operand: Value, variant: &str| {
        let condition = json!({"attribute": attribute, "operator": operator, "value": operand});
        json!({"key": key, "doLog": false, "rules": [{"conditions": [condition]}],
            "splits": [{"variationKey": variant, "shards": []}]})
    };
    let mut start = 0;
    let splits: Vec<Value> = flag
        .split
        .iter()
        .zip(&flag.variants)
        .map(|(weight, (name, _))| {
            let range = json!({"start": start, "end": start + weight * (SHARDS / 100)});
            start += weight * (SHARDS / 100);
            json!({"variationKey": name, "shards": [{"salt": flag.key, "ranges": [range]}]})
        })
        .collect();
    let suffix = format!("{}$", flag.email_suffix.replace('.', "\\."));
    json!({"key": flag.key, "enabled": true, "variationType": kind, "variations": variations,
    "totalShards": SHARDS, "allocations": [
        rule("country", "country", "ONE_OF", json!(flag.countries), "v0"),
        rule("version", "appVersion", "GTE", json!(flag.min_version), "v1"),
        rule("email", "email", "MATCHES", json!(suffix), "v2"),
        json!({"key": "split", "doLog": false, "rules": [], "splits": splits}),
    ]})
}
