//! A trust statement on its way from one root key holder to the next: none, some or all of its signatures are there.

use alloc::string::String;
use alloc::vec::Vec;

use super::make::{check_length, sign_line, trust_text};
use super::{SignError, Signer, Tally, TrustDraft, tally};
use crate::error::SealError;
use crate::limits;
use crate::note::Note;
use crate::statement::{self, Form, RoleKind, TrustStatement};
use crate::trust::check_roles;

/// A trust statement and the signatures it has so far.
///
/// Its bytes are a note whose signature block may be empty: statement text, an empty line, signature lines. With
/// enough signatures these very bytes are the next trust note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proposal {
    statement: TrustStatement,
    text: String,
    /// Signature lines, each with its LF.
    lines: String,
}

impl Proposal {
    /// Propose a statement. Its lists are sorted here; nobody has signed yet.
    ///
    /// # Errors
    /// [`SignError::BadDraft`] and [`SignError::Invalid`] for what every reader would refuse.
    pub fn new(draft: &TrustDraft) -> Result<Self, SignError> {
        let (statement, text) = trust_text(draft)?;
        let proposal = Self { statement, text, lines: String::new() };
        proposal.check()?;
        Ok(proposal)
    }

    /// Read a proposal, or a finished trust note.
    ///
    /// # Errors
    /// [`SignError::Invalid`] when it is no note, or one that every reader would refuse whoever signs it.
    pub fn parse(bytes: &[u8]) -> Result<Self, SignError> {
        let limit = TrustStatement::MAX_BYTES;
        // A note without signature lines ends with its empty line, which no signed note does.
        let (text, lines) = if bytes.ends_with(b"\n\n") && bytes.len() <= limit {
            let text = core::str::from_utf8(bytes).map_err(|_| SealError::BadNote)?;
            (text.strip_suffix('\n').unwrap_or_default(), "")
        } else {
            let note = Note::parse(bytes, limit)?;
            let all = core::str::from_utf8(bytes).map_err(|_| SealError::BadNote)?;
            (note.text(), all.get(note.text().len().saturating_add(1)..).unwrap_or_default())
        };
        let proposal = Self { statement: read(text)?, text: text.into(), lines: lines.into() };
        proposal.check()?;
        Ok(proposal)
    }

    fn check(&self) -> Result<(), SignError> {
        check_roles(&self.statement)?;
        self.statement.check_period()?;
        check_length(&self.text, TrustStatement::MAX_BYTES)
    }

    /// What is proposed.
    #[must_use]
    pub const fn statement(&self) -> &TrustStatement {
        &self.statement
    }

    /// The bytes to pass round: with enough signatures, the trust note.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.text.clone();
        out.push('\n');
        out.push_str(&self.lines);
        out.into_bytes()
    }

    /// Add one signature, which is verified first.
    ///
    /// # Errors
    /// [`SignError::AlreadySigned`] if a line of this key is there, and what [`Signer::sign`] says.
    pub fn sign(&mut self, signer: &dyn Signer) -> Result<(), SignError> {
        let key = signer.verifier_key();
        let bytes = self.to_bytes();
        let signed = self.lines.lines().count();
        if signed >= limits::MAX_SIGNATURES {
            return Err(SealError::TooManySignatures.into());
        }
        if signed > 0 {
            let note = Note::parse(&bytes, TrustStatement::MAX_BYTES)?;
            if note.signatures().iter().any(|line| line.name == key.name() && line.id == key.id()) {
                return Err(SignError::AlreadySigned { signer: key.name().into() });
            }
        }
        let mut lines = self.lines.clone();
        sign_line(&mut lines, &self.text, signer)?;
        let length = self.text.len().saturating_add(lines.len()).saturating_add(1);
        if length > TrustStatement::MAX_BYTES {
            let as_u64 = |length| u64::try_from(length).unwrap_or(u64::MAX);
            let limit = as_u64(TrustStatement::MAX_BYTES);
            return Err(SealError::NoteTooLong { length: as_u64(length), limit }.into());
        }
        self.lines = lines;
        Ok(())
    }

    /// Who of `trust`'s root keys has signed this and who has not. A next statement needs a threshold of the old
    /// root keys and one of its own: ask with both.
    ///
    /// # Errors
    /// [`SealError::NoRole`] when `trust` has no root role.
    pub fn tally(&self, trust: &TrustStatement) -> Result<Tally, SealError> {
        let bytes = self.to_bytes();
        if self.lines.is_empty() {
            return tally(&self.text, &[], trust, &RoleKind::Root);
        }
        let note = Note::parse(&bytes, TrustStatement::MAX_BYTES)?;
        tally(note.text(), note.signatures(), trust, &RoleKind::Root)
    }
}

fn read(text: &str) -> Result<TrustStatement, SealError> {
    statement::parse(text)
}
