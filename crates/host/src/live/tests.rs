//! Swaps, traps and reverts with the real component.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use super::*;
use crate::testing::{AUDIENCE, ENVIRONMENT, NOW, World, engine, mark, payload};

fn live() -> Live {
    Live::new(engine(), AUDIENCE.to_owned(), ENVIRONMENT.to_owned(), 2)
}

fn candidate(sequence: u64, payload: &[u8]) -> Candidate {
    let file = World::new().snapshot(sequence, payload);
    Candidate {
        trust: String::from_utf8(World::new().trust()).unwrap().into(),
        mark: mark(&file),
        file: file.into(),
        issued: NOW,
        expires: NOW + 86_400,
        signers: vec![],
        as_of: NOW,
    }
}

/// What a hundred users get, to compare before and after.
fn answers(live: &Live, flag: &str) -> Vec<String> {
    let loaded = live.current().unwrap();
    let context = |user| format!(r#"{{"targetingKey":"user-{user}"}}"#);
    (0..100).map(|user| live.decide(&loaded, &context(user), flag, NOW).unwrap().1).collect()
}

/// Makes the engine trap: more text than its memory holds.
fn trap(live: &Live) {
    let loaded = live.current().unwrap();
    let huge = "x".repeat(40 << 20);
    assert!(matches!(live.decide(&loaded, &huge, "plain", NOW), Err(CallError::Trap(_))));
}

#[test]
fn a_failed_swap_leaves_everything_as_it_was() {
    let live = live();
    assert!(live.current().is_none());
    live.swap(&candidate(1, &payload("one")), None, NOW).unwrap();
    let before = answers(&live, "assistant");
    assert!(live.swap(&candidate(2, b"verified, but no snapshot"), None, NOW).is_err());
    assert!(
        live.swap(&Candidate { mark: candidate(9, b"x").mark, ..candidate(2, &payload("two")) }, None, NOW)
            .is_err()
    );
    assert_eq!(live.current().unwrap().id().sequence, 1);
    assert_eq!(answers(&live, "assistant"), before);
    live.swap(&candidate(2, &payload("two")), None, NOW).unwrap();
    assert_eq!(live.current().unwrap().id().sequence, 2);
}

#[test]
fn an_evaluation_ends_with_the_snapshot_it_began_with() {
    let live = live();
    live.swap(&candidate(1, &payload("one")), None, NOW).unwrap();
    let held = live.current().unwrap();
    live.swap(&candidate(2, &payload("two")), None, NOW).unwrap();
    assert_eq!(held.id().sequence, 1);
    assert!(live.decide(&held, "{}", "plain", NOW).unwrap().1.contains("true"));
}

#[test]
fn a_trapped_instance_is_replaced_with_its_pulse() {
    let live = live();
    let first = candidate(1, &payload("one"));
    live.swap(&first, None, NOW).unwrap();
    live.pulse(&World::new().pulse(1, first.mark, &[("assistant", 0)], &[]), NOW).unwrap();
    let before = answers(&live, "assistant");
    assert!(before.iter().any(|text| text.contains("treatment")));
    trap(&live);
    assert_eq!(answers(&live, "assistant"), before, "same snapshot, same stage");
    // A pulse that names a snapshot not here yet: its halts count, and go on to count after a trap.
    let other = candidate(2, &payload("two")).mark;
    live.pulse(&World::new().pulse(2, other, &[], &["plain"]), NOW).unwrap();
    let halted = (answers(&live, "assistant"), answers(&live, "plain"));
    assert_eq!(halted.0, before);
    trap(&live);
    assert_eq!((answers(&live, "assistant"), answers(&live, "plain")), halted);
    assert_eq!((live.traps(), live.reverts()), (2, 0));
}

#[test]
fn a_snapshot_that_keeps_trapping_is_left_for_the_one_before() {
    let live = live();
    live.swap(&candidate(1, &payload("one")), None, NOW).unwrap();
    live.swap(&candidate(2, &payload("two")), None, NOW).unwrap();
    for _ in 0..limits::TRAPS_TO_REVERT {
        assert_eq!(live.current().unwrap().id().sequence, 2);
        trap(&live);
    }
    assert_eq!((live.current().unwrap().id().sequence, live.reverts()), (1, 1));
    assert_eq!(answers(&live, "plain").len(), 100);
    for _ in 0..limits::TRAPS_TO_REVERT + 1 {
        trap(&live);
    }
    assert_eq!(live.current().unwrap().id().sequence, 1, "there is nothing further back, so it goes on");
    assert_eq!(answers(&live, "plain").len(), 100);
}

#[test]
fn refused_pulses_change_nothing() {
    let live = live();
    let first = candidate(1, &payload("one"));
    live.swap(&first, None, NOW).unwrap();
    live.pulse(&World::new().pulse(5, first.mark, &[("assistant", 0)], &[]), NOW).unwrap();
    let before = answers(&live, "assistant");
    assert!(live.pulse(&World::new().pulse(4, first.mark, &[], &["assistant"]), NOW).is_err());
    assert!(live.pulse(b"nonsense", NOW).is_err());
    assert_eq!(answers(&live, "assistant"), before);
}

/// What an older engine would do with a snapshot that it decides otherwise than its author.
#[test]
fn a_canary_that_is_answered_otherwise_keeps_the_snapshot_in_force() {
    let asking = |variant: Option<&str>| {
        let mut draft = crate::testing::draft("two");
        draft.canaries.push(flagstone_snapshot::DraftCanary {
            flag: "assistant".into(),
            context: flagstone_snapshot::Json::Object(vec![("targetingKey".into(), "ana".into())]),
            at: NOW,
            variant: variant.map(Into::into),
        });
        candidate(2, &flagstone_snapshot::encode(&draft).unwrap())
    };
    let live = live();
    live.swap(&candidate(1, &payload("one")), None, NOW).unwrap();
    for (variant, told) in [
        (Some("candidate"), "canary 0: flag `assistant` answers `baseline`, not `candidate`"),
        (None, "canary 0: flag `assistant` answers `baseline`, not the caller's own default"),
    ] {
        assert!(live.swap(&asking(variant), None, NOW).unwrap_err().contains(told));
        assert_eq!(live.current().unwrap().id().sequence, 1);
    }
    live.swap(&asking(Some("baseline")), None, NOW).unwrap();
    assert_eq!(live.current().unwrap().id().sequence, 2);
}
