//! Opening a sealed file: the whole order of verification, in one place, without input or output.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::SealError;
use crate::frame;
use crate::limits;
use crate::note::Note;
use crate::policy::{Mark, OpenPolicy};
use crate::quorum;
use crate::statement::{self, Form, RoleKind, SnapshotStatement};
use crate::text::sha256;
use crate::told::told;
use crate::trust::TrustRoot;

/// A sealed file that passed every check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened<'a> {
    /// What the release keys said.
    pub statement: SnapshotStatement,
    /// The payload they said it of.
    pub payload: &'a [u8],
    /// The mark to persist once the payload is in use.
    pub mark: Mark,
    /// Names of the signers that counted, in the order of their lines.
    pub signers: Vec<String>,
}

/// Open a sealed file under a trust root.
///
/// The order: frame and lengths; note; signatures (`release:<environment>`); canonical statement; audience and
/// environment; epoch, mark and floor; time; revocation; payload length and digest. The first failure is the
/// error. Clock and memory are arguments; on success the caller swaps first and then persists
/// [`Opened::mark`].
///
/// # Errors
/// See [`SealError`]; a file with an error is not used in any part.
pub fn open<'a>(file: &'a [u8], trust: &TrustRoot, policy: &OpenPolicy<'_>) -> Result<Opened<'a>, SealError> {
    let frame = frame::split(file, policy.max_payload)?;
    let note = Note::parse(frame.note, SnapshotStatement::MAX_BYTES)?;
    let role = RoleKind::Release(policy.environment.into());
    let signers = quorum::verify(&note, trust.statement(), &role)?;
    let statement: SnapshotStatement = statement::parse(note.text())?;
    check_place(&statement.audience, policy.audience, &statement.environment, policy.environment)?;
    let digest = sha256(note.text().as_bytes());
    let mark = Mark { epoch: statement.epoch, sequence: statement.sequence, digest };
    if let Some(stored) = policy.mark {
        check_mark(mark, stored)?;
    }
    check_floor(mark, trust, policy.environment)?;
    check_time(&statement, trust, policy.now)?;
    check_revoked(digest, trust)?;
    check_payload(&statement, frame.payload)?;
    Ok(Opened { statement, payload: frame.payload, mark, signers })
}

/// Step 6: for this reader.
pub(crate) fn check_place(
    audience: &str,
    my_audience: &str,
    environment: &str,
    my_environment: &str,
) -> Result<(), SealError> {
    if audience != my_audience {
        return Err(SealError::WrongAudience {
            found: told(|| audience.into()),
            expected: told(|| my_audience.into()),
        });
    }
    if environment != my_environment {
        return Err(SealError::WrongEnvironment {
            found: told(|| environment.into()),
            expected: told(|| my_environment.into()),
        });
    }
    Ok(())
}

/// Step 7, what the reader remembers.
pub(crate) fn check_mark(mark: Mark, stored: Mark) -> Result<(), SealError> {
    let (new, old) = ((mark.epoch, mark.sequence), (stored.epoch, stored.sequence));
    if new < old {
        return Err(SealError::Rollback);
    }
    if new == old && mark.digest != stored.digest {
        return Err(SealError::Equivocation {
            stored: told(|| stored.digest),
            offered: told(|| mark.digest),
        });
    }
    Ok(())
}

/// Step 7, what the trust root says.
pub(crate) fn check_floor(mark: Mark, trust: &TrustRoot, environment: &str) -> Result<(), SealError> {
    if mark.epoch > trust.epoch() {
        return Err(SealError::EpochAhead);
    }
    if (mark.epoch, mark.sequence) < trust.floor(environment) {
        return Err(SealError::BelowFloor);
    }
    Ok(())
}

/// Step 8: in time. The trust root is a statement accepted before, so time never runs behind its issue.
pub(crate) fn check_time<S: Form>(statement: &S, trust: &TrustRoot, now: u64) -> Result<(), SealError> {
    let now = now.max(trust.issued());
    if trust.expires() <= now {
        return Err(SealError::TrustExpired { expires: told(|| trust.expires()) });
    }
    statement.check_period()?;
    let (issued, expires) = statement.period();
    if issued > now.saturating_add(limits::MAX_CLOCK_SKEW) {
        return Err(SealError::IssuedInFuture { issued: told(|| issued) });
    }
    if expires <= now {
        return Err(SealError::Expired { expires: told(|| expires) });
    }
    Ok(())
}

/// Step 9: not revoked.
pub(crate) fn check_revoked(digest: [u8; 32], trust: &TrustRoot) -> Result<(), SealError> {
    if trust.statement().revoked_statements.contains(&digest) {
        return Err(SealError::RevokedStatement);
    }
    Ok(())
}

/// Step 10: the payload that was signed.
pub(crate) fn check_payload(statement: &SnapshotStatement, payload: &[u8]) -> Result<(), SealError> {
    if u64::try_from(payload.len()) != Ok(statement.payload_length) {
        return Err(SealError::PayloadLength);
    }
    if sha256(payload) != statement.payload_sha256 {
        return Err(SealError::PayloadDigest);
    }
    Ok(())
}

#[cfg(test)]
mod tamper;
#[cfg(test)]
mod tests;
