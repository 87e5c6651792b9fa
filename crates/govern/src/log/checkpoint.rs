//! The signed head of the log: a C2SP tlog-checkpoint, which is a signed note whose text is origin, size and root.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_seal::{Note, SignError, Signer, VerifierKey};

use super::LogError;
use super::merkle::Hash;

/// Bytes of a checkpoint at most: three lines and sixteen signatures with long names.
pub const MAX_CHECKPOINT_BYTES: usize = 8_192;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's name, which is its key's name.
    pub origin: String,
    /// How many entries the log has.
    pub size: u64,
    /// The root hash over them.
    pub root: Hash,
}

impl Checkpoint {
    /// The signed text.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    /// Signs it.
    ///
    /// # Errors
    /// When the signer fails, or its signature does not verify by its own public key.
    pub fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        let (text, key) = (self.to_text(), signer.verifier_key());
        let signature = signer.sign(text.as_bytes())?;
        if !key.verifies(text.as_bytes(), &signature) {
            return Err(SignError::WrongSignature { signer: key.name().to_owned() });
        }
        let line = STANDARD.encode([&key.id()[..], &signature].concat());
        Ok(format!("{text}\n\u{2014} {} {line}\n", key.name()).into_bytes())
    }

    /// Opens a checkpoint that one of these keys has signed, as the log of that key's name. Signatures of other keys
    /// are ignored: witnesses may have added theirs.
    ///
    /// # Errors
    /// [`LogError::Checkpoint`] says what is wrong with it.
    pub fn open(note: &[u8], keys: &[VerifierKey]) -> Result<Self, LogError> {
        let wrong = |what: String| LogError::Checkpoint(what);
        let note = Note::parse(note, MAX_CHECKPOINT_BYTES)
            .map_err(|error| wrong(format!("is no signed note: {error} ({})", error.code())))?;
        let mut signed = None;
        for line in note.signatures() {
            let known = keys.iter().find(|key| key.name() == line.name && key.id() == line.id);
            let Some(key) = known else { continue };
            let signature = line.signature.as_slice().try_into();
            if !signature.is_ok_and(|signature| key.verifies(note.text().as_bytes(), signature)) {
                return Err(wrong(format!("has a signature of `{}` that does not verify", line.name)));
            }
            signed = Some(key);
        }
        let Some(key) = signed else {
            let names: Vec<&str> = note.signatures().iter().map(|line| line.name).collect();
            let names = names.join("`, `");
            return Err(wrong(format!("is not signed by the pinned key; it bears signatures of `{names}`")));
        };
        let parsed = Body::parse(note.text()).and_then(|body| {
            let root = body.hash.as_slice().try_into().ok()?;
            Some(Self { origin: body.origin.to_owned(), size: body.size, root })
        });
        let checkpoint = parsed.ok_or_else(|| wrong("is not made of origin, size and root".to_owned()))?;
        if checkpoint.origin != key.name() {
            let (origin, name) = (&checkpoint.origin, key.name());
            return Err(wrong(format!("is of the log `{origin}`, not of `{name}`, whose key signed it")));
        }
        Ok(checkpoint)
    }
}

/// A checkpoint's text taken apart: any length of hash, extension lines allowed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Body<'a> {
    pub(crate) origin: &'a str,
    pub(crate) size: u64,
    pub(crate) hash: Vec<u8>,
    pub(crate) rest: &'a str,
}

impl<'a> Body<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (origin, rest) = text.split_once('\n')?;
        let (size, rest) = rest.split_once('\n')?;
        let (hash, rest) = rest.split_once('\n')?;
        let number: u64 = size.parse().ok()?;
        if origin.is_empty() || number.to_string() != size {
            return None;
        }
        Some(Self { origin, size: number, hash: STANDARD.decode(hash).ok()?, rest })
    }
}
