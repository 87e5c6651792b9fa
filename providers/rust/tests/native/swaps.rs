//! Nothing is allocated by a decision, and memory is flat under swaps.

use flagstone::{State, Unit};

use crate::counting::{calls, live};
use crate::world::{NOW, flags, sealed};

/// `targetingKey` alone, by position.
fn attributes(key: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(&[1, 0, 0, 0, 6]);
    out.extend_from_slice(&(key.len() as u32).to_le_bytes());
    out.extend_from_slice(key.as_bytes());
}

#[test]
fn a_decision_allocates_nothing() {
    let flags = flags();
    flags.offer(sealed("first", 1), NOW).unwrap();
    let current = flags.in_force().unwrap();
    let index = current.find("word").unwrap();
    let mut unit = Unit::json(r#"{"targetingKey":"ana","country":"de"}"#);
    let (mut other, mut all) = (Unit::empty(), Vec::new());
    // Once, for what is allocated once.
    let answer = flags.decide(&mut unit, "word", NOW);
    assert_eq!(answer.text().unwrap(), "two \"quoted\"");
    other.refill(&current, |room| attributes("the longest key", room)).unwrap();
    current.decide_all(&mut unit, NOW, &mut all);

    let before = calls();
    for _ in 0..1_000 {
        let answer = flags.decide(&mut unit, "switch", NOW);
        assert_eq!(answer.boolean(), Some(true));
        assert_eq!(flags.decide(&mut unit, "amount", NOW).number(), Some(2.5));
        assert_eq!(current.decide(&mut unit, index, NOW).variant, Some(1));
        current.decide_all(&mut unit, NOW, &mut all);
        other.refill(&current, |room| attributes("ben", room)).unwrap();
        assert_eq!(current.variant(&current.decide(&mut other, index, NOW)), Some("one"));
        assert_eq!(flags.state(NOW), State::Stale);
    }
    assert_eq!(calls(), before);
}

#[test]
fn a_unit_outlives_a_swap() {
    let flags = flags();
    flags.offer(sealed("first", 1), NOW).unwrap();
    let (mut unit, mut positions) = (Unit::json("{}"), Unit::empty());
    let old = flags.in_force().unwrap();
    positions.refill(&old, |room| attributes("ana", room)).unwrap();
    let before = flags.decide(&mut unit, "word", NOW);
    flags.offer(sealed("second", 2), NOW).unwrap();
    assert_eq!(flags.decide(&mut unit, "word", NOW).text().unwrap(), "second");
    assert_eq!(before.text().unwrap(), "first", "an answer keeps what made it");
    // Positions hold for one snapshot: never read as those of another.
    assert_eq!(flags.decide(&mut positions, "word", NOW).error_code(), Some("GENERAL"));
    assert_eq!(old.decide(&mut unit, old.find("word").unwrap(), NOW).variant, Some(0));
}

#[test]
fn fifty_thousand_decisions_with_swaps_leave_memory_flat() {
    let files: Vec<Vec<u8>> = (1..=52).map(|sequence| sealed("steady", sequence)).collect();
    let flags = flags();
    let mut unit = Unit::json(r#"{"targetingKey":"ana","country":"fr"}"#);
    let mut held = Vec::new();
    for (turn, file) in files.iter().enumerate() {
        flags.offer(file.clone(), NOW).unwrap();
        for decision in 0..1_000 {
            let key = ["word", "switch", "amount", "parts"][decision % 4];
            assert!(flags.decide(&mut unit, key, NOW).json().is_some());
        }
        // Room for what is allocated once, in the first two turns.
        if turn == 1 {
            held.reserve(files.len());
        }
        if turn >= 1 {
            held.push(live());
        }
    }
    assert_eq!(held.len(), 51);
    let (least, most) = (held.iter().min().unwrap(), held.iter().max().unwrap());
    assert!(most - least < 1_024, "memory grew from {least} to {most} bytes");
}

#[test]
fn threads_decide_while_snapshots_are_swapped() {
    let flags = flags();
    flags.offer(sealed("1", 1), NOW).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut unit = Unit::json("{}");
                let mut newest = 0;
                while newest < 20 {
                    let answer = flags.decide(&mut unit, "word", NOW);
                    let word: u64 = answer.text().unwrap().parse().unwrap();
                    assert_eq!(word, answer.of().unwrap().mark().sequence, "a value of another snapshot");
                    assert!(word >= newest, "back to an older snapshot");
                    newest = word;
                }
            });
        }
        for sequence in 2..=20 {
            flags.offer(sealed(&sequence.to_string(), sequence), NOW).unwrap();
        }
    });
}
