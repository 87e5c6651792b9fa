//! What can happen to a trust root, scenario by scenario, in the manner of TUF's conformance tests: each as a reader
//! meets it, that is, against the bytes of notes and the public functions alone. Notes are also made by hand here,
//! as a holder of keys would who does not use our tools.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flagstone_seal::{
    Floor, Mark, OpenPolicy, PulsePolicy, PulseStatement, Role, RoleKind, SealError, SecretKey, Signer,
    SnapshotStatementDraft, TrustDraft, TrustRoot, VerifierKey, cosign, open, open_pulse, seal_pulse,
    seal_snapshot, seal_trust,
};

const NOW: u64 = 1_790_000_000;
const DAY: u64 = 86_400;
const AUDIENCE: &str = "acme.example/assistant#server";

fn key(name: &str, seed: u8) -> SecretKey {
    SecretKey::from_seed(name, [seed; 32]).unwrap()
}

fn role(kind: RoleKind, threshold: u32, keys: &[&SecretKey]) -> Role {
    Role { kind, threshold, keys: keys.iter().map(|key| key.verifying_key()).collect() }
}

fn production(kind: fn(String) -> RoleKind) -> RoleKind {
    kind("production".into())
}

struct World {
    roots: [SecretKey; 3],
    ana: SecretKey,
    ben: SecretKey,
    staging: SecretKey,
    pulse: SecretKey,
}

impl World {
    fn new() -> Self {
        Self {
            roots: [key("root-1", 1), key("root-2", 2), key("root-3", 3)],
            ana: key("release-ana", 10),
            ben: key("release-ben", 11),
            staging: key("release-staging", 12),
            pulse: key("pulse", 20),
        }
    }

    /// Version 1, epoch 1: 2-of-3 root keys, 2-of-2 release keys for production, one for staging.
    fn draft(&self) -> TrustDraft {
        let [a, b, c] = &self.roots;
        TrustDraft {
            version: 1,
            epoch: 1,
            issued: NOW - DAY,
            expires: NOW + 300 * DAY,
            roles: vec![
                role(RoleKind::Root, 2, &[a, b, c]),
                role(production(RoleKind::Release), 2, &[&self.ana, &self.ben]),
                role(RoleKind::Release("staging".into()), 1, &[&self.staging]),
                role(production(RoleKind::Pulse), 1, &[&self.pulse]),
            ],
            floors: vec![],
            revoked_keys: vec![],
            revoked_statements: vec![],
        }
    }

    fn note(&self, draft: &TrustDraft) -> Vec<u8> {
        seal_trust(draft, &[&self.roots[0], &self.roots[1]]).unwrap()
    }

    fn root(&self) -> TrustRoot {
        TrustRoot::pin(&self.note(&self.draft()), NOW).unwrap()
    }

    /// Version 2 with a change.
    fn second(&self, change: impl FnOnce(&mut TrustDraft)) -> TrustDraft {
        let mut draft = self.draft();
        draft.version = 2;
        change(&mut draft);
        draft
    }

    fn file(&self, change: impl FnOnce(&mut SnapshotStatementDraft), signers: &[&SecretKey]) -> Vec<u8> {
        let mut draft = SnapshotStatementDraft {
            audience: AUDIENCE.into(),
            environment: "production".into(),
            epoch: 1,
            sequence: 7,
            issued: NOW - 60,
            expires: NOW + 7 * DAY,
            parent: [0; 32],
            payload_type: "application/vnd.flagstone.snapshot.v1".into(),
        };
        change(&mut draft);
        let signers: Vec<&dyn Signer> = signers.iter().map(|signer| *signer as &dyn Signer).collect();
        seal_snapshot(&draft, b"payload", &signers).unwrap()
    }
}

fn policy(mark: Option<Mark>) -> OpenPolicy<'static> {
    OpenPolicy { audience: AUDIENCE, environment: "production", now: NOW, mark, max_payload: 1 << 20 }
}

