//! What the tools add: explanations, configuration and inspection as objects, for people who debug.
//!
//! Objects are made anew at each call; nothing here is for a page's hot path.

use std::string::String;
use std::vec::Vec;

use flagstone_evaluate::explain_json;
use flagstone_snapshot::{Flag, OnExpiry, Plan, SHARE_TOTAL};
use serde::Serialize;
use wasm_bindgen::JsValue;
use wasm_bindgen::prelude::wasm_bindgen;

use crate::engine::Refusal;
use crate::{told, with};

/// What a file or note claims.
#[derive(Serialize)]
struct Claim<'a> {
    statement: &'a str,
    signatures: Vec<&'a str>,
    payload: Option<usize>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Description<'a> {
    environment: &'a str,
    definition: String,
    flags: Vec<Described<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Described<'a> {
    key: &'a str,
    enabled: bool,
    usable: bool,
    client: bool,
    on_expiry: &'static str,
    sticky: Option<u32>,
    default_variant: Option<&'a str>,
    baseline: Option<&'a str>,
    variants: Vec<Variant<'a>>,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    metadata: JsValue,
    plan: Option<Rollout<'a>>,
}

#[derive(Serialize)]
struct Variant<'a> {
    name: &'a str,
    #[serde(with = "serde_wasm_bindgen::preserve")]
    value: JsValue,
}

/// Shares are parts of one.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Rollout<'a> {
    candidate: Option<&'a str>,
    unit: Option<&'a str>,
    consent: Option<&'a str>,
    domains: Vec<&'a str>,
    ceiling: Option<u8>,
    scheduled: bool,
    /// Unix seconds.
    not_before: f64,
    /// None when it does not end.
    until: Option<f64>,
    stages: Vec<Stage<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Stage<'a> {
    name: &'a str,
    allow_list: bool,
    treatment: f64,
    control: f64,
    ramp: u32,
}

/// Reads a sealed file, a pulse or a trust note without verifying any signature: `{statement, signatures: [name],
/// payload?: bytes}`. Never act on the result.
#[wasm_bindgen]
pub fn inspect(file: &[u8], max_payload: f64) -> Result<JsValue, JsValue> {
    let claim =
        flagstone_seal::inspect(file, max_payload as u64).map_err(|error| thrown(&Refusal::Seal(error)))?;
    let signatures = claim.note.signatures().iter().map(|signature| signature.name).collect();
    let payload = claim.payload.map(<[u8]>::len);
    Ok(serde_wasm_bindgen::to_value(&Claim { statement: claim.note.text(), signatures, payload })?)
}

/// Everything an engine holds, as one object.
#[wasm_bindgen]
pub fn describe(engine: u32) -> Result<JsValue, JsValue> {
    with(|world| {
        let engine = world.engines.get(engine).ok_or_else(|| thrown(&Refusal::Call("not-open")))?;
        let snapshot = engine.snapshot();
        let description = Description {
            environment: snapshot.environment(),
            definition: told::hexadecimal(&snapshot.definition()),
            flags: snapshot.flags().map(described).collect(),
        };
        Ok(serde_wasm_bindgen::to_value(&description)?)
    })
}

/// The decision for a resident context with a trace of why, as an object.
#[wasm_bindgen]
pub fn explain(context: u32, key: &str, now: f64) -> Result<JsValue, JsValue> {
    let text = with(|world| {
        let (engine, context) = world.resident(context)?;
        Some(explain_json(engine.snapshot(), &engine.control, context, key, now as u64))
    });
    js_sys::JSON::parse(&text.ok_or_else(|| thrown(&Refusal::Call("not-open")))?)
}

fn described(flag: Flag<'_>) -> Described<'_> {
    let name = |index| flag.variant(index).map(|variant| variant.name);
    let variants = (0..flag.variant_count()).filter_map(|index| flag.variant(index));
    Described {
        key: flag.key(),
        enabled: flag.enabled(),
        usable: flag.broken().is_none(),
        client: flag.client(),
        on_expiry: if flag.on_expiry() == OnExpiry::Safe { "safe" } else { "hold" },
        sticky: flag.parts().and_then(|parts| parts.sticky()),
        default_variant: flag.default_variant().and_then(name),
        baseline: flag.baseline().and_then(name),
        variants: variants
            .map(|variant| Variant { name: variant.name, value: parsed(variant.json) })
            .collect(),
        metadata: parsed(flag.metadata()),
        plan: flag.plan().map(|plan| rollout(&flag, plan)),
    }
}

fn rollout<'a>(flag: &Flag<'a>, plan: Plan<'a>) -> Rollout<'a> {
    let share = |parts: u32| f64::from(parts) / f64::from(SHARE_TOTAL);
    let stages = (0..plan.stage_count()).filter_map(|index| plan.stage(index)).map(|stage| Stage {
        name: stage.name,
        allow_list: stage.who.is_some(),
        treatment: share(stage.treat),
        control: share(stage.control),
        ramp: stage.ramp,
    });
    Rollout {
        candidate: flag.variant(plan.candidate()).map(|variant| variant.name),
        unit: flag.unit(),
        consent: plan.consent().map(|(purpose, _)| purpose),
        ceiling: plan.ceiling(),
        scheduled: plan.scheduled(),
        not_before: plan.not_before() as f64,
        until: Some(plan.until())
            .filter(|until| *until != flagstone_snapshot::layout::NEVER)
            .map(|until| until as f64),
        stages: stages.collect(),
        domains: plan.domains().collect(),
    }
}

fn parsed(json: &str) -> JsValue {
    js_sys::JSON::parse(json).unwrap_or(JsValue::NULL)
}

fn thrown(refusal: &Refusal) -> JsValue {
    let text = refusal.text();
    let (code, prose) = text.split_once('\n').unwrap_or((&text, "nothing is open under this handle"));
    let error = js_sys::Error::new(prose);
    // Setting a property of a fresh object cannot fail.
    let _ = js_sys::Reflect::set(&error, &"code".into(), &code.into());
    error.into()
}
