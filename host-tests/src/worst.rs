//! The worst snapshots there can be: at every limit of `flagstone_snapshot::limits` and one past it, and rules that take
//! as long as the limit of steps lets them.

use flagstone_snapshot::limits::*;
use flagstone_snapshot::{
    Advance, Arithmetic, Comparison, Dfa, Draft, DraftCanary, DraftFlag, DraftHoldout, DraftLayer, DraftPlan,
    DraftPrerequisite, DraftSlot, DraftStage, DraftStep, DraftVariant, DraftWindow, FlagKind,
    FractionalVersion, Iteration, Json, KeySet, Op, Program, SHARE_TOTAL,
};

/// A draft by the number that a limit is about.
pub type Make = fn(usize) -> Draft;

/// Every limit with its name and a draft of that size; its draft of one more is refused.
#[must_use]
pub fn limits() -> Vec<(&'static str, usize, Make)> {
    vec![
        ("flags", MAX_FLAGS, |n| of((0..n).map(|n| flag(&format!("flag-{n}"))).collect())),
        ("variants", MAX_VARIANTS, |n| {
            one(|flag| flag.variants = (0..n).map(|n| variant(&n.to_string())).collect())
        }),
        ("bytes of a flag's key", MAX_NAME_BYTES, |n| of(vec![flag(&"k".repeat(n))])),
        ("bytes of a variant's name", MAX_NAME_BYTES, |n| {
            one(|flag| flag.variants.push(variant(&"v".repeat(n))))
        }),
        ("bytes of a path", MAX_NAME_BYTES, |n| rule(vec![Op::Attribute("p".repeat(n))])),
        ("bytes of a value", MAX_VALUE_BYTES, |n| {
            // The quotes of the text count.
            one(|flag| flag.variants = vec![DraftVariant { name: "v".into(), value: text(n - 2) }])
        }),
        ("bytes of a constant", MAX_VALUE_BYTES, |n| rule(vec![Op::Constant(text(n))])),
        ("members of a constant", MAX_MEMBERS, |n| rule(vec![Op::Constant(list(n))])),
        ("depth of a constant", MAX_DEPTH, |n| rule(vec![Op::Constant(nested(n))])),
        ("instructions", MAX_PROGRAM, |n| {
            rule([Op::Attribute("a".into())].into_iter().chain((1..n).map(|_| Op::Not)).collect())
        }),
        ("stack", MAX_STACK, |n| {
            let values = (0..n).map(|_| Op::Attribute("a".into()));
            rule(values.chain([Op::Concatenate(n as u16)]).collect())
        }),
        ("loops", MAX_LOOPS, |n| rule(loops(n, 2, vec![Op::Constant(true.into())]))),
        ("attributes", MAX_ATTRIBUTES, |n| {
            // A few in each of several rules, for the stack's sake.
            // Some are there without being asked for.
            let n = n - encoded_attributes();
            let rules = (0..n).step_by(16).map(|start| {
                let paths = (start..n.min(start + 16)).map(|n| Op::Attribute(format!("a{n}")));
                let count = n.min(start + 16) - start;
                let rule = Program(paths.chain([Op::Concatenate(count as u16)]).collect());
                DraftFlag { targeting: Some(rule), ..flag(&format!("flag-{start}")) }
            });
            of(rules.collect())
        }),
        ("stages", MAX_STAGES, |n| plan(|plan| plan.stages = stages(n))),
        ("data domains", MAX_DATA_DOMAINS, |n| {
            plan(|plan| plan.data_domains = (0..n).map(|n| n.to_string()).collect())
        }),
        ("steps", MAX_SCHEDULE, |n| {
            plan(|plan| plan.schedule = (0..n).map(|n| DraftStep { at: n as u64 + 1, stage: 1 }).collect())
        }),
        ("pauses", MAX_SCHEDULE, |n| {
            plan(|plan| plan.pauses = (0..n as u64).map(|n| (3 * n + 1, 3 * n + 2)).collect())
        }),
        ("seconds of a ramp", MAX_RAMP_SECONDS as usize, |n| plan(|plan| plan.stages[0].ramp = n as u64)),
        ("seconds of a window", MAX_RAMP_SECONDS as usize, |n| {
            plan(|plan| plan.window = Some(DraftWindow { seconds: n as u64, share: SHARE_TOTAL }))
        }),
        ("bytes of an automaton", automaton_states(), |n| {
            rule(vec![Op::Attribute("a".into()), Op::Matches(dfa(n).into())])
        }),
        ("bytes of a key set", MAX_KEY_SET_BYTES / 8, |n| {
            let hashes = KeySet::Hashes((0..n as u64).collect());
            rule(vec![Op::Attribute("a".into()), Op::InKeys(hashes.into())])
        }),
        ("probes", MAX_PROBES as usize, |n| {
            let bloom = KeySet::Bloom { bits: vec![0xaa; 64], probes: n as u8 };
            rule(vec![Op::Attribute("a".into()), Op::InKeys(bloom.into())])
        }),
        ("networks", MAX_NETWORKS, |n| {
            let ranges = (0..n as u128).map(|n| (4 * n, 4 * n + 1)).collect();
            rule(vec![Op::Attribute("a".into()), Op::InNetwork(ranges)])
        }),
        ("prerequisites", MAX_PREREQUISITES, |n| {
            let asked = |n: usize| DraftPrerequisite { flag: format!("z-{n}"), variants: vec!["a".into()] };
            let asking = DraftFlag { prerequisites: (0..n).map(asked).collect(), ..flag("a") };
            of((0..n).map(|n| flag(&format!("z-{n}"))).chain([asking]).collect())
        }),
        ("depth of prerequisites", MAX_PREREQUISITE_DEPTH, |n| {
            let asked =
                |n: usize| DraftPrerequisite { flag: format!("{}", n + 1), variants: vec!["a".into()] };
            let asking = |n| DraftFlag { prerequisites: vec![asked(n)], ..flag(&n.to_string()) };
            of((0..n).map(asking).chain([flag(&n.to_string())]).collect())
        }),
        ("holdouts", MAX_LAYERS, |n| Draft {
            holdouts: (0..n).map(holdout).collect(),
            ..of(vec![flag("a")])
        }),
        ("canaries", MAX_CANARIES, |n| Draft {
            canaries: (0..n).map(canary).collect(),
            ..of(vec![flag("a")])
        }),
        ("layers", MAX_LAYERS, |n| Draft { layers: (0..n).map(layer).collect(), ..of(vec![flag("a")]) }),
        ("holdouts of a flag", MAX_FLAG_PARTS, |n| Draft {
            holdouts: (0..n).map(holdout).collect(),
            ..one(|flag| flag.holdouts = (0..n as u16).collect())
        }),
        ("ranges of a flag", MAX_FLAG_PARTS, |n| Draft {
            layers: vec![layer(0)],
            ..one(|flag| {
                let ranges = (0..n as u32).map(|n| (3 * n, 3 * n + 1)).collect();
                flag.slot = Some(DraftSlot { layer: 0, ranges });
            })
        }),
        ("bytes of a snapshot", MAX_SNAPSHOT_BYTES, |n| {
            // Values as large as they may be, and a last one that fills the rest.
            let filled = |bytes: usize| {
                let value = |n: usize, size| DraftVariant { name: "v".into(), value: numbered(n, size) };
                let full = MAX_VALUE_BYTES - 2;
                let sizes = (0..bytes / full).map(|n| (n, full)).chain([(9_999, bytes % full)]);
                let flags = sizes.map(|(n, size)| DraftFlag {
                    variants: vec![value(n, size)],
                    ..flag(&format!("flag-{n:04}"))
                });
                of(flags.collect())
            };
            let first = n - n / 64;
            let taken = flagstone_snapshot::encode(&filled(first)).map_or(0, |bytes| bytes.len());
            filled(first + n - taken)
        }),
    ]
}