fn opened(file: &[u8], trust: &TrustRoot, mark: Option<Mark>) -> Result<Mark, &'static str> {
    open(file, trust, &policy(mark)).map(|opened| opened.mark).map_err(|error| error.code())
}

fn advanced(root: &TrustRoot, note: &[u8]) -> Result<TrustRoot, &'static str> {
    root.advance(note, NOW).map_err(|error| error.code())
}

/// A note by hand: whatever text, whatever lines.
fn by_hand(text: &str, lines: &[String]) -> Vec<u8> {
    format!("{text}\n{}", lines.concat()).into_bytes()
}

/// A signature line by hand.
fn line(name: &str, id: [u8; 4], signature: &[u8]) -> String {
    format!("\u{2014} {name} {}\n", STANDARD.encode([&id[..], signature].concat()))
}

fn signed(text: &str, by: &SecretKey) -> String {
    let key = by.verifying_key();
    line(key.name(), key.id(), &by.sign(text.as_bytes()).unwrap())
}

#[test]
fn a_signature_line_twice() {
    let world = World::new();
    let text = world.second(|_| ()).to_text();
    let a = signed(&text, &world.roots[0]);
    let twice = by_hand(&text, &[a.clone(), a.clone()]);
    assert_eq!(advanced(&world.root(), &twice), Err("duplicate-signature"));
    let with_enough = by_hand(&text, &[a.clone(), signed(&text, &world.roots[1]), a]);
    assert_eq!(
        advanced(&world.root(), &with_enough),
        Err("duplicate-signature"),
        "even beside enough others"
    );
    // Two lines of a stranger say nothing either, and are refused all the same: nobody may pad a note.
    let s = signed(&text, &key("stranger", 99));
    let padded =
        by_hand(&text, &[signed(&text, &world.roots[0]), signed(&text, &world.roots[1]), s.clone(), s]);
    assert_eq!(advanced(&world.root(), &padded), Err("duplicate-signature"));
}

#[test]
fn a_key_id_twice_under_another_name() {
    let world = World::new();
    let text = world.second(|_| ()).to_text();
    let key = world.roots[0].verifying_key();
    let signature = world.roots[0].sign(text.as_bytes()).unwrap();
    // The id is a hint: under a name that the root does not know, the line is a stranger's.
    let lines = [line(key.name(), key.id(), &signature), line("other", key.id(), &signature)];
    assert_eq!(advanced(&world.root(), &by_hand(&text, &lines)), Err("threshold"));
    // And under a known name with another key's id, too.
    let lines = [line(key.name(), key.id(), &signature), line("root-2", key.id(), &signature)];
    assert_eq!(advanced(&world.root(), &by_hand(&text, &lines)), Err("threshold"));
    // With the id of the key it names, the wrong signature spoils all.
    let second = world.roots[1].verifying_key();
    let lines = [signed(&text, &world.roots[0]), line(second.name(), second.id(), &signature)];
    assert_eq!(advanced(&world.root(), &by_hand(&text, &lines)), Err("bad-signature"));
}

