//! YAML and JSON say the same; what is printed reads back; any text is answered, never a panic.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::{json_files, options, shared, strict};
use flagstone_compile::{Draft, Format, Node, Source, compile, parse};
use proptest::prelude::*;

fn tree(text: &str, format: Format) -> Option<Node> {
    let mut diagnostics = flagstone_compile::diagnostic::Diagnostics::default();
    Source::with_format("t", text, format).tree(&mut diagnostics)
}

fn json_text(node: &Node) -> String {
    serde_json::to_string_pretty(node).expect("it serialises")
}

#[test]
fn the_same_document_in_both_notations_gives_the_same_draft() {
    let Some(shared) = shared() else { return };
    let text = std::fs::read_to_string(shared.join("design/definition-example.yaml")).expect("the example");
    let as_yaml = Source::with_format("d.yaml", text.clone(), Format::Yaml);
    let printed = json_text(&tree(&text, Format::Yaml).expect("a tree"));
    let as_json = Source::with_format("d.json", printed, Format::Json);
    let (yaml, json) = (compile(&as_yaml, &strict()), compile(&as_json, &strict()));
    assert!(yaml.draft.is_some());
    // Each carries the digest of its own text.
    let flags = |outcome: &flagstone_compile::Outcome| {
        outcome.draft.clone().map(|draft| Draft { definition: [0; 32], ..draft })
    };
    assert_ne!(yaml.draft, json.draft);
    assert_eq!(flags(&yaml), flags(&json));
    assert_eq!(yaml.definition, json.definition);

    // JSON is YAML too, with the same meaning.
    for file in json_files(&shared.join("conformance/flagd/flags")) {
        let text = std::fs::read_to_string(&file).expect("the file");
        let [json, yaml] = [Format::Json, Format::Yaml]
            .map(|format| compile(&Source::with_format("d", text.clone(), format), &options()).draft);
        assert!(json.is_some());
        assert_eq!(json, yaml, "{}", file.display());
    }
}

#[test]
fn yaml_words_are_those_of_the_core_schema() {
    let text = "
a: [1, -2, 0x1f, 0o17, 1.5, .5, 1e3, +3, 18446744073709551615]
b: [true, False, yes, on, ~, null, '', 'true', \"1\"]
c: &anchor { d: 2027-02-01, e: 1%, f: 2500ms }
g: *anchor
h: |
  two
  lines
1: number
true: word
";
    let node = tree(text, Format::Yaml).expect("a tree");
    assert_eq!(
        serde_json::to_value(&node).expect("JSON"),
        serde_json::json!({
            "a": [1, -2, 31, 15, 1.5, 0.5, 1000.0, 3, 18446744073709551615u64],
            "b": [true, false, "yes", "on", null, null, "", "true", "1"],
            "c": {"d": "2027-02-01", "e": "1%", "f": "2500ms"},
            "g": {"d": "2027-02-01", "e": "1%", "f": "2500ms"},
            "h": "two\nlines\n",
            "1": "number",
            "true": "word"
        })
    );
}

#[test]
fn spans_cover_what_was_written() {
    let text =
        "# ünïcode comment: ✓\nflags:\n  \"é\": # ✓\n    variants: { a: 'ß', b: [1,\n      2] }\n\n# end\n";
    let node = tree(text, Format::Yaml).expect("a tree");
    let written = |node: &Node| text.get(node.span.start..node.span.end).map(str::to_owned);
    let flag = node.get("flags").and_then(|flags| flags.get("é")).expect("the flag");
    let variants = flag.get("variants").expect("variants");
    assert_eq!(variants.get("a").and_then(written).as_deref(), Some("'ß'"));
    assert_eq!(variants.get("b").and_then(written).as_deref(), Some("[1,\n      2]"));
    assert_eq!(written(flag).as_deref(), Some("variants: { a: 'ß', b: [1,\n      2] }"));
}

fn value() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Into::into),
        "\\PC{0,12}".prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::vec(("[a-zé$. ]{0,6}", inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn what_is_printed_reads_back(value in value()) {
        let text = serde_json::to_string(&value).expect("JSON");
        let node = tree(&text, Format::Json).expect("a tree");
        prop_assert_eq!(tree(&json_text(&node), Format::Json), Some(node.clone()));
        let back: serde_json::Value = serde_json::from_str(&json_text(&node)).expect("JSON");
        prop_assert_eq!(back, value);
    }

    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        for format in [Format::Json, Format::Yaml] {
            let source = Source::with_format("t", text.clone(), format);
            let outcome = compile(&source, &options());
            prop_assert!(outcome.draft.is_some() || outcome.diagnostics.has_errors());
            let _ = outcome.diagnostics.render(&source, true);
        }
    }

    #[test]
    fn any_definition_shaped_text_is_answered(
        lines in prop::collection::vec("( {0,6})(flags|variants|state|targeting|rollout|stages|if|- )?(:)?( )?([\\[{]?[a-z0-9%.]{0,4}[,:}\\]]?){0,3}", 0..14)
    ) {
        let source = Source::with_format("t", lines.join("\n"), Format::Yaml);
        let (_, diagnostics) = parse(&source);
        let _ = diagnostics.render(&source, false);
        let outcome = compile(&source, &options());
        if let Some(draft) = outcome.draft {
            flagstone_snapshot::encode(&draft).expect("what compiles can be laid out");
        }
    }
}
