//! What is refused, and that the last good one stays.

use flagstone::{Flags, Mark, Refusal, State, Unit};
use flagstone_seal::{PulseStatement, Role, RoleKind, SecretKey, Signer, TrustDraft, seal_pulse, seal_trust};
use flagstone_snapshot::{Draft, DraftCanary, DraftFlag, DraftVariant, FlagKind, Json, encode};

use crate::world::{NOW, flags, sealed, settings, world};
use host_tests::fixture::{AUDIENCE, ENVIRONMENT};

fn word(flags: &Flags) -> Option<String> {
    let mut unit = Unit::json("{}");
    flags.decide(&mut unit, "word", NOW).text().map(Into::into)
}

#[test]
fn before_the_first_file_every_answer_is_the_callers_own() {
    let flags = flags();
    let answer = flags.decide(&mut Unit::json("{}"), "word", NOW);
    assert_eq!((answer.error_code(), answer.value()), (Some("PROVIDER_NOT_READY"), None));
    assert_eq!(flags.state(NOW), State::Empty);
}

#[test]
fn a_bad_file_is_refused_and_the_last_good_one_stays() {
    let flags = flags();
    flags.offer(sealed("first", 2), NOW).unwrap();
    let mut forged = sealed("second", 3);
    *forged.last_mut().unwrap() ^= 1;
    let bad: [(Vec<u8>, &str); 4] = [
        (forged, "payload-digest"),
        (sealed("older", 1), "rollback"),
        (sealed("another", 2), "equivocation"),
        (world().seal(b"no snapshot", 4).unwrap(), "magic"),
    ];
    for (file, code) in bad {
        let refusal = flags.offer(file, NOW).unwrap_err();
        assert!(refusal.code().contains(code), "{} instead of {code}", refusal.code());
        assert_eq!(word(&flags).as_deref(), Some("first"));
    }
    assert_eq!(flags.offer(sealed("late", 3), NOW + 15 * 86_400).unwrap_err().code(), "expired");
    flags.offer(sealed("third", 3), NOW).unwrap();
    assert_eq!(word(&flags).as_deref(), Some("third"));
}

#[test]
fn a_wrong_canary_keeps_a_file_out() {
    let mut draft = Draft {
        flags: vec![DraftFlag {
            variants: vec![DraftVariant { name: "on".into(), value: Json::Bool(true) }],
            ..DraftFlag::new("word", FlagKind::Boolean)
        }],
        ..Draft::default()
    };
    draft.environment = ENVIRONMENT.into();
    draft.canaries.push(DraftCanary {
        flag: "word".into(),
        context: Json::Object(Vec::new()),
        at: 0,
        variant: Some("on".into()),
    });
    let flags = flags();
    flags.offer(sealed("first", 1), NOW).unwrap();
    let refusal = flags.offer(world().seal(&encode(&draft).unwrap(), 2).unwrap(), NOW).unwrap_err();
    assert!(matches!(refusal, Refusal::Canary { position: 0, .. }), "{refusal}");
    assert_eq!(word(&flags).as_deref(), Some("first"));
    assert_eq!(flags.memory().mark.map(|mark| mark.sequence), Some(1));
}

#[test]
fn nothing_older_is_accepted_by_the_next_process() {
    let before = flags();
    let mark = before.offer(sealed("first", 5), NOW).unwrap();
    let pulse = world().pulse(9, mark, &[], &[]).unwrap();
    before.pulse(&pulse, NOW).unwrap();

    let after = Flags::pin(&world().trust, settings().remembering(before.memory()), NOW).unwrap();
    assert_eq!(after.offer(sealed("older", 4), NOW).unwrap_err().code(), "rollback");
    let lower = world().pulse(8, mark, &[], &[]).unwrap();
    assert_eq!(after.pulse(&lower, NOW).unwrap_err().code(), "rollback");
    // A clock that was wound back does not run behind what was accepted.
    assert!(after.restore(sealed("first", 5), NOW - 86_400).is_ok());
    assert!(after.now() >= NOW);
}

#[test]
fn an_old_file_is_restored_as_expired() {
    let flags = flags();
    let late = NOW + 20 * 86_400;
    flags.restore(sealed("first", 1), late).unwrap();
    assert_eq!(flags.state(late), State::Expired);
    assert_eq!(word(&flags).as_deref(), Some("first"));
}