#[test]
fn a_threshold_met_by_one_key_under_two_names() {
    let world = World::new();
    // RUSTSEC-2020-0024: two names of one key are one signature, in a root role …
    let alias = key("root-1-again", 1);
    let mut draft = world.draft();
    draft.roles[0] = role(RoleKind::Root, 2, &[&world.roots[0], &alias, &world.roots[1]]);
    let note = seal_trust(&draft, &[&world.roots[0], &world.roots[1]]).unwrap();
    assert!(TrustRoot::pin(&note, NOW).is_ok());
    let text = draft.to_text();
    let both = by_hand(&text, &[signed(&text, &world.roots[0]), signed(&text, &alias)]);
    assert_eq!(TrustRoot::pin(&both, NOW), Err(SealError::Threshold { needed: 2, found: 1 }));
    // … and in a release role.
    let alias = key("release-ana-again", 10);
    let mut draft = world.draft();
    draft.roles[1] = role(production(RoleKind::Release), 2, &[&world.ana, &alias, &world.ben]);
    let trust = TrustRoot::pin(&world.note(&draft), NOW).unwrap();
    // Our own signing side refuses the second signature of a key; its holder need not.
    let file = world.file(|_| (), &[&world.ana]);
    let file = cosign(&file, &alias).unwrap();
    assert_eq!(opened(&file, &trust, None), Err("threshold"));
    assert!(opened(&cosign(&file, &world.ben).unwrap(), &trust, None).is_ok());
    // A role that only two names of one key could meet is refused whole.
    let mut draft = world.draft();
    draft.roles[1] = role(production(RoleKind::Release), 2, &[&world.ana, &alias]);
    let text = draft.to_text();
    let note = by_hand(&text, &[signed(&text, &world.roots[0]), signed(&text, &world.roots[1])]);
    assert_eq!(TrustRoot::pin(&note, NOW), Err(SealError::BadRole));
}

#[test]
fn a_gap_and_a_step_back_in_versions() {
    let world = World::new();
    let root = world.root();
    let versioned = |version| world.note(&world.second(|draft| draft.version = version));
    assert_eq!(advanced(&root, &versioned(3)), Err("trust-version"), "a gap");
    assert_eq!(advanced(&root, &versioned(0)), Err("trust-version"), "back");
    assert_eq!(advanced(&root, &versioned(1)), Err("trust-version"), "the same again");
    let second = advanced(&root, &versioned(2)).unwrap();
    assert_eq!(advanced(&second, &versioned(1)), Err("trust-version"));
    assert_eq!(
        second.advance_all([versioned(3).as_slice(), &versioned(5)], NOW),
        Err(SealError::TrustVersion)
    );
}

#[test]
fn one_version_signed_twice() {
    let world = World::new();
    let root = world.root();
    let one = world.note(&world.second(|draft| draft.expires += DAY));
    let other = world.note(&world.second(|draft| draft.epoch = 2));
    let moved = advanced(&root, &one).unwrap();
    assert!(advanced(&root, &other).is_ok(), "either could have come first");
    assert_eq!(advanced(&moved, &other), Err("trust-version"), "whoever has one never takes the other");
    assert_eq!(advanced(&moved, &one), Err("trust-version"));
}

#[test]
fn signed_by_the_old_keys_only_and_by_the_new_keys_only() {
    let world = World::new();
    let root = world.root();
    let (x, y) = (key("root-4", 4), key("root-5", 5));
    let draft = world.second(|draft| draft.roles[0] = role(RoleKind::Root, 2, &[&x, &y]));
    let by = |signers: &[&dyn Signer]| advanced(&root, &seal_trust(&draft, signers).unwrap());
    let [a, b, _] = &world.roots;
    assert_eq!(by(&[a, b]), Err("threshold"), "old only");
    assert_eq!(by(&[&x, &y]), Err("threshold"), "new only");
    assert_eq!(by(&[a, &x]), Err("threshold"), "one of each");
    assert_eq!(by(&[a, b, &x]), Err("threshold"));
    assert_eq!(by(&[a, &x, &y]), Err("threshold"));
    assert_eq!(by(&[a, b, &x, &y]).unwrap().version(), 2);
}

#[test]
fn an_expired_local_root_is_the_way_to_a_newer_one() {
    let world = World::new();
    let mut draft = world.draft();
    (draft.issued, draft.expires) = (NOW - 200 * DAY, NOW - 100 * DAY);
    let old = TrustRoot::pin(&world.note(&draft), NOW).unwrap();
    let file = world.file(|_| (), &[&world.ana, &world.ben]);
    assert_eq!(opened(&file, &old, None), Err("trust-expired"), "nothing opens under it");
    let also_expired = world.second(|draft| (draft.issued, draft.expires) = (NOW - 99 * DAY, NOW - DAY));
    let middle = advanced(&old, &world.note(&also_expired)).unwrap();
    assert_eq!(opened(&file, &middle, None), Err("trust-expired"));
    let new = advanced(&middle, &world.note(&world.second(|draft| draft.version = 3))).unwrap();
    assert!(opened(&file, &new, None).is_ok());
}

