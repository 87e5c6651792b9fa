//! What a reader remembers, and what it refuses for it.

use super::*;
use crate::sign::seal_trust;
use crate::testing::*;

fn reader(world: &World) -> Reader {
    Reader::pin(&world.trust_note(&world.trust_draft()), AUDIENCE.into(), "production".into(), NOW).unwrap()
}

#[test]
fn what_was_kept_is_never_undercut() {
    let world = World::new();
    let mut reader = reader(&world);
    let (newer, older) =
        (snapshot_draft(), crate::sign::SnapshotStatementDraft { sequence: 1_841, ..snapshot_draft() });
    let (newer, older) = (world.file(&newer, b"new"), world.file(&older, b"old"));
    // A check alone keeps nothing.
    let (opened, as_of) = reader.check(&newer, NOW).unwrap();
    assert!(reader.check(&older, NOW).is_ok() && as_of == NOW);
    reader.keep(opened.mark, opened.statement.issued);
    assert_eq!(reader.check(&older, NOW).unwrap_err().code(), "rollback");
    assert!(reader.check(&newer, NOW).is_ok());
    // Time does not run behind what was issued.
    assert_eq!(reader.now(0), snapshot_draft().issued);
    // Age keeps a new file out and an old one not.
    let late = snapshot_draft().expires + DAY;
    assert_eq!(reader.check(&newer, late).unwrap_err().code(), "expired");
    assert_eq!(reader.recheck(&newer, late).unwrap().1, snapshot_draft().expires - 1);
    assert_eq!(reader.recheck(&older, late).unwrap_err().code(), "rollback");
}

#[test]
fn a_new_epoch_forgets_the_number_of_pulses_and_no_other_trust_note_does() {
    let world = World::new();
    let mut reader = reader(&world);
    let pulse = reader.check_pulse(&world.pulse_note(&pulse_draft()), NOW).unwrap();
    reader.keep_pulse(&pulse);
    let first = world.trust_draft();
    assert!(!reader.advance(&world.trust_note(&first), NOW).unwrap(), "the same note");
    let next = |version, epoch| {
        let draft = crate::statement::TrustStatement { version, epoch, ..world.trust_draft() };
        let [a, b, _] = &world.roots;
        seal_trust(&draft, &[a, b]).unwrap()
    };
    assert!(reader.advance(&next(3, 3), NOW).is_err(), "a version left out");
    assert!(reader.advance(&next(2, 3), NOW).unwrap());
    assert_eq!((reader.root().version(), reader.seen().pulse_number), (2, Some(42)));
    assert!(reader.advance(&next(3, 4), NOW).unwrap());
    assert_eq!((reader.root().version(), reader.seen().pulse_number), (3, None));
    // Taken over by the next process.
    let seen = *reader.seen();
    let mut after = Reader::pin(reader.note(), AUDIENCE.into(), "production".into(), NOW).unwrap();
    after.remember(seen);
    assert_eq!(after.seen(), &seen);
}
