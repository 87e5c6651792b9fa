//! Reading without verifying: for a person who is about to sign, for tools that show what a file claims.

use crate::error::SealError;
use crate::frame::{self, MAGIC};
use crate::limits;
use crate::note::Note;
use crate::open::check_payload;
use crate::statement::Statement;

/// What a file or note claims. No signature has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The statement, in canonical form.
    pub statement: Statement,
    /// The note it stands in: text and signature lines.
    pub note: Note<'a>,
    /// The payload of a sealed file, which has the length and digest that its statement says.
    pub payload: Option<&'a [u8]>,
}

/// Read a sealed file, a pulse or a trust note without verifying any signature. Never act on the result.
///
/// # Errors
/// The errors of the frame, the note, the statement's form and the payload's digest.
pub fn inspect(bytes: &[u8], max_payload: u64) -> Result<Claim<'_>, SealError> {
    if bytes.starts_with(&MAGIC) {
        let frame = frame::split(bytes, max_payload)?;
        let note = Note::parse(frame.note, limits::MAX_NOTE_BYTES)?;
        let statement = Statement::parse(note.text())?;
        let Statement::Snapshot(snapshot) = &statement else {
            return Err(SealError::WrongKind);
        };
        check_payload(snapshot, frame.payload)?;
        return Ok(Claim { statement, note, payload: Some(frame.payload) });
    }
    let note = Note::parse(bytes, limits::MAX_PULSE_BYTES.max(limits::MAX_TRUST_BYTES))?;
    let statement = Statement::parse(note.text())?;
    match statement {
        Statement::Snapshot(_) => Err(SealError::BadMagic),
        Statement::Trust(_) | Statement::Pulse(_) => Ok(Claim { statement, note, payload: None }),
    }
}
