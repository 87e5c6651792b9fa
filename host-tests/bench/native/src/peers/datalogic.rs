//! `datalogic-rs`: a JsonLogic engine with flagd's operators. It has no flags: rules are found by position,
//! the variant's value by a search of four names, as the smallest flag engine around it would.

use std::hint::black_box;

use anyhow::{Context as _, Result};
use datalogic_rs::bumpalo::Bump;
use datalogic_rs::{Engine, Logic, ParsedData};
use flagstone_measure::{Answer, Shape};
use serde_json::{Value, json};

use super::Peer;

/// Rules, their variants, and the arena that is emptied after each call.
pub(crate) struct Datalogic {
    engine: Engine,
    flags: Vec<(Logic, Vec<(String, Value)>)>,
    arena: Bump,
}

impl Peer for Datalogic {
    const CRATE: &'static str = "datalogic-rs";
    const FLAGD: bool = true;
    const BY_KEY: bool = false;
    type Prepared = ParsedData;

    /// The bucketing key is spelt out, which gives flagd's own and lets one context serve all flags.
    fn configuration(flags: &[Shape]) -> Result<String> {
        let rule = |flag: &Shape| {
            let key = json!({"cat": [flag.key, {"var": "targetingKey"}]});
            let shares =
                flag.split.iter().zip(&flag.variants).map(|(weight, (name, _))| json!([name, weight]));
            let split: Vec<Value> = std::iter::once(key).chain(shares).collect();
            let rule = json!({"if": [
                {"in": [{"var": "country"}, flag.countries]}, "v0",
                {"sem_ver": [{"var": "appVersion"}, ">=", flag.min_version]}, "v1",
                {"ends_with": [{"var": "email"}, flag.email_suffix]}, "v2",
                {"fractional": split},
            ]});
            json!({"rule": rule, "variants": flag.variants})
        };
        Ok(serde_json::to_string(&flags.iter().map(rule).collect::<Vec<_>>())?)
    }

    fn load(configuration: &str) -> Result<Self> {
        let engine = Engine::new();
        let list: Vec<Value> = serde_json::from_str(configuration)?;
        let mut flags = Vec::with_capacity(list.len());
        for mut flag in list {
            let rule = engine.compile(&flag["rule"]).map_err(|error| anyhow::anyhow!("{error}"))?;
            flags.push((rule, serde_json::from_value(flag["variants"].take())?));
        }
        Ok(Datalogic { engine, flags, arena: Bump::new() })
    }

    fn prepare(context: &Value) -> Result<ParsedData> {
        ParsedData::from_json(&context.to_string()).map_err(|error| anyhow::anyhow!("{error}"))
    }

    fn answer(&mut self, context: &ParsedData, flag: usize) -> Result<Answer> {
        let name = self.engine.evaluate(&self.flags[flag].0, context, &self.arena);
        let name = name.map_err(|error| anyhow::anyhow!("{error}"))?.as_str().context("no variant")?;
        let variant = self.flags[flag].1.iter().position(|(variant, _)| variant == name);
        let answer = Answer { variant: variant.context("an unknown variant")?, rule: None };
        self.arena.reset();
        Ok(answer)
    }

    fn ask(&mut self, context: &ParsedData, flag: usize) {
        let (rule, variants) = &self.flags[flag];
        let name = self.engine.evaluate(black_box(rule), context, &self.arena);
        let name = name.ok().and_then(|name| name.as_str());
        black_box(name.and_then(|name| variants.iter().find(|(variant, _)| variant == name)));
        self.arena.reset();
    }
}
