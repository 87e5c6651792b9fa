//! A small signed world for tests: fixed keys, a trust root, sealed files and pulses of one environment.
//!
//! The seeds are public and worthless; nothing outside tests trusts them.

use anyhow::{Context as _, Result, anyhow, bail};
use flagstone_compile::{Options, Source, compile};
use flagstone_seal::{
    Mark, PulseStage, PulseStatement, Role, RoleKind, SecretKey, Signer, SnapshotStatementDraft, TrustDraft,
    TrustRoot, seal_pulse, seal_snapshot, seal_trust,
};
use flagstone_snapshot::encode;

/// Audience of everything sealed here.
pub const AUDIENCE: &str = "flagstone.example/tests";
/// Environment of everything sealed here.
pub const ENVIRONMENT: &str = "test";
/// When everything here is issued, unix seconds.
pub const ISSUED: u64 = 1_790_000_000;
/// What a snapshot's payload is.
pub const PAYLOAD_TYPE: &str = "application/vnd.flagstone.snapshot.v1";

/// The keys and the trust root.
pub struct World {
    /// The root key.
    pub root: SecretKey,
    /// The release key.
    pub release: SecretKey,
    /// The pulse key.
    pub pulse: SecretKey,
    /// The trust note, version 1.
    pub trust: Vec<u8>,
    /// When things are issued, unix seconds.
    pub issued: u64,
}

impl World {
    /// The world of fixed keys, with everything issued at `issued`.
    ///
    /// # Errors
    /// Never with the constants above.
    pub fn new(issued: u64) -> Result<World> {
        let key = |name: &str, seed: u8| {
            SecretKey::from_seed(&format!("flagstone.example/{name}"), [seed; 32])
                .map_err(|error| anyhow!("{error}"))
        };
        let (root, release, pulse) = (key("root", 1)?, key("release", 2)?, key("pulse", 3)?);
        let role = |kind, key: &SecretKey| Role { kind, threshold: 1, keys: vec![key.verifying_key()] };
        let draft = TrustDraft {
            version: 1,
            epoch: 1,
            issued,
            expires: issued + 300 * 86_400,
            roles: vec![
                role(RoleKind::Root, &root),
                role(RoleKind::Release(ENVIRONMENT.into()), &release),
                role(RoleKind::Pulse(ENVIRONMENT.into()), &pulse),
            ],
            floors: Vec::new(),
            revoked_keys: Vec::new(),
            revoked_statements: Vec::new(),
        };
        let trust = seal_trust(&draft, &[&root as &dyn Signer]).map_err(|error| anyhow!("{error}"))?;
        Ok(World { root, release, pulse, trust, issued })
    }

    /// The trust root, pinned.
    ///
    /// # Errors
    /// When it does not hold at the time it was issued.
    pub fn pinned(&self) -> Result<TrustRoot> {
        TrustRoot::pin(&self.trust, self.issued).map_err(|error| anyhow!("{error}"))
    }

    /// A payload sealed with a sequence number.
    ///
    /// # Errors
    /// What sealing refuses.
    pub fn seal(&self, payload: &[u8], sequence: u64) -> Result<Vec<u8>> {
        let draft = SnapshotStatementDraft {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            epoch: 1,
            sequence,
            issued: self.issued,
            expires: self.issued + 14 * 86_400,
            parent: [0; 32],
            payload_type: PAYLOAD_TYPE.into(),
        };
        seal_snapshot(&draft, payload, &[&self.release as &dyn Signer]).map_err(|error| anyhow!("{error}"))
    }

    /// A pulse that names a snapshot, opens stages and halts flags.
    ///
    /// # Errors
    /// What sealing refuses.
    pub fn pulse(
        &self,
        number: u64,
        snapshot: Mark,
        stages: &[PulseStage],
        halts: &[&str],
    ) -> Result<Vec<u8>> {
        let draft = PulseStatement {
            audience: AUDIENCE.into(),
            environment: ENVIRONMENT.into(),
            number,
            issued: self.issued,
            expires: self.issued + 300,
            snapshot,
            stages: stages.to_vec(),
            halts: halts.iter().map(|flag| (*flag).into()).collect(),
        };
        seal_pulse(&draft, &self.pulse).map_err(|error| anyhow!("{error}"))
    }
}

/// A definition's snapshot, compiled for the environment of the tests.
///
/// # Errors
/// A definition that does not compile without errors.
pub fn snapshot(name: &str, definition: &str) -> Result<Vec<u8>> {
    let source = Source::new(name, definition);
    let options = Options { environment: ENVIRONMENT.into(), strict: true, ..Options::default() };
    let outcome = compile(&source, &options);
    let Some(draft) = outcome.draft else { bail!("{}", outcome.diagnostics.render(&source, false)) };
    encode(&draft).context("it cannot be laid out")
}
