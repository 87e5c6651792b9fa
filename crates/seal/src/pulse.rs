//! Opening a pulse: a note without a frame, signed by the role `pulse:<environment>`.

use crate::error::SealError;
use crate::note::Note;
use crate::open::{check_floor, check_place, check_revoked, check_time};
use crate::policy::PulsePolicy;
use crate::quorum;
use crate::statement::{self, Form as _, PulseStatement, RoleKind};
use crate::text::sha256;
use crate::trust::TrustRoot;

/// Open a pulse under a trust root.
///
/// The order is that of [`open`](crate::open()), without a payload. Whether the snapshot it names is the one the
/// reader holds is for the caller to compare: if not, the caller fetches that snapshot, and until then must not
/// apply the pulse's stage lines to another (its halt lines may always be applied).
///
/// # Errors
/// See [`SealError`]; [`SealError::Rollback`] for a number below [`PulsePolicy::last_number`].
pub fn open_pulse(
    note: &[u8],
    trust: &TrustRoot,
    policy: &PulsePolicy<'_>,
) -> Result<PulseStatement, SealError> {
    let note = Note::parse(note, PulseStatement::MAX_BYTES)?;
    let role = RoleKind::Pulse(policy.environment.into());
    quorum::verify(&note, trust.statement(), &role)?;
    let pulse: PulseStatement = statement::parse(note.text())?;
    check_place(&pulse.audience, policy.audience, &pulse.environment, policy.environment)?;
    if policy.last_number.is_some_and(|last| pulse.number < last) {
        return Err(SealError::Rollback);
    }
    check_floor(pulse.snapshot, trust, policy.environment)?;
    check_time(&pulse, trust, policy.now)?;
    check_revoked(sha256(note.text().as_bytes()), trust)?;
    check_revoked(pulse.snapshot.digest, trust)?;
    Ok(pulse)
}

#[cfg(test)]
mod tests;
