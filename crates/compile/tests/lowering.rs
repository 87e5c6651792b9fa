//! What rules, plans and audiences become.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::{options, yaml};
use flagstone_compile::model::{Better, Bound, Measure};
use flagstone_compile::{Audience, FractionalVersion, Options, Source, compile, lower, parse};
use flagstone_snapshot::{Comparison, DraftFlag, FlagError, FlagKind, Iteration, Json, Op, bucket_salt};

/// The program of a rule over the variants `a` and `b`.
fn program(rule: &str) -> Vec<Op> {
    let text = format!(
        "$evaluators: {{ staff: {{ var: staff }} }}
segments:
  some: {{ when: {{ var: x }}, include: [in], exclude: [out] }}
flags: {{ f: {{ state: ENABLED, variants: {{ a: 1, b: 2 }}, targeting: {rule} }} }}"
    );
    let flag = flag(&text);
    assert_eq!(flag.broken, None, "{rule}");
    flag.targeting.expect("a program").0
}

fn flag(text: &str) -> DraftFlag {
    yaml(text).draft.expect("a draft").flags.remove(0)
}

fn attribute(path: &str) -> Op {
    Op::Attribute(path.to_owned())
}

fn text(value: &str) -> Op {
    Op::Constant(value.into())
}

#[test]
fn conditions_jump_forward() {
    assert_eq!(
        program("{ if: [{ '==': [{ var: x }, 1] }, a, b] }"),
        [
            attribute("x"),
            Op::Constant(Json::Integer(1)),
            Op::Compare(Comparison::Equal),
            Op::Branch { target: 6, rule: 1 },
            text("a"),
            Op::Jump(7),
            text("b"),
        ]
    );
    assert_eq!(
        program("{ and: [{ var: x }, { var: y }] }"),
        [attribute("x"), Op::AndJump(3), attribute("y")]
    );
    assert_eq!(
        program("{ '<': [1, { var: x }, 3] }"),
        [
            Op::Constant(Json::Integer(1)),
            attribute("x"),
            Op::Constant(Json::Integer(3)),
            Op::Between(Comparison::Less)
        ]
    );
}

#[test]
fn what_is_known_is_decided_here() {
    assert_eq!(program("{ if: [true, a, b] }"), [text("a")]);
    assert_eq!(program("{ if: ['', a, b] }"), [text("b")]);
    assert_eq!(program("{ and: [1, { var: x }] }"), [attribute("x")]);
    assert_eq!(program("{ or: [{ '!': [0] }, { var: x }] }"), [Op::Constant(Json::Bool(true))]);
    assert_eq!(
        program("{ in: [{ var: x }, [k, [1, l]]] }"),
        [
            attribute("x"),
            Op::Constant(Json::List(vec!["k".into(), Json::List(vec![Json::Integer(1), "l".into()])])),
            Op::In
        ]
    );
}

#[test]
fn unreachable_parts_are_still_looked_at() {
    let outcome = yaml(
        "flags: { f: { state: ENABLED, variants: { a: 1 }, targeting: { if: [true, a, { nope: 1 }] } } }",
    );
    assert_eq!(outcome.draft.expect("a draft").flags[0].broken, Some(FlagError::Parse));
}

#[test]
fn variables_by_fixed_dynamic_and_element_paths() {
    assert_eq!(program("{ var: a.b }"), [attribute("a.b")]);
    assert_eq!(
        program("{ var: [a, 7] }"),
        [attribute("a"), Op::CoalesceJump(3), Op::Constant(Json::Integer(7))]
    );
    assert_eq!(program("{ var: { cat: [a, b] } }"), [text("a"), text("b"), Op::Concatenate(2), Op::Variable]);
    assert_eq!(
        program("{ some: [{ var: list }, { '!': { var: done } }] }"),
        [attribute("list"), Op::Each(Iteration::Some), text("done"), Op::Variable, Op::Not, Op::EndEach]
    );
    assert_eq!(program("{ '!!': { var: '' } }"), [text(""), Op::Variable, Op::Truthy]);
}

#[test]
fn shared_rules_and_segments_are_written_out() {
    assert_eq!(program("{ '!': { $ref: staff } }"), [attribute("staff"), Op::Not]);
    let listed = |key: &str| Op::Constant(Json::List(vec![key.into()]));
    assert_eq!(
        program("{ segment: some }"),
        [
            attribute("targetingKey"),
            listed("out"),
            Op::In,
            Op::JumpIfFalse(6),
            Op::Constant(Json::Bool(false)),
            Op::Jump(14),
            attribute("targetingKey"),
            listed("in"),
            Op::In,
            Op::JumpIfFalse(12),
            Op::Constant(Json::Bool(true)),
            Op::Jump(14),
            attribute("x"),
            Op::Truthy,
        ]
    );
}

