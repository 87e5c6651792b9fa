//! The worst snapshots and contexts: what is at a limit works, what is one past it is refused with a typed error, and
//! whatever was refused, what was there before goes on deciding. Natively and in the component.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::time::{Duration, Instant};

use flagstone_evaluate::{Context, ContextError, Control, ErrorCode, decide, decide_all, decision_json};
use flagstone_snapshot::limits::{MAX_CONTEXT_ATTRIBUTES, MAX_CONTEXT_BYTES, MAX_DEPTH, MAX_VALUE_BYTES};
use flagstone_snapshot::{
    DraftFlag, DraftVariant, Json, LoadError, Op, Program, Snapshot, Value, ValueError, encode,
};
use host_tests::worst::{flag, limits, list, loops, of, rule, slow, text};

/// Bytes before the first table.
const HEADER: usize = size_of::<flagstone_snapshot::layout::Header>();

const NOW: u64 = 1_800_000_000;
/// What no single decision or load may take, built without optimisation and on a busy machine; it is a tenth of this at most
/// usually.
const PATIENCE: Duration = Duration::from_secs(2);

fn packed(members: Vec<(String, Json)>) -> Vec<u8> {
    let mut bytes = Vec::new();
    Value::write(&Json::Object(members), &mut bytes);
    bytes
}

/// Decides the first and last flag for a small context.
fn decides(bytes: &[u8]) {
    let snapshot = Snapshot::load(bytes).unwrap();
    let context = packed(vec![("targetingKey".into(), "user-1".into()), ("a".into(), "x".into())]);
    let context = Context::from_packed(&snapshot, context).unwrap();
    for index in [0, snapshot.flag_count() - 1] {
        let decision = decide(&snapshot, &Control::closed(&snapshot), &context, index, NOW);
        let key = snapshot.flag(index).unwrap().key().to_owned();
        let text = decision_json(&snapshot, &decision, &key);
        assert!(decision.flag == index && text.ends_with('}'), "{text}");
    }
}

#[test]
fn what_is_at_a_limit_works_and_one_past_it_is_refused_by_name() {
    let small = encode(&of(vec![flag("small")])).unwrap();
    for (name, limit, make) in limits() {
        let bytes = encode(&make(limit)).unwrap_or_else(|error| panic!("{limit} {name}: {error}"));
        let start = Instant::now();
        decides(&bytes);
        assert!(start.elapsed() < PATIENCE, "{name}: {:?}", start.elapsed());
        let error = encode(&make(limit + 1)).map(|bytes| bytes.len());
        let error = error.expect_err(name).to_string();
        assert!(!error.is_empty() && error.len() < 600, "{name}: {error}");
        decides(&small);
    }
}

/// Tables that `encode` would not write so long, in bytes that are well-formed otherwise: the last record again.
#[test]
fn loading_has_the_same_limits() {
    for (name, table, size) in [
        ("attributes", 0, 12),
        ("holdouts", 9, 32),
        ("layers", 11, 20),
        ("flags", 15, 40),
        ("canaries", 18, 24),
    ] {
        let (_, limit, make) = limits().into_iter().find(|(found, _, _)| *found == name).unwrap();
        let bytes = encode(&make(limit)).unwrap();
        let grown = grown(&bytes, table, size);
        assert_eq!(Snapshot::load(&grown).unwrap_err(), LoadError::Limit(name));
        decides(&bytes);
    }
    let (_, limit, make) =
        limits().into_iter().find(|(found, _, _)| *found == "bytes of a snapshot").unwrap();
    let mut bytes = encode(&make(limit)).unwrap();
    assert_eq!(bytes.len(), limit, "the generator makes a snapshot of exactly that size");
    bytes.push(0);
    assert_eq!(Snapshot::load(&bytes).unwrap_err(), LoadError::Limit("bytes"));
}

