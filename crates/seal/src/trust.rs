//! The trust root: a verified trust statement, how a reader comes by one (it pins the first) and how it moves to
//! the next (both the old and the new root keys must agree).

use alloc::vec::Vec;

use crate::error::SealError;
use crate::key::VerifierKey;
use crate::limits;
use crate::note::Note;
use crate::quorum;
use crate::statement::{self, Form as _, Role, RoleKind, TrustStatement};
use crate::text::sha256;
use crate::told::told;

/// A verified trust statement: what everything else is judged by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustRoot {
    statement: TrustStatement,
    digest: [u8; 32],
}

impl TrustRoot {
    /// Accept a trust note on the caller's word: the caller ships or pins these very bytes. It must be signed by
    /// its own root keys all the same, so that a damaged or half-made one is refused.
    ///
    /// An expired root can be pinned, since it may be the way to a newer one ([`TrustRoot::advance`]); but
    /// nothing opens under a root that has expired. `now` is unix seconds.
    ///
    /// # Errors
    /// Any of the note, statement, key and role errors; [`SealError::IssuedInFuture`].
    pub fn pin(note: &[u8], now: u64) -> Result<Self, SealError> {
        let note = Note::parse(note, limits::MAX_TRUST_BYTES)?;
        Self::accept(&note, now)
    }

    /// Move to the next trust note: signed by a threshold of this root's root keys and of its own, its version
    /// exactly one higher, its epoch not lower.
    ///
    /// # Errors
    /// As [`TrustRoot::pin`]; [`SealError::TrustVersion`], [`SealError::TrustEpoch`].
    pub fn advance(&self, note: &[u8], now: u64) -> Result<Self, SealError> {
        let note = Note::parse(note, limits::MAX_TRUST_BYTES)?;
        quorum::verify(&note, &self.statement, &RoleKind::Root)?;
        let next = Self::accept(&note, now)?;
        if self.statement.version.checked_add(1) != Some(next.statement.version) {
            return Err(SealError::TrustVersion);
        }
        if next.statement.epoch < self.statement.epoch {
            return Err(SealError::TrustEpoch);
        }
        if self.statement.revoked_statements.contains(&next.digest) {
            return Err(SealError::RevokedStatement);
        }
        Ok(next)
    }

    /// Walk a chain of trust notes, oldest first: a reader that slept through several rotations.
    ///
    /// # Errors
    /// As [`TrustRoot::advance`]; [`SealError::TooManySteps`] beyond [`limits::MAX_TRUST_STEPS`].
    pub fn advance_all<'a>(
        &self,
        notes: impl IntoIterator<Item = &'a [u8]>,
        now: u64,
    ) -> Result<Self, SealError> {
        let mut root = self.clone();
        for (step, note) in notes.into_iter().enumerate() {
            if step >= limits::MAX_TRUST_STEPS {
                return Err(SealError::TooManySteps);
            }
            root = root.advance(note, now)?;
        }
        Ok(root)
    }

    /// Parse, check and count by the note's own root keys.
    fn accept(note: &Note<'_>, now: u64) -> Result<Self, SealError> {
        let statement: TrustStatement = statement::parse(note.text())?;
        check_roles(&statement)?;
        quorum::verify(note, &statement, &RoleKind::Root)?;
        statement.check_period()?;
        if statement.issued > now.saturating_add(limits::MAX_CLOCK_SKEW) {
            return Err(SealError::IssuedInFuture { issued: told(|| statement.issued) });
        }
        Ok(Self { digest: sha256(note.text().as_bytes()), statement })
    }

    /// What the root keys said.
    #[must_use]
    pub const fn statement(&self) -> &TrustStatement {
        &self.statement
    }

    /// SHA-256 of the statement text.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The version: rises by one with every rotation.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.statement.version
    }

    /// The epoch: no snapshot of a higher one is accepted.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.statement.epoch
    }

    /// Time of issue, unix seconds.
    #[must_use]
    pub const fn issued(&self) -> u64 {
        self.statement.issued
    }

    /// Time of expiry, unix seconds.
    #[must_use]
    pub const fn expires(&self) -> u64 {
        self.statement.expires
    }

    /// The least (epoch, sequence) accepted in an environment; (0, 0) without a floor line.
    #[must_use]
    pub fn floor(&self, environment: &str) -> (u64, u64) {
        let floor = self.statement.floors.iter().find(|floor| floor.environment == environment);
        floor.map_or((0, 0), |floor| (floor.epoch, floor.sequence))
    }

    /// The role of this kind, if the root gives it to anybody.
    #[must_use]
    pub fn role(&self, kind: &RoleKind) -> Option<&Role> {
        self.statement.role(kind)
    }
}

/// That every role can be met, no key is ambiguous, and no key holds two kinds of power.
pub(crate) fn check_roles(trust: &TrustStatement) -> Result<(), SealError> {
    if trust.role(&RoleKind::Root).is_none() {
        return Err(SealError::BadRole);
    }
    for role in &trust.roles {
        let mut usable: Vec<&[u8; 32]> = Vec::new();
        for key in role.keys.iter().filter(|key| !trust.is_revoked_key(key)) {
            if !usable.contains(&key.public()) {
                usable.push(key.public());
            }
        }
        let usable = u32::try_from(usable.len()).unwrap_or(u32::MAX);
        if role.threshold == 0 || role.threshold > usable {
            return Err(SealError::BadRole);
        }
    }
    for role in &trust.roles {
        for key in &role.keys {
            for other_role in &trust.roles {
                other_role.keys.iter().try_for_each(|other| check_pair(role, key, other_role, other))?;
            }
        }
    }
    Ok(())
}

fn check_pair(
    role: &Role,
    key: &VerifierKey,
    other_role: &Role,
    other: &VerifierKey,
) -> Result<(), SealError> {
    let same = key.public() == other.public();
    if !same && key.id() == other.id() && key.name() == other.name() {
        return Err(SealError::AmbiguousKey);
    }
    if same && !role.kind.same_power(&other_role.kind) {
        return Err(SealError::SharedKey);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