#[test]
fn circles_are_refused() {
    let outcome = yaml(
        "$evaluators: { a: { $ref: b }, b: { '!': { $ref: a } } }
segments: { s: { when: { segment: s } } }
flags:
  f: { state: ENABLED, variants: { true: 1 }, targeting: { $ref: a } }
  g: { state: ENABLED, variants: { true: 1 }, targeting: { segment: s } }
  h: { state: ENABLED, variants: { true: 1 } }",
    );
    let broken: Vec<_> = outcome.draft.expect("a draft").flags.iter().map(|flag| flag.broken).collect();
    assert_eq!(broken, [Some(FlagError::Parse), Some(FlagError::Parse), None]);
    let hints: Vec<_> =
        outcome.diagnostics.iter().filter_map(|diagnostic| diagnostic.hint.as_deref()).collect();
    assert!(hints.contains(&"the circle is `segment s` -> `segment s`"), "{hints:?}");
    assert!(hints.contains(&"the circle is `$ref a` -> `$ref b` -> `$ref a`"), "{hints:?}");
}

#[test]
fn fractional_of_the_version_asked_for() {
    let source = Source::new(
        "f.yaml",
        "flags: { f: { state: ENABLED, variants: { a: 1, b: 2 }, targeting: { fractional: [{ var: k }, [a, 3], [b]] } } }",
    );
    let options = Options { fractional: FractionalVersion::V3, ..options() };
    let program =
        compile(&source, &options).draft.expect("a draft").flags.remove(0).targeting.expect("a rule");
    assert_eq!(
        program.0,
        [
            attribute("k"),
            text("a"),
            Op::Constant(Json::Integer(3)),
            text("b"),
            Op::Constant(Json::Integer(1)),
            Op::Fractional { version: FractionalVersion::V3, keyed: true, buckets: 2 }
        ]
    );
}

#[test]
fn flags_without_rules_or_defaults() {
    let bare =
        flag("flags: { f: { state: DISABLED, variants: { a: x }, targeting: {}, defaultVariant: null } }");
    assert_eq!(
        bare,
        DraftFlag {
            enabled: false,
            variants: vec![flagstone_snapshot::DraftVariant { name: "a".into(), value: "x".into() }],
            ..DraftFlag::new("f", FlagKind::Text)
        }
    );
}

const PLAN: &str = "
metadata: { flagSetId: set, team: x }
metrics: { wrong: { event: answer, bad: { unsupported: true, score: { below: 0.7 } }, window: 24h } }
segments: { staff: { when: { var: staff } } }
flags:
  listed:
    { state: ENABLED, variants: { a: true }, client: true, targeting: { if: [{ segment: named }, a] } }
  answers:
    state: ENABLED
    owner: o
    rationale: r
    expectedImpact: e
    worstCase: w
    rollbackPlan: b
    client: true
    onExpiry: safe
    metadata: { team: y }
    variants: { old: { k: 2 }, new: { k: 4 } }
    defaultVariant: old
    rollout:
      candidate: new
      unit: tenant.id
      consent: evaluation
      ceiling: tenth
      guardrails: [{ metric: wrong, role: deterioration }]
      stages:
        - { name: inside, who: [staff, { '==': [{ var: plan }, beta] }] }
        - { name: tenth, treat: 0.01%, control: 0.05, bake: 90s, need: { units: 500, bad: 5 }, approve: safety }
";

#[test]
fn plans_become_ladders_of_parts() {
    let source = PLAN.replace("named", "staff");
    let draft = yaml(&source).draft.expect("a draft");
    assert_eq!((draft.flag_set.as_str(), draft.environment.as_str()), ("set", "production"));
    let flag = &draft.flags[1];
    assert_eq!(flag.metadata.as_ref().and_then(|metadata| metadata.get("team")), Some(&"y".into()));
    let plan = flag.plan.as_ref().expect("a plan");
    assert_eq!((plan.baseline, plan.candidate, flag.baseline), (0, 1, Some(0)));
    assert_eq!(plan.salt, bucket_salt("rollout", "answers"));
    assert_eq!((plan.unit.as_str(), plan.consent.as_deref()), ("tenant.id", Some("evaluation")));
    assert_eq!(plan.ceiling, Some(1));
    assert_eq!((plan.stages[1].treat, plan.stages[1].control), (100_000, 50_000_000));
    let who = plan.stages[0].who.as_ref().expect("an allow-list");
    assert_eq!(
        who.0,
        [
            attribute("staff"),
            Op::Truthy,
            Op::OrJump(6),
            attribute("plan"),
            text("beta"),
            Op::Compare(Comparison::Equal)
        ]
    );
}