/// The snapshot with the last record of a table twice: header of `total` at 8, 20 counts from 12 on, tables after it.
fn grown(bytes: &[u8], table: usize, size: usize) -> Vec<u8> {
    const RECORDS: [usize; 19] = [12, 8, 12, 16, 8, 28, 12, 16, 84, 32, 4, 20, 8, 8, 36, 40, 2, 2, 24];
    assert_eq!(RECORDS[table], size);
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let count = |table: usize| number(12 + 4 * table) as usize;
    let end: usize = HEADER + (0..=table).map(|table| RECORDS[table] * count(table)).sum::<usize>();
    let mut grown = bytes[..end].to_vec();
    grown.extend_from_slice(&bytes[end - size..]);
    let total = grown.len() as u32;
    grown[8..12].copy_from_slice(&total.to_le_bytes());
    grown[12 + 4 * table..16 + 4 * table].copy_from_slice(&(count(table) as u32 + 1).to_le_bytes());
    grown
}

#[test]
fn the_slowest_rules_are_stopped_in_time() {
    let mut late = Vec::new();
    for (name, program) in slow() {
        let mut draft = rule(program);
        let mut short = loops(2, 5, vec![Op::Constant(false.into())]);
        short.push(Op::Truthy);
        let variants = ["true", "false"].map(|name| DraftVariant { name: name.into(), value: name.into() });
        let next = DraftFlag { variants: variants.into(), targeting: Some(Program(short)), ..flag("next") };
        draft.flags.push(next);
        let bytes = encode(&draft).unwrap_or_else(|error| panic!("{name}: {error}"));
        let snapshot = Snapshot::load(&bytes).unwrap();
        // Both read only halves of what a context may be.
        let halves = vec![("list".into(), list(1_000)), ("long".into(), text(30_000))];
        let context = packed(halves);
        let context = Context::from_packed(&snapshot, context).unwrap();
        let control = Control::closed(&snapshot);
        let start = Instant::now();
        let decision = decide(&snapshot, &control, &context, 0, NOW);
        let taken = start.elapsed();
        println!("{name}: {taken:?}");
        assert_eq!(decision.error, Some(ErrorCode::General), "{name}");
        // What ran out of steps in the midst of its loops leaves nothing to the next.
        let next = decide(&snapshot, &control, &context, 1, NOW);
        assert_eq!(next.error, None, "{name}");
        assert!(decide_all(&snapshot, &control, &context, NOW).eq([decision, next]), "{name}");
        if taken > PATIENCE {
            late.push(format!("{name}: {taken:?}"));
        }
    }
    assert!(late.is_empty(), "too slow:\n{}", late.join("\n"));
}

/// Instructions that all refer to one large constant: two megabytes of them must not take minutes to check.
#[test]
fn a_constant_that_is_used_everywhere_loads_in_time() {
    for constant in [text(MAX_VALUE_BYTES), list(10_000)] {
        let mut program = vec![Op::Constant(constant)];
        for _ in 0..2_000 {
            program
                .extend([Op::Constant(7.into()), Op::Compare(flagstone_snapshot::Comparison::StrictEqual)]);
        }
        let flags = (0..60).map(|n| {
            let mut flag = flag(&format!("f{n}"));
            flag.targeting = Some(flagstone_snapshot::Program(program.clone()));
            flag
        });
        let mut bytes = encode(&of(flags.collect())).unwrap();
        let number =
            |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()) as usize;
        let start = HEADER + 12 * number(&bytes, 12);
        let (instructions, _) = bytes[start..start + 8 * 60 * 4_001].as_chunks_mut::<8>();
        let large = instructions[0];
        for instruction in instructions.iter_mut().filter(|instruction| instruction[0] == large[0]) {
            *instruction = large;
        }
        let start = Instant::now();
        Snapshot::load(&bytes).unwrap();
        println!("{} bytes: {:?}", bytes.len(), start.elapsed());
        assert!(start.elapsed() < PATIENCE, "{} bytes: {:?}", bytes.len(), start.elapsed());
        decides(&bytes);
    }
}

