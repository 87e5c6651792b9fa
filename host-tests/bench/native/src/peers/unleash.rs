//! `unleash-yggdrasil`: Unleash's engine, by key: `check_variant` with a borrowed context, its shortest way to
//! a variant with its payload. Metrics are not counted.

use std::hint::black_box;

use anyhow::{Context as _, Result, bail};
use flagstone_measure::{Answer, Shape};
use serde_json::{Value, json};
use unleash_yggdrasil::state::EnrichedContext;
use unleash_yggdrasil::{ClientFeatures, Context, EngineState, UpdateMessage};

use super::Peer;

/// The state and the keys in order.
pub(crate) struct Unleash {
    state: EngineState,
    keys: Vec<String>,
}

impl Peer for Unleash {
    const CRATE: &'static str = "unleash-yggdrasil";
    type Prepared = Context;

    /// Four strategies a flag: three rules with one variant each, then everybody with four. The strategy is
    /// `default`, which spares the engine the hash of a rollout to 100 %.
    fn configuration(flags: &[Shape]) -> Result<String> {
        let mut segments: Vec<Value> = Vec::new();
        for flag in flags {
            if let Some(name) = &flag.segment
                && !segments.iter().any(|segment| segment["id"] == number(name))
            {
                let constraint =
                    json!({"contextName": "country", "operator": "IN", "values": flag.countries});
                segments.push(json!({"id": number(name), "constraints": [constraint]}));
            }
        }
        let features: Vec<Value> = flags.iter().map(feature).collect();
        Ok(json!({"version": 2, "features": features, "segments": segments}).to_string())
    }

    fn load(configuration: &str) -> Result<Self> {
        let features: ClientFeatures = serde_json::from_str(configuration)?;
        let keys = features.features.iter().map(|feature| feature.name.clone()).collect();
        let state = EngineState::default();
        let warnings = state.take_state(UpdateMessage::FullResponse(features)).unwrap_or_default();
        match warnings.first() {
            Some(warning) => bail!("{}: {}", warning.toggle_name, warning.message),
            None => Ok(Unleash { state, keys }),
        }
    }

    fn prepare(context: &Value) -> Result<Context> {
        let mut properties = context.as_object().context("not an object")?.clone();
        let key = properties.remove("targetingKey").context("no targeting key")?;
        Ok(serde_json::from_value(json!({"userId": key, "properties": properties}))?)
    }

    fn answer(&mut self, context: &Context, flag: usize) -> Result<Answer> {
        let enriched = EnrichedContext::from(context, &self.keys[flag], None);
        let variant = self.state.check_variant(&enriched).context("no such flag")?;
        Ok(Answer { variant: variant.name.trim_start_matches('v').parse()?, rule: None })
    }

    fn ask(&mut self, context: &Context, flag: usize) {
        let enriched = EnrichedContext::from(context, black_box(&self.keys[flag]), None);
        black_box(self.state.check_variant(&enriched));
    }
}

/// `seg-3` is segment 3.
fn number(segment: &str) -> i32 {
    segment.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn feature(flag: &Shape) -> Value {
    let variant = |position: usize, weight: u32| {
        let (name, value) = &flag.variants[position];
        let (kind, text) = match value {
            Value::String(text) => ("string", text.clone()),
            Value::Object(_) => ("json", value.to_string()),
            Value::Number(_) => ("number", value.to_string()),
            _ => ("string", value.to_string()),
        };
        json!({"name": name, "weight": weight, "stickiness": "userId",
            "payload": {"type": kind, "value": text}})
    };
    let strategy = |segments: Value, constraints: Value, variants: Vec<Value>| {
        json!({"name": "default", "segments": segments, "constraints": constraints,
            "parameters": {"stickiness": "userId", "groupId": flag.key}, "variants": variants})
    };
    let country = json!([{"contextName": "country", "operator": "IN", "values": flag.countries}]);
    let version = json!([{"contextName": "appVersion", "operator": "SEMVER_GTE", "value": flag.min_version}]);
    let email = json!([{"contextName": "email", "operator": "STR_ENDS_WITH", "values": [flag.email_suffix]}]);
    let first = match &flag.segment {
        Some(name) => strategy(json!([number(name)]), json!([]), vec![variant(0, 1000)]),
        None => strategy(json!([]), country, vec![variant(0, 1000)]),
    };
    let split: Vec<Value> =
        flag.split.iter().enumerate().map(|(position, weight)| variant(position, weight * 10)).collect();
    json!({"name": flag.key, "type": "release", "enabled": true, "project": "default", "strategies": [
        first,
        strategy(json!([]), version, vec![variant(1, 1000)]),
        strategy(json!([]), email, vec![variant(2, 1000)]),
        strategy(json!([]), json!([]), split),
    ]})
}
