//! Trust roots: pinning, rotation, and what must not be pinned.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::error::SealError as E;
use crate::open::open;
use crate::policy::OpenPolicy;
use crate::sign::{SecretKey, Signer, SnapshotStatementDraft, cosign, seal_trust};
use crate::statement::Floor;
use crate::testing::*;

#[test]
fn a_good_note_pins() {
    let world = World::new();
    let trust = world.trust();
    assert_eq!((trust.version(), trust.epoch()), (1, 3));
    assert_eq!(trust.floor("production"), (3, 100));
    assert_eq!(trust.floor("staging"), (0, 0));
    assert_eq!(trust.digest(), trust.statement().digest());
    assert_eq!(trust.role(&release("production")).unwrap().threshold, 2);
    assert_eq!(trust.statement().roles.len(), 4);
}

#[test]
fn the_threshold_holds_for_the_root_itself() {
    let world = World::new();
    let one = seal_trust(&world.trust_draft(), &[&world.roots[0]]).unwrap();
    assert_eq!(TrustRoot::pin(&one, NOW), Err(E::Threshold { needed: 2, found: 1 }));
    assert!(TrustRoot::pin(&cosign(&one, &world.roots[2]).unwrap(), NOW).is_ok());
    // A release key is known, but does not hold the role.
    assert_eq!(TrustRoot::pin(&cosign(&one, &world.ana).unwrap(), NOW), Err(E::WrongRole));
}

#[test]
fn roles_that_cannot_be_met_are_refused() {
    let world = World::new();
    let signers: [&dyn Signer; 2] = [&world.roots[0], &world.roots[1]];
    let refuse = |change: &dyn Fn(&mut TrustStatement)| {
        let mut draft = world.trust_draft();
        change(&mut draft);
        seal_trust(&draft, &signers).unwrap_err().code()
    };
    assert_eq!(refuse(&|draft| draft.roles[1].threshold = 0), "bad-role");
    assert_eq!(refuse(&|draft| draft.roles[1].threshold = 3), "bad-role");
    assert_eq!(refuse(&|draft| drop(draft.roles.remove(0))), "bad-role");
    assert_eq!(refuse(&|draft| draft.revoked_keys.push(world.ben.verifying_key())), "bad-role");
    let alias = key("alias", 10).verifying_key();
    assert_eq!(refuse(&|draft| draft.roles[1].keys[1] = alias.clone()), "bad-role");
    // One key, two powers.
    let release_key = world.ana.verifying_key();
    assert_eq!(refuse(&|draft| draft.roles[3].keys.push(release_key.clone())), "shared-key");
    assert_eq!(refuse(&|draft| draft.roles[0].keys.push(release_key.clone())), "shared-key");
    // The same release key in two environments is one kind of power.
    let mut draft = world.trust_draft();
    draft.roles[2].keys.push(release_key.clone());
    assert!(seal_trust(&draft, &signers).is_ok());
    // A floor above the epoch would shut everything out.
    assert_eq!(refuse(&|draft| draft.floors[0].epoch = 4), "bad-draft");
    // A reader refuses all that from signers who do not check.
    let good = world.trust_note(&world.trust_draft());
    for (from, to, code) in [
        ("role release:production 2", "role release:production 0", "bad-role"),
        ("role release:production 2", "role release:production 3", "bad-role"),
        ("role release:production 2", "role release:production 02", "bad-statement"),
        ("role release:production 2", "role root 2", "bad-statement"),
        ("role release:production 2", "role judge:production 2", "bad-statement"),
        ("role root 2", "role root 0", "bad-role"),
        ("floor production 3 100", "floor production 4 100", "bad-statement"),
        ("flagstone/trust@v1", "flagstone/snapshot@v1", "wrong-kind"),
    ] {
        let forged = forge(&good, from, to, &[&world.roots[0], &world.roots[1]]);
        assert_eq!(TrustRoot::pin(&forged, NOW).unwrap_err().code(), code, "{to}");
    }
}

/// The text of a key anybody can sign with: the identity point, and a point of order four.
fn weak_keys() -> Vec<String> {
    let mut identity = [0; 32];
    identity[0] = 1;
    [identity, [0; 32]]
        .iter()
        .map(|public| {
            let mut text = String::new();
            crate::key::push_key(&mut text, "weak", crate::key::key_id("weak", public), public);
            text
        })
        .collect()
}

