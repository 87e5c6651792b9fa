//! Flagstone's own operators: what they become, and what authors read when they are written wrong.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::{strict, yaml};
use flagstone_compile::{Format, Source, compile};
use flagstone_snapshot::{Comparison, FlagError, FoldTest, Json, Op, Overlap, encode};

fn attribute(path: &str) -> Op {
    Op::Attribute(path.to_owned())
}

fn text(value: &str) -> Op {
    Op::Constant(value.into())
}

fn whole(value: i64) -> Op {
    Op::Constant(Json::Integer(value))
}

fn definition(rule: &str) -> String {
    format!("flags: {{ f: {{ state: ENABLED, variants: {{ a: 1, b: 2 }}, targeting: {{ '!!': {rule} }} }} }}")
}

/// What a rule becomes, without the `!!` around it, having compiled strictly without a word.
fn program(rule: &str) -> Vec<Op> {
    let source = Source::with_format("flags.yaml", definition(rule), Format::Yaml);
    let outcome = compile(&source, &strict());
    assert_eq!(outcome.diagnostics.render(&source, false), "", "{rule}");
    let draft = outcome.draft.expect("a draft");
    encode(&draft).expect("it can be laid out");
    let mut ops = draft.flags[0].targeting.clone().expect("a program").0;
    if ops.last() == Some(&Op::Truthy) {
        ops.pop();
    }
    ops
}

/// The findings about a rule, and whether its flag is still usable.
fn findings(rules: &[&str]) -> String {
    let mut lines = Vec::new();
    for rule in rules {
        let outcome = yaml(&definition(rule));
        lines.push((*rule).to_owned());
        for said in &outcome.diagnostics {
            lines.push(format!("  {}: {}", said.code.as_str(), said.message));
            lines.extend(said.hint.iter().map(|hint| format!("    hint: {hint}")));
        }
        let broken = outcome.draft.expect("a draft").flags[0].broken;
        assert!(matches!(broken, None | Some(FlagError::Parse)));
        lines.push(format!("  {}", if broken.is_some() { "broken" } else { "usable" }));
    }
    lines.join("\n")
}

#[test]
fn texts_without_regard_to_case() {
    for (operator, test) in [
        ("equals_ignore_case", FoldTest::Equal),
        ("starts_with_ignore_case", FoldTest::StartsWith),
        ("ends_with_ignore_case", FoldTest::EndsWith),
        ("contains_ignore_case", FoldTest::Contains),
    ] {
        assert_eq!(
            program(&format!("{{ {operator}: [{{ var: x }}, Ab] }}")),
            [attribute("x"), text("Ab"), Op::Fold(test)]
        );
    }
    assert_eq!(
        program("{ in_ignore_case: [{ var: x }, [a, B]] }"),
        [attribute("x"), Op::Constant(Json::List(vec!["a".into(), "B".into()])), Op::Fold(FoldTest::In)]
    );
}

#[test]
fn numbers_and_lists() {
    assert_eq!(
        program("{ between: [{ var: x }, 1, 2.5] }"),
        [attribute("x"), whole(1), Op::Constant(Json::Number(2.5)), Op::Within]
    );
    for (operator, test) in [("any_of", Overlap::Any), ("all_of", Overlap::All), ("none_of", Overlap::None)] {
        assert_eq!(
            program(&format!("{{ {operator}: [{{ var: x }}, [1, a]] }}")),
            [attribute("x"), Op::Constant(Json::List(vec![Json::Integer(1), "a".into()])), Op::Overlap(test)]
        );
    }
}

#[test]
fn times_that_are_written_out_are_read_here() {
    assert_eq!(
        program("{ before: [{ var: born }, '2026-12-01T10:00:00.9+01:00'] }"),
        [attribute("born"), Op::Time, whole(1_796_115_600), Op::Order(Comparison::Less)]
    );
    assert_eq!(
        program("{ after: [{ now: [] }, 1796115600.9] }"),
        [attribute("$flagd.timestamp"), whole(1_796_115_600), Op::Order(Comparison::Greater)]
    );
    assert_eq!(
        program("{ before: ['2026-12-01T09:00:00Z', '2026-12-01T09:00:00+01:00'] }"),
        [Op::Constant(Json::Bool(false))]
    );
    assert_eq!(program("{ after: [2, '1970-01-01T00:00:01Z'] }"), [Op::Constant(Json::Bool(true))]);
    // Inside an iteration `now` is still the evaluation's.
    assert!(
        program("{ some: [{ var: x }, { before: [{ var: t }, { now: [] }] }] }")
            .contains(&attribute("$flagd.timestamp"))
    );
}

