//! The spool: whatever happens to its files or its process, every event is delivered or counted.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::fs;
use std::path::{Path, PathBuf};

use flagstone_host::spool::{Spool, SpoolLimits, reason};
use proptest::prelude::*;

const LARGE: SpoolLimits = SpoolLimits { segment_bytes: 1 << 20, total_bytes: 16 << 20 };

fn open(folder: &Path, limits: SpoolLimits) -> Spool {
    Spool::open(folder, limits, || "test".to_owned()).unwrap()
}

fn payload(number: u64) -> Vec<u8> {
    format!(r#"{{"event":{number}}}"#).into_bytes()
}

fn segments(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "seg")).collect();
    found.sort();
    found
}

/// Delivers everything; gives back the sequence numbers.
fn drain(spool: &mut Spool) -> Vec<u64> {
    let mut delivered = Vec::new();
    loop {
        let taken = spool.take(7, 1 << 20).unwrap();
        let Some((last, _)) = taken.last() else { return delivered };
        for (sequence, text) in &taken {
            assert_eq!(*text, payload(*sequence), "what is delivered is what was written");
        }
        let gapless = taken.windows(2).all(|pair| pair[0].0 + 1 == pair[1].0);
        assert!(gapless, "a batch has no gaps");
        let last = *last;
        delivered.extend(taken.iter().map(|(sequence, _)| *sequence));
        spool.acknowledge("ab", last).unwrap();
    }
}

fn lost(spool: &Spool) -> u64 {
    spool.dropped().values().sum()
}

#[test]
fn events_come_out_in_order_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), SpoolLimits { segment_bytes: 300, total_bytes: 1 << 20 });
    for number in 1..=50 {
        assert_eq!(spool.append(&payload(number)).unwrap(), Some(number));
    }
    assert!(segments(folder.path()).len() > 3);
    let taken = spool.take(10, 1 << 20).unwrap();
    spool.acknowledge("first", taken.last().unwrap().0).unwrap();
    spool.sync().unwrap();
    drop(spool);
    let mut spool = open(folder.path(), LARGE);
    assert_eq!((spool.previous(), spool.pending(), spool.instance()), (Some("first"), 40, "test"));
    assert_eq!(spool.append(&payload(51)).unwrap(), Some(51));
    assert_eq!(drain(&mut spool), (11..=51).collect::<Vec<_>>());
    drop(spool);
    let mut spool = open(folder.path(), LARGE);
    assert_eq!(spool.append(&payload(52)).unwrap(), Some(52), "numbers are never used twice");
    assert_eq!(drain(&mut spool), [52]);
    assert_eq!(lost(&spool), 0);
}

#[test]
fn released_events_are_taken_again_and_batches_keep_to_their_size() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LARGE);
    for number in 1..=10 {
        spool.append(&payload(number)).unwrap();
    }
    let first = spool.take(4, 1 << 20).unwrap();
    spool.release();
    assert_eq!(spool.take(4, 1 << 20).unwrap(), first);
    let size = payload(1).len();
    assert_eq!(spool.take(100, size * 3).unwrap().len(), 3);
    assert_eq!(spool.take(100, 1).unwrap().len(), 1, "one event always fits");
}

#[test]
fn cut_anywhere_nothing_but_the_torn_record_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LARGE);
    for number in 1..=4 {
        spool.append(&payload(number)).unwrap();
    }
    drop(spool);
    let name = segments(folder.path()).remove(0);
    let whole = fs::read(&name).unwrap();
    let record = whole.len() / 4;
    for cut in 0..=whole.len() {
        let copy = tempfile::tempdir().unwrap();
        fs::copy(folder.path().join("state.json"), copy.path().join("state.json")).unwrap();
        fs::write(copy.path().join(name.file_name().unwrap()), &whole[..cut]).unwrap();
        let mut spool = open(copy.path(), LARGE);
        let kept = (cut / record) as u64;
        assert_eq!(spool.append(&payload(kept + 1)).unwrap(), Some(kept + 1), "cut at {cut}");
        assert_eq!(drain(&mut spool), (1..=kept + 1).collect::<Vec<_>>(), "cut at {cut}");
        assert_eq!(lost(&spool), 0, "a torn record was never accepted");
    }
}

#[test]
fn every_flipped_bit_costs_at_most_its_record_and_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LARGE);
    for number in 1..=3 {
        spool.append(&payload(number)).unwrap();
    }
    drop(spool);
    let name = segments(folder.path()).remove(0);
    let whole = fs::read(&name).unwrap();
    let record = whole.len() / 3;
    for bit in 0..whole.len() * 8 {
        let copy = tempfile::tempdir().unwrap();
        let mut damaged = whole.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        fs::write(copy.path().join(name.file_name().unwrap()), damaged).unwrap();
        let victim = (bit / 8 / record) as u64 + 1;
        let mut spool = open(copy.path(), LARGE);
        let next = spool.append(&payload(if victim == 3 { 3 } else { 4 })).unwrap().unwrap();
        let expected: Vec<u64> = (1..=next).filter(|number| *number != victim || victim == 3).collect();
        assert_eq!(drain(&mut spool), expected, "bit {bit}");
        let corrupt = u64::from(victim != 3);
        assert_eq!(spool.dropped().get(reason::CORRUPT).copied().unwrap_or(0), corrupt, "bit {bit}");
        drop(spool);
        assert_eq!(lost(&open(copy.path(), LARGE)), corrupt, "counted once, bit {bit}");
    }
}