/// Attributes that a snapshot has although none of these rules reads them.
fn encoded_attributes() -> usize {
    let bytes = flagstone_snapshot::encode(&rule(vec![Op::Attribute("a".into())])).unwrap_or_default();
    flagstone_snapshot::Snapshot::load(&bytes).map_or(0, |snapshot| snapshot.attribute_count() as usize - 1)
}

/// A flag that any context can be asked about.
#[must_use]
pub fn flag(key: &str) -> DraftFlag {
    let variants = vec![variant("a"), variant("b")];
    DraftFlag { variants, default_variant: Some(0), ..DraftFlag::new(key, FlagKind::Text) }
}

/// A draft of these flags.
#[must_use]
pub fn of(flags: Vec<DraftFlag>) -> Draft {
    Draft { environment: "test".into(), flags, ..Draft::default() }
}

/// A draft of one flag `f` with this rule.
#[must_use]
pub fn rule(program: Vec<Op>) -> Draft {
    one(|flag| flag.targeting = Some(Program(program)))
}

fn one(change: impl FnOnce(&mut DraftFlag)) -> Draft {
    let mut flag = flag("f");
    change(&mut flag);
    of(vec![flag])
}

fn plan(change: impl FnOnce(&mut DraftPlan)) -> Draft {
    let mut plan = DraftPlan {
        baseline: 0,
        candidate: 1,
        unit: "targetingKey".into(),
        salt: 7,
        ceiling: Some(0),
        stages: stages(2),
        advance: Advance::Pulse,
        ..DraftPlan::default()
    };
    change(&mut plan);
    one(|flag| flag.plan = Some(plan))
}