#[test]
fn recovery_from_a_fast_forward() {
    let world = World::new();
    let root = world.root();
    let both = [&world.ana, &world.ben];
    let far = world.file(|draft| draft.sequence = 9_999_999_999_999_999_999, &both);
    let stuck = opened(&far, &root, None).unwrap();
    assert_eq!(opened(&world.file(|draft| draft.sequence = 8, &both), &root, Some(stuck)), Err("rollback"));
    let recovered = advanced(
        &root,
        &world.note(&world.second(|draft| {
            draft.epoch = 2;
            draft.floors = vec![Floor { environment: "production".into(), epoch: 2, sequence: 1 }];
        })),
    )
    .unwrap();
    let fresh = world.file(|draft| (draft.epoch, draft.sequence) = (2, 1), &both);
    assert_eq!(opened(&fresh, &root, Some(stuck)), Err("epoch-ahead"), "not before the root says so");
    assert!(opened(&fresh, &recovered, Some(stuck)).is_ok(), "who remembers goes on");
    assert_eq!(opened(&far, &recovered, None), Err("below-floor"), "who remembers nothing is safe, too");
    let staging = OpenPolicy { environment: "staging", ..policy(None) };
    let other = world.file(|draft| draft.environment = "staging".into(), &[&world.staging]);
    assert!(open(&other, &recovered, &staging).is_ok(), "the floor is production's alone");
}

#[test]
fn a_revoked_key() {
    let world = World::new();
    let cyd = key("release-cyd", 13);
    let mut draft = world.draft();
    draft.roles[1] = role(production(RoleKind::Release), 2, &[&world.ana, &world.ben, &cyd]);
    let root = TrustRoot::pin(&world.note(&draft), NOW).unwrap();
    let stolen = world.file(|_| (), &[&world.ana, &world.ben]);
    assert!(opened(&stolen, &root, None).is_ok());
    draft.version = 2;
    draft.revoked_keys = vec![world.ben.verifying_key()];
    let next = advanced(&root, &world.note(&draft)).unwrap();
    assert_eq!(opened(&stolen, &next, None), Err("revoked-key"));
    assert!(opened(&world.file(|_| (), &[&world.ana, &cyd]), &next, None).is_ok());
    assert!(
        opened(&cosign(&stolen, &cyd).unwrap(), &next, None).is_ok(),
        "beside enough others it does no harm"
    );
    // The key under a new name is the same key.
    let renamed = key("release-bea", 11);
    draft.version = 3;
    draft.roles[1].keys.push(renamed.verifying_key());
    let third = advanced(&next, &world.note(&draft)).unwrap();
    assert_eq!(opened(&world.file(|_| (), &[&world.ana, &renamed]), &third, None), Err("revoked-key"));
    // A revoked root key has no say in the next version.
    let mut draft = world.draft();
    draft.revoked_keys = vec![world.roots[0].verifying_key()];
    let [a, b, c] = &world.roots;
    let root = TrustRoot::pin(&seal_trust(&draft, &[b, c]).unwrap(), NOW).unwrap();
    draft.version = 2;
    assert_eq!(advanced(&root, &seal_trust(&draft, &[a, b]).unwrap()), Err("revoked-key"));
}

