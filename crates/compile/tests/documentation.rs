//! The reference and the published schema say what the reader does.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use std::collections::BTreeSet;
use std::path::Path;

use common::strict;
use flagstone_compile::{Code, Format, Source, compile, limits};
use serde_json::{Value, json};

fn doc(path: &str) -> String {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    std::fs::read_to_string(docs.join(path)).expect("the page")
}

fn schema() -> Value {
    serde_json::from_str(&doc("schema/flagstone-definition-0.1.json")).expect("the schema is JSON")
}

fn example() -> Source {
    let page = doc("definition.md");
    let text = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("the example");
    Source::with_format("definition.md", text, Format::Yaml)
}

#[test]
fn the_example_of_the_reference_compiles_strictly() {
    let source = example();
    let outcome = compile(&source, &strict());
    assert_eq!(outcome.diagnostics.render(&source, false), "");
    flagstone_snapshot::encode(&outcome.draft.expect("a draft")).expect("it can be laid out");
}

#[test]
fn every_code_and_limit_is_listed() {
    let page = doc("definition.md");
    for code in Code::ALL {
        assert!(page.contains(&format!("| `{}` |", code.as_str())), "{}", code.as_str());
    }
    for limit in [
        limits::SOURCE_DEPTH,
        limits::RULE_DEPTH,
        limits::KEY_BYTES,
        limits::STAGES,
        limits::DIAGNOSTICS,
        limits::PATTERN_DEPTH as usize,
        limits::PREREQUISITES,
        limits::PREREQUISITE_DEPTH,
        limits::FLAG_PARTS,
        limits::SCHEDULE,
        limits::SLICE_WATCHES,
        limits::SLICE_VALUES,
        limits::SLICE_CELLS,
    ] {
        assert!(page.contains(&limit.to_string()), "{limit}");
    }
    assert_eq!(
        (limits::LIST_KEYS, limits::LONGEST_LIST, limits::NETWORKS, limits::LAYERS),
        (1_000, 10_000, 10_000, 1_024)
    );
    assert_eq!((limits::KEY_SET_BYTES >> 20, limits::RAMP_SECONDS / 86_400), (8, 3_660));
    assert_eq!((limits::SOURCE_BYTES >> 20, limits::PROGRAM_OPS, limits::VARIANTS), (32, 4096, 1000));
}

/// The keys that a definition of the schema lists.
fn keys(schema: &Value, definition: Option<&str>) -> Vec<String> {
    let object = definition.map_or(schema, |name| &schema["definitions"][name]);
    object["properties"].as_object().expect("properties").keys().cloned().collect()
}

#[test]
fn the_reader_knows_every_key_of_the_schema_and_the_reference_names_it() {
    let schema = schema();
    let page = doc("definition.md");
    let nulls = |definition: &str| -> Value {
        keys(&schema, Some(definition))
            .into_iter()
            .map(|key| (key, Value::Null))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let mut flag = nulls("flag");
    flag["rollout"] = nulls("rollout");
    flag["rollout"]["stages"] = json!([nulls("stage")]);
    flag["rollout"]["schedule"] = json!([nulls("step")]);
    flag["rollout"]["pauses"] = json!([nulls("pause")]);
    let watch =
        schema["definitions"]["rollout"]["properties"]["watch"]["properties"].as_object().expect("keys");
    flag["rollout"]["watch"] =
        watch.keys().map(|key| (key.clone(), Value::Null)).collect::<serde_json::Map<_, _>>().into();
    flag["rollout"]["guardrails"] = json!([nulls("guardrail")]);
    flag["rollout"]["slices"] = json!([nulls("sliceWatch")]);
    flag["rollout"]["drift"] = json!([nulls("driftWatch")]);
    let mut set: serde_json::Map<String, Value> =
        keys(&schema, None).into_iter().map(|key| (key, Value::Null)).collect();
    set.insert("flags".into(), json!({ "f": flag }));
    set.insert("metrics".into(), json!({ "m": nulls("metric") }));
    set.insert("segments".into(), json!({ "s": nulls("segment") }));
    set.insert("holdouts".into(), json!({ "h": nulls("holdout") }));
    let mut layer = nulls("layer");
    layer["flags"] = json!({ "f": nulls("range") });
    set.insert("layers".into(), json!({ "l": layer }));
    let text = Value::Object(set.clone()).to_string();
    let outcome = compile(&Source::with_format("all.json", text, Format::Json), &strict());
    let unknown: Vec<_> =
        outcome.diagnostics.iter().filter(|diagnostic| diagnostic.code == Code::UnknownKey).collect();
    assert!(unknown.is_empty(), "{unknown:?}");

    set.insert("flagz".into(), Value::Null);
    let text = Value::Object(set).to_string();
    let outcome = compile(&Source::with_format("all.json", text, Format::Json), &strict());
    assert!(outcome.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::UnknownKey));

    for definition in [
        None,
        Some("flag"),
        Some("rollout"),
        Some("stage"),
        Some("guardrail"),
        Some("sliceWatch"),
        Some("driftWatch"),
        Some("metric"),
        Some("segment"),
        Some("holdout"),
        Some("layer"),
        Some("range"),
        Some("step"),
        Some("pause"),
    ] {
        for key in keys(&schema, definition) {
            assert!(page.contains(&format!("`{key}`")), "`{key}` of {definition:?} is not in the reference");
        }
    }
}

#[test]
fn the_schema_lists_every_operator_of_the_engine() {
    let schema = schema();
    let operators: BTreeSet<String> = schema["definitions"]["rule"]["propertyNames"]["enum"]
        .as_array()
        .expect("operators")
        .iter()
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect();
    for operator in &operators {
        let text = json!({
            "$evaluators": {"x": true},
            "segments": {"x": {"when": true}},
            "flags": {"f": {"state": "ENABLED", "variants": {"a": 1}, "targeting": {operator: "x"}}}
        });
        let source = Source::with_format("o.json", text.to_string(), Format::Json);
        let outcome = compile(&source, &strict());
        let unknown = outcome.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::UnknownOperator);
        assert!(!unknown, "{operator}");
    }
    assert!(!operators.contains("regex"));
    assert_eq!(operators.len(), 55);
    let page = doc("definition.md");
    for operator in &operators {
        let named = page.lines().any(|line| line.starts_with('|') && line.contains(operator.as_str()));
        assert!(named, "`{operator}` is not in a table of the reference");
    }
}

#[test]
fn another_environment_is_remarked_on() {
    let source = example();
    let options = flagstone_compile::Options { environment: "staging".into(), ..strict() };
    let outcome = compile(&source, &options);
    let codes: Vec<_> = outcome.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::Environment]);
    assert_eq!(outcome.draft.expect("a draft").environment, "staging");
}
