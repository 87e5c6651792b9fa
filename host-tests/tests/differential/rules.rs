//! Random rules and contexts over one small vocabulary, so that they meet often.

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// Dotted paths that rules read. `nope` is in no context.
const PATHS: &[&str] = &[
    "country",
    "age",
    "beta",
    "tags",
    "tags.0",
    "scores",
    "version",
    "email",
    "ip",
    "at",
    "user.tier",
    "user.n",
    "people",
    "nope",
    "targetingKey",
    "$flagd.flagKey",
    "$flagd.timestamp",
    "consent",
];

fn one_of(values: Vec<Value>) -> impl Strategy<Value = Value> + Clone {
    prop::sample::select(values)
}

fn literal() -> impl Strategy<Value = Value> + Clone {
    one_of(vec![
        json!("de"),
        json!("fr"),
        json!("DE"),
        json!("a"),
        json!("Straße"),
        json!("STRASSE"),
        json!(""),
        json!("1"),
        json!("2.5"),
        json!(" 7 "),
        json!("1.2.3"),
        json!("v1.2"),
        json!("2.0.0-rc.1"),
        json!("10.1.2.3"),
        json!("2027-01-15T08:00:00Z"),
        json!("2027-01-15T09:30:00.5+01:00"),
        json!(1_800_000_000),
        json!(0),
        json!(1),
        json!(2),
        json!(2.5),
        json!(-1),
        json!(true),
        json!(false),
        json!(null),
        json!(["de", "fr"]),
        json!(["DE", "a"]),
        json!([1, 2]),
        json!([1.0, "1"]),
        json!([]),
        json!([true]),
        json!([[1], 2]),
        json!("on"),
        json!("off"),
    ])
}

fn variable() -> impl Strategy<Value = Value> {
    let path = prop::sample::select(PATHS);
    prop_oneof![
        5 => path.clone().prop_map(|path| json!({"var": path})),
        1 => (path, literal()).prop_map(|(path, default)| json!({"var": [path, default]})),
    ]
}

/// What an iteration's body may say about its element.
fn body() -> impl Strategy<Value = Value> {
    let element =
        one_of(vec![json!({"var": ""}), json!({"var": "n"}), json!({"var": "tier"}), json!({"var": "0"})]);
    let operator = prop::sample::select(vec!["==", "===", "<", ">=", "+", "cat", "in", "!", "starts_with"]);
    prop_oneof![
        element.clone(),
        (operator, element, literal()).prop_map(|(operator, element, other)| match operator {
            "!" => json!({"!": [element]}),
            _ => json!({operator: [element, other]}),
        }),
    ]
}

/// `{operator: [arguments]}` with as many arguments as it takes.
fn operation(
    inner: BoxedStrategy<Value>,
    operators: &'static [&'static str],
    arguments: usize,
) -> BoxedStrategy<Value> {
    (prop::sample::select(operators), vec(inner, arguments))
        .prop_map(|(operator, arguments)| json!({operator: arguments}))
        .boxed()
}

/// Any expression. `ours` lets the operators in that flagd does not have; `names` are segments and shared rules.
pub(crate) fn expression(ours: bool, names: bool) -> BoxedStrategy<Value> {
    let leaf = prop_oneof![3 => variable(), 2 => literal()];
    leaf.prop_recursive(3, 20, 3, move |inner| {
        let inner = inner.boxed();
        let flagd = prop_oneof![
            6 => operation(inner.clone(), &["==", "===", "!=", "!==", "<", "<=", ">", ">=", "in"], 2),
            1 => operation(inner.clone(), &["<", "<=", ">", ">="], 3),
            2 => operation(inner.clone(), &["and", "or", "if"], 3),
            2 => operation(inner.clone(), &["and", "or", "starts_with", "ends_with"], 2),
            2 => operation(inner.clone(), &["!", "!!", "log"], 1),
            2 => operation(inner.clone(), &["+", "-", "*", "/", "%", "min", "max", "cat", "merge"], 2),
            1 => operation(inner.clone(), &["-", "+", "min", "max", "cat", "merge"], 1),
            1 => operation(inner.clone(), &["substr"], 3),
            1 => operation(inner.clone(), &["if"], 5),
            1 => sem_ver(inner.clone()),
            1 => vec(prop::sample::select(PATHS), 0..4).prop_map(|paths| json!({"missing": paths})),
            1 => (0..3, vec(prop::sample::select(PATHS), 0..4))
                .prop_map(|(needed, paths)| json!({"missing_some": [needed, paths]})),
            2 => iteration(inner.clone()),
            1 => fractional(inner.clone()),
        ];
        let mut choices = vec![(20, flagd.boxed())];
        if ours {
            choices.push((10, our_operation(inner)));
        }
        if names {
            let named = one_of(vec![
                json!({"segment": "volunteers"}),
                json!({"segment": "nested"}),
                json!({"$ref": "europe"}),
                json!({"$ref": "adult"}),
            ]);
            choices.push((2, named.boxed()));
        }
        proptest::strategy::Union::new_weighted(choices)
    })
    .boxed()
}

