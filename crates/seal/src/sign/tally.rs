//! Who has signed and who has not: for people who wait for the second signature.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::SealError;
use crate::key::VerifierKey;
use crate::note::NoteSignature;
use crate::statement::{RoleKind, TrustStatement};

/// The signatures of a text, counted for one role by the reader's rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// How many different keys must sign.
    pub needed: u32,
    /// Keys of the role that have signed; each public key once, in the order of their lines.
    pub signed: Vec<VerifierKey>,
    /// Keys of the role that have not signed and are not revoked; each public key once, in the role's order.
    pub missing: Vec<VerifierKey>,
    /// Names on lines that do not count: keys the trust statement does not know, of other roles, or revoked.
    pub others: Vec<String>,
    /// Names of known keys whose signature does not verify: one is enough for every reader to refuse the whole.
    pub wrong: Vec<String>,
}

impl Tally {
    /// Whether a reader finds enough signatures.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.wrong.is_empty() && self.lacking() == 0
    }

    /// How many signatures are lacking.
    #[must_use]
    pub fn lacking(&self) -> u32 {
        self.needed.saturating_sub(u32::try_from(self.signed.len()).unwrap_or(u32::MAX))
    }
}

/// Count the signatures of `text` for the role `kind` of `trust`.
///
/// # Errors
/// [`SealError::NoRole`].
pub fn tally(
    text: &str,
    signatures: &[NoteSignature<'_>],
    trust: &TrustStatement,
    kind: &RoleKind,
) -> Result<Tally, SealError> {
    let role = trust.role(kind).ok_or(SealError::NoRole)?;
    let mut tally = Tally {
        needed: role.threshold,
        signed: Vec::new(),
        missing: Vec::new(),
        others: Vec::new(),
        wrong: Vec::new(),
    };
    let same = |keys: &[VerifierKey], key: &VerifierKey| keys.iter().any(|one| one.public() == key.public());
    for line in signatures {
        let named = |key: &VerifierKey| key.name() == line.name && key.id() == line.id;
        let Some(key) = trust.find_key(named) else {
            tally.others.push(line.name.into());
            continue;
        };
        let signature = line.signature.as_slice().try_into();
        if !signature.is_ok_and(|signature| key.verifies(text.as_bytes(), signature)) {
            tally.wrong.push(line.name.into());
        } else if trust.is_revoked_key(key) || !same(&role.keys, key) {
            tally.others.push(line.name.into());
        } else if !same(&tally.signed, key) {
            tally.signed.push(key.clone());
        }
    }
    for key in role.keys.iter().filter(|key| !trust.is_revoked_key(key)) {
        if !same(&tally.signed, key) && !same(&tally.missing, key) {
            tally.missing.push(key.clone());
        }
    }
    Ok(tally)
}
