//! Counting signatures: known keys must verify, unknown ones are ignored, one public key counts once.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::SealError;
use crate::key::VerifierKey;
use crate::note::Note;
use crate::statement::{RoleKind, TrustStatement};
use crate::told::told;

/// What the keys that signed a note amount to for one role.
#[derive(Default)]
struct Count {
    /// Public keys that hold the role, each once.
    holders: Vec<[u8; 32]>,
    /// Names of those, in the order of their lines.
    names: Vec<String>,
    /// Known keys that signed rightly but do not hold the role.
    others: u32,
    /// Revoked keys that signed rightly.
    revoked: u32,
}

/// Verify every signature of `note` whose key `trust` knows (in any role), and count those that hold `kind`.
/// Returns the names of the signers that counted.
pub(crate) fn verify(
    note: &Note<'_>,
    trust: &TrustStatement,
    kind: &RoleKind,
) -> Result<Vec<String>, SealError> {
    let role = trust.role(kind).ok_or(SealError::NoRole)?;
    refuse_duplicates(note)?;
    let mut count = Count::default();
    for line in note.signatures() {
        let known = |key: &VerifierKey| key.name() == line.name && key.id() == line.id;
        let Some(key) = trust.find_key(known) else {
            continue;
        };
        let signature = line.signature.as_slice().try_into();
        if !signature.is_ok_and(|signature| key.verifies(note.text().as_bytes(), signature)) {
            return Err(SealError::BadSignature { signer: told(|| line.name.into()) });
        }
        if trust.is_revoked_key(key) {
            count.revoked = count.revoked.saturating_add(1);
        } else if !role.keys.iter().any(|holder| holder.public() == key.public()) {
            count.others = count.others.saturating_add(1);
        } else if !count.holders.contains(key.public()) {
            count.holders.push(*key.public());
            count.names.push(line.name.into());
        }
    }
    judge(count, role.threshold)
}

fn judge(count: Count, needed: u32) -> Result<Vec<String>, SealError> {
    let found = u32::try_from(count.holders.len()).unwrap_or(u32::MAX);
    if needed == 0 {
        return Err(SealError::BadRole);
    }
    if found >= needed {
        return Ok(count.names);
    }
    // Say the most useful thing about what is missing.
    if found.saturating_add(count.revoked) >= needed {
        return Err(SealError::RevokedKey);
    }
    if found.saturating_add(count.others) >= needed {
        return Err(SealError::WrongRole);
    }
    Err(SealError::Threshold { needed: told(|| needed), found: told(|| found) })
}

/// No two lines may name the same key, known or not.
fn refuse_duplicates(note: &Note<'_>) -> Result<(), SealError> {
    let mut rest = note.signatures();
    while let Some((line, later)) = rest.split_first() {
        if later.iter().any(|other| other.name == line.name && other.id == line.id) {
            return Err(SealError::DuplicateSignature);
        }
        rest = later;
    }
    Ok(())
}
