//! Tests of what is passed round: proposals, tallies, and the explanation of an opening.

use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::open::open;
use crate::policy::{Mark, OpenPolicy};
use crate::statement::{Role, RoleKind};
use crate::testing::*;
use crate::trust::TrustRoot;

/// The next statement: a fresh pair of root keys takes over.
fn proposed(world: &World, roots: &[&SecretKey]) -> Proposal {
    let mut draft = world.trust_draft();
    draft.version = 2;
    draft.roles[0] = role(RoleKind::Root, 2, roots);
    // Not sorted: proposing sorts.
    draft.roles.reverse();
    Proposal::new(&draft).unwrap()
}

#[test]
fn a_proposal_becomes_the_next_trust_note_signature_by_signature() {
    let world = World::new();
    let trust = world.trust();
    let (x, y) = (key("root-4", 4), key("root-5", 5));
    let mut proposal = proposed(&world, &[&x, &y]);
    let unsigned = proposal.to_bytes();
    assert!(TrustRoot::pin(&unsigned, NOW).is_err(), "readers refuse an unsigned note");
    assert_eq!(Proposal::parse(&unsigned).unwrap(), proposal);
    let old = proposal.tally(trust.statement()).unwrap();
    assert_eq!((old.needed, old.signed.len(), old.missing.len(), old.is_met()), (2, 0, 3, false));
    let signers: [&SecretKey; 4] = [&world.roots[0], &x, &world.roots[2], &y];
    for (count, signer) in signers.into_iter().enumerate() {
        assert!(trust.advance(&proposal.to_bytes(), NOW).is_err(), "after {count}");
        let mut passed = Proposal::parse(&proposal.to_bytes()).unwrap();
        passed.sign(signer).unwrap();
        assert_eq!(passed.sign(signer).unwrap_err().code(), "already-signed");
        proposal = Proposal::parse(&passed.to_bytes()).unwrap();
        let (old, new) =
            (proposal.tally(trust.statement()).unwrap(), proposal.tally(proposal.statement()).unwrap());
        let moved = trust.advance(&proposal.to_bytes(), NOW).is_ok();
        assert_eq!(old.is_met() && new.is_met(), moved, "the tally says what a reader says");
    }
    assert_eq!(trust.advance(&proposal.to_bytes(), NOW).unwrap().version(), 2);
    let old = proposal.tally(trust.statement()).unwrap();
    let names = |keys: &[crate::VerifierKey]| {
        keys.iter().map(|key| alloc::string::String::from(key.name())).collect::<Vec<_>>()
    };
    assert_eq!(names(&old.signed), ["root-1", "root-3"]);
    assert_eq!(names(&old.missing), ["root-2"]);
    assert_eq!(old.others, ["root-4", "root-5"]);
}

#[test]
fn what_readers_would_refuse_cannot_be_proposed_or_passed_on() {
    let world = World::new();
    let mut draft = world.trust_draft();
    draft.roles[1].threshold = 3;
    assert_eq!(Proposal::new(&draft).unwrap_err().code(), "bad-role");
    let mut draft = world.trust_draft();
    draft.expires = draft.issued;
    assert_eq!(Proposal::new(&draft).unwrap_err().code(), "bad-lifetime");
    let text = world.trust_draft().to_text();
    for (bytes, code) in [
        (alloc::format!("{text}\n").replace("role root 2", "role root 4"), "bad-role"),
        (alloc::format!("{text}\n").replace("version 1", "version 01"), "bad-draft"),
        (text.clone(), "bad-note"),
        (alloc::format!("{text}\n\n"), "bad-draft"),
        (alloc::format!("{text}\nnothing\n"), "bad-signature-line"),
        ("\n\n".into(), "wrong-kind"),
    ] {
        assert_eq!(Proposal::parse(bytes.as_bytes()).unwrap_err().code(), code, "{bytes}");
    }
    // A finished note is a proposal with all its signatures, and stays what it was byte for byte.
    let note = world.trust_note(&world.trust_draft());
    assert_eq!(Proposal::parse(&note).unwrap().to_bytes(), note);
}

