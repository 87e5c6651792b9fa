//! Sealing: print the statement, read it back by the reader's own rules, sign, verify each signature.

use alloc::string::String;
use alloc::vec::Vec;

use super::{SignError, Signer, SnapshotStatementDraft, TrustDraft};
use crate::error::SealError;
use crate::frame;
use crate::limits;
use crate::note::push_signature;
use crate::statement::{self, Form, PulseStatement, SnapshotStatement};
use crate::text::sha256;
use crate::trust::check_roles;

/// Seal a payload: a file that [`open`](crate::open()) reads. The threshold is the reader's to judge: a file
/// with the first of two signatures is made here, and [`cosign`](super::cosign()) adds the second.
///
/// # Errors
/// [`SignError`]; nothing that every reader would refuse is signed.
pub fn seal_snapshot(
    draft: &SnapshotStatementDraft,
    payload: &[u8],
    signers: &[&dyn Signer],
) -> Result<Vec<u8>, SignError> {
    let statement = SnapshotStatement {
        audience: draft.audience.clone(),
        environment: draft.environment.clone(),
        epoch: draft.epoch,
        sequence: draft.sequence,
        issued: draft.issued,
        expires: draft.expires,
        parent: draft.parent,
        payload_type: draft.payload_type.clone(),
        payload_length: u64::try_from(payload.len()).unwrap_or(u64::MAX),
        payload_sha256: sha256(payload),
    };
    let note = sign_note(&statement, signers)?;
    Ok(frame::join(&note, payload)?)
}

/// Seal a pulse: a note that [`open_pulse`](crate::open_pulse) reads. Stages and halts are sorted here.
///
/// # Errors
/// [`SignError`]; a flag with two stage lines or two halt lines is [`SignError::BadDraft`].
pub fn seal_pulse(draft: &PulseStatement, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let mut pulse = draft.clone();
    pulse.stages.sort();
    pulse.halts.sort();
    sign_note(&pulse, &[signer])
}

/// Seal a trust statement: a note for [`TrustRoot::pin`](crate::TrustRoot::pin) and
/// [`advance`](crate::TrustRoot::advance). To rotate, the signers are root keys of the old and of the new
/// statement. Lists are sorted here.
///
/// # Errors
/// [`SignError`]; roles that cannot be met and keys in two kinds of role are refused before anyone signs.
pub fn seal_trust(draft: &TrustDraft, signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    let trust = sorted(draft);
    check_roles(&trust)?;
    sign_note(&trust, signers)
}

/// A trust statement with its lists in order.
fn sorted(draft: &TrustDraft) -> TrustDraft {
    let mut trust = draft.clone();
    trust.roles.sort_by(|a, b| a.kind.cmp(&b.kind));
    trust.floors.sort_by(|a, b| a.environment.cmp(&b.environment));
    trust.revoked_keys.sort_by_cached_key(crate::VerifierKey::to_text);
    trust.revoked_statements.sort_unstable();
    trust
}

/// A trust statement with its lists in order, and its one text.
pub(super) fn trust_text(draft: &TrustDraft) -> Result<(TrustDraft, String), SignError> {
    let trust = sorted(draft);
    let text = checked_text(&trust)?;
    Ok((trust, text))
}

/// The text of a statement, which a reader reads back to the same statement.
fn checked_text<S: Form>(statement: &S) -> Result<String, SignError> {
    let text = statement.text();
    if statement::parse::<S>(&text)? != *statement {
        return Err(SignError::BadDraft { line: 0 });
    }
    Ok(text)
}

/// Print, read back, sign.
fn sign_note<S: Form>(statement: &S, signers: &[&dyn Signer]) -> Result<Vec<u8>, SignError> {
    let text = checked_text(statement)?;
    statement.check_period()?;
    if signers.is_empty() {
        return Err(SignError::NoSigners);
    }
    if signers.len() > limits::MAX_SIGNATURES {
        return Err(SealError::TooManySignatures.into());
    }
    let mut note = text.clone();
    note.push('\n');
    let mut done: Vec<[u8; 32]> = Vec::new();
    for signer in signers {
        let key = signer.verifier_key();
        if done.contains(key.public()) {
            return Err(SignError::AlreadySigned { signer: key.name().into() });
        }
        done.push(*key.public());
        sign_line(&mut note, &text, *signer)?;
    }
    check_length(&note, S::MAX_BYTES)?;
    Ok(note.into_bytes())
}

/// Append one verified signature line over `text`.
pub(super) fn sign_line(note: &mut String, text: &str, signer: &dyn Signer) -> Result<(), SignError> {
    let key = signer.verifier_key();
    let signature = signer.sign(text.as_bytes())?;
    if !key.verifies(text.as_bytes(), &signature) {
        return Err(SignError::WrongSignature { signer: key.name().into() });
    }
    push_signature(note, key.name(), key.id(), &signature);
    Ok(())
}

/// That the note with its signatures is not too long for its kind.
pub(super) fn check_length(note: &str, limit: usize) -> Result<(), SignError> {
    if note.len() <= limit {
        return Ok(());
    }
    let as_u64 = |length| u64::try_from(length).unwrap_or(u64::MAX);
    Err(SealError::NoteTooLong { length: as_u64(note.len()), limit: as_u64(limit) }.into())
}
