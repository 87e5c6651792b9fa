//! The engine against the real component: same answers as natively, within its limits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use flagstone_evaluate::{Context, Control, OpenStage, decide_key, decision_json};
use flagstone_snapshot::Snapshot;

use super::*;
use crate::testing::{AUDIENCE, ENVIRONMENT, NOW, World, engine, mark, payload};

fn opening<'a>(trust: &'a str, file: &'a [u8]) -> Opening<'a> {
    Opening { trust, file, audience: AUDIENCE, environment: ENVIRONMENT, mark: None, now: NOW }
}

fn opened() -> Instance {
    let trust = String::from_utf8(World::new().trust()).unwrap();
    Instance::open(&engine(), &opening(&trust, &World::new().snapshot(1, &payload("a")))).unwrap()
}

fn context(user: usize) -> String {
    format!(r#"{{"targetingKey":"user-{user}"}}"#)
}

#[test]
fn decisions_are_byte_identical_to_native_ones() {
    let mut instance = opened();
    let named = instance.mark();
    instance.pulse(&World::new().pulse(1, named, &[("assistant", 0)], &[]), NOW).unwrap();
    let bytes = payload("a");
    let snapshot = Snapshot::load(&bytes).unwrap();
    let control = Control::new(
        &snapshot,
        NOW + 300,
        [OpenStage { flag: "assistant", stage: 0, since: 0 }].into_iter(),
        [].into_iter(),
    );
    let mut arms = std::collections::BTreeMap::new();
    for user in 0..500 {
        for flag in ["assistant", "plain", "missing"] {
            let native = Context::from_json(&snapshot, &context(user)).unwrap();
            let expected =
                decision_json(&snapshot, &decide_key(&snapshot, &control, &native, flag, NOW), flag);
            let (decision, text) = instance.decide(&context(user), flag, NOW).unwrap();
            assert_eq!(text, expected);
            if flag == "assistant" {
                *arms.entry(format!("{:?}", decision.arm)).or_insert(0) += 1;
                assert_eq!(decision.cohort.unwrap().probability, 500_000_000);
            }
        }
    }
    assert_eq!(arms.values().sum::<i32>(), 500);
    assert!(arms["Treatment"] > 180 && arms["Control"] > 180, "{arms:?}");
}

#[test]
fn what_is_wrong_is_refused_with_its_code() {
    let world = World::new();
    let (trust, file) = (String::from_utf8(world.trust()).unwrap(), world.snapshot(3, &payload("a")));
    let code = |opening: &Opening<'_>| match Instance::open(&engine(), opening) {
        Err(CallError::Refused { code, .. }) => code,
        other => panic!("{other:?}"),
    };
    let good = opening(&trust, &file);
    assert_eq!(code(&Opening { environment: "staging", ..good }), "no-role");
    assert_eq!(code(&Opening { audience: "acme.example/assistant#browser", ..good }), "wrong-audience");
    assert_eq!(code(&Opening { now: NOW + 3_000_000, ..good }), "expired");
    let newer = Some(Mark { sequence: 4, ..mark(&file) });
    assert_eq!(code(&Opening { mark: newer, ..good }), "rollback");
    let stranger = World { release: crate::testing::key("acme.example/release", 77), ..World::new() };
    assert_eq!(code(&opening(&trust, &stranger.snapshot(3, &payload("a")))), "threshold");
    let nonsense = world.snapshot(3, b"signed, but no snapshot");
    assert!(!code(&opening(&trust, &nonsense)).is_empty());
    assert!(Engine::new(b"\0asm no component").is_err());
}

#[test]
fn a_probe_sees_every_flag() {
    let mut instance = opened();
    let named = instance.mark();
    let keys: Vec<_> =
        instance.probe(named, NOW).unwrap().into_iter().map(|flag| (flag.key, flag.planned)).collect();
    assert_eq!(keys, [("assistant".to_owned(), true), ("plain".to_owned(), false)]);
    assert!(instance.probe(Mark { sequence: 2, ..named }, NOW).is_err());
}

#[test]
fn work_without_end_is_stopped() {
    // The digest of 4 MB takes the engine some tens of milliseconds: with next to no time that is work without end.
    let trust = String::from_utf8(World::new().trust()).unwrap();
    let file = World::new().snapshot(1, &vec![b'x'; 4_000_000]);
    let stopped = Instance::open_within(0, &engine(), &opening(&trust, &file));
    assert!(
        matches!(&stopped, Err(CallError::Trap(cause)) if cause.contains("longer than it may")),
        "{stopped:?}"
    );
    let refused = Instance::open(&engine(), &opening(&trust, &file));
    assert!(
        matches!(&refused, Err(CallError::Refused { .. })),
        "with its usual time it gets to an answer: {refused:?}"
    );
}

#[test]
fn memory_is_bounded() {
    let mut instance = opened();
    let huge = "x".repeat(40 << 20);
    assert!(matches!(instance.decide(&huge, "plain", NOW), Err(CallError::Trap(_))));
    let mut instance = opened();
    for user in 0..20_000 {
        instance.decide(&context(user), "assistant", NOW).unwrap();
    }
}

/// What a new instance costs: goals are 10 microseconds and 64 KiB before its snapshot. The time is only told, for it depends on what else
/// the machine does.
#[test]
fn a_new_instance_writes_to_few_pages_and_there_is_an_end_to_them() {
    const ALIVE: u64 = 64;
    let engine = Engine::from_source(&crate::ComponentSource::Find).unwrap();
    let start = || Instance::start(limits::OPEN_TICKS, &engine);
    drop(start().unwrap());
    // What other threads of this process write to meanwhile only adds.
    let weighed = (0..10).filter_map(|_| {
        let before = dirty_bytes()?;
        let begin = std::time::Instant::now();
        let alive: Vec<_> = (0..ALIVE).map(|_| start().unwrap()).collect();
        let each = begin.elapsed() / ALIVE as u32;
        let bytes = dirty_bytes()?.saturating_sub(before) / ALIVE;
        assert_eq!(engine.alive(), Some(ALIVE));
        drop(alive);
        Some((bytes, each))
    });
    match weighed.min() {
        None => println!("no /proc/self/smaps_rollup to read"),
        Some((bytes, each)) => {
            println!("{each:?} and {} KiB for an instance", bytes >> 10);
            assert!(bytes <= 64 << 10, "{bytes} bytes for an instance");
        }
    }

    let mut alive = Vec::new();
    let refused = loop {
        match start() {
            Ok(instance) => alive.push(instance),
            Err(error) => break error,
        }
    };
    assert_eq!(alive.len(), limits::ALIVE_INSTANCES as usize);
    assert!(refused.to_string().contains("limit"), "{refused}");
    alive.pop();
    assert!(start().is_ok(), "one that went makes room");
}

/// Bytes of this process that are its own and written to.
fn dirty_bytes() -> Option<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup").ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<u64>().ok()? << 10)
}
