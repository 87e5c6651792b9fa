//! Adding one signature to what others have signed: the second person of a 2-of-3, or a new root key.

use alloc::string::String;
use alloc::vec::Vec;

use super::make::{check_length, sign_line};
use super::{SignError, Signer};
use crate::error::SealError;
use crate::frame;
use crate::inspect::inspect;
use crate::limits;
use crate::statement::{Form, PulseStatement, SnapshotStatement, Statement, TrustStatement};
use crate::trust::check_roles;

/// Add one signature to a sealed file, a trust note or a pulse, and return the whole. The statement must be in
/// canonical form, and the payload the one it names; the signatures already there are kept and not judged.
///
/// Show the signer what [`inspect`] reads before calling this: a signature is an approval.
///
/// # Errors
/// [`SignError::AlreadySigned`] if the key's line is there, [`SignError::Invalid`] for what no reader accepts.
pub fn cosign(bytes: &[u8], signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let claim = inspect(bytes, u64::MAX)?;
    let limit = match &claim.statement {
        Statement::Trust(trust) => {
            check_roles(trust)?;
            trust.check_period()?;
            TrustStatement::MAX_BYTES
        }
        Statement::Snapshot(snapshot) => {
            snapshot.check_period()?;
            SnapshotStatement::MAX_BYTES
        }
        Statement::Pulse(pulse) => {
            pulse.check_period()?;
            PulseStatement::MAX_BYTES
        }
    };
    let key = signer.verifier_key();
    let signatures = claim.note.signatures();
    if signatures.iter().any(|line| line.name == key.name() && line.id == key.id()) {
        return Err(SignError::AlreadySigned { signer: key.name().into() });
    }
    if signatures.len() >= limits::MAX_SIGNATURES {
        return Err(SealError::TooManySignatures.into());
    }
    let mut note = claim.note.to_text();
    sign_line(&mut note, claim.note.text(), signer)?;
    check_length(&note, limit)?;
    finish(note, claim.payload)
}

fn finish(note: String, payload: Option<&[u8]>) -> Result<Vec<u8>, SignError> {
    match payload {
        Some(payload) => Ok(frame::join(note.as_bytes(), payload)?),
        None => Ok(note.into_bytes()),
    }
}
