//! Deciding allocates nothing: not for one flag, not for all, whichever rule matches; and what a context took
//! is given back. Counted by a global allocator, per thread, so that the harness's threads do not disturb it.
#![allow(unsafe_code)] // a global allocator's trait is unsafe; this one only counts and passes on
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use flagstone_evaluate::{Context, Control, decide, decide_all, decide_key};
use flagstone_snapshot::{
    Draft, DraftFlag, DraftVariant, FlagKind, FractionalVersion, Json, Op, Program, Snapshot, Value, encode,
};

const NOW: u64 = 1_790_000_000;
const FLAGS: u32 = 20;

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
    static LIVE: Cell<i64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes on to `System`; the counters are plain cells that allocate nothing themselves.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        CALLS.set(CALLS.get() + 1);
        LIVE.set(LIVE.get() + layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.set(LIVE.get() - layout.size() as i64);
        unsafe { System.dealloc(pointer, layout) }
    }
}

/// A flag with a rule on each of three attributes and a split, as those of workload W.
fn flag(number: u32) -> DraftFlag {
    let attribute = |name: &str| Op::Attribute(name.into());
    let text = |text: &str| Op::Constant(text.into());
    let countries = ["DE", "FR", "IT", "NL", "PT"].map(Json::from).to_vec();
    let mut rule = Vec::new();
    let tests = [
        vec![attribute("country"), Op::Constant(Json::List(countries)), Op::In],
        vec![attribute("appVersion"), text(">="), text(&format!("5.{number}.0")), Op::SemVer],
        vec![attribute("email"), text("@beta.example"), Op::EndsWith],
    ];
    let end = 3 * 3 + tests.iter().map(Vec::len).sum::<usize>() as u32 + 9;
    for (position, test) in tests.into_iter().enumerate() {
        rule.extend(test);
        let next = rule.len() as u32 + 3;
        rule.extend([Op::JumpIfFalse(next), text(&format!("v{position}")), Op::Jump(end)]);
    }
    for (name, weight) in [("v0", 10), ("v1", 20), ("v2", 30), ("v3", 40)] {
        rule.extend([text(name), Op::Constant(Json::Integer(weight))]);
    }
    rule.push(Op::Fractional { version: FractionalVersion::V2, keyed: false, buckets: 4 });
    assert_eq!(rule.len() as u32, end);
    let variants = (0..4).map(|variant| DraftVariant {
        name: format!("v{variant}"),
        value: Json::Object(vec![("temperature".into(), Json::Number(f64::from(variant) / 10.0))]),
    });
    DraftFlag {
        variants: variants.collect(),
        default_variant: Some(0),
        targeting: Some(Program(rule)),
        ..DraftFlag::new(&format!("flag-{number:02}"), FlagKind::Object)
    }
}

fn packed(unit: u32, country: &str, version: &str, email: &str) -> Vec<u8> {
    let unit = format!("user-{unit}");
    let members = [("targetingKey", &*unit), ("country", country), ("appVersion", version), ("email", email)];
    let mut packed = Vec::new();
    let members = members.map(|(name, value)| (name.into(), value.into())).to_vec();
    Value::write(&Json::Object(members), &mut packed);
    packed
}

#[test]
fn a_decision_allocates_nothing_and_a_context_gives_back_what_it_took() {
    let draft = Draft { flags: (0..FLAGS).map(flag).collect(), ..Draft::default() };
    let bytes = encode(&draft).unwrap();
    let snapshot = Snapshot::load(&bytes).unwrap();
    let control = Control::closed(&snapshot);
    let keys: Vec<String> = (0..FLAGS).map(|number| format!("flag-{number:02}")).collect();
    // One unit for each rule, and some for the split.
    let units: Vec<Vec<u8>> = (0..40)
        .map(|unit| match unit % 4 {
            0 => packed(unit, "DE", "1.0.0", "a@post.example"),
            1 => packed(unit, "US", "6.1.2", "a@post.example"),
            2 => packed(unit, "US", "1.0.0", "a@beta.example"),
            _ => packed(unit, "US", "1.0.0", "a@post.example"),
        })
        .collect();

    let mut chosen = [0_u32; 4];
    let before = LIVE.get();
    for unit in &units {
        let context = Context::from_packed(&snapshot, unit.clone()).unwrap();
        let calls = CALLS.get();
        for (index, key) in (0..FLAGS).zip(&keys) {
            let decision = decide(&snapshot, &control, &context, index, NOW);
            let variant = decision.variant.and_then(|variant| snapshot.flag(index)?.variant(variant));
            assert!(variant.is_some_and(|variant| !variant.json.is_empty()));
            assert!(decision == decide_key(&snapshot, &control, &context, key, NOW));
            chosen[usize::from(decision.variant.unwrap())] += 1;
        }
        let all = decide_all(&snapshot, &control, &context, NOW);
        let each = (0..FLAGS).map(|index| decide(&snapshot, &control, &context, index, NOW));
        assert!(all.len() == FLAGS as usize && all.eq(each));
        assert_eq!(CALLS.get() - calls, 0, "allocations of {} decisions", 4 * FLAGS);
    }
    assert_eq!(LIVE.get(), before, "bytes that contexts did not give back");
    assert!(chosen.iter().all(|count| *count > 0), "every rule was met: {chosen:?}");
}
