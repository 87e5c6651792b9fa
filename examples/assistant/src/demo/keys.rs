//! The four keys of the demonstration and the trust note that the host pins. Root and release keys stay in the
//! operator's process; only the pulse key and the log key are written down for the control plane.

use anyhow::{Context as _, Result};
use flagstone_seal::{Role, RoleKind, SecretKey, TrustDraft, seal_trust};

/// The environment of the demonstration.
pub const ENVIRONMENT: &str = "production";
/// Who may use its snapshots.
pub const AUDIENCE: &str = "harbour.example/assistant";

const DAY: u64 = 86_400;

/// The demonstration's keys, drawn anew for every run.
#[derive(Debug)]
pub struct Keys {
    /// Signs snapshots: whoever holds it approves stages.
    pub release: SecretKey,
    /// Signs pulses: held by the control plane.
    pub pulse: SecretKey,
    /// Signs the ledger's checkpoints: held by the control plane.
    pub log: SecretKey,
    /// The trust note, signed by the root key.
    pub trust: Vec<u8>,
}

impl Keys {
    /// Draws keys and seals the trust note.
    ///
    /// # Errors
    /// The machine gives no randomness, or sealing fails.
    pub fn draw(now: u64) -> Result<Self> {
        let (root, release, pulse) = (draw("root")?, draw("release")?, draw("pulse")?);
        let log = draw("log")?;
        let role = |kind, key: &SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
        let trust = TrustDraft {
            version: 1,
            epoch: 1,
            issued: now,
            expires: now + 30 * DAY,
            roles: vec![
                role(RoleKind::Root, &root),
                role(RoleKind::Release(ENVIRONMENT.to_owned()), &release),
                role(RoleKind::Pulse(ENVIRONMENT.to_owned()), &pulse),
            ],
            floors: Vec::new(),
            revoked_keys: Vec::new(),
            revoked_statements: Vec::new(),
        };
        let trust = seal_trust(&trust, &[&root]).context("cannot seal the trust note")?;
        Ok(Self { release, pulse, log, trust })
    }
}

fn draw(name: &str) -> Result<SecretKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).context("the machine gives no randomness")?;
    SecretKey::from_seed(&format!("harbour.example/{name}"), seed).context("cannot make a key")
}