#[test]
fn networks_are_merged() {
    let mapped =
        |text: &str| text.parse::<std::net::Ipv4Addr>().expect("an address").to_ipv6_mapped().to_bits();
    assert_eq!(
        program(
            "{ in_network: [{ var: ip }, ['10.1.0.0/16', '10.0.0.0/16', '10.0.7.0/24', '192.0.2.1', '::1']] }"
        ),
        [
            attribute("ip"),
            Op::InNetwork(vec![
                (1, 1),
                (mapped("10.0.0.0"), mapped("10.1.255.255")),
                (mapped("192.0.2.1"), mapped("192.0.2.1")),
            ])
        ]
    );
    assert!(
        matches!(program("{ in_network: [{ var: ip }, 10.0.0.0/8] }").as_slice(), [_, Op::InNetwork(one)] if one.len() == 1)
    );
}

#[test]
fn patterns_become_tables() {
    let ops = program("{ matches: [{ var: email }, '^[^@]+@acme\\.example$'] }");
    let [path, Op::Matches(table)] = ops.as_slice() else { panic!("{ops:?}") };
    assert_eq!(*path, attribute("email"));
    let bytes = table.write().expect("well-formed");
    for (email, expected) in
        [("me@acme.example", true), ("me@acme.example.org", false), ("@acme.example", false)]
    {
        assert_eq!(flagstone_snapshot::blob::dfa::matches(&bytes, email.as_bytes()), expected, "{email}");
    }
}

#[test]
fn the_outermost_conditions_are_numbered() {
    let rule = "{ if: [{ var: x }, a, false, b, { and: [{ var: y }, { if: [{ var: z }, true] }] }, b] }";
    let text = format!("flags: {{ f: {{ state: ENABLED, variants: {{ a: 1, b: 2 }}, targeting: {rule} }} }}");
    let draft = yaml(&text).draft.expect("a draft");
    let numbers: Vec<u16> = draft.flags[0]
        .targeting
        .iter()
        .flat_map(|program| &program.0)
        .filter_map(|op| match op {
            Op::Branch { rule, .. } => Some(*rule),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, [1, 3], "the second is decided here; the inner one is no rule of its own");
    encode(&draft).expect("it can be laid out");
    for other in [
        "{ '!': { if: [{ var: x }, a] } }",
        "{ and: [{ if: [{ var: x }, a] }] }",
        "{ $ref: r }",
        "{ segment: s }",
    ] {
        let text = format!(
            "{{ $evaluators: {{ r: {{ if: [{{ var: x }}, a, b] }} }}, segments: {{ s: {{ when: {{ if: [{{ var: x }}, a, b] }} }} }},
               flags: {{ f: {{ state: ENABLED, variants: {{ a: 1, b: 2, 'true': 1, 'false': 1 }}, targeting: {other} }} }} }}"
        );
        let draft = yaml(&text).draft.expect("a draft");
        let ops = &draft.flags[0].targeting.as_ref().expect("a program").0;
        assert!(!ops.iter().any(|op| matches!(op, Op::Branch { .. })), "{other}");
        assert!(ops.iter().any(|op| matches!(op, Op::JumpIfFalse(_))), "{other}");
    }
}

