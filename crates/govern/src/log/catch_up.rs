//! Opening a log: what is on the disk must be what the database says, and what the database has more is added.

use std::sync::Arc;

use flagstone_seal::{Signer, VerifierKey};
use sqlx::SqliteConnection;

use super::disk::Disk;
use super::tail::Tail;
use super::write::{Log, first_difference};
use super::{Checkpoint, LogError};
use crate::{GovernError, ledger};

/// Entries read from the database, and signed for, at a time.
pub(crate) const CHUNK: u32 = 4_096;

/// A log being compared with the database, from its beginning to where its checkpoint ends.
struct Opening {
    disk: Disk,
    signed: Option<Checkpoint>,
    tail: Tail,
}

/// Opens the folder, compares all that its checkpoint speaks of with the database, and adds what is missing. `keys` are
/// those that may have signed the checkpoint.
///
/// # Errors
/// [`LogError`] when the folder is ahead of the database, contradicts it, or is signed by somebody else.
pub(crate) async fn open(
    connection: &mut SqliteConnection,
    disk: Disk,
    signer: Arc<dyn Signer + Send + Sync>,
    keys: Vec<VerifierKey>,
) -> Result<Log, GovernError> {
    let mut opening = blocking(move || Opening::begin(disk, &keys)).await?;
    let signed = opening.signed.as_ref().map_or(0, |signed| signed.size);
    while opening.tail.size < signed {
        let left = u32::try_from(signed.saturating_sub(opening.tail.size)).unwrap_or(u32::MAX);
        let entries = ledger::leaves(connection, opening.tail.size, left.min(CHUNK)).await?;
        if entries.is_empty() {
            let fault = format!(
                "is not in the database: the log has {signed} entries, the database {}, so its end was cut off or it was \
                 put back from an older copy\nhint: put back the database that belongs to this log",
                opening.tail.size
            );
            return Err(LogError::Entry { entry: opening.tail.size.saturating_add(1), fault }.into());
        }
        opening = blocking(move || opening.compare(&entries).map(|()| opening)).await?;
    }
    opening.finish()?;
    let kept = opening.tail.partials().into_iter().map(|(tile, _)| tile).collect();
    Ok(Log { disk: opening.disk, signer, tail: opening.tail, kept: [kept, Vec::new()] })
}

/// Runs work on files where it holds up nobody.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|error| Err(LogError::Broken(error.to_string())))
}

impl Opening {
    fn begin(disk: Disk, keys: &[VerifierKey]) -> Result<Self, LogError> {
        let note = disk.read("checkpoint")?;
        let signed = note.map(|note| Checkpoint::open(&note, keys)).transpose()?;
        Ok(Self { disk, signed, tail: Tail::default() })
    }

    /// Adds entries of the database in memory, and compares every file that they fill.
    fn compare(&mut self, entries: &[Vec<u8>]) -> Result<(), LogError> {
        for entry in entries {
            for full in self.tail.push(entry)? {
                self.compare_file(&full)?;
            }
        }
        Ok(())
    }

    /// The same for the partial files at the end, and the root.
    fn finish(&self) -> Result<(), LogError> {
        let Some(signed) = &self.signed else { return Ok(()) };
        for partial in self.tail.partials() {
            self.compare_file(&partial)?;
        }
        if self.tail.root() != signed.root {
            let what = "bears a root that the entries do not have, though the files agree with the database: both were \
                        changed since it was signed";
            return Err(LogError::Checkpoint(what.to_owned()));
        }
        Ok(())
    }

    fn compare_file(&self, wanted: &super::tail::Written) -> Result<(), LogError> {
        let path = wanted.0.path();
        let Some(found) = self.disk.read(&path)? else {
            let fault = "is missing\nhint: put it back, or move the whole folder away: it is then written anew from the database";
            return Err(LogError::Tile { path, fault: fault.to_owned() });
        };
        if found == wanted.1 {
            return Ok(());
        }
        let entry = first_difference(wanted, &found);
        let fault = format!(
            "is not entry {entry} of the database (in `{path}`): one of them was changed\n\
             hint: `flagstone ledger verify` on each says which"
        );
        Err(LogError::Entry { entry, fault })
    }
}
