//! Seals what the tests need, with keys of fixed seeds: the same input gives the same bytes every time.

use anyhow::Result;
use flagstone_seal::sign::{SecretKey, SnapshotStatementDraft, TrustDraft, seal_pulse, seal_snapshot, seal_trust};
use flagstone_seal::{Mark, OpenPolicy, PulseStatement, Role, RoleKind, TrustRoot, open};

use crate::vectors::Pulse;

/// The time around which everything is sealed, unix seconds.
pub const EPOCH: u64 = 1_800_000_000;
/// How long before its expiry a pulse is issued, seconds.
pub const LEASE: u64 = 300;
/// Who the sealed files are for.
pub const AUDIENCE: &str = "flagstone.test/vectors#browser";
/// Where.
pub const ENVIRONMENT: &str = "test";

/// A sealed snapshot with the trust root that opens it.
#[derive(Debug)]
pub struct Sealed {
    /// The trust note.
    pub trust: Vec<u8>,
    /// The sealed file.
    pub file: Vec<u8>,
    /// The identity that opening it gives.
    pub mark: Mark,
}

fn key(name: &str, seed: u8) -> Result<SecretKey> {
    Ok(SecretKey::from_seed(&format!("flagstone.test/{name}"), [seed; 32])?)
}

/// Seals a payload under the test keys, valid from a day before [`EPOCH`] to twenty days after it.
///
/// # Errors
/// When the payload cannot be sealed.
pub fn seal(payload: &[u8]) -> Result<Sealed> {
    let (root, release, pulse) = (key("root", 1)?, key("release", 2)?, key("pulse", 3)?);
    let role = |kind, key: &SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
    let trust = TrustDraft {
        version: 1,
        epoch: 1,
        issued: EPOCH - 86_400,
        expires: EPOCH + 300 * 86_400,
        roles: vec![
            role(RoleKind::Root, &root),
            role(RoleKind::Release(ENVIRONMENT.into()), &release),
            role(RoleKind::Pulse(ENVIRONMENT.into()), &pulse),
        ],
        floors: Vec::new(),
        revoked_keys: Vec::new(),
        revoked_statements: Vec::new(),
    };
    let trust = seal_trust(&trust, &[&root])?;
    let draft = SnapshotStatementDraft {
        audience: AUDIENCE.into(),
        environment: ENVIRONMENT.into(),
        epoch: 1,
        sequence: 1,
        issued: EPOCH - 3_600,
        expires: EPOCH + 20 * 86_400,
        parent: [0; 32],
        payload_type: "application/vnd.flagstone.snapshot.v1".into(),
    };
    let file = seal_snapshot(&draft, payload, &[&release])?;
    let policy = OpenPolicy {
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        now: EPOCH,
        mark: None,
        max_payload: flagstone_seal::limits::BROWSER_PAYLOAD_BYTES,
    };
    let mark = open(&file, &TrustRoot::pin(&trust, EPOCH)?, &policy)?.mark;
    Ok(Sealed { trust, file, mark })
}

impl Sealed {
    /// Signs a vector's pulse for this snapshot.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn pulse(&self, pulse: &Pulse, number: u64) -> Result<Vec<u8>> {
        let statement = PulseStatement {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            number,
            issued: pulse.expires - LEASE,
            expires: pulse.expires,
            snapshot: self.mark,
            stages: pulse.stages.iter().map(|(flag, stage)| (flag.clone(), *stage)).collect(),
            halts: pulse.halts.clone(),
        };
        Ok(seal_pulse(&statement, &key("pulse", 3)?)?)
    }
}