#[test]
fn a_tally_counts_keys_and_not_names() {
    let world = World::new();
    let mut draft = world.trust_draft();
    let alias = key("alias", 10);
    draft.roles[1].keys.push(alias.verifying_key());
    draft.revoked_keys = vec![world.ben.verifying_key()];
    draft.roles[1].threshold = 1;
    let kind = release("production");
    let file = world.file(&snapshot_draft(), b"x");
    let file = cosign(&file, &alias).unwrap();
    let claim = crate::inspect(&file, 100).unwrap();
    let tally = tally(claim.note.text(), claim.note.signatures(), &draft, &kind).unwrap();
    assert_eq!(tally.signed.len(), 1, "ana and her alias are one key");
    assert_eq!(tally.others, ["acme.example/release-ben"], "revoked");
    assert!(tally.missing.is_empty() && tally.is_met());
    let forged = forge_file(&file, "epoch 3", "epoch 2", &[]);
    assert!(crate::inspect(&forged, 100).is_err());
    // A signature over another text counts as wrong and spoils the whole.
    let other = world.file(&SnapshotStatementDraft { sequence: 9, ..snapshot_draft() }, b"x");
    let other = crate::inspect(&other, 100).unwrap();
    let crossed =
        super::tally(claim.note.text(), other.note.signatures(), &world.trust_draft(), &kind).unwrap();
    assert_eq!((crossed.wrong.len(), crossed.signed.len(), crossed.is_met()), (2, 0, false));
    let nobody = super::tally("", &[], &world.trust_draft(), &release("nowhere"));
    assert_eq!(nobody.unwrap_err().code(), "no-role");
}

/// Whatever is done to a file, the explanation's first failure is what `open` says.
#[test]
fn an_explanation_agrees_with_open() {
    let world = World::new();
    let trust = world.trust();
    let good = world.file(&snapshot_draft(), b"payload");
    let change = |change: &dyn Fn(&mut SnapshotStatementDraft)| {
        let mut draft = snapshot_draft();
        change(&mut draft);
        world.file(&draft, b"payload")
    };
    let mut files = vec![
        good.clone(),
        change(&|draft| draft.audience = "other".into()),
        change(&|draft| draft.environment = "staging".into()),
        change(&|draft| draft.epoch = 4),
        change(&|draft| draft.sequence = 7),
        change(&|draft| draft.expires = NOW - 1),
        change(&|draft| draft.issued = NOW + 1_000),
        seal_snapshot(&snapshot_draft(), b"payload", &[&world.ana]).unwrap(),
        seal_snapshot(&snapshot_draft(), b"payload", &[&world.governor, &world.ana]).unwrap(),
        forge_file(&good, "epoch 3", "epoch 03", &[&world.ana, &world.ben]),
        b"nothing".to_vec(),
        good[..good.len() - 1].to_vec(),
    ];
    for at in 0..good.len() {
        let mut bent = good.clone();
        bent[at] ^= 1;
        files.push(bent);
    }
    let stored = Mark { epoch: 3, sequence: 2_000, digest: [7; 32] };
    let mut seen = Vec::new();
    for policy in [policy(), OpenPolicy { mark: Some(stored), ..policy() }] {
        for file in &files {
            let steps = explain(file, &trust, &policy);
            assert_eq!(steps.iter().map(|(check, _)| *check).collect::<Vec<_>>(), Check::ALL);
            let first = steps.into_iter().find_map(|(check, outcome)| Some((check, outcome?.err()?)));
            if let Some((check, _)) = &first {
                seen.push(*check);
            }
            assert_eq!(first.map(|(_, error)| error), open(file, &trust, &policy).err());
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), Check::ALL.len() - 1, "each was met but revocation: {seen:?}");
    let mut draft = world.trust_draft();
    let claim = crate::inspect(&good, 100).unwrap();
    draft.revoked_statements = vec![crate::text::sha256(claim.note.text().as_bytes())];
    let steps = explain(&good, &world.pin(&draft), &policy());
    let failed: Vec<_> = steps.into_iter().filter(|(_, outcome)| !matches!(outcome, Some(Ok(())))).collect();
    assert_eq!(failed, [(Check::Revocation, Some(Err(crate::SealError::RevokedStatement)))]);
    // A file that is only too young for one thing shows that all the others hold.
    let old = change(&|draft| draft.sequence = 7);
    let told = explain(&old, &trust, &policy());
    assert!(told.iter().all(|(check, outcome)| (*check == Check::Floor) == (*outcome != Some(Ok(())))));
}

#[test]
fn a_role_of_nobody_is_named() {
    let world = World::new();
    let trust = world.trust();
    let elsewhere = OpenPolicy { environment: "nowhere", ..policy() };
    let told = explain(&world.file(&snapshot_draft(), b"x"), &trust, &elsewhere);
    assert_eq!(told[3], (Check::Threshold, Some(Err(crate::SealError::NoRole))));
    let _: &Role = trust.role(&release("production")).unwrap();
}