fn stages(count: usize) -> Vec<DraftStage> {
    let share =
        |n: usize| DraftStage { name: n.to_string(), treat: (n as u32 + 1) * 1_000, ..DraftStage::default() };
    (0..count).map(share).collect()
}

fn variant(name: &str) -> DraftVariant {
    DraftVariant { name: name.into(), value: name.into() }
}

fn canary(number: usize) -> DraftCanary {
    let context = Json::Object(vec![("targetingKey".into(), number.to_string().as_str().into())]);
    DraftCanary { flag: "a".into(), context, at: number as u64, variant: None }
}

fn holdout(n: usize) -> DraftHoldout {
    DraftHoldout { name: n.to_string(), unit: "targetingKey".into(), salt: n as u64, share: 1, until: None }
}

fn layer(n: usize) -> DraftLayer {
    DraftLayer { name: n.to_string(), unit: "targetingKey".into(), salt: n as u64 }
}

/// A text of `size` bytes.
#[must_use]
pub fn text(size: usize) -> Json {
    Json::Text("x".repeat(size))
}

/// As [`text`], but each number another one, so that none lies in a snapshot once for two.
fn numbered(n: usize, size: usize) -> Json {
    let mut text = format!("{n:08}");
    text.extend(std::iter::repeat_n('x', size.saturating_sub(8)));
    Json::Text(text)
}

/// A list of `size` short texts.
#[must_use]
pub fn list(size: usize) -> Json {
    Json::List((0..size).map(|n| Json::Text(format!("element {n}"))).collect())
}

fn nested(depth: usize) -> Json {
    (0..depth).fold(Json::Null, |inner, _| Json::List(vec![inner]))
}

/// `depth` loops in each other over lists of `size`, around a body.
#[must_use]
pub fn loops(depth: usize, size: usize, body: Vec<Op>) -> Vec<Op> {
    (0..depth).fold(body, |body, _| {
        let begin = [Op::Constant(list(size)), Op::Each(Iteration::None)];
        begin.into_iter().chain(body).chain([Op::EndEach]).collect()
    })
}

/// How many states of two columns fill an automaton.
fn automaton_states() -> usize {
    (MAX_DFA_BYTES - 262) / 4
}

fn dfa(states: usize) -> Dfa {
    Dfa { classes: [0; 256], columns: 2, start: 2, next: vec![2; 2 * states] }
}

/// A list of large texts that differ in their last bytes.
fn many() -> Json {
    let text = |n: usize| Json::Text(format!("{}{n:08}", "x".repeat(MAX_VALUE_BYTES / 8 - 8)));
    Json::List((0..100).map(text).collect())
}

