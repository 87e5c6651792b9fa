//! What ties flags together: prerequisites, holdouts, layers, overrides, sticky; one bad flag harms no other.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::{options, strict, yaml};
use flagstone_compile::{Audience, Format, Options, Outcome, Source, compile};
use flagstone_snapshot::{
    DraftCanary, DraftPrerequisite, DraftSlot, FlagError, Json, Op, bucket_salt, encode,
};

/// The findings in the order of the text, and which flags are broken.
fn findings(text: &str) -> String {
    let source = Source::with_format("flags.yaml", text, Format::Yaml);
    let outcome = compile(&source, &options());
    let mut lines: Vec<String> = Vec::new();
    for said in &outcome.diagnostics {
        let about = said.flag.as_deref().unwrap_or("the set");
        lines.push(format!("{} ({about}): {}", said.code.as_str(), said.message));
        lines.extend(said.hint.iter().map(|hint| format!("  hint: {hint}")));
    }
    let draft = outcome.draft.expect("a draft");
    encode(&draft).expect("it can be laid out");
    let mut broken: Vec<&str> =
        draft.flags.iter().filter(|flag| flag.broken.is_some()).map(|flag| flag.key.as_str()).collect();
    broken.sort_unstable();
    lines.push(format!("broken: {}", broken.join(" ")));
    lines.join("\n")
}

fn clean(text: &str) -> Outcome {
    let source = Source::with_format("flags.yaml", text, Format::Yaml);
    let outcome = compile(&source, &strict());
    assert_eq!(outcome.diagnostics.render(&source, false), "");
    encode(outcome.draft.as_ref().expect("a draft")).expect("it can be laid out");
    outcome
}

/// A flag of the variants `on` and `off` with further keys.
fn flag(key: &str, more: &str) -> String {
    format!(
        "  {key}: {{ state: ENABLED, variants: {{ 'on': true, 'off': false }}, defaultVariant: 'off', {more} }}\n"
    )
}

#[test]
fn prerequisites_by_name() {
    let text = format!(
        "flags:\n{}{}{}",
        flag("a", "prerequisites: { b: 'on', c: ['on', 'off'] }"),
        flag("b", "prerequisites: { c: 'on' }"),
        flag("c", "")
    );
    let draft = clean(&text).draft.expect("a draft");
    let asks = |flag: &str, variants: &[&str]| DraftPrerequisite {
        flag: flag.into(),
        variants: variants.iter().map(|name| (*name).into()).collect(),
    };
    assert_eq!(draft.flags[0].prerequisites, [asks("b", &["on"]), asks("c", &["on", "off"])]);
    assert_eq!(draft.flags[1].prerequisites, [asks("c", &["on"])]);
}