fn sem_ver(inner: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let operator = prop::sample::select(vec!["=", "!=", "<", "<=", ">", ">=", "~", "^", "?"]);
    let version = prop::sample::select(vec!["1.2.3", "v1.2", "1", "1.2.3-beta.2", "1.2.3-beta.11", "one"]);
    let left = prop_oneof![3 => Just(json!({"var": "version"})), 1 => inner];
    (left, operator, version)
        .prop_map(|(left, operator, version)| json!({"sem_ver": [left, operator, version]}))
}

fn iteration(inner: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let operator = prop::sample::select(vec!["map", "filter", "all", "some", "none"]);
    let list = one_of(vec![json!({"var": "tags"}), json!({"var": "scores"}), json!({"var": "people"})]);
    let list = prop_oneof![4 => list, 1 => inner];
    let reduce = one_of(vec![
        json!({"+": [{"var": "current"}, {"var": "accumulator"}]}),
        json!({"cat": [{"var": "accumulator"}, {"var": "current"}]}),
        json!({"max": [{"var": "accumulator"}, {"var": "current.n"}]}),
    ]);
    prop_oneof![
        4 => (operator, list.clone(), body()).prop_map(|(operator, list, body)| json!({operator: [list, body]})),
        1 => (list, reduce).prop_map(|(list, body)| json!({"reduce": [list, body, 0]})),
    ]
}

fn fractional(inner: BoxedStrategy<Value>) -> impl Strategy<Value = Value> {
    let weight =
        prop_oneof![6 => (0..100).prop_map(|weight| json!(weight)), 1 => inner.clone(), 1 => Just(json!(-3))];
    let bucket = (prop::sample::select(vec!["on", "off", "extra"]), weight);
    let key = prop_oneof![
        Just(None),
        one_of(vec![json!({"var": "email"}), json!({"cat": [{"var": "country"}, {"var": "targetingKey"}]})])
            .prop_map(Some),
    ];
    (key, vec(bucket, 1..4), prop::bool::weighted(0.2)).prop_map(|(key, buckets, bare)| {
        let buckets = buckets
            .into_iter()
            .map(|(name, weight)| if bare { json!([name]) } else { json!([name, weight]) });
        json!({"fractional": key.into_iter().chain(buckets).collect::<Value>()})
    })
}

fn our_operation(inner: BoxedStrategy<Value>) -> BoxedStrategy<Value> {
    let text = prop_oneof![
        3 => one_of(vec![json!({"var": "country"}), json!({"var": "email"})]),
        1 => inner.clone(),
    ];
    let pattern =
        prop::sample::select(vec!["^d", "e$", "^(de|fr)$", "[a-c]+@", "a.*b", "x?", "\\d{2,}", "ß"]);
    let network = one_of(vec![
        json!("10.0.0.0/8"),
        json!("10.1.2.3/32"),
        json!(["192.168.0.0/16", "2001:db8::/32"]),
        json!("0.0.0.0/0"),
    ]);
    let address = prop_oneof![4 => Just(json!({"var": "ip"})), 1 => inner.clone()];
    let number = prop_oneof![
        3 => one_of(vec![json!({"var": "age"}), json!({"var": "user.n"}), json!(2), json!(3.5)]), 1 => inner.clone(),
    ];
    let moment = prop_oneof![
        3 => one_of(vec![
            json!({"var": "at"}), json!({"now": []}), json!("2027-01-15T08:00:00Z"), json!(1_800_000_100),
            json!("2027-01-15T10:00:00+02:00"), json!({"var": "$flagd.timestamp"}), json!("2027-02-30T00:00:00Z"),
        ]),
        1 => inner.clone(),
    ];
    let list = prop_oneof![
        4 => one_of(vec![json!({"var": "tags"}), json!({"var": "scores"}), json!(["de", "a"]), json!([1, "1"]), json!([])]),
        1 => inner.clone(),
    ];
    let folding =
        ["equals", "starts_with", "ends_with", "contains"].map(|name| format!("{name}_ignore_case")).to_vec();
    let overlap = prop::sample::select(vec!["any_of", "all_of", "none_of"]);
    let order = prop::sample::select(vec!["before", "after"]);
    prop_oneof![
        (prop::sample::select(folding), text.clone(), inner).prop_map(|(name, a, b)| json!({name: [a, b]})),
        (text.clone(), list.clone()).prop_map(|(text, list)| json!({"in_ignore_case": [text, list]})),
        (text, pattern).prop_map(|(text, pattern)| json!({"matches": [text, pattern]})),
        (order, moment.clone(), moment).prop_map(|(name, a, b)| json!({name: [a, b]})),
        (address, network).prop_map(|(address, network)| json!({"in_network": [address, network]})),
        vec(number, 3).prop_map(|numbers| json!({"between": numbers})),
        (overlap, list.clone(), list).prop_map(|(name, a, b)| json!({name: [a, b]})),
        Just(json!({"now": []})),
    ]
    .boxed()
}