fn fractional(version: FractionalVersion, key: Op) -> Vec<Op> {
    let bucket = [Op::Constant("a".into()), Op::Constant(Json::Integer(1))];
    let choose = Op::Fractional { version, keyed: true, buckets: 1 };
    [key].into_iter().chain(bucket).chain([choose, Op::Not]).collect()
}

/// Rules that do as much as they can in each step, round and round: what the limit of steps must stop in time.
#[must_use]
pub fn slow() -> Vec<(&'static str, Vec<Op>)> {
    let big = || Op::Constant(text(MAX_VALUE_BYTES));
    let long = || Op::Constant(list(MAX_MEMBERS));
    let attribute = || Op::Attribute("long".into());
    let compare = |comparison| vec![big(), long(), Op::Compare(comparison), Op::Not];
    let bodies: Vec<(&str, Vec<Op>)> = vec![
        ("loops in loops", loops(6, 100, vec![Op::Constant(false.into())])),
        ("== of list and text", compare(Comparison::Equal)),
        ("< of list and text", compare(Comparison::Less)),
        ("== of texts", vec![big(), big(), Op::Compare(Comparison::Equal), Op::Not]),
        ("in a text", vec![Op::Constant("y".into()), big(), Op::In]),
        ("in a list", vec![Op::Constant("y".into()), long(), Op::In]),
        ("a list in a text", vec![long(), big(), Op::In]),
        ("cat", vec![Op::Constant("y".into()), Op::Concatenate(1), Op::Not]),
        ("cat of a list", vec![long(), Op::Concatenate(1), Op::Not]),
        ("substr", vec![big(), Op::Constant(Json::Integer(-1)), Op::Substring(2), Op::Not]),
        ("merge", vec![long(), long(), Op::Merge(2), Op::Not]),
        ("number of a text", vec![big(), Op::ToNumber]),
        ("version of a text", vec![big(), Op::Constant("=".into()), big(), Op::SemVer]),
        ("starts_with", vec![big(), big(), Op::StartsWith, Op::Not]),
        ("matches", vec![attribute(), Op::Matches(dfa(4).into()), Op::Not, Op::Not]),
        ("fold", vec![attribute(), attribute(), Op::Fold(flagstone_snapshot::FoldTest::Contains), Op::Not]),
        ("fold in a list", vec![attribute(), long(), Op::Fold(flagstone_snapshot::FoldTest::In)]),
        ("overlap", vec![long(), long(), Op::Overlap(flagstone_snapshot::Overlap::None), Op::Not, Op::Not]),
        ("time", vec![big(), Op::Time]),
        ("key set", vec![big(), Op::InKeys(KeySet::Hashes(vec![1]).into())]),
        ("fused ==", vec![attribute(), Op::Constant("y".into()), Op::Compare(Comparison::Equal)]),
        (
            "fused == of a list",
            vec![Op::Attribute("list".into()), Op::Constant("y".into()), Op::Compare(Comparison::Equal)],
        ),
        ("fused <", vec![attribute(), big(), Op::Compare(Comparison::Greater)]),
        ("max", vec![long(), big(), Op::Arithmetic(Arithmetic::Maximum, 2)]),
        ("+", vec![long(), big(), Op::Arithmetic(Arithmetic::Add, 2)]),
        ("fractional", fractional(FractionalVersion::V2, big())),
        ("fractional of a list", fractional(FractionalVersion::V3, long())),
        ("large texts in a list", vec![big(), Op::Constant(many()), Op::In]),
        (
            "overlap of large texts",
            vec![
                Op::Constant(many()),
                Op::Constant(many()),
                Op::Overlap(flagstone_snapshot::Overlap::Any),
                Op::Not,
            ],
        ),
        ("missing", vec![long(), Op::Missing(1), Op::Not]),
        ("variable", vec![big(), Op::Variable]),
    ];
    bodies.into_iter().map(|(name, body)| (name, loops(2, MAX_MEMBERS, body))).collect()
}
