//! A small world for tests: two release keys of two, one pulse key, two root keys of three, and what they sign.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::limits;
use crate::policy::{Mark, OpenPolicy, PulsePolicy};
use crate::sign::{SecretKey, Signer, SnapshotStatementDraft, seal_pulse, seal_snapshot, seal_trust};
use crate::statement::{Floor, PulseStage, PulseStatement, Role, RoleKind, TrustStatement};
use crate::trust::TrustRoot;

/// The time of every test: some day in 2026.
pub(crate) const NOW: u64 = 1_787_300_000;
pub(crate) const DAY: u64 = 86_400;
pub(crate) const AUDIENCE: &str = "acme.example/assistant#server";

/// A key whose seed is its number.
pub(crate) fn key(name: &str, number: u8) -> SecretKey {
    SecretKey::from_seed(name, [number; 32]).unwrap()
}

pub(crate) fn role(kind: RoleKind, threshold: u32, keys: &[&SecretKey]) -> Role {
    Role { kind, threshold, keys: keys.iter().map(|key| key.verifying_key()).collect() }
}

pub(crate) fn release(environment: &str) -> RoleKind {
    RoleKind::Release(environment.into())
}

pub(crate) fn pulse_role(environment: &str) -> RoleKind {
    RoleKind::Pulse(environment.into())
}

pub(crate) struct World {
    pub(crate) roots: [SecretKey; 3],
    pub(crate) ana: SecretKey,
    pub(crate) ben: SecretKey,
    pub(crate) staging: SecretKey,
    pub(crate) governor: SecretKey,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            roots: [key("root-1", 1), key("root-2", 2), key("root-3", 3)],
            ana: key("acme.example/release-ana", 10),
            ben: key("acme.example/release-ben", 11),
            staging: key("acme.example/release-staging", 12),
            governor: key("acme.example/pulse", 20),
        }
    }

    /// Trust version 1, epoch 3, floor (3, 100) for production.
    pub(crate) fn trust_draft(&self) -> TrustStatement {
        let [a, b, c] = &self.roots;
        TrustStatement {
            version: 1,
            epoch: 3,
            issued: NOW - 10 * DAY,
            expires: NOW + 300 * DAY,
            roles: vec![
                role(RoleKind::Root, 2, &[a, b, c]),
                role(release("production"), 2, &[&self.ana, &self.ben]),
                role(release("staging"), 1, &[&self.staging]),
                role(pulse_role("production"), 1, &[&self.governor]),
            ],
            floors: vec![Floor { environment: "production".into(), epoch: 3, sequence: 100 }],
            revoked_keys: vec![],
            revoked_statements: vec![],
        }
    }

    pub(crate) fn trust_note(&self, draft: &TrustStatement) -> Vec<u8> {
        seal_trust(draft, &[&self.roots[0], &self.roots[1]]).unwrap()
    }

    pub(crate) fn pin(&self, draft: &TrustStatement) -> TrustRoot {
        TrustRoot::pin(&self.trust_note(draft), NOW).unwrap()
    }

    pub(crate) fn trust(&self) -> TrustRoot {
        self.pin(&self.trust_draft())
    }

    /// A file signed by both release keys.
    pub(crate) fn file(&self, draft: &SnapshotStatementDraft, payload: &[u8]) -> Vec<u8> {
        self.file_by(draft, payload, &[&self.ana, &self.ben])
    }

    pub(crate) fn file_by(
        &self,
        draft: &SnapshotStatementDraft,
        payload: &[u8],
        keys: &[&dyn Signer],
    ) -> Vec<u8> {
        seal_snapshot(draft, payload, keys).unwrap()
    }

    pub(crate) fn pulse_note(&self, draft: &PulseStatement) -> Vec<u8> {
        seal_pulse(draft, &self.governor).unwrap()
    }
}

/// Snapshot (3, 1842) for production.
pub(crate) fn snapshot_draft() -> SnapshotStatementDraft {
    SnapshotStatementDraft {
        audience: AUDIENCE.into(),
        environment: "production".into(),
        epoch: 3,
        sequence: 1_842,
        issued: NOW - 60,
        expires: NOW + 7 * DAY,
        parent: [0; 32],
        payload_type: "application/vnd.flagstone.snapshot.v1".into(),
    }
}

/// Pulse 42 with a stage and a halt.
pub(crate) fn pulse_draft() -> PulseStatement {
    PulseStatement {
        audience: AUDIENCE.into(),
        environment: "production".into(),
        number: 42,
        issued: NOW - 5,
        expires: NOW + 295,
        snapshot: Mark { epoch: 3, sequence: 1_842, digest: [9; 32] },
        stages: vec![
            PulseStage { flag: "answer style".into(), stage: 2, since: NOW - 7_200 },
            PulseStage { flag: "retrieval".into(), stage: 0, since: 0 },
        ],
        halts: vec![String::from("retrieval")],
    }
}

pub(crate) fn policy() -> OpenPolicy<'static> {
    OpenPolicy {
        audience: AUDIENCE,
        environment: "production",
        now: NOW,
        mark: None,
        max_payload: limits::SERVER_PAYLOAD_BYTES,
    }
}

pub(crate) fn pulse_policy() -> PulsePolicy<'static> {
    PulsePolicy { audience: AUDIENCE, environment: "production", now: NOW, last_number: None }
}

/// A small generator for test data (splitmix64): reproducible, and good enough to pick bits.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound).unwrap()).unwrap()
    }
}

/// Replace `from` by `to` in the statement text and have `signers` sign the result, whatever it says: how a
/// holder of keys who does not use this crate could write.
pub(crate) fn forge(note: &[u8], from: &str, to: &str, signers: &[&SecretKey]) -> Vec<u8> {
    let note = core::str::from_utf8(note).unwrap();
    let (text, _) = note.rsplit_once("\n\n").unwrap();
    let mut text = String::from(text);
    text.push('\n');
    assert_eq!(text.matches(from).count(), 1, "`{from}` once in {text}");
    let text = text.replacen(from, to, 1);
    let mut out = text.clone();
    out.push('\n');
    for signer in signers {
        let key = signer.verifying_key();
        crate::note::push_signature(&mut out, key.name(), key.id(), &signer.sign(text.as_bytes()).unwrap());
    }
    out.into_bytes()
}

/// As [`forge`], for a sealed file.
pub(crate) fn forge_file(file: &[u8], from: &str, to: &str, signers: &[&SecretKey]) -> Vec<u8> {
    let frame = crate::frame::split(file, u64::MAX).unwrap();
    crate::frame::join(&forge(frame.note, from, to, signers), frame.payload).unwrap()
}