/// The same by turns, at places that push each other out of what the check remembers: refused before it takes long.
#[test]
fn constants_that_are_read_again_and_again_are_refused() {
    let large = (0..1_100).map(|n| DraftVariant {
        name: "v".into(),
        value: format!("{n}{}", "x".repeat(4_000)).as_str().into(),
    });
    let variants: Vec<_> = large.collect();
    let flags = variants.chunks(550).enumerate().map(|(n, variants)| {
        let mut flag = flag(&format!("f{n}"));
        flag.variants = variants.to_vec();
        flag
    });
    let mut bytes = encode(&of(flags.collect())).unwrap();
    Snapshot::load(&bytes).unwrap();
    // Every variant's value is now all that lies behind its own: megabytes, each of another length.
    let number = |bytes: &[u8], at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let tables: usize = [12, 8, 12]
        .iter()
        .enumerate()
        .map(|(table, size)| size * number(&bytes, 12 + 4 * table) as usize)
        .sum();
    let heap = number(&bytes, 12 + 4 * 19);
    let (variants, _) = bytes[HEADER + tables..HEADER + tables + 16 * 1_100].as_chunks_mut::<16>();
    for variant in variants {
        let offset = u32::from_le_bytes(variant[8..12].try_into().unwrap());
        let length = (heap - offset).min(MAX_VALUE_BYTES as u32);
        variant[12..].copy_from_slice(&length.to_le_bytes());
    }
    let start = Instant::now();
    assert_eq!(Snapshot::load(&bytes).unwrap_err(), LoadError::Limit("bytes to check"));
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
}

#[test]
fn contexts_are_refused_whole_and_the_snapshot_goes_on() {
    let bytes = encode(&of(vec![flag("f")])).unwrap();
    let snapshot = Snapshot::load(&bytes).unwrap();
    let many = |count: usize| packed((0..count).map(|n| (format!("attribute-{n}"), Json::Null)).collect());
    let large = |size: usize| {
        let frame = packed(vec![("a".into(), text(0))]).len();
        packed(vec![("a".into(), text(size - frame))])
    };
    let deep = |depth: usize| {
        let inner = (1..depth).fold(Json::Null, |inner, _| Json::List(vec![inner]));
        packed(vec![("a".into(), inner)])
    };
    let read = |bytes: Vec<u8>| Context::from_packed(&snapshot, bytes).map(drop);
    assert_eq!(read(many(MAX_CONTEXT_ATTRIBUTES)), Ok(()));
    assert_eq!(read(many(MAX_CONTEXT_ATTRIBUTES + 1)), Err(ContextError::TooMany));
    assert_eq!(read(large(MAX_CONTEXT_BYTES)), Ok(()));
    assert_eq!(read(large(MAX_CONTEXT_BYTES + 1)), Err(ContextError::TooLarge));
    assert_eq!(read(deep(MAX_DEPTH)), Ok(()));
    assert_eq!(read(deep(MAX_DEPTH + 1)), Err(ContextError::Value(ValueError::Depth)));
    assert_eq!(read(deep(60)), Err(ContextError::Value(ValueError::Depth)));
    // A mebibyte of text, of brackets, of one member again and again, and of digits.
    let size = 1 << 20;
    for json in [
        format!("{{\"a\":\"{}\"}}", "x".repeat(size)),
        format!("{{\"a\":{}", "[".repeat(size)),
        format!("{{{}\"a\":1}}", "\"a\":1,".repeat(size / 6)),
        format!("{{\"a\":{}}}", "1".repeat(size)),
    ] {
        assert!(Context::from_json(&snapshot, &json).is_err(), "{}…", &json[..20]);
    }
    // Of a name that comes again the last counts, also far below the limits.
    let twice = Context::from_json(&snapshot, r#"{"a":1,"a":{"b":2},"targetingKey":"x","targetingKey":"y"}"#);
    assert!(twice.is_ok());
    decides(&bytes);
}

/// Names that collide where they may: a variant, a stage, an attribute and a flag of one name; and where they may not.
#[test]
fn colliding_names() {
    let twice = encode(&of(vec![flag("same"), flag("same")]));
    assert!(twice.unwrap_err().to_string().contains("same"));
    let mut flags: Vec<_> =
        ["a", "a.b", "a.b.c", "", "\u{0}", "é", "e\u{301}"].iter().map(|key| flag(key)).collect();
    for flag in &mut flags {
        flag.targeting = Some(flagstone_snapshot::Program(vec![Op::Attribute(flag.key.clone())]));
    }
    let keys: Vec<String> = flags.iter().map(|flag| flag.key.clone()).collect();
    let bytes = encode(&of(flags)).unwrap();
    let snapshot = Snapshot::load(&bytes).unwrap();
    for key in keys {
        assert_eq!(snapshot.flag(snapshot.find(&key).unwrap()).unwrap().key(), key);
    }
}