#[test]
fn a_full_spool_gives_up_the_oldest_and_says_how_many() {
    let folder = tempfile::tempdir().unwrap();
    let limits = SpoolLimits { segment_bytes: 500, total_bytes: 2_000 };
    let mut spool = open(folder.path(), limits);
    for number in 1..=1_000 {
        spool.append(&payload(number)).unwrap();
        assert!(spool.bytes() <= limits.total_bytes);
    }
    let size: u64 = segments(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert!((1_000..=limits.total_bytes).contains(&size), "{size}");
    let given_up = spool.dropped()[reason::SPOOL_FULL];
    let delivered = drain(&mut spool);
    assert_eq!(delivered, (given_up + 1..=1_000).collect::<Vec<_>>());
    drop(spool);
    assert_eq!(open(folder.path(), limits).dropped()[reason::SPOOL_FULL], given_up, "the count survives");
}

#[test]
fn what_is_being_sent_is_not_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let limits = SpoolLimits { segment_bytes: 500, total_bytes: 1_000 };
    let mut spool = open(folder.path(), limits);
    for number in 1..=20 {
        spool.append(&payload(number)).unwrap();
    }
    let taken = spool.take(5, 1 << 20).unwrap();
    let mut made = 20;
    while spool.append(&payload(made + 1)).unwrap().is_some() {
        made += 1;
        assert!(made < 1_000);
    }
    assert_eq!(spool.dropped()[reason::SPOOL_FULL], 1, "the newest is refused instead");
    spool.acknowledge("a", taken.last().unwrap().0).unwrap();
    let delivered = 5 + drain(&mut spool).len() as u64;
    assert_eq!(delivered + lost(&spool), made + 1);
}

#[test]
fn what_cannot_be_an_event_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let mut spool = open(folder.path(), LARGE);
    assert_eq!(spool.append(&vec![b'x'; 16_385]).unwrap(), None);
    assert_eq!(spool.dropped()[reason::INVALID], 1);
    spool.append(&payload(1)).unwrap();
    spool.append(&payload(2)).unwrap();
    spool.take(1, 1 << 20).unwrap();
    spool.set_aside(1, 1).unwrap();
    assert_eq!((spool.dropped()[reason::POISON], drain(&mut spool)), (1, vec![2]));
}

/// What may happen to a spool.
#[derive(Debug, Clone)]
enum Step {
    Append(u8),
    Deliver(usize),
    Fail,
    Poison(usize),
    Restart,
    KillMidWrite(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..40_u8).prop_map(Step::Append),
        2 => (1..60_usize).prop_map(Step::Deliver),
        1 => Just(Step::Fail),
        1 => (1..5_usize).prop_map(Step::Poison),
        1 => Just(Step::Restart),
        1 => (1..30_usize).prop_map(Step::KillMidWrite),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn made_is_delivered_plus_dropped(
        steps in proptest::collection::vec(step(), 1..40),
        segment_bytes in 60..600_u64,
        total_bytes in 400..3_000_u64,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let limits = SpoolLimits { segment_bytes, total_bytes };
        let mut spool = open(folder.path(), limits);
        let (mut made, mut delivered) = (0_u64, 0_u64);
        for step in steps {
            match step {
                Step::Append(count) => for _ in 0..count {
                    let number = spool.last() + 1;
                    spool.append(&payload(number)).unwrap();
                    made += 1;
                },
                Step::Deliver(count) => {
                    let taken = spool.take(count, 1 << 20).unwrap();
                    if let Some((last, _)) = taken.last() {
                        spool.acknowledge("x", *last).unwrap();
                        delivered += taken.len() as u64;
                    }
                }
                Step::Fail => {
                    spool.take(10, 1 << 20).unwrap();
                    spool.release();
                }
                Step::Poison(count) => {
                    let taken = spool.take(count, 1 << 20).unwrap();
                    if let Some((last, _)) = taken.last() {
                        spool.set_aside(taken.len() as u64, *last).unwrap();
                    }
                }
                Step::Restart => {
                    spool.sync().unwrap();
                    drop(spool);
                    spool = open(folder.path(), limits);
                }
                Step::KillMidWrite(bytes) => {
                    // The process dies while it writes one more record: part of it is in the file.
                    spool.sync().unwrap();
                    drop(spool);
                    if let Some(last) = segments(folder.path()).pop() {
                        let mut text = fs::read(&last).unwrap();
                        text.extend(std::iter::repeat_n(b'{', bytes));
                        fs::write(last, text).unwrap();
                    }
                    spool = open(folder.path(), limits);
                }
            }
        }
        delivered += drain(&mut spool).len() as u64;
        prop_assert_eq!(made, delivered + lost(&spool));
    }
}