#[test]
fn parsing_and_lowering_apart_give_the_same() {
    let source = Source::new("p.yaml", PLAN.replace("named", "staff"));
    let whole = compile(&source, &options());
    let (definition, diagnostics) = parse(&source);
    assert!(!diagnostics.has_errors());
    let definition = definition.expect("a definition");
    let (mut draft, _) = lower(&definition, &options());
    assert_eq!(draft.definition, [0; 32], "the text is not known");
    draft.definition = whole.draft.as_ref().expect("a draft").definition;
    assert_eq!(whole.draft.as_ref(), Some(&draft));
    let stage = &definition.flags[1].rollout.as_ref().expect("a plan").stages[1];
    assert_eq!((stage.bake, stage.need.units, stage.need.bad), (90, Some(500), Some(5)));
    assert_eq!(stage.approve, ["safety"]);
    let metric = definition.metric("wrong").expect("the metric");
    let bad: Vec<_> = metric.bad().expect("tests").iter().map(|test| test.measure.as_str()).collect();
    assert_eq!((bad, metric.window), (vec!["unsupported", "score"], Some(86_400)));
    let json = serde_json::to_value(&definition).expect("it serialises");
    assert_eq!(json["flags"][1]["rollout"]["stages"][1]["treat"], 100_000);
    assert_eq!(json["flags"][1]["onExpiry"], "safe");
}

#[test]
fn browsers_get_what_is_meant_for_them() {
    let text = PLAN
        .replace("segments: {", "segments: { named: { include: [someone] },")
        .replace("client: true\n    onExpiry", "onExpiry");
    let browser = Options { audience: Audience::Browser, ..options() };
    let outcome = compile(&Source::new("p.yaml", text.clone()), &browser);
    let draft = outcome.draft.expect("a draft");
    let keys: Vec<_> = draft.flags.iter().map(|flag| (flag.key.as_str(), flag.broken)).collect();
    assert_eq!(keys, [("listed", Some(FlagError::Parse))], "its list names people");
    assert!(outcome.diagnostics.iter().any(|diagnostic| diagnostic.code.as_str() == "FS0307"));
    let server = compile(&Source::new("p.yaml", text), &options());
    assert!(server.draft.expect("a draft").flags.iter().all(|flag| flag.broken.is_none()));
}

#[test]
fn one_bad_flag_takes_no_other_down_unless_asked() {
    let source = Source::new(
        "f.yaml",
        "flags: { a: 3, b: { state: ENABLED, variants: { x: 1 } }, c: { state: ENABLED, variants: { x: 1, y: t } } }",
    );
    let lenient = compile(&source, &options());
    let flags = lenient.draft.expect("a draft").flags;
    let mut broken: Vec<_> = flags.iter().map(|flag| (flag.key.as_str(), flag.broken)).collect();
    broken.sort_by_key(|(key, _)| *key);
    assert_eq!(broken, [("a", Some(FlagError::Parse)), ("b", None), ("c", Some(FlagError::General))]);
    assert_eq!(lenient.definition.expect("a definition").flags.len(), 1);
    assert!(compile(&source, &common::strict()).draft.is_none());
}

#[test]
fn thresholds_are_in_the_unit_of_their_measure() {
    let outcome = yaml(
        "metrics:
  a: { event: answer, bad: { latency: { above: 2500ms }, latency_ms: { above: 2500ms } } }
  b: { event: answer, name: latency_ms, bad: { above: 1m } }
  c: { event: answer, mean: cost, better: lower, winsorise: 0.5 }
flags: {}",
    );
    assert!(outcome.diagnostics.is_empty(), "{:?}", outcome.diagnostics);
    let definition = outcome.definition.expect("a definition");
    let bounds = |name: &str| {
        let tests = definition.metric(name).and_then(|metric| metric.bad()).expect("tests");
        tests.iter().map(|test| test.bound).collect::<Vec<_>>()
    };
    assert_eq!(bounds("a"), [Bound::Above(2_500_000), Bound::Above(2_500_000_000)]);
    assert_eq!(bounds("b"), [Bound::Above(60_000_000_000)]);
    let measure = &definition.metric("c").expect("the metric").measure;
    assert!(matches!(measure, Measure::Mean { winsorise: Some(500_000), better: Better::Lower, .. }));
}

#[test]
fn value_schemas_are_held() {
    let with = |schema: &str| {
        let outcome = yaml(&format!(
            "flags: {{ f: {{ state: ENABLED, valueSchema: {schema},
               variants: {{ a: {{ t: 0.2, m: small, l: [1, 2] }}, b: {{ t: 3, m: big }} }} }} }}"
        ));
        outcome.diagnostics.iter().map(|diagnostic| diagnostic.message.clone()).collect::<Vec<_>>()
    };
    assert!(
        with("{ type: object, required: [t, m], properties: { t: { type: number, maximum: 3 } } }")
            .is_empty()
    );
    assert_eq!(
        with("{ properties: { t: { exclusiveMaximum: 3 } } }"),
        ["`t` of the variant `b` is not less than 3"]
    );
    assert_eq!(with("{ required: [l] }"), ["the variant `b` has no `l`"]);
    assert_eq!(
        with("{ properties: { t: true, m: { enum: [small] } }, additionalProperties: false }"),
        ["`l` of the variant `a` is not allowed", "`m` of the variant `b` is none of the values allowed"]
    );
    assert_eq!(
        with("{ properties: { l: { items: { type: integer, minimum: 2 } } } }"),
        ["`l.0` of the variant `a` is less than 2"]
    );
    assert_eq!(with("{ pattern: x }"), ["`pattern` is not checked in a `valueSchema`"]);
}
