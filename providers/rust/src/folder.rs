//! News from a folder, laid out as the host's `file:` source has it: `trust`, `trust.{version}`, `pulse`, `snapshots/{digest}`.

use std::io::ErrorKind;
use std::path::Path;

use crate::{Flags, Mark, Refusal, SealError};

/// What a look brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// Whether the trust root moved on.
    pub trust: bool,
    /// Whether another snapshot is in force than before.
    pub snapshot: bool,
    /// The snapshot in force.
    pub in_force: Option<Mark>,
}

impl Flags {
    /// Looks for news: the trust note, then the pulse, then the snapshot that the pulse names. A folder without a pulse has no news
    /// of a snapshot: give that one to [`Flags::offer`]. Blocks on the disk; `now` in unix seconds.
    ///
    /// # Errors
    /// What was refused or could not be read. What was accepted before it counts: a pulse's halts do, even when the snapshot that it
    /// names cannot be had.
    pub fn look(&self, folder: &Path, now: u64) -> Result<Looked, Refusal> {
        let before = self.in_force().map(|current| current.mark());
        let trust = self.look_for_trust(folder, now)?;
        if let Some(note) = read(&folder.join("pulse"))? {
            let pulsed = self.pulse(&note, now)?;
            if !pulsed.in_force {
                let digest: String =
                    pulsed.snapshot.digest.iter().map(|byte| format!("{byte:02x}")).collect();
                let path = folder.join("snapshots").join(digest);
                let file = std::fs::read(&path).map_err(|error| Refusal::File { path, error })?;
                self.offer(file, now)?;
            }
        }
        let in_force = self.in_force().map(|current| current.mark());
        Ok(Looked { trust, snapshot: in_force != before, in_force })
    }

    /// The newest note, or one after the other from the first that was missed.
    fn look_for_trust(&self, folder: &Path, now: u64) -> Result<bool, Refusal> {
        let Some(newest) = read(&folder.join("trust"))? else { return Ok(false) };
        let mut moved = false;
        loop {
            match self.advance(&newest, now) {
                Ok(last) => return Ok(moved || last),
                Err(Refusal::Seal(SealError::TrustVersion)) => {
                    let next = folder.join(format!("trust.{}", self.trust_version() + 1));
                    let Some(note) = read(&next)? else { return Err(SealError::TrustVersion.into()) };
                    if !self.advance(&note, now)? {
                        return Err(SealError::TrustVersion.into()); // the folder says one note twice
                    }
                    moved = true;
                }
                Err(other) => return Err(other),
            }
        }
    }
}

/// The bytes of a file, none when it is not there.
fn read(path: &Path) -> Result<Option<Vec<u8>>, Refusal> {
    match std::fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Refusal::File { path: path.into(), error }),
    }
}
