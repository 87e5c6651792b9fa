//! What the signing side refuses, so that no reader has to.

use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};

use super::*;
use crate::error::SealError;
use crate::inspect::inspect;
use crate::limits;
use crate::statement::Statement;
use crate::testing::*;

#[test]
fn secret_keys_have_a_text_and_do_not_show_it() {
    let key = key("acme.example/ana", 10);
    let text = key.to_text();
    assert!(text.starts_with("PRIVATE+KEY+acme.example/ana+"));
    let read = SecretKey::from_text(&text).unwrap();
    assert_eq!(read.to_text(), text);
    assert_eq!(read.verifying_key(), key.verifying_key());
    let secret = text.rsplit('+').next().unwrap();
    assert!(!format!("{key:?}").contains(secret));
    assert!(format!("{key:?}").contains("acme.example/ana"));
    let public = key.verifying_key().to_text();
    for bad in [&text[1..], &text[..text.len() - 1], &public, &text.replacen("ana", "ben", 1), ""] {
        assert_eq!(SecretKey::from_text(bad).unwrap_err(), SealError::BadKey);
    }
    // The example of Go's sumdb/note documentation: a key of another implementation.
    let go = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
    let key = SecretKey::from_text(go).unwrap();
    assert_eq!(key.to_text(), go);
    assert_eq!(
        key.verifying_key().to_text(),
        "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    );
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let world = World::new();
    assert_eq!(world.file(&snapshot_draft(), b"x"), world.file(&snapshot_draft(), b"x"));
    assert_ne!(world.file(&snapshot_draft(), b"x"), world.file(&snapshot_draft(), b"y"));
}

#[test]
fn what_cannot_be_written_is_not_signed() {
    let world = World::new();
    let line = |change: &dyn Fn(&mut SnapshotStatementDraft)| {
        let mut draft = snapshot_draft();
        change(&mut draft);
        seal_snapshot(&draft, b"x", &[&world.ana]).unwrap_err()
    };
    assert_eq!(line(&|draft| draft.audience = "a b".into()), SignError::BadDraft { line: 2 });
    assert_eq!(line(&|draft| draft.audience = "a\nenvironment b".into()), SignError::BadDraft { line: 4 });
    assert_eq!(line(&|draft| draft.environment = String::new()), SignError::BadDraft { line: 3 });
    assert_eq!(line(&|draft| draft.sequence = u64::MAX), SignError::BadDraft { line: 5 });
    assert_eq!(line(&|draft| draft.payload_type = "é".into()), SignError::BadDraft { line: 9 });
    assert_eq!(line(&|draft| draft.expires = draft.issued).code(), "bad-lifetime");
    let mut pulse = pulse_draft();
    pulse.halts = vec!["a\nhalt b".into(), "c".into()];
    // A line end in a field would be another line: the text reads well, but does not say what was meant.
    assert_eq!(seal_pulse(&pulse, &world.governor), Err(SignError::BadDraft { line: 0 }));
    pulse.halts = vec!["a\u{85}".into()];
    assert_eq!(seal_pulse(&pulse, &world.governor).unwrap_err().code(), "bad-draft");
}

#[test]
fn signers_are_checked() {
    struct Broken(SecretKey, Option<[u8; 64]>);
    impl Signer for Broken {
        fn verifier_key(&self) -> VerifierKey {
            self.0.verifying_key()
        }
        fn sign(&self, _: &[u8]) -> Result<[u8; 64], SignError> {
            self.1.ok_or(SignError::Signer { reason: "no connection".into() })
        }
    }
    let world = World::new();
    let seal = |signers: &[&dyn Signer]| seal_snapshot(&snapshot_draft(), b"x", signers).unwrap_err();
    assert_eq!(seal(&[]), SignError::NoSigners);
    assert_eq!(
        seal(&[&world.ana, &world.ana]),
        SignError::AlreadySigned { signer: "acme.example/release-ana".into() }
    );
    assert_eq!(seal(&[&world.ana, &key("alias", 10)]), SignError::AlreadySigned { signer: "alias".into() });
    assert_eq!(seal(&[&Broken(key("broken", 5), None)]).code(), "signer");
    assert_eq!(seal(&[&Broken(key("broken", 5), Some([3; 64]))]).code(), "wrong-signature");
    let many: Vec<SecretKey> = (0..17).map(|seed| key("many", seed)).collect();
    let many: Vec<&dyn Signer> = many.iter().map(|key| key as &dyn Signer).collect();
    assert_eq!(seal(&many).code(), "too-many-signatures");
    assert!(seal_snapshot(&snapshot_draft(), b"x", &many[..16]).is_ok());
}

#[test]
fn cosigning_adds_one_line_and_changes_nothing_else() {
    let world = World::new();
    let file = world.file_by(&snapshot_draft(), b"payload", &[&world.ana]);
    let twice = cosign(&file, &world.ana).unwrap_err();
    assert_eq!(twice, SignError::AlreadySigned { signer: "acme.example/release-ana".into() });
    let mut all = file.clone();
    for seed in 0..15 {
        all = cosign(&all, &key("many", seed)).unwrap();
    }
    let claim = inspect(&all, u64::MAX).unwrap();
    assert_eq!(claim.note.signatures().len(), limits::MAX_SIGNATURES);
    assert_eq!(claim.payload, Some(&b"payload"[..]));
    assert_eq!(claim.statement, inspect(&file, u64::MAX).unwrap().statement);
    assert_eq!(cosign(&all, &key("one-more", 90)).unwrap_err().code(), "too-many-signatures");
    // Nobody is made to sign for bytes that the statement does not name.
    let mut other = file;
    *other.last_mut().unwrap() ^= 1;
    assert_eq!(cosign(&other, &world.ben).unwrap_err().code(), "payload-digest");
    assert_eq!(cosign(b"any text\n\n", &world.ben).unwrap_err().code(), "bad-note");
}

#[test]
fn a_note_too_long_for_its_kind_is_not_made() {
    let world = World::new();
    let mut pulse = pulse_draft();
    pulse.halts = (0..2_000).map(|at| format!("{at:0200}")).collect();
    assert_eq!(seal_pulse(&pulse, &world.governor).unwrap_err().code(), "note-too-long");
    pulse.halts.truncate(1_200);
    assert!(seal_pulse(&pulse, &world.governor).is_ok());
}

#[test]
fn claims_are_read_without_keys() {
    let world = World::new();
    let file = world.file(&snapshot_draft(), b"payload");
    let claim = inspect(&file, 7).unwrap();
    assert!(matches!(&claim.statement, Statement::Snapshot(snapshot) if snapshot.sequence == 1_842));
    assert_eq!(claim.note.signatures()[1].name, "acme.example/release-ben");
    assert_eq!(inspect(&file, 6).unwrap_err().code(), "payload-too-long");
    let note = world.pulse_note(&pulse_draft());
    assert_eq!(inspect(&note, 0).unwrap().statement, Statement::Pulse(pulse_draft()));
    let note = world.trust_note(&world.trust_draft());
    assert!(matches!(inspect(&note, 0).unwrap().statement, Statement::Trust(trust) if trust.version == 1));
    // A snapshot's note alone is no file.
    let frame = crate::frame::split(&file, u64::MAX).unwrap();
    assert_eq!(inspect(frame.note, 0).unwrap_err().code(), "bad-magic");
}
