//! Pseudonyms and secrets: what leaves the process says nothing about the unit.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use flagstone_events::{EventId, Pepper, Pseudonym, SnapshotId, Stream, UnitKey};

fn pepper(byte: u8) -> Pepper {
    Pepper::from_bytes([byte; 32])
}

fn key(text: &str) -> UnitKey {
    UnitKey::new(text).unwrap()
}

const STREAMS: [Stream; 3] = [Stream::Production, Stream::Evaluation, Stream::Training];

#[test]
fn a_pseudonym_is_the_documented_hmac() {
    // Computed by another implementation:
    // python3 -c 'import hmac; print(hmac.new(bytes(range(32)), b"production\0ana", "sha256").hexdigest()[:32])'
    let pepper = Pepper::from_bytes(core::array::from_fn(|index| index as u8));
    let unit = Pseudonym::of(&pepper, Stream::Production, &key("ana"));
    assert_eq!(unit.to_string(), "0d8d4e1e070542a68a00f2cc0c773950");
}

#[test]
fn streams_and_peppers_cannot_be_joined() {
    let names: Vec<String> = (0..500).map(|index| format!("user-{index}")).collect();
    let mut seen = std::collections::BTreeSet::new();
    for byte in [1, 2] {
        for stream in STREAMS {
            for name in &names {
                seen.insert(Pseudonym::of(&pepper(byte), stream, &key(name)));
            }
        }
    }
    assert_eq!(seen.len(), 2 * 3 * 500);
}

#[test]
fn debug_text_shows_no_secret() {
    assert_eq!(format!("{:?}", Pepper::from_bytes(*b"0123456789abcdef0123456789abcdef")), "Pepper(secret)");
    assert_eq!(format!("{:?}", key("ana@example.com")), "UnitKey(private)");
    let refused = Pepper::from_hex("not a pepper but secret").unwrap_err();
    assert!(!refused.to_string().contains("secret"), "{refused}");
}

#[test]
fn unit_keys_have_limits() {
    assert_eq!(UnitKey::new("").unwrap_err().code(), "bad-name");
    assert!(UnitKey::new("k".repeat(4096)).is_ok());
    assert_eq!(UnitKey::new("k".repeat(4097)).unwrap_err().code(), "too-large");
}

#[test]
fn exposure_ids_differ_in_every_part_and_repeat_otherwise() {
    let unit = Pseudonym::of(&pepper(1), Stream::Production, &key("ana"));
    let other = Pseudonym::of(&pepper(1), Stream::Production, &key("ben"));
    let at = |epoch, sequence| SnapshotId { epoch, sequence, digest: [0; 32] };
    let id = |unit, flag: &str, variant: &str, snapshot, stage, window| {
        EventId::exposure(&pepper(1), unit, flag, variant, &snapshot, stage, window)
    };
    let base = id(unit, "flag", "variant", at(1, 7), Some(2), 100);
    assert_eq!(base, id(unit, "flag", "variant", at(1, 7), Some(2), 100));
    for changed in [
        id(other, "flag", "variant", at(1, 7), Some(2), 100),
        id(unit, "flag2", "variant", at(1, 7), Some(2), 100),
        id(unit, "fla", "gvariant", at(1, 7), Some(2), 100),
        id(unit, "flag", "variant2", at(1, 7), Some(2), 100),
        id(unit, "flag", "variant", at(2, 7), Some(2), 100),
        id(unit, "flag", "variant", at(1, 8), Some(2), 100),
        id(unit, "flag", "variant", at(1, 7), Some(3), 100),
        id(unit, "flag", "variant", at(1, 7), None, 100),
        id(unit, "flag", "variant", at(1, 7), Some(2), 101),
        EventId::outcome(&pepper(1), unit, "flag", "variant"),
    ] {
        assert_ne!(base, changed);
    }
}
