//! Flags are found by their keys whatever these are, and nothing that would lose one loads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;

use flagstone_snapshot::limits::MAX_FLAGS;
use flagstone_snapshot::{Draft, DraftFlag, FlagKind, LoadError, Snapshot, encode, layout, murmur3_x86_32};
use proptest::prelude::*;

fn with_keys<'k>(keys: impl IntoIterator<Item = &'k str>) -> Vec<u8> {
    let flags = keys.into_iter().map(|key| DraftFlag::new(key, FlagKind::Boolean)).collect();
    encode(&Draft { flags, ..Draft::default() }).unwrap()
}

/// Where the buckets of a snapshot of flags without anything begin, and where their flags.
fn tables(flags: usize) -> (usize, usize) {
    let attribute = size_of::<layout::AttributeRecord>();
    let buckets = size_of::<layout::Header>() + attribute + flags * size_of::<layout::FlagRecord>();
    (buckets, buckets + 2 * (flags + 1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_key_is_found_where_it_stands(keys in prop::collection::btree_set("[a-z./ä-]{1,12}", 0..200), others in prop::collection::vec("[a-z]{0,3}", 20)) {
        let bytes = with_keys(keys.iter().map(String::as_str));
        let snapshot = Snapshot::load(&bytes).unwrap();
        for (index, key) in (0u32..).zip(&keys) {
            prop_assert_eq!(snapshot.find(key), Some(index));
        }
        for other in others.iter().filter(|other| !keys.contains(*other)) {
            prop_assert_eq!(snapshot.find(other), None);
        }
    }
}

#[test]
fn as_many_flags_as_there_may_be() {
    let keys: BTreeSet<String> =
        (0..MAX_FLAGS).map(|number| format!("team-{}/flag-{number}", number % 7)).collect();
    let bytes = with_keys(keys.iter().map(String::as_str));
    let snapshot = Snapshot::load(&bytes).unwrap();
    assert!((0u32..).zip(&keys).all(|(index, key)| snapshot.find(key) == Some(index)));
    assert_eq!((snapshot.find(""), snapshot.find("team-1")), (None, None));
}

/// Keys that an attacker among the authors would choose: all in one bucket.
#[test]
fn keys_that_collide_are_found() {
    let all = (0u32..)
        .map(|number| format!("{number}"))
        .filter(|key| murmur3_x86_32(key.as_bytes(), 0) < u32::MAX / 300);
    let keys: BTreeSet<String> = all.take(300).collect();
    let bytes = with_keys(keys.iter().map(String::as_str));
    let snapshot = Snapshot::load(&bytes).unwrap();
    assert!((0u32..).zip(&keys).all(|(index, key)| snapshot.find(key) == Some(index)));
    assert_eq!(snapshot.find("not a number"), None);
}

/// Each change of the tables is found out: they have exactly one right content.
#[test]
fn tables_of_keys_that_lose_a_flag_are_refused() {
    let keys: Vec<String> = (0..40).map(|number| format!("flag-{number}")).collect();
    let bytes = with_keys(keys.iter().map(String::as_str));
    let (buckets, keyed) = tables(keys.len());
    let end = keyed + 2 * keys.len();
    for at in buckets..end {
        for change in [1, 3, 0x80] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            assert!(matches!(Snapshot::load(&changed), Err(LoadError::Range("bucket", _))), "byte {at}");
        }
    }
    for one in 0..keys.len() {
        for other in 0..one {
            let mut changed = bytes.clone();
            let (one, other) = (keyed + 2 * one, keyed + 2 * other);
            changed[one..one + 2].copy_from_slice(&bytes[other..other + 2]);
            changed[other..other + 2].copy_from_slice(&bytes[one..one + 2]);
            assert!(Snapshot::load(&changed).is_err(), "{one} and {other} exchanged");
        }
    }
}
