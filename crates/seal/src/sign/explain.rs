//! What [`open`](crate::open()) checks, one by one, for a person who wants to know how far a file came.

use alloc::vec::Vec;

use crate::error::SealError;
use crate::frame;
use crate::note::Note;
use crate::open::{check_floor, check_mark, check_payload, check_place, check_revoked, check_time};
use crate::policy::{Mark, OpenPolicy};
use crate::quorum;
use crate::statement::{self, Form, RoleKind, SnapshotStatement};
use crate::text::sha256;
use crate::trust::TrustRoot;

/// A check of [`open`](crate::open()), in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Magic and lengths: every byte accounted for, none beyond a limit.
    Frame,
    /// Text, an empty line, signature lines.
    Note,
    /// No signature line twice, and every known one verifies.
    Signatures,
    /// Enough different keys of the role for this environment.
    Threshold,
    /// A snapshot's statement in its one text.
    Statement,
    /// For this audience and environment.
    Place,
    /// Not below what the reader has accepted, nor another file under its numbers.
    Mark,
    /// Not above the trust root's epoch, not below its floor.
    Floor,
    /// The trust root and the statement are in time.
    Time,
    /// The statement is not revoked.
    Revocation,
    /// The payload is the one that was signed.
    Payload,
}

impl Check {
    /// All checks, in order.
    pub const ALL: [Self; 11] = [
        Self::Frame,
        Self::Note,
        Self::Signatures,
        Self::Threshold,
        Self::Statement,
        Self::Place,
        Self::Mark,
        Self::Floor,
        Self::Time,
        Self::Revocation,
        Self::Payload,
    ];

    /// The stable, kebab-case name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Note => "note",
            Self::Signatures => "signatures",
            Self::Threshold => "threshold",
            Self::Statement => "statement",
            Self::Place => "audience-and-environment",
            Self::Mark => "mark",
            Self::Floor => "epoch-and-floor",
            Self::Time => "time",
            Self::Revocation => "revocation",
            Self::Payload => "payload",
        }
    }
}

/// How a check came out; none when it could not be made because of one before it.
pub type Outcome = Option<Result<(), SealError>>;

/// Make every check of [`open`](crate::open()) that can be made, also beyond the first that fails. The first failure is
/// what `open` says; nothing failed means that it opens. Never act on a file by this: it is for showing.
#[must_use]
pub fn explain(file: &[u8], trust: &TrustRoot, policy: &OpenPolicy<'_>) -> Vec<(Check, Outcome)> {
    let mut done: Vec<(Check, Outcome)> = Vec::new();
    let mut tell = |check, result: Result<(), SealError>| done.push((check, Some(result)));
    'checks: {
        let frame = match frame::split(file, policy.max_payload) {
            Ok(frame) => frame,
            Err(error) => {
                tell(Check::Frame, Err(error));
                break 'checks;
            }
        };
        tell(Check::Frame, Ok(()));
        let note = match Note::parse(frame.note, SnapshotStatement::MAX_BYTES) {
            Ok(note) => note,
            Err(error) => {
                tell(Check::Note, Err(error));
                break 'checks;
            }
        };
        tell(Check::Note, Ok(()));
        let role = RoleKind::Release(policy.environment.into());
        let counted = quorum::verify(&note, trust.statement(), &role).map(drop);
        match counted {
            Err(error @ (SealError::DuplicateSignature | SealError::BadSignature { .. })) => {
                tell(Check::Signatures, Err(error));
            }
            counted => {
                tell(Check::Signatures, Ok(()));
                tell(Check::Threshold, counted);
            }
        }
        let statement = match statement::parse::<SnapshotStatement>(note.text()) {
            Ok(statement) => statement,
            Err(error) => {
                tell(Check::Statement, Err(error));
                break 'checks;
            }
        };
        tell(Check::Statement, Ok(()));
        let place =
            check_place(&statement.audience, policy.audience, &statement.environment, policy.environment);
        tell(Check::Place, place);
        let digest = sha256(note.text().as_bytes());
        let mark = Mark { epoch: statement.epoch, sequence: statement.sequence, digest };
        tell(Check::Mark, policy.mark.map_or(Ok(()), |stored| check_mark(mark, stored)));
        tell(Check::Floor, check_floor(mark, trust, policy.environment));
        tell(Check::Time, check_time(&statement, trust, policy.now));
        tell(Check::Revocation, check_revoked(digest, trust));
        tell(Check::Payload, check_payload(&statement, frame.payload));
    }
    let all = Check::ALL.into_iter();
    all.map(|check| {
        let made = done.iter().find(|(one, _)| *one == check);
        (check, made.and_then(|(_, outcome)| outcome.clone()))
    })
    .collect()
}