#[test]
fn weak_keys_are_refused_wherever_they_stand() {
    let world = World::new();
    let good = world.trust_note(&world.trust_draft());
    for weak in weak_keys() {
        assert_eq!(VerifierKey::parse(&weak), Err(E::WeakKey));
        for line in ["role root 2", "role release:staging 1", "role pulse:production 1"] {
            let to = alloc::format!("{line} {weak}");
            let forged = forge(&good, line, &to, &[&world.roots[0], &world.roots[1]]);
            assert_eq!(TrustRoot::pin(&forged, NOW), Err(E::WeakKey), "{line}");
            // Neither by way of rotation, though the old root keys agree.
            let forged = forge(&forged, "version 1", "version 2", &[&world.roots[0], &world.roots[1]]);
            assert_eq!(world.trust().advance(&forged, NOW), Err(E::WeakKey), "{line}");
        }
    }
}

#[test]
fn two_keys_behind_one_name_and_id_are_ambiguous() {
    let world = World::new();
    let draft = world.trust_draft();
    let (role, key) = (&draft.roles[0], &draft.roles[0].keys[0]);
    let twin = VerifierKey::collide(key, *draft.roles[0].keys[1].public());
    assert_eq!(check_pair(role, key, role, &twin), Err(E::AmbiguousKey));
    assert_eq!(check_pair(role, key, role, key), Ok(()));
}

/// The next trust statement: version + 1, with a fresh set of root keys.
fn next(draft: &TrustStatement, roots: &[&SecretKey]) -> TrustStatement {
    let mut next = draft.clone();
    next.version += 1;
    next.roles[0] = role(RoleKind::Root, 2, roots);
    next
}

#[test]
fn rotation_needs_the_old_and_the_new_keys() {
    let world = World::new();
    let trust = world.trust();
    let [a, b, _] = &world.roots;
    let (x, y) = (key("root-4", 4), key("root-5", 5));
    let draft = next(&world.trust_draft(), &[&x, &y]);
    let by = |signers: &[&dyn Signer]| trust.advance(&seal_trust(&draft, signers).unwrap(), NOW);
    let moved = by(&[a, b, &x, &y]).unwrap();
    assert_eq!(moved.version(), 2);
    assert_eq!(by(&[&x, &y]), Err(E::Threshold { needed: 2, found: 0 }));
    assert_eq!(by(&[a, &x, &y]), Err(E::Threshold { needed: 2, found: 1 }));
    assert_eq!(by(&[a, b, &x]), Err(E::Threshold { needed: 2, found: 1 }));
    assert_eq!(by(&[a, b]), Err(E::Threshold { needed: 2, found: 0 }));
    // Additive: each holder in turn.
    let note = seal_trust(&draft, &[a]).unwrap();
    let note = cosign(&cosign(&cosign(&note, b).unwrap(), &x).unwrap(), &y).unwrap();
    assert_eq!(trust.advance(&note, NOW), Ok(moved.clone()));
    // The old keys have no say any more.
    let again = next(&draft, &[a, b]);
    let note = seal_trust(&again, &[a, b]).unwrap();
    assert_eq!(moved.advance(&note, NOW), Err(E::Threshold { needed: 2, found: 0 }));
}

#[test]
fn versions_rise_by_one_and_epochs_do_not_fall() {
    let world = World::new();
    let trust = world.trust();
    let step = |version, epoch| {
        let mut draft = world.trust_draft();
        (draft.version, draft.epoch) = (version, epoch);
        draft.floors = vec![];
        trust.advance(&world.trust_note(&draft), NOW).map_or_else(|error| error.code(), |_| "moved")
    };
    assert_eq!(step(2, 3), "moved");
    assert_eq!(step(2, 4), "moved");
    assert_eq!(step(2, 2), "trust-epoch");
    assert_eq!(step(1, 3), "trust-version");
    assert_eq!(step(0, 3), "trust-version");
    assert_eq!(step(3, 3), "trust-version");
}

#[test]
fn a_revoked_root_key_has_no_say() {
    let world = World::new();
    let [a, b, c] = &world.roots;
    let mut draft = world.trust_draft();
    draft.revoked_keys = vec![a.verifying_key()];
    let trust = TrustRoot::pin(&seal_trust(&draft, &[b, c]).unwrap(), NOW).unwrap();
    assert_eq!(TrustRoot::pin(&seal_trust(&draft, &[a, b]).unwrap(), NOW), Err(E::RevokedKey));
    draft.version = 2;
    assert_eq!(trust.advance(&seal_trust(&draft, &[a, b]).unwrap(), NOW), Err(E::RevokedKey));
    assert!(trust.advance(&seal_trust(&draft, &[b, c]).unwrap(), NOW).is_ok());
}