/// A targeting: an `if` with tests and results, sometimes any expression; sometimes one that cannot be used.
pub(crate) fn targeting(ours: bool) -> BoxedStrategy<Value> {
    let result = prop_oneof![
        8 => one_of(vec![json!("on"), json!("off"), json!("extra"), json!(null), json!(true), json!("nobody"), json!(3)]),
        2 => fractional(expression(false, false)),
    ];
    let test = expression(ours, true);
    prop_oneof![
        8 => (vec((test.clone(), result.clone()), 1..4), prop::option::of(result)).prop_map(|(pairs, last)| {
            let pairs = pairs.into_iter().flat_map(|(test, result)| [test, result]);
            json!({"if": pairs.chain(last).collect::<Value>()})
        }),
        // Wrapped, because a targeting is an object.
        1 => test.prop_map(|rule| json!({"log": [rule]})),
        1 => one_of(vec![
            json!({}), json!({"wat": [1]}), json!({"if": [true, "on", {"eq": [1, 1]}]}), json!({"$ref": "nobody"}),
            json!({"if": [{"segment": "nowhere"}, "on", "off"]}), json!({"$ref": "circle"}),
        ]),
    ]
    .boxed()
}

/// A context; each attribute may be of the right kind, of a wrong one, null or missing.
pub(crate) fn context(
    unit: impl Strategy<Value = Option<Value>> + 'static,
) -> BoxedStrategy<Map<String, Value>> {
    let attribute = |values: Vec<Value>| {
        let wrong =
            one_of(vec![json!(null), json!(7), json!("wrong"), json!([1]), json!({"a": 1}), json!(true)]);
        prop_oneof![7 => one_of(values).prop_map(Some), 1 => wrong.prop_map(Some), 2 => Just(None)]
    };
    let first = (
        attribute(vec![json!("de"), json!("fr"), json!("us"), json!("DE")]),
        attribute(vec![json!(1), json!(2), json!(17), json!(2.5), json!("2.5"), json!(0)]),
        attribute(vec![json!(true), json!(false)]),
        attribute(vec![json!(["de", "a"]), json!(["a"]), json!([]), json!(["DE", 1]), json!([1, 2, "1"])]),
        attribute(vec![json!([1, 2.5, 3]), json!([-1]), json!([null, "2", true])]),
        attribute(vec![json!("1.2.3"), json!("v1.2"), json!("1.2.3-beta.10"), json!("2"), json!(1.2)]),
        attribute(vec![json!("a@acme.example"), json!("ab@b.example"), json!("STRASSE"), json!("straße")]),
        attribute(vec![
            json!("10.1.2.3"),
            json!("192.168.7.7"),
            json!("2001:db8::5"),
            json!("::ffff:10.9.9.9"),
            json!("1.2.3"),
        ]),
    );
    let second = (
        attribute(vec![
            json!("2027-01-15T08:00:00Z"),
            json!(1_800_000_000),
            json!("2027-01-15T09:00:00+02:00"),
            json!(1.8e9),
        ]),
        attribute(vec![json!({"tier": "gold", "n": 3}), json!({"tier": "free"}), json!({"n": 2})]),
        attribute(vec![json!([{"n": 1, "tier": "gold"}, {"n": 5}]), json!([{"tier": "a"}, 3, [2, 1]])]),
        attribute(vec![
            json!(["trial"]),
            json!("trial"),
            json!({"trial": true}),
            json!({"trial": 1}),
            json!(["other"]),
        ]),
        attribute(vec![json!("docs"), json!("mail")]),
        unit,
    );
    (first, second)
        .prop_map(|((a, b, c, d, e, f, g, h), (i, j, k, l, m, unit))| {
            let names = [
                "country",
                "age",
                "beta",
                "tags",
                "scores",
                "version",
                "email",
                "ip",
                "at",
                "user",
                "people",
                "consent",
                "dataDomain",
                "targetingKey",
            ];
            let values = [a, b, c, d, e, f, g, h, i, j, k, l, m, unit];
            names.iter().zip(values).filter_map(|(name, value)| Some(((*name).to_owned(), value?))).collect()
        })
        .boxed()
}
