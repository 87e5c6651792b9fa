//! Pulses: their role, number, time and what they name.

use alloc::vec;

use super::*;
use crate::PulseStage;
use crate::error::SealError as E;
use crate::limits;
use crate::policy::Mark;
use crate::sign::{cosign, seal_pulse};
use crate::testing::*;

#[test]
fn a_good_pulse_opens() {
    let world = World::new();
    let pulse = open_pulse(&world.pulse_note(&pulse_draft()), &world.trust(), &pulse_policy()).unwrap();
    assert_eq!(pulse, pulse_draft());
    assert_eq!(pulse.stage("answer style"), Some(2));
    assert_eq!(pulse.stage("unknown"), None);
    assert!(pulse.halted("retrieval") && !pulse.halted("answer style"));
    // As many as a few hundred bytes.
    assert!(world.pulse_note(&pulse_draft()).len() < 450);
}

#[test]
fn lines_are_sorted_when_sealed_and_do_not_repeat() {
    let world = World::new();
    let mut draft = pulse_draft();
    draft.stages.reverse();
    assert_eq!(world.pulse_note(&draft), world.pulse_note(&pulse_draft()));
    draft.stages.push(PulseStage { flag: "retrieval".into(), stage: 1, since: 0 });
    assert_eq!(seal_pulse(&draft, &world.governor).unwrap_err().code(), "bad-draft");
    let good = world.pulse_note(&pulse_draft());
    for (from, to) in [
        ("stage 0 0 retrieval\n", "stage 0 0 retrieval\nstage 1 0 retrieval\n"),
        ("stage 0 0 retrieval\n", "stage 0 0 a\n"),
        ("stage 0 0 retrieval", "stage 256 0 retrieval"),
        ("stage 0 0 retrieval", "stage 0 retrieval"),
        ("stage 0 0 retrieval", "stage 0 -1 retrieval"),
        ("stage 0 0 retrieval", "stage retrieval 0 0"),
        ("halt retrieval\n", "halt retrieval\nhalt retrieval\n"),
        ("halt retrieval\n", "halt retrieval\nstage 1 0 zebra\n"),
        ("halt retrieval\n", "halt \n"),
        ("halt retrieval\n", "value retrieval true\n"),
    ] {
        let forged = forge(&good, from, to, &[&world.governor]);
        let result = open_pulse(&forged, &world.trust(), &pulse_policy());
        assert_eq!(result.unwrap_err().code(), "bad-statement", "{to}");
    }
}

#[test]
fn only_the_pulse_role_of_the_environment_signs() {
    let world = World::new();
    let trust = world.trust();
    for signer in [&world.ana, &world.staging, &world.roots[0]] {
        let note = seal_pulse(&pulse_draft(), signer).unwrap();
        assert_eq!(open_pulse(&note, &trust, &pulse_policy()), Err(E::WrongRole));
    }
    let note = seal_pulse(&pulse_draft(), &key("stranger", 77)).unwrap();
    assert_eq!(open_pulse(&note, &trust, &pulse_policy()), Err(E::Threshold { needed: 1, found: 0 }));
    let staging = PulsePolicy { environment: "staging", ..pulse_policy() };
    let note = world.pulse_note(&pulse_draft());
    assert_eq!(open_pulse(&note, &trust, &staging), Err(E::NoRole));
    // A pulse key cannot make a snapshot, and a snapshot is no pulse even if a pulse key signs it.
    let file = world.file_by(&snapshot_draft(), b"x", &[&world.ana, &world.governor]);
    let as_pulse = crate::frame::split(&file, u64::MAX).unwrap().note;
    assert_eq!(open_pulse(as_pulse, &trust, &pulse_policy()), Err(E::WrongKind));
}

#[test]
fn places_and_numbers_are_checked() {
    let world = World::new();
    let trust = world.trust();
    let note = world.pulse_note(&pulse_draft());
    let browser = PulsePolicy { audience: "acme.example/assistant#browser", ..pulse_policy() };
    assert_eq!(open_pulse(&note, &trust, &browser).unwrap_err().code(), "wrong-audience");
    let moved = forge(&note, "environment production", "environment staging", &[&world.governor]);
    assert_eq!(open_pulse(&moved, &trust, &pulse_policy()).unwrap_err().code(), "wrong-environment");
    for (last, opens) in [(None, true), (Some(41), true), (Some(42), true), (Some(43), false)] {
        let policy = PulsePolicy { last_number: last, ..pulse_policy() };
        assert_eq!(open_pulse(&note, &trust, &policy).is_ok(), opens, "{last:?}");
    }
    let named = |epoch, sequence| {
        let draft = PulseStatement { snapshot: Mark { epoch, sequence, digest: [9; 32] }, ..pulse_draft() };
        open_pulse(&world.pulse_note(&draft), &trust, &pulse_policy()).map_err(|error| error.code())
    };
    assert_eq!(named(3, 99), Err("below-floor"));
    assert_eq!(named(4, 1), Err("epoch-ahead"));
    assert!(named(3, 100).is_ok());
}

#[test]
fn time_is_checked() {
    let world = World::new();
    let trust = world.trust();
    let at = |issued: u64, expires: u64| {
        let draft = PulseStatement { issued, expires, ..pulse_draft() };
        open_pulse(&world.pulse_note(&draft), &trust, &pulse_policy()).map_or_else(|e| e.code(), |_| "opened")
    };
    assert_eq!(at(NOW - 299, NOW + 1), "opened");
    assert_eq!(at(NOW - 300, NOW), "expired");
    assert_eq!(at(NOW + 300, NOW + 600), "opened");
    assert_eq!(at(NOW + 301, NOW + 600), "issued-in-future");
    assert_eq!(at(NOW, NOW + limits::MAX_PULSE_LIFETIME), "opened");
    let good = world.pulse_note(&pulse_draft());
    let forever = alloc::format!("expires {}", NOW - 5 + limits::MAX_PULSE_LIFETIME + 1);
    let forged = forge(&good, &alloc::format!("expires {}", NOW + 295), &forever, &[&world.governor]);
    assert_eq!(open_pulse(&forged, &trust, &pulse_policy()), Err(E::BadLifetime));
}

#[test]
fn revoked_snapshots_cannot_be_current() {
    let world = World::new();
    let mut draft = world.trust_draft();
    draft.revoked_statements = vec![[9; 32]];
    let note = world.pulse_note(&pulse_draft());
    assert_eq!(open_pulse(&note, &world.pin(&draft), &pulse_policy()), Err(E::RevokedStatement));
    draft.revoked_statements = vec![pulse_draft().digest()];
    assert_eq!(open_pulse(&note, &world.pin(&draft), &pulse_policy()), Err(E::RevokedStatement));
    draft.revoked_statements = vec![[8; 32]];
    assert!(open_pulse(&note, &world.pin(&draft), &pulse_policy()).is_ok());
}

#[test]
fn two_governors_may_both_sign() {
    let world = World::new();
    let second = key("acme.example/pulse-2", 21);
    let mut draft = world.trust_draft();
    draft.roles[3] = role(pulse_role("production"), 2, &[&world.governor, &second]);
    let trust = world.pin(&draft);
    let note = world.pulse_note(&pulse_draft());
    assert_eq!(open_pulse(&note, &trust, &pulse_policy()), Err(E::Threshold { needed: 2, found: 1 }));
    assert!(open_pulse(&cosign(&note, &second).unwrap(), &trust, &pulse_policy()).is_ok());
}
