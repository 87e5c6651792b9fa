//! Proofs that travel alone: C2SP tlog-proof, an entry's place, its path to the root and the signed checkpoint.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flagstone_seal::VerifierKey;

use super::merkle::{Hash, leaf_hash, root_of_inclusion};
use super::{Checkpoint, LogError};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// A proof, taken apart. Nothing is verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The entry's place in the log, from 0: ledger entry n stands at n - 1.
    pub index: u64,
    /// Hashes from the entry's sibling to the root's child.
    pub path: Vec<Hash>,
    /// The checkpoint, a signed note.
    pub checkpoint: Vec<u8>,
}

impl Proof {
    /// The file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{HEADER}\nindex {}\n", self.index);
        for hash in &self.path {
            text.push_str(&STANDARD.encode(hash));
            text.push('\n');
        }
        text.push('\n');
        [text.into_bytes(), self.checkpoint.clone()].concat()
    }

    /// Reads a file. Extra data is skipped: nothing here has a use for it.
    ///
    /// # Errors
    /// [`LogError::Proof`] when it is not of this form.
    pub fn parse(bytes: &[u8]) -> Result<Self, LogError> {
        Self::read(bytes).ok_or_else(|| LogError::Proof("is not of the form tlog-proof".to_owned()))
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let rest = text.strip_prefix(HEADER)?.strip_prefix('\n')?;
        let (head, checkpoint) = rest.split_once("\n\n")?;
        let mut lines = head.split('\n').peekable();
        let extra =
            |line: &&str| line.strip_prefix("extra ").is_some_and(|data| STANDARD.decode(data).is_ok());
        lines.next_if(extra);
        let number = lines.next()?.strip_prefix("index ")?;
        let index: u64 = number.parse().ok()?;
        if index.to_string() != number {
            return None;
        }
        let path = lines.map(|line| STANDARD.decode(line).ok()?.try_into().ok()).collect::<Option<_>>()?;
        Some(Self { index, path, checkpoint: checkpoint.as_bytes().to_vec() })
    }

    /// That the entry stands in the log of one of these keys, at the place the proof names.
    ///
    /// # Errors
    /// [`LogError::Checkpoint`], and [`LogError::Proof`] when the path leads elsewhere.
    pub fn verify(&self, entry: &[u8], keys: &[VerifierKey]) -> Result<Checkpoint, LogError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, keys)?;
        let root = root_of_inclusion(self.index, checkpoint.size, &leaf_hash(entry), &self.path);
        if root == Some(checkpoint.root) {
            return Ok(checkpoint);
        }
        let number = self.index.saturating_add(1);
        Err(LogError::Proof(format!("does not lead from this entry, as number {number}, to the signed root")))
    }
}