#[test]
fn a_revoked_next_statement_is_refused() {
    let world = World::new();
    let mut draft = world.trust_draft();
    draft.version = 2;
    let note = world.trust_note(&draft);
    let mut first = world.trust_draft();
    assert!(world.pin(&first).advance(&note, NOW).is_ok());
    first.revoked_statements = vec![draft.digest()];
    assert_eq!(world.pin(&first).advance(&note, NOW), Err(E::RevokedStatement));
}

#[test]
fn asleep_for_forty_rotations() {
    let world = World::new();
    let start = world.trust();
    let (a, b) = (world.roots[0].clone(), world.roots[1].clone());
    let mut pair = (a, b);
    let mut draft = world.trust_draft();
    let mut notes = Vec::new();
    for step in 0..40u8 {
        let fresh = (key("even", 100 + step), key("odd", 200 - step));
        draft = next(&draft, &[&fresh.0, &fresh.1]);
        // Each lives for ten days only: on the way to the newest, expired ones are no obstacle.
        draft.issued = NOW - (400 - u64::from(step) * 10) * DAY;
        draft.expires = draft.issued + 20 * DAY;
        notes.push(seal_trust(&draft, &[&pair.0, &pair.1, &fresh.0, &fresh.1]).unwrap());
        pair = fresh;
    }
    let end = start.advance_all(notes.iter().map(Vec::as_slice), NOW).unwrap();
    assert_eq!(end.version(), 41);
    // A gap, a step backwards.
    let gap = notes.iter().skip(1).map(Vec::as_slice);
    assert_eq!(start.advance_all(gap, NOW).unwrap_err().code(), "threshold");
    let twice = [notes[0].as_slice(), notes[0].as_slice()];
    assert!(start.advance_all(twice, NOW).is_err());
    // An endless chain ends at the limit.
    let mut draft = world.trust_draft();
    let mut endless = Vec::new();
    for _ in 0..=limits::MAX_TRUST_STEPS {
        draft.version += 1;
        endless.push(world.trust_note(&draft));
    }
    let chain = |count| start.advance_all(endless.iter().take(count).map(Vec::as_slice), NOW);
    assert_eq!(chain(limits::MAX_TRUST_STEPS).unwrap().version(), 1_025);
    assert_eq!(chain(limits::MAX_TRUST_STEPS + 1), Err(E::TooManySteps));
}

#[test]
fn lifetime_is_capped() {
    let world = World::new();
    let mut draft = world.trust_draft();
    draft.expires = draft.issued + limits::MAX_TRUST_LIFETIME;
    let note = world.trust_note(&draft);
    assert!(TrustRoot::pin(&note, NOW).is_ok());
    let from = alloc::format!("expires {}", draft.expires);
    let to = alloc::format!("expires {}", draft.expires + 1);
    let forged = forge(&note, &from, &to, &[&world.roots[0], &world.roots[1]]);
    assert_eq!(TrustRoot::pin(&forged, NOW), Err(E::BadLifetime));
    assert_eq!(TrustRoot::pin(&note, draft.issued - 301).unwrap_err().code(), "issued-in-future");
    assert!(TrustRoot::pin(&note, draft.issued - 300).is_ok());
    assert!(
        TrustRoot::pin(&note, draft.expires + DAY).is_ok(),
        "an expired one may be the way to a newer one"
    );
}

#[test]
fn a_new_epoch_recovers_from_a_fast_forward() {
    let world = World::new();
    let trust = world.trust();
    let numbered = |epoch, sequence| {
        world.file(&SnapshotStatementDraft { epoch, sequence, ..snapshot_draft() }, b"payload")
    };
    // Stolen keys sign the highest number there is; honest ones cannot go on.
    let stolen = open(&numbered(3, 9_999_999_999_999_999_999), &trust, &policy()).unwrap().mark;
    let stuck = OpenPolicy { mark: Some(stolen), ..policy() };
    assert_eq!(open(&numbered(3, 1_843), &trust, &stuck), Err(E::Rollback));
    let mut draft = world.trust_draft();
    (draft.version, draft.epoch) = (2, 4);
    draft.floors = vec![Floor { environment: "production".into(), epoch: 4, sequence: 1 }];
    let trust = trust.advance(&world.trust_note(&draft), NOW).unwrap();
    let recovered = open(&numbered(4, 1), &trust, &stuck).unwrap().mark;
    assert!(recovered > stolen);
    // The thief's file is out for everybody, remembered or not.
    assert_eq!(open(&numbered(3, 9_999_999_999_999_999_999), &trust, &policy()), Err(E::BelowFloor));
}
