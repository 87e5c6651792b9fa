//! Altered files: whatever bit changes on the way, nothing opens.

use alloc::vec::Vec;

use super::*;
use crate::testing::*;

fn payload(bytes: usize) -> Vec<u8> {
    let mut dice = Dice(7);
    (0..bytes).map(|_| dice.next().to_le_bytes()[0]).collect()
}

/// Flip every bit of header and note and count what still opens.
fn accepted_flips(file: &[u8], trust: &TrustRoot, policy: &OpenPolicy<'_>) -> (usize, usize) {
    let head = file.len() - frame::split(file, u64::MAX).unwrap().payload.len();
    let mut file = file.to_vec();
    let mut accepted = 0;
    for bit in 0..head * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        accepted += usize::from(open(&file, trust, policy).is_ok());
        file[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(open(&file, trust, policy).is_ok(), "the unaltered file opens");
    (head * 8, accepted)
}

#[test]
fn every_flipped_bit_of_header_and_note_is_refused() {
    let world = World::new();
    let two_of_two = world.file(&snapshot_draft(), &payload(1_000));
    let (tried, accepted) = accepted_flips(&two_of_two, &world.trust(), &policy());
    assert!(tried > 4_000);
    assert_eq!(accepted, 0, "of {tried}");

    let mut draft = world.trust_draft();
    draft.roles[1] = role(release("production"), 1, &[&world.ana]);
    let one_of_one = world.file_by(&snapshot_draft(), &payload(1_000), &[&world.ana]);
    let (tried, accepted) = accepted_flips(&one_of_one, &world.pin(&draft), &policy());
    assert!(tried > 3_000);
    assert_eq!(accepted, 0, "of {tried}");
}

#[test]
fn a_thousand_flipped_payload_bits_are_refused() {
    let world = World::new();
    let trust = world.trust();
    let mut file = world.file(&snapshot_draft(), &payload(48_213));
    let start = file.len() - 48_213;
    let mut dice = Dice(11);
    for _ in 0..1_000 {
        let (at, bit) = (start + dice.below(48_213), dice.below(8));
        file[at] ^= 1 << bit;
        assert_eq!(open(&file, &trust, &policy()), Err(SealError::PayloadDigest));
        file[at] ^= 1 << bit;
    }
    assert!(open(&file, &trust, &policy()).is_ok());
}

#[test]
fn every_truncation_and_every_extra_byte_is_refused() {
    let world = World::new();
    let trust = world.trust();
    let file = world.file(&snapshot_draft(), &payload(300));
    for cut in 0..file.len() {
        assert_eq!(open(&file[..cut], &trust, &policy()), Err(SealError::Truncated), "{cut}");
    }
    for byte in 0..=255 {
        let longer = [file.as_slice(), &[byte]].concat();
        assert_eq!(open(&longer, &trust, &policy()), Err(SealError::TrailingBytes));
    }
}

#[test]
fn every_flipped_bit_of_a_pulse_is_refused() {
    let world = World::new();
    let trust = world.trust();
    let mut note = world.pulse_note(&pulse_draft());
    for bit in 0..note.len() * 8 {
        note[bit / 8] ^= 1 << (bit % 8);
        assert!(crate::open_pulse(&note, &trust, &pulse_policy()).is_err(), "bit {bit}");
        note[bit / 8] ^= 1 << (bit % 8);
    }
    assert!(crate::open_pulse(&note, &trust, &pulse_policy()).is_ok());
}

#[test]
fn every_flipped_bit_of_a_trust_note_is_refused() {
    let world = World::new();
    let mut note = world.trust_note(&world.trust_draft());
    let mut accepted = 0;
    for bit in 0..note.len() * 8 {
        note[bit / 8] ^= 1 << (bit % 8);
        accepted += usize::from(TrustRoot::pin(&note, NOW).is_ok());
        note[bit / 8] ^= 1 << (bit % 8);
    }
    assert_eq!(accepted, 0);
    assert!(TrustRoot::pin(&note, NOW).is_ok());
}

#[test]
fn noise_never_opens_and_never_panics() {
    let world = World::new();
    let trust = world.trust();
    let good = world.file(&snapshot_draft(), &payload(64));
    let mut dice = Dice(13);
    for _ in 0..2_000 {
        let mut file = good.clone();
        for _ in 0..=dice.below(6) {
            let at = dice.below(file.len());
            match dice.below(3) {
                0 => file[at] = dice.next().to_le_bytes()[0],
                1 => drop(file.remove(at)),
                _ => file.insert(at, dice.next().to_le_bytes()[0]),
            }
        }
        assert!(file == good || open(&file, &trust, &policy()).is_err());
    }
}
