//! `launchdarkly-server-sdk-evaluation`: LaunchDarkly's evaluator. Flags are looked up by key and lent to it;
//! segments it fetches itself from the store, as a copy each time, which its interface demands.

use std::collections::HashMap;
use std::hint::black_box;

use anyhow::{Context as _, Result, anyhow};
use flagstone_measure::{Answer, Shape};
use launchdarkly_server_sdk_evaluation::{Context, ContextBuilder, Flag, Reason, Segment, Store, evaluate};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Peer;

/// The store and the keys in order.
pub(crate) struct LaunchDarkly {
    store: Flags,
    keys: Vec<String>,
}

#[derive(Deserialize)]
struct Flags {
    flags: HashMap<String, Flag>,
    segments: HashMap<String, Segment>,
}

impl Store for Flags {
    fn flag(&self, key: &str) -> Option<Flag> {
        self.flags.get(key).cloned()
    }

    fn segment(&self, key: &str) -> Option<Segment> {
        self.segments.get(key).cloned()
    }
}

impl Peer for LaunchDarkly {
    const CRATE: &'static str = "launchdarkly-server-sdk-evaluation";
    type Prepared = Context;

    /// "At least" is "not less than": the attribute is there in every context of W.
    fn configuration(flags: &[Shape]) -> Result<String> {
        let mut segments = serde_json::Map::new();
        let mut all = serde_json::Map::new();
        for flag in flags {
            if let Some(name) = &flag.segment {
                let clause = json!({"attribute": "country", "op": "in", "values": flag.countries});
                segments.insert(
                    name.clone(),
                    json!({"key": name, "version": 1, "salt": name, "included": [],
                    "excluded": [], "rules": [{"id": name, "clauses": [clause]}]}),
                );
            }
            all.insert(flag.key.clone(), entry(flag));
        }
        Ok(json!({"flags": all, "segments": segments}).to_string())
    }

    fn load(configuration: &str) -> Result<Self> {
        let store: Flags = serde_json::from_str(configuration)?;
        let mut keys: Vec<String> = store.flags.keys().cloned().collect();
        keys.sort();
        Ok(LaunchDarkly { store, keys })
    }

    fn prepare(context: &Value) -> Result<Context> {
        let key = context["targetingKey"].as_str().context("no targeting key")?;
        let mut builder = ContextBuilder::new(key);
        for (name, value) in context.as_object().context("not an object")? {
            match value {
                _ if name == "targetingKey" => {}
                Value::String(text) => drop(builder.set_string(name, text.as_str())),
                Value::Bool(value) => drop(builder.set_bool(name, *value)),
                other => drop(builder.set_float(name, other.as_f64().context("not a plain attribute")?)),
            }
        }
        builder.build().map_err(|error| anyhow!("{error}"))
    }

    fn answer(&mut self, context: &Context, flag: usize) -> Result<Answer> {
        let flag = self.store.flags.get(&self.keys[flag]).context("no such flag")?;
        let detail = evaluate(&self.store, flag, context, None);
        let rule = match &detail.reason {
            Reason::RuleMatch { rule_index, .. } => *rule_index as u8,
            Reason::Fallthrough { .. } => 3,
            other => return Err(anyhow!("{other:?}")),
        };
        let variant = detail.variation_index.context("no variation")?;
        Ok(Answer { variant: variant as usize, rule: Some(rule) })
    }

    fn ask(&mut self, context: &Context, flag: usize) {
        let flag = self.store.flags.get(black_box(self.keys[flag].as_str()));
        black_box(flag.map(|flag| evaluate(&self.store, flag, context, None)));
    }
}

fn entry(flag: &Shape) -> Value {
    let clause = |attribute: &str, op: &str, negate: bool, values: Value| json!([{"attribute": attribute, "op": op, "negate": negate, "values": values}]);
    let first = match &flag.segment {
        Some(segment) => clause("", "segmentMatch", false, json!([segment])),
        None => clause("country", "in", false, json!(flag.countries)),
    };
    let version = clause("appVersion", "semVerLessThan", true, json!([flag.min_version]));
    let email = clause("email", "endsWith", false, json!([flag.email_suffix]));
    let rules: Vec<Value> = [first, version, email]
        .into_iter()
        .enumerate()
        .map(|(index, clauses)| json!({"id": format!("r{index}"), "clauses": clauses, "variation": index, "trackEvents": false}))
        .collect();
    let shares: Vec<Value> = flag
        .split
        .iter()
        .enumerate()
        .map(|(variation, weight)| json!({"variation": variation, "weight": weight * 1000}))
        .collect();
    let values: Vec<&Value> = flag.variants.iter().map(|(_, value)| value).collect();
    json!({"key": flag.key, "version": 1, "on": true, "targets": [], "rules": rules, "prerequisites": [],
        "fallthrough": {"rollout": {"variations": shares}}, "offVariation": 0, "variations": values,
        "salt": flag.key})
}
