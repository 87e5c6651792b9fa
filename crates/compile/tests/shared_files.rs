//! The published flagd definitions, the published schema tests, and our own example, as they are.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::{json_files, options, shared, source, strict};
use flagstone_compile::{Format, Source, compile};
use flagstone_snapshot::{FlagError, Snapshot, encode};

/// Flags that flagd answers `PARSE_ERROR` for.
const BROKEN: &[&str] = &["error-targeting-flag", "ref-to-nonexistent-evaluator-flag"];

#[test]
fn every_flagd_definition_compiles_and_only_the_known_flags_are_broken() {
    let Some(shared) = shared() else { return };
    let files = json_files(&shared.join("conformance/flagd/flags"));
    assert!(files.len() >= 12, "{files:?}");
    for file in files {
        let source = source(&file);
        let outcome = compile(&source, &options());
        let draft = outcome.draft.expect("a draft");
        // One file means to be merged with the one that has the shared rule.
        let alone = file.ends_with("zero-flags.json");
        for flag in &draft.flags {
            let dangling = alone && flag.key.contains("-targeted-");
            let expected = (dangling || BROKEN.contains(&flag.key.as_str())).then_some(FlagError::Parse);
            assert_eq!(flag.broken, expected, "{} in {}", flag.key, file.display());
        }
        let bytes = encode(&draft).expect("it can be laid out");
        assert_eq!(Snapshot::load(&bytes).expect("it loads").flag_count() as usize, draft.flags.len());
    }
}

#[test]
fn metadata_of_the_flag_wins_key_by_key() {
    let Some(shared) = shared() else { return };
    let file = shared.join("conformance/flagd/flags/selector-flag-combined-metadata.json");
    let draft = compile(&source(&file), &options()).draft.expect("a draft");
    let flag = |key: &str| {
        let flag = draft.flags.iter().find(|flag| flag.key == key).expect("the flag");
        flag.metadata.clone().expect("metadata")
    };
    let combined = flag("combined-metadata-flag");
    assert_eq!(combined.get("string").and_then(|value| value.as_text()), Some("a"));
    assert_eq!(combined.get("flag-set-string").and_then(|value| value.as_text()), Some("c"));
    assert_eq!(flag("only-set-metadata-flag").get("string").and_then(|value| value.as_text()), Some("b"));
}

#[test]
fn schema_tests_agree() {
    let Some(shared) = shared() else { return };
    let tests = shared.join("conformance/flagd-schemas/test");
    for folder in ["flags/positive", "flagd/positive"] {
        for file in json_files(&tests.join(folder)) {
            let source = source(&file);
            let outcome = compile(&source, &strict());
            assert!(outcome.draft.is_some(), "{}", outcome.diagnostics.render(&source, false));
        }
    }
    for file in json_files(&tests.join("flags/negative")) {
        let outcome = compile(&source(&file), &strict());
        assert!(outcome.draft.is_none(), "{}", file.display());
    }
    for (folder, valid) in [("targeting/positive", true), ("targeting/negative", false)] {
        for file in json_files(&tests.join(folder)) {
            let rule = std::fs::read_to_string(&file).expect("the rule");
            let text = format!(
                r#"{{"flags": {{"f": {{"state": "ENABLED", "variants": {VARIANTS}, "targeting": {rule}}}}},
                    "$evaluators": {{"some-ref": {{"var": "x"}}}}}}"#
            );
            let source = Source::with_format("rule.json", text, Format::Json);
            let outcome = compile(&source, &strict());
            assert_eq!(
                outcome.draft.is_some(),
                valid,
                "{}: {}",
                file.display(),
                outcome.diagnostics.render(&source, false)
            );
        }
    }
}

/// Every name that the published rules answer with.
const VARIANTS: &str = r#"{"clubs": 1, "diamonds": 1, "hearts": 1, "spades": 1, "on": 1, "off": 1, "true": 1,
    "single-entry": 1, "prefix": 1, "postfix": 1, "equal": 1, "not": 1}"#;

#[test]
fn every_classic_json_logic_rule_lowers() {
    let Some(shared) = shared() else { return };
    let text =
        std::fs::read_to_string(shared.join("conformance/json-logic/compatible.json")).expect("the file");
    let cases: Vec<serde_json::Value> = serde_json::from_str(&text).expect("it is JSON");
    assert!(cases.len() > 100);
    for case in cases {
        let rule = &case["rule"];
        if !rule.is_object() {
            continue; // targeting is an object
        }
        let flag = serde_json::json!({"state": "ENABLED", "variants": {"a": 1}, "targeting": rule});
        let text = serde_json::json!({"flags": {"f": flag}}).to_string();
        let draft = compile(&Source::new("rule.json", text), &options()).draft.expect("a draft");
        assert_eq!(draft.flags[0].broken, None, "{rule}");
        encode(&draft).expect("it can be laid out");
    }
}

#[test]
fn the_example_of_the_design_compiles_strictly() {
    let Some(shared) = shared() else { return };
    let source = source(&shared.join("design/definition-example.yaml"));
    let outcome = compile(&source, &strict());
    let said = outcome.diagnostics.render(&source, false);
    assert_eq!(said, "");
    let definition = outcome.definition.expect("a definition");
    let rollout = definition.flags[0].rollout.as_ref().expect("a plan");
    assert_eq!(rollout.ceiling, Some(0));
    let shares: Vec<_> = rollout.stages.iter().filter_map(|stage| stage.shares()).collect();
    assert_eq!(
        shares,
        [
            (10_000_000, 90_000_000),
            (50_000_000, 200_000_000),
            (250_000_000, 400_000_000),
            (500_000_000, 500_000_000),
            (990_000_000, 10_000_000)
        ]
    );
    let budget: Vec<u32> = rollout.guardrails.iter().map(|guardrail| guardrail.share).collect();
    assert_eq!(budget, [0, 600_000_000, 400_000_000, 0]);
    let slow = definition.metric("slow").and_then(|metric| metric.bad()).expect("tests");
    assert!(slow[0].is_bad(2_500_001) && !slow[0].is_bad(2_500_000));
    let draft = outcome.draft.expect("a draft");
    let plan = draft.flags[0].plan.as_ref().expect("a plan");
    assert_eq!((plan.baseline, plan.candidate, plan.stages.len()), (0, 1, 7));
    encode(&draft).expect("it can be laid out");
}