#[test]
fn what_can_only_be_null_is_said_and_stays_in_use() {
    insta::assert_snapshot!(findings(&[
        "{ equals_ignore_case: [{ var: x }] }",
        "{ contains_ignore_case: [{ var: x }, 3] }",
        "{ in_ignore_case: [{ var: x }, abc] }",
        "{ between: [{ var: x }, 5, 3] }",
        "{ between: [{ var: x }, '1', 3] }",
        "{ any_of: [{ var: x }, a] }",
        "{ before: [{ var: x }, 2026-12-01] }",
        "{ after: [{ now: [] }, true] }",
        "{ before: [{ var: x }] }",
        "{ now: [1] }",
        "{ matches: [{ var: x }, 3] }",
        "{ in_network: [{ var: x }, []] }",
        "{ in_network: [{ var: x }, [1]] }",
        "{ in_network: [{ var: x }, 10.1.2.3/8] }",
        "{ in_network: [1, 10.0.0.0/8] }",
    ]), @r"
    { equals_ignore_case: [{ var: x }] }
      FS0304: `equals_ignore_case` takes 2 arguments, not 1
      usable
    { contains_ignore_case: [{ var: x }, 3] }
      FS0304: `contains_ignore_case` takes a string here, this is a number
      usable
    { in_ignore_case: [{ var: x }, abc] }
      FS0304: `in_ignore_case` takes a list here, this is a string
      usable
    { between: [{ var: x }, 5, 3] }
      FS0304: no number lies between 5 and 3
        hint: the lower end comes first; both ends count
      usable
    { between: [{ var: x }, '1', 3] }
      FS0304: `between` takes a number here, this is a string
      usable
    { any_of: [{ var: x }, a] }
      FS0304: `any_of` takes a list here, this is a string
      usable
    { before: [{ var: x }, 2026-12-01] }
      FS0304: `2026-12-01` is not a time
        hint: write it as `2026-12-01T09:00:00Z`, or as unix seconds
      usable
    { after: [{ now: [] }, true] }
      FS0304: `after` compares times, this is a boolean
        hint: write it as `2026-12-01T09:00:00Z`, or as unix seconds
      usable
    { before: [{ var: x }] }
      FS0304: `before` takes 2 arguments, not 1
      usable
    { now: [1] }
      FS0304: `now` takes no arguments, not 1
      usable
    { matches: [{ var: x }, 3] }
      FS0304: `matches` takes a string here, this is a number
      usable
    { in_network: [{ var: x }, []] }
      FS0304: no address is in an empty list of networks
      usable
    { in_network: [{ var: x }, [1]] }
      FS0304: `in_network` takes a string here, this is a number
      usable
    { in_network: [{ var: x }, 10.1.2.3/8] }
      FS0309: `10.1.2.3/8` has bits beyond its prefix
        hint: it means `10.0.0.0/8`
      usable
    { in_network: [1, 10.0.0.0/8] }
      FS0304: `in_network` takes a string here, this is a number
      usable
    ");
}

#[test]
fn what_the_engine_could_not_be_told_is_refused() {
    insta::assert_snapshot!(findings(&[
        "{ matches: [{ var: x }, { var: p }] }",
        "{ matches: [{ var: x }, 'a(b'] }",
        "{ matches: [{ var: x }, '(?<=a)b'] }",
        "{ matches: [{ var: x }, '(a)\\1'] }",
        "{ matches: [{ var: x }, '\\bcat\\b'] }",
        "{ matches: [{ var: x }, '[ab]{0,40}a[ab]{40}$'] }",
        "{ in_network: [{ var: x }, { var: n }] }",
        "{ in_network: [{ var: x }, 10.0.0.0/33] }",
        "{ in_network: [{ var: x }, [office]] }",
        "{ matchs: [{ var: x }, a] }",
        "{ in_netwrok: [{ var: x }, 10.0.0.0/8] }",
        "{ equals_ignorecase: [{ var: x }, a] }",
    ]), @r"
    { matches: [{ var: x }, { var: p }] }
      FS0308: the pattern of `matches` is not written out
        hint: a pattern becomes a table when compiling, so it must be a string here
      broken
    { matches: [{ var: x }, 'a(b'] }
      FS0308: the pattern cannot be read: unclosed group
      broken
    { matches: [{ var: x }, '(?<=a)b'] }
      FS0308: the pattern cannot be read: look-around, including look-ahead and look-behind, is not supported
        hint: test for it apart, with `and` and `!`
      broken
    { matches: [{ var: x }, '(a)\1'] }
      FS0308: the pattern cannot be read: backreferences are not supported
        hint: a pattern cannot remember what it saw; compare with `==`
      broken
    { matches: [{ var: x }, '\bcat\b'] }
      FS0308: the pattern asks for the words of all languages
        hint: write `(?-u:\b)`, which knows the words of ASCII
      broken
    { matches: [{ var: x }, '[ab]{0,40}a[ab]{40}$'] }
      FS0308: the pattern needs a table of more than 64 KiB
        hint: `\w`, `\d` and `\s` stand for all of Unicode: write `[0-9]` or `(?-u:\w)`, and repeat less
      broken
    { in_network: [{ var: x }, { var: n }] }
      FS0309: the networks are not written out
        hint: they are sorted and merged when compiling, so they must be strings here
      broken
    { in_network: [{ var: x }, 10.0.0.0/33] }
      FS0309: `10.0.0.0/33` is not a network
        hint: after the `/` comes a number of bits, 0 to 32
      broken
    { in_network: [{ var: x }, [office]] }
      FS0309: `office` is not a network
        hint: write it as `10.0.0.0/8`, `192.0.2.7`, `2001:db8::/32`
      broken
    { matchs: [{ var: x }, a] }
      FS0301: there is no operator `matchs`
        hint: did you mean `matches`?
      broken
    { in_netwrok: [{ var: x }, 10.0.0.0/8] }
      FS0301: there is no operator `in_netwrok`
        hint: did you mean `in_network`?
      broken
    { equals_ignorecase: [{ var: x }, a] }
      FS0301: there is no operator `equals_ignorecase`
        hint: did you mean `equals_ignore_case`?
      broken
    ");
}
