//! What authors read when something is wrong.
#![allow(clippy::expect_used, clippy::panic)]

mod common;
#[path = "diagnostics/drift.rs"]
mod drift;
#[path = "diagnostics/slices.rs"]
mod slices;

use common::{options, said, strict};
use flagstone_compile::{Code, Format, Source, compile};

fn yaml(text: &str) -> Source {
    Source::with_format("flags.yaml", text, Format::Yaml)
}

fn json(text: &str) -> Source {
    Source::with_format("flags.json", text, Format::Json)
}

#[test]
fn several_findings_at_once_with_places_and_hints() {
    let source = yaml(
        r#"flags:
  greeting:
    state: ENABLD
    onwer: me
    varaints: { a: 1 }
    variants:
      short: Hi
      long: 3
  # the next one is fine but for its rule
  colour:
    state: ENABLED
    variants: { red: "f00", blue: "00f" }
    defaultVariant: bleu
    targeting:
      if:
        - { starts_wiht: [{ var: email }, admin] }
        - red
        - { $ref: staff }
"#,
    );
    insta::assert_snapshot!(said(&source, &strict()), @r"
    error[FS0204]: `state` cannot be `ENABLD`
     --> flags.yaml:3:12
      |
    3 |     state: ENABLD
      |            ^^^^^^
      |
      = hint: did you mean `ENABLED`?

    error[FS0202]: a flag has no key `onwer`
     --> flags.yaml:4:5
      |
    4 |     onwer: me
      |     ^^^^^
      |
      = hint: did you mean `owner`?

    error[FS0202]: a flag has no key `varaints`
     --> flags.yaml:5:5
      |
    5 |     varaints: { a: 1 }
      |     ^^^^^^^^
      |
      = hint: did you mean `variants`?

    error[FS0206]: the variant `long` is a number
     --> flags.yaml:8:13
      |
    7 |       short: Hi
      |              -- `short` is a string
    8 |       long: 3
      |             ^
      |
      = hint: all variants of a flag are of one kind

    error[FS0205]: there is no variant `bleu`
      --> flags.yaml:13:21
       |
    13 |     defaultVariant: bleu
       |                     ^^^^
       |
       = hint: did you mean `blue`?

    error[FS0301]: there is no operator `starts_wiht`
      --> flags.yaml:16:13
       |
    16 |         - { starts_wiht: [{ var: email }, admin] }
       |             ^^^^^^^^^^^
       |
       = hint: did you mean `starts_with`?

    error[FS0302]: there is no shared rule `staff`
      --> flags.yaml:18:19
       |
    18 |         - { $ref: staff }
       |                   ^^^^^
       |
       = hint: shared rules stand under `$evaluators`
    ");
}

#[test]
fn a_plan_is_held_to_its_rules() {
    let source = yaml(PLAN);
    insta::assert_snapshot!(said(&source, &options()), @r"
    error[FS0401]: `answers` may not be rolled out without `expectedImpact`, `worstCase`, `rollbackPlan`
      --> flags.yaml:13:5
       |
     7 |   answers:
       |   ------- this flag
    ...
    13 |     rollout:
       |     ^^^^^^^
       |
       = hint: say `expectedImpact`: what it is hoped to do; `worstCase`: what it could do at worst; `rollbackPlan`: how it is taken back

    error[FS0205]: there is no variant `nwe`
      --> flags.yaml:14:18
       |
    14 |       candidate: nwe
       |                  ^^^
       |
       = hint: did you mean `new`?

    error[FS0502]: `cost` has no `window`, so its role cannot be `deterioration`
      --> flags.yaml:17:21
       |
     3 |   cost: { event: answer, mean: cost, better: lower }
       |   ---- declared here
    ...
    17 |         - { metric: cost, role: deterioration }
       |                     ^^^^
       |
       = hint: what a unit comes to is known when its window is over: add `window: 24h` to the metric

    error[FS0205]: there is no metric `wrnog`
      --> flags.yaml:18:21
       |
    18 |         - { metric: wrnog, role: tripwire }
       |                     ^^^^^
       |
       = hint: did you mean `wrong`?

    error[FS0402]: `treat` is not between nothing and everything
      --> flags.yaml:20:30
       |
    20 |         - { name: 5%, treat: 5, control: 20% }
       |                              ^
       |
       = hint: a number without `%` is a fraction of one; did you mean `5%`?

    error[FS0402]: `treat: 1` could mean one percent or all
      --> flags.yaml:21:30
       |
    21 |         - { name: 1%, treat: 1, control: 9% }
       |                              ^
       |
       = hint: write `1%` or `100%`

    error[FS0205]: there is no segment `stuff`
      --> flags.yaml:22:32
       |
    22 |         - { name: inside, who: stuff }
       |                                ^^^^^
       |
       = hint: did you mean `staff`?
    ");
}

const PLAN: &str = r#"metrics:
  wrong: { event: answer, bad: { unsupported: true } }
  cost: { event: answer, mean: cost, better: lower }
segments:
  staff: { when: { ends_with: [{ var: email }, "@acme.example"] } }
flags:
  answers:
    state: ENABLED
    owner: a@acme.example
    rationale: because
    variants: { old: { k: 2 }, new: { k: 4 } }
    defaultVariant: old
    rollout:
      candidate: nwe
      ceiling: 10%
      guardrails:
        - { metric: cost, role: deterioration }
        - { metric: wrnog, role: tripwire }
      stages:
        - { name: 5%, treat: 5, control: 20% }
        - { name: 1%, treat: 1, control: 9% }
        - { name: inside, who: stuff }
"#;

#[test]
fn a_ladder_must_stand() {
    let stages = [
        "{ name: a, treat: 5%, control: 20% }, { name: b, treat: 1%, control: 20% }",
        "{ name: a, treat: 5%, control: 20% }, { name: b, treat: 10%, control: 10% }",
        "{ name: a, treat: 5%, control: 20% }, { name: b, treat: 5%, control: 20% }",
        "{ name: a, treat: 60%, control: 41% }",
        "{ name: a, treat: 5%, control: 51% }",
        "{ name: a, treat: 5%, control: 20% }, { name: b, who: staff }",
        "{ name: a, who: staff }, { name: b, who: staff }",
        "{ name: a, treat: 0%, control: 20% }",
        "{ name: a, treat: 5%, control: 20% }, { name: a, treat: 10%, control: 20% }",
        "{ name: a, treat: 5% }",
        "{ name: a }",
        "{ name: a, who: staff, treat: 5% }",
        "{ name: a, who: [] }",
        "{ name: a, treat: 0.0000000001, control: 1% }",
        "{ name: a, treat: 101%, control: 0% }",
        "{ name: a, treat: some, control: 0% }",
    ];
    let all = listed(&stages, plan_with);
    insta::assert_snapshot!(all, @r"
    { name: a, treat: 5%, control: 20% }, { name: b, treat: 1%, control: 20% }
      FS0403: `b` treats fewer than the stage below it: 1% after 5%
        hint: nobody who has it may lose it by a step up
    { name: a, treat: 5%, control: 20% }, { name: b, treat: 10%, control: 10% }
      FS0403: `b` has a smaller control than the stage below it: 10% after 20%
        hint: a control may only shrink once more than 50% are treated
    { name: a, treat: 5%, control: 20% }, { name: b, treat: 5%, control: 20% }
      FS0404: `b` takes in nobody whom `a` has not
        hint: give the earlier stage a longer `bake` instead
    { name: a, treat: 60%, control: 41% }
      FS0403: the control of `a` does not fit
        hint: the control is at most 40% beside 60% treated
    { name: a, treat: 5%, control: 51% }
      FS0403: the control of `a` does not fit
        hint: the control is at most 50%
    { name: a, treat: 5%, control: 20% }, { name: b, who: staff }
      FS0403: the allow-list `b` comes after a share
        hint: it would pull units out of the control; put allow-lists first
    { name: a, who: staff }, { name: b, who: staff }
      FS0404: `b` takes in nobody whom `a` has not
    { name: a, treat: 0%, control: 20% }
      FS0404: `a` gives the candidate to nobody
        hint: leave the stage out
    { name: a, treat: 5%, control: 20% }, { name: a, treat: 10%, control: 20% }
      FS0403: two stages are called `a`
    { name: a, treat: 5% }
      FS0403: the stage has no `control`
        hint: without a concurrent control nothing can be learnt from it; write `control: 0%` only when that is meant
    { name: a }
      FS0403: the stage does not say who is in it
        hint: write `who: some-segment`, or `treat: 1%` and `control: 9%`
    { name: a, who: staff, treat: 5% }
      FS0403: a stage has either `who` or shares
        hint: make it two stages: first the allow-list, then the shares
    { name: a, who: [] }
      FS0404: nobody is in this stage
    { name: a, treat: 0.0000000001, control: 1% }
      FS0402: `treat` is finer than shares go
        hint: a share is a whole number of parts of 10^-9, so `0.0000001%` is the least
    { name: a, treat: 101%, control: 0% }
      FS0402: `treat` is not between nothing and everything
        hint: a share lies between `0%` and `100%`
    { name: a, treat: some, control: 0% }
      FS0402: `treat` is not a share
        hint: write it as `5%` or `0.05`
    ");
}

#[test]
fn ladders_that_stand() {
    for stages in [
        "{ name: a, who: staff }, { name: b, treat: 1%, control: 9% }, { name: c, treat: 100%, control: 0% }",
        "{ name: a, treat: 50%, control: 50% }, { name: b, treat: 99%, control: 1% }",
        "{ name: a, treat: 0.01%, control: 0.01 }",
        "{ name: a, who: [staff, { \"==\": [{ var: plan }, beta] }] }",
    ] {
        let source = yaml(&plan_with(stages));
        let outcome = compile(&source, &strict());
        assert!(outcome.draft.is_some(), "{}", outcome.diagnostics.render(&source, false));
    }
}

fn plan_with(stages: &str) -> String {
    format!(
        "metrics: {{ wrong: {{ event: answer, bad: {{ unsupported: true }} }} }}
segments: {{ staff: {{ include: [me] }} }}
flags:
  answers:
    {{ state: ENABLED, owner: o, rationale: r, expectedImpact: e, worstCase: w, rollbackPlan: b,
      variants: {{ old: 1, new: 2 }}, defaultVariant: old,
      rollout: {{ candidate: new, guardrails: [{{ metric: wrong, role: deterioration }}], stages: [{stages}] }} }}
"
    )
}

#[test]
fn json_that_is_none() {
    let source = json("{\n  \"flags\": {\n    \"a\": { \"state\": \"ENABLED\", }\n  }\n}\n");
    insta::assert_snapshot!(said(&source, &options()), @r#"
    error[FS0101]: this is not JSON: trailing commas are not allowed
     --> flags.json:3:30
      |
    3 |     "a": { "state": "ENABLED", }
      |                              ^
    "#);
    let source =
        json("{\"flags\": {}, \"flags\": {\"a\": {\"state\": \"DISABLED\", \"variants\": {\"on\": true}}}}");
    insta::assert_snapshot!(said(&source, &options()), @r#"
    warning[FS0103]: `flags` is written twice
     --> flags.json:1:15
      |
    1 | {"flags": {}, "flags": {"a": {"state": "DISABLED", "variants": {"on": true}}}}
      |  -------      ^^^^^^^
      |  |
      |  this one is ignored
      |
      = hint: the last one counts
    "#);
}

#[test]
fn yaml_that_is_none() {
    let source = yaml("# ümlaut\nflags:\n  a: [1, 2\n  b: 3\n");
    insta::assert_snapshot!(said(&source, &options()), @r"
    error[FS0101]: this is not YAML: illegal placement of ':' indicator
     --> flags.yaml:4:4
      |
    4 |   b: 3
      |    ^
    ");
    for (text, why) in [
        ("", "the definition is empty"),
        ("a: 1\n---\nb: 2\n", "a second document begins here"),
        ("flags: { a: .nan }", "`.nan` is not a number that JSON can carry"),
        ("flags: { a: !secret x }", "the tag `!secret` has no meaning here"),
        ("flags: { [a]: 1 }", "a key must be a plain word or a string"),
        ("a: *b", "this is not YAML"),
    ] {
        let outcome = compile(&yaml(text), &options());
        assert!(outcome.draft.is_none(), "{text}");
        let messages: Vec<_> =
            outcome.diagnostics.iter().map(|diagnostic| diagnostic.message.as_str()).collect();
        assert!(messages.iter().any(|message| message.contains(why)), "{text}: {messages:?}");
    }
}

#[test]
fn limits_are_met_with_a_finding_not_a_crash() {
    let deep = format!("{{\"flags\": {}{}}}", "[".repeat(150), "]".repeat(150));
    for source in [json(&deep), yaml(&deep)] {
        let outcome = compile(&source, &options());
        assert!(outcome.draft.is_none());
        assert!(outcome.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::TooLarge));
    }
    let laughs = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned()
        + &(b'b'..=b'i')
            .map(|letter| {
                let (this, last) = (letter as char, (letter - 1) as char);
                format!("{this}: &{this} [{}]\n", vec![format!("*{last}"); 10].join(", "))
            })
            .collect::<String>();
    let outcome = compile(&yaml(&laughs), &options());
    assert!(outcome.diagnostics.iter().any(|diagnostic| diagnostic.code == Code::TooLarge));

    let nested = |levels: usize| {
        let rule = (0..levels).fold("true".to_owned(), |rule, _| format!("{{\"!\": [{rule}]}}"));
        json(&format!(
            "{{\"flags\": {{\"f\": {{\"state\": \"ENABLED\", \"variants\": {{\"true\": 1, \"false\": 2}},
              \"targeting\": {rule}}}}}}}"
        ))
    };
    assert!(compile(&nested(32), &strict()).draft.is_some());
    let outcome = compile(&nested(33), &strict());
    assert!(outcome.draft.is_none());
    let codes: Vec<_> = outcome.diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::RuleTooLarge]);

    let wide = |terms: usize| {
        let terms = vec!["{\"var\": \"x\"}"; terms].join(", ");
        json(&format!(
            "{{\"flags\": {{\"f\": {{\"state\": \"ENABLED\", \"variants\": {{\"a\": 1}},
              \"targeting\": {{\"and\": [{terms}]}}}}}}}}"
        ))
    };
    assert!(compile(&wide(2048), &strict()).draft.is_some());
    let codes: Vec<_> =
        compile(&wide(2049), &strict()).diagnostics.iter().map(|diagnostic| diagnostic.code).collect();
    assert_eq!(codes, [Code::RuleTooLarge]);
}

#[test]
fn a_flag_beyond_a_limit_of_the_layout_breaks_alone() {
    // More values on the stack at once than the engine has room for.
    let terms = vec!["{\"var\": \"x\"}"; 300].join(", ");
    let source = json(&format!(
        "{{\"flags\": {{
            \"f\": {{\"state\": \"ENABLED\", \"variants\": {{\"a\": 1}}, \"targeting\": {{\"cat\": [{terms}]}}}},
            \"g\": {{\"state\": \"ENABLED\", \"variants\": {{\"a\": 1}}}}}}}}"
    ));
    let draft = compile(&source, &options()).draft.expect("a draft");
    assert!(draft.flags[0].broken.is_some());
    assert!(draft.flags[1].broken.is_none());
    flagstone_snapshot::encode(&draft).expect("the rest can be laid out");
}

#[test]
fn the_json_form_has_places() {
    let source = yaml("flags:\n  é: { state: ENABLED, variants: {} }\n");
    let outcome = compile(&source, &options());
    let text = serde_json::to_string(&outcome.diagnostics.to_json(&source)).expect("JSON");
    insta::assert_snapshot!(text, @r#"[{"code":"FS0206","severity":"error","file":"flags.yaml","line":2,"column":34,"span":{"start":41,"end":43},"message":"the flag has no variants, or far too many","labels":[],"hint":"1 to 1000 variants","flag":"é"}]"#);
}

/// What authors read of each entry, put into a definition: refused, and the flag as a whole with it.
fn listed(entries: &[&str], definition: impl Fn(&str) -> String) -> String {
    let one = |entry: &&str| {
        let outcome = compile(&yaml(&definition(entry)), &options());
        let mut lines = vec![(*entry).to_owned()];
        for diagnostic in &outcome.diagnostics {
            lines.push(format!("  {}: {}", diagnostic.code.as_str(), diagnostic.message));
            lines.extend(diagnostic.hint.iter().map(|hint| format!("    hint: {hint}")));
        }
        assert!(outcome.diagnostics.has_errors(), "{entry}");
        assert!(outcome.draft.is_some_and(|draft| draft.flags[0].broken.is_some()), "{entry}");
        lines.join("\n")
    };
    entries.iter().map(one).collect::<Vec<_>>().join("\n")
}