#[test]
fn pulses_move_the_state_and_may_halt_any_snapshot() {
    let flags = flags();
    let first = flags.offer(sealed("first", 1), NOW).unwrap();
    assert_eq!(flags.state(NOW), State::Stale);
    assert!(flags.pulse(&world().pulse(1, first, &[], &[]).unwrap(), NOW).unwrap().in_force);
    assert_eq!((flags.state(NOW), flags.state(NOW + 300)), (State::Fresh, State::Stale));

    // One about another snapshot keeps this one's lease, and counts as soon as that one is there.
    let next = sealed("second", 2);
    let second = {
        let other = crate::world::flags();
        other.offer(next.clone(), NOW).unwrap()
    };
    let pulsed = flags.pulse(&pulse_of(2, second, 200), NOW).unwrap();
    assert!(!pulsed.in_force);
    assert_eq!(flags.state(NOW + 299), State::Fresh);
    flags.offer(next, NOW).unwrap();
    assert_eq!((flags.state(NOW + 199), flags.state(NOW + 200)), (State::Fresh, State::Stale));

    let forged = flagged(&world().pulse(3, second, &[], &[]).unwrap());
    assert!(flags.pulse(&forged, NOW).is_err());
    assert_eq!(flags.state(NOW + 199), State::Fresh);

    let files_only = Flags::pin(&world().trust, settings().without_pulses(), NOW).unwrap();
    files_only.offer(sealed("first", 1), NOW).unwrap();
    assert_eq!(files_only.state(NOW), State::Fresh);
}

/// A pulse with a lease of its own length, seconds.
fn pulse_of(number: u64, snapshot: Mark, lease: u64) -> Vec<u8> {
    let statement = PulseStatement {
        audience: AUDIENCE.into(),
        environment: ENVIRONMENT.into(),
        number,
        issued: NOW,
        expires: NOW + lease,
        snapshot,
        stages: Vec::new(),
        halts: Vec::new(),
    };
    seal_pulse(&statement, &world().pulse).unwrap()
}

/// A note with one bit of its text changed.
fn flagged(note: &[u8]) -> Vec<u8> {
    let mut note = note.to_vec();
    note[70] ^= 1;
    note
}

#[test]
fn the_trust_root_moves_on_and_takes_its_belief_along() {
    let world = world();
    let flags = flags();
    let first = flags.offer(sealed("first", 1), NOW).unwrap();
    flags.pulse(&world.pulse(1, first, &[], &[]).unwrap(), NOW).unwrap();

    // Version 2 takes the release role from the key that signed what is in force.
    let release = SecretKey::from_seed("flagstone.example/release-2", [9; 32]).unwrap();
    let role = |kind, key: &SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
    let next = TrustDraft {
        version: 2,
        epoch: 1,
        issued: NOW,
        expires: NOW + 300 * 86_400,
        roles: vec![
            role(RoleKind::Root, &world.root),
            role(RoleKind::Release(ENVIRONMENT.into()), &release),
            role(RoleKind::Pulse(ENVIRONMENT.into()), &world.pulse),
        ],
        floors: Vec::new(),
        revoked_keys: Vec::new(),
        revoked_statements: Vec::new(),
    };
    let note = seal_trust(&next, &[&world.root as &dyn Signer]).unwrap();
    assert!(flags.advance(&note, NOW).unwrap());
    assert!(!flags.advance(&note, NOW).unwrap(), "the same note is no news");
    assert_eq!(flags.trust_version(), 2);

    // It stays, but its lease runs out: no pulse extends it.
    assert_eq!(word(&flags).as_deref(), Some("first"));
    let later = host_tests::fixture::World::new(NOW + 100).unwrap();
    flags.pulse(&later.pulse(2, first, &[], &[]).unwrap(), NOW + 100).unwrap();
    assert_eq!((flags.state(NOW + 299), flags.state(NOW + 300)), (State::Fresh, State::Stale));
    assert!(flags.offer(sealed("second", 2), NOW + 100).is_err(), "the old key releases nothing any more");

    // The next process begins where this one was.
    let after = Flags::pin(&world.trust, settings().remembering(flags.memory()), NOW).unwrap();
    assert_eq!(after.trust_version(), 2);
}