#[test]
fn a_weak_key() {
    let world = World::new();
    let root = world.root();
    // Points of order one and four: anybody can sign under them.
    let mut one = [0; 32];
    one[0] = 1;
    for public in [one, [0; 32]] {
        assert_eq!(VerifierKey::new("weak", public).unwrap_err(), SealError::WeakKey);
        // The id is right: what is wrong is the point.
        let id: [u8; 4] = {
            use sha2::{Digest as _, Sha256};
            let digest = Sha256::digest([b"weak\n\x01".as_slice(), &public].concat());
            digest[..4].try_into().unwrap()
        };
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        let weak = format!("weak+{hex}+{}", STANDARD.encode([&[1][..], &public].concat()));
        for begin in ["role root 2 ", "role release:production 2 ", "role pulse:production 1 "] {
            let text = world.second(|_| ()).to_text().replacen(begin, &format!("{begin}{weak} "), 1);
            let note = by_hand(&text, &[signed(&text, &world.roots[0]), signed(&text, &world.roots[1])]);
            assert_eq!(advanced(&root, &note), Err("weak-key"), "{begin}");
        }
    }
}

#[test]
fn the_wrong_environments_role() {
    let world = World::new();
    let root = world.root();
    let by_staging = world.file(|_| (), &[&world.staging, &world.ana]);
    assert_eq!(opened(&by_staging, &root, None), Err("wrong-role"));
    let for_staging = world.file(|draft| draft.environment = "staging".into(), &[&world.staging]);
    assert_eq!(opened(&for_staging, &root, None), Err("threshold"), "no key of production's signed it");
    let both = [&world.ana, &world.ben];
    let foreign = world.file(|draft| draft.environment = "staging".into(), &both);
    assert_eq!(opened(&foreign, &root, None), Err("wrong-environment"));
    let nowhere = OpenPolicy { environment: "nowhere", ..policy(None) };
    assert_eq!(open(&foreign, &root, &nowhere).unwrap_err().code(), "no-role");
    // A release key signs no pulses, a pulse key no releases, and neither the next root.
    let pulse = PulseStatement {
        audience: AUDIENCE.into(),
        environment: "production".into(),
        number: 1,
        issued: NOW,
        expires: NOW + 300,
        snapshot: Mark { epoch: 1, sequence: 7, digest: [1; 32] },
        stages: vec![],
        halts: vec![],
    };
    let reader = PulsePolicy { audience: AUDIENCE, environment: "production", now: NOW, last_number: None };
    let judged = |by: &SecretKey| open_pulse(&seal_pulse(&pulse, by).unwrap(), &root, &reader);
    assert!(judged(&world.pulse).is_ok());
    assert_eq!(judged(&world.ana).unwrap_err().code(), "wrong-role");
    assert_eq!(opened(&world.file(|_| (), &[&world.pulse, &world.ana]), &root, None), Err("wrong-role"));
    let note = seal_trust(&world.second(|_| ()), &[&world.ana, &world.ben]).unwrap();
    assert_eq!(advanced(&root, &note), Err("wrong-role"));
}

#[test]
fn a_key_in_two_kinds_of_role() {
    let world = World::new();
    let root = world.root();
    let add = |at: usize, by: &SecretKey| {
        let draft = world.second(|draft| draft.roles[at].keys.push(by.verifying_key()));
        let text = draft.to_text();
        advanced(&root, &by_hand(&text, &[signed(&text, &world.roots[0]), signed(&text, &world.roots[1])]))
    };
    assert_eq!(add(0, &world.ana), Err("shared-key"), "release key as root key");
    assert_eq!(add(0, &world.pulse), Err("shared-key"), "pulse key as root key");
    assert_eq!(add(1, &world.pulse), Err("shared-key"), "pulse key as release key");
    assert_eq!(add(3, &world.roots[2]), Err("shared-key"), "root key as pulse key");
    assert_eq!(add(3, &key("another-name", 10)), Err("shared-key"), "the name does not matter");
    assert!(add(2, &world.ana).is_ok(), "release keys of two environments are one kind of power");
}