#[test]
fn prerequisites_that_cannot_hold() {
    let text = format!(
        "flags:\n{}{}{}{}{}{}{}{}{}",
        flag("a", "prerequisites: { b: 'on' }"),
        flag("b", "prerequisites: { c: 'on' }"),
        flag("c", "prerequisites: { a: 'on', d: 'on' }"),
        flag("d", "prerequisites: { d: 'on' }"),
        flag("e", "prerequisites: { a: 'on' }"),
        flag("f", "prerequisites: { g: 'no', wrong: 'on' }"),
        flag("g", "targeting: { nope: 1 }"),
        flag("h", "prerequisites: { g: 'on' }"),
        flag("i", "prerequisites: { a: [] }"),
    );
    insta::assert_snapshot!(findings(&text), @r"
    FS0601 (c): prerequisites run in a circle
      hint: the circle is `a` -> `b` -> `c` -> `a`
    FS0601 (d): prerequisites run in a circle
      hint: the circle is `d` -> `d`
    FS0205 (f): `g` has no variant `no`
      hint: did you mean `on`?
    FS0205 (f): there is no flag `wrong`
      hint: there are `a`, `b`, `c`, `d`, `e`, `f`, `g`, `h`
    FS0301 (g): there is no operator `nope`
      hint: did you mean `none`?
    FS0204 (i): no variant of `a` would do
      hint: name the variants that will do
    broken: a b c d f g i
    ");
}

#[test]
fn prerequisites_only_so_deep() {
    let chain = |length: usize| -> String {
        let flags: String = (0..length)
            .map(|at| flag(&format!("f{at}"), &format!("prerequisites: {{ f{}: 'on' }}", at + 1)))
            .collect();
        format!("flags:\n{flags}{}", flag(&format!("f{length}"), ""))
    };
    clean(&chain(8));
    let outcome = yaml(&chain(12));
    let broken: Vec<_> = outcome
        .draft
        .expect("a draft")
        .flags
        .iter()
        .filter(|flag| flag.broken.is_some())
        .map(|flag| flag.key.clone())
        .collect();
    assert_eq!(
        broken,
        ["f3"],
        "the ninth from the end; those before it ask for a flag that is at no variant"
    );
    let draft = yaml(&chain(3_000)).draft.expect("no overflow of the stack");
    assert_eq!(draft.flags.iter().filter(|flag| flag.broken.is_some()).count(), 3_000 / 9);
    let many: String = (0..17).map(|at| format!("f{at}: 'on', ")).collect();
    let flags: String = (0..17).map(|at| flag(&format!("f{at}"), "")).collect();
    let said = findings(&format!("flags:\n{flags}{}", flag("x", &format!("prerequisites: {{ {many} }}"))));
    assert_eq!(said, "FS0102 (x): 17 prerequisites of one flag\n  hint: at most 16\nbroken: x");
}

#[test]
fn holdouts_and_layers_by_position() {
    let text = format!(
        "holdouts:
  quiet: {{ share: 5%, flags: [b], unit: tenant.id, until: 2027-01-01T00:00:00Z }}
  all: {{ share: 0.1%, flags: '*' }}
layers:
  page:
    unit: tenant.id
    flags:
      a: {{ from: 0%, to: 30% }}
      b: [{{ from: 60%, to: 100% }}, {{ from: 30%, to: 45% }}, {{ from: 45%, to: 50% }}]
flags:\n{}{}{}",
        flag("a", ""),
        flag("b", ""),
        flag("c", "")
    );
    let outcome = clean(&text);
    let draft = outcome.draft.expect("a draft");
    let [quiet, all] = draft.holdouts.as_slice() else { panic!("{:?}", draft.holdouts) };
    assert_eq!(
        (quiet.name.as_str(), quiet.unit.as_str(), quiet.share, quiet.until),
        ("quiet", "tenant.id", 50_000_000, Some(1_798_761_600))
    );
    assert_eq!(
        (all.unit.as_str(), all.share, all.until, all.salt),
        ("targetingKey", 1_000_000, None, bucket_salt("holdout", "all"))
    );
    assert_eq!(
        (draft.layers[0].unit.as_str(), draft.layers[0].salt),
        ("tenant.id", bucket_salt("layer", "page"))
    );
    let ties: Vec<_> = draft.flags.iter().map(|flag| (flag.holdouts.clone(), flag.slot.clone())).collect();
    let slot = |ranges: &[(u32, u32)]| Some(DraftSlot { layer: 0, ranges: ranges.to_vec() });
    assert_eq!(
        ties,
        [
            (vec![1], slot(&[(0, 300_000_000)])),
            (vec![0, 1], slot(&[(300_000_000, 500_000_000), (600_000_000, 1_000_000_000)])),
            (vec![1], None),
        ]
    );
    let json = serde_json::to_value(outcome.definition.expect("a definition")).expect("JSON");
    assert_eq!(json["holdouts"][1]["flags"], "*");
    assert_eq!(json["layers"][0]["slots"][0]["ranges"][0]["to"], 300_000_000);
}

#[test]
fn holdouts_and_layers_that_cannot_be() {
    let flags: String = ["a", "b", "c", "d", "e", "g"].map(|key| flag(key, "")).concat();
    insta::assert_snapshot!(findings(&format!(
        "holdouts:
  one: {{ share: lots, flags: [e] }}
  two: {{ share: 0%, flags: [a, nobody] }}
layers:
  page:
    flags:
      a: {{ from: 0%, to: 30% }}
      b: {{ from: 20%, to: 40% }}
      c: {{ from: 50%, to: 50% }}
      d: {{ from: 60%, to: 70% }}
      aa: {{ from: 80%, to: 90% }}
  other: {{ flags: {{ d: {{ from: 0%, to: 10% }}, g: {{ from: 10%, to: 20% }} }} }}
flags:\n{flags}"
    )), @r"
    FS0402 (the set): `share` is not a share
      hint: write it as `5%` or `0.05`
    FS0204 (the set): `two` holds nobody out
      hint: leave it out, or give it a share
    FS0205 (the set): there is no flag `nobody`
      hint: there are `a`, `b`, `c`, `d`, `e`, `g`
    FS0602 (b): `a` and `b` overlap: 0% to 30% and 20% to 40%
      hint: a unit of a layer is in one of its flags at most
    FS0602 (c): nobody is in this range
      hint: `from` is less than `to`; `to` itself is not part of the range
    FS0205 (the set): there is no flag `aa`
      hint: did you mean `a`?
    FS0602 (d): `d` is in two layers, `page` and `other`
      hint: put what must exclude each other in one layer
    broken: a b c d e
    ");
}

#[test]
fn overrides_answer_a_variant_or_null() {
    let text = format!("flags:\n{}", flag("a", "overrides: { 'on': [me, '42'], 'off': [you] }, sticky: 3"));
    let flag_a = clean(&text).draft.expect("a draft").flags.remove(0);
    assert_eq!(flag_a.sticky, Some(3));
    let unit = || Op::Attribute("targetingKey".into());
    assert_eq!(
        flag_a.overrides.expect("a program").0,
        [
            unit(),
            Op::Constant(Json::List(vec!["me".into(), "42".into(), Json::Integer(42)])),
            Op::In,
            Op::JumpIfFalse(6),
            Op::Constant("on".into()),
            Op::Jump(13),
            unit(),
            Op::Constant(Json::List(vec!["you".into()])),
            Op::In,
            Op::JumpIfFalse(12),
            Op::Constant("off".into()),
            Op::Jump(13),
            Op::Constant(Json::Null),
        ]
    );
    insta::assert_snapshot!(findings(&format!(
        "flags:\n{}{}{}{}",
        flag("a", "overrides: { 'on': [me], 'off': [me] }"),
        flag("b", "overrides: { onn: [me] }"),
        flag("c", "overrides: { 'on': [''] }, sticky: 0"),
        flag("d", "sticky: true"),
    )), @r"
    FS0604 (a): `me` is overridden twice
    FS0205 (b): there is no variant `onn`
      hint: did you mean `on`?
    FS0204 (c): no unit has an empty key
    FS0204 (c): `sticky` is neither `true` nor a version
      hint: versions are whole numbers from 1; a new one forgets what was remembered
    broken: a b c
    ");
}

#[test]
fn browsers_get_no_lists_and_no_dangling_ties() {
    let browser = Options { audience: Audience::Browser, ..options() };
    let text = format!(
        "holdouts: {{ one: {{ share: 5%, flags: [c] }}, two: {{ share: 5%, flags: [b, c] }} }}
layers: {{ page: {{ flags: {{ c: {{ from: 0%, to: 10% }} }} }} }}
segments: {{ s: {{ include: [me], store: hashes }} }}
flags:\n{}{}{}{}",
        flag("a", "client: true, overrides: { 'on': [me] }"),
        flag("b", "client: true, prerequisites: { c: 'on' }"),
        flag("c", ""),
        flag("d", "client: true, targeting: { if: [{ segment: s }, 'on'] }"),
    );
    let outcome = compile(&Source::new("flags.yaml", text.as_str()), &browser);
    let draft = outcome.draft.expect("a draft");
    encode(&draft).expect("it can be laid out");
    let flags: Vec<_> = draft.flags.iter().map(|flag| (flag.key.as_str(), flag.broken)).collect();
    assert_eq!(
        flags,
        [("a", Some(FlagError::Parse)), ("b", Some(FlagError::General)), ("d", Some(FlagError::Parse))]
    );
    assert!(draft.layers.is_empty(), "of no flag that is there");
    assert_eq!(draft.holdouts.iter().map(|holdout| holdout.name.as_str()).collect::<Vec<_>>(), ["two"]);
    let mut codes: Vec<_> = outcome.diagnostics.iter().map(|said| said.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes, ["FS0205", "FS0307", "FS0307"]);
    assert!(yaml(&text).draft.expect("a draft").flags.iter().all(|flag| flag.broken.is_none()));
}

#[test]
fn a_key_that_cannot_be_laid_out_harms_no_other_flag() {
    let text = format!("flags:\n{}{}", flag(&"k".repeat(300), ""), flag("a", ""));
    let outcome = yaml(&text);
    assert!(outcome.diagnostics.has_errors());
    let draft = outcome.draft.expect("a draft");
    encode(&draft).expect("it can be laid out");
    assert_eq!(draft.flags.len(), 1);
}

#[test]
fn canaries_are_read_and_left_out_of_browsers() {
    let text = format!(
        "flags:\n{}{}",
        flag(
            "a",
            "client: true, canaries: [{ context: { targetingKey: me }, variant: 'off', at: 2026-12-01T00:00:00Z }, { context: {}, variant: null }]"
        ),
        flag("b", "canaries: [{ context: {}, variant: false }]")
            .replace("'off': false", "'false': false")
            .replace("defaultVariant: 'off'", "defaultVariant: 'false'"),
    );
    let draft = clean(&text).draft.expect("a draft");
    let me = Json::Object(vec![("targetingKey".into(), Json::Text("me".into()))]);
    let canary = |flag: &str, context, at, variant: Option<&str>| DraftCanary {
        flag: flag.into(),
        context,
        at,
        variant: variant.map(Into::into),
    };
    let nobody = || Json::Object(Vec::new());
    assert_eq!(
        draft.canaries,
        [
            canary("a", me, 1_796_083_200, Some("off")),
            canary("a", nobody(), 0, None),
            canary("b", nobody(), 0, Some("false"))
        ]
    );
    let browser = Options { audience: Audience::Browser, ..options() };
    let outcome = compile(&Source::new("flags.yaml", text.as_str()), &browser);
    assert!(outcome.draft.expect("a draft").canaries.is_empty());
}

#[test]
fn a_canary_that_cannot_be_read_leaves_the_flag_in_use() {
    insta::assert_snapshot!(findings(&format!(
        "flags:\n{}{}{}{}",
        flag("a", "canaries: [{ context: {}, variant: onn }, { context: {} }, { variant: 'on' }]"),
        flag("b", "canaries: { context: {}, variant: 'on' }"),
        flag("c", "canaries: [{ context: me, variant: 'on' }, { context: {}, variant: 'on', at: soon, to: me }]"),
        flag("d", "canaries: [{ context: {}, variant: 'on' }], sticky: 0"),
    )), @r"
    FS0205 (a): there is no variant `onn`
      hint: did you mean `on`?
    FS0203 (a): a canary has no `variant`
    FS0203 (a): a canary has no `context`
    FS0201 (b): `canaries` must be a list, this is an object
    FS0201 (c): `context` must be an object, this is a string
    FS0204 (c): `at` is not a time
      hint: write it as `2026-12-01T09:00:00Z`, or as unix seconds
    FS0202 (c): a canary has no key `to`
      hint: keys of your own begin with `x-`
    FS0204 (d): `sticky` is neither `true` nor a version
      hint: versions are whole numbers from 1; a new one forgets what was remembered
    broken: d
    ");
}

#[test]
fn no_flag_is_opened_by_taking_back_another() {
    let planned = "owner: a, rationale: r, expectedImpact: e, worstCase: w, rollbackPlan: p, rollout: { baseline: 'off', candidate: 'on', guardrails: [{ metric: bad, role: deterioration }], stages: [{ name: half, treat: 50%, control: 50% }] }";
    insta::assert_snapshot!(findings(&format!(
        "metrics: {{ bad: {{ event: answer, bad: {{ wrong: true }} }} }}\nflags:\n{}{}{}{}",
        flag("planned", planned),
        flag("a", "prerequisites: { planned: 'off' }"),
        flag("b", "prerequisites: { planned: ['off', 'on'] }"),
        flag("c", "prerequisites: { planned: 'on', b: 'off' }"),
    )), @r"
    FS0606 (a): taking back `planned` would open `a`
      hint: a flag with a plan can be asked for its candidate, or for both, not for its baseline alone
    broken: a
    ");
}
