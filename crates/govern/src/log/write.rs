//! Appending: full tiles, partial tiles, and only then the checkpoint that speaks of them.

use std::sync::Arc;

use flagstone_seal::Signer;

use super::disk::Disk;
use super::tail::{Tail, Written};
use super::{Checkpoint, LogError, Tile};

/// A log that is open for writing. What it knows agrees with the folder: [`super::open`] has seen to that.
pub(crate) struct Log {
    pub(crate) disk: Disk,
    pub(crate) signer: Arc<dyn Signer + Send + Sync>,
    pub(crate) tail: Tail,
    /// Partial tiles of the newest checkpoint and of the one before it; a reader may be in the middle of either.
    pub(crate) kept: [Vec<Tile>; 2],
}

impl Log {
    /// How many entries are logged and signed for.
    pub(crate) fn size(&self) -> u64 {
        self.tail.size
    }

    /// Adds entries and signs the tree over them. When it returns, all of it is on the disk for good; when it fails,
    /// the checkpoint before still stands, and the same call can be made again.
    pub(crate) fn append(&mut self, entries: &[Vec<u8>]) -> Result<(), LogError> {
        if entries.is_empty() {
            return Ok(());
        }
        let mut next = self.tail.clone();
        for entry in entries {
            for (tile, bytes) in next.push(entry)? {
                self.disk.put(&tile.path(), &bytes)?;
            }
        }
        let partials = next.partials();
        let new: Vec<Tile> = partials.iter().map(|(tile, _)| *tile).collect();
        let [newest, before] = &self.kept;
        let stands = |tile: &Tile| newest.contains(tile);
        for (tile, bytes) in &partials {
            if !stands(tile) {
                self.disk.put(&tile.path(), bytes)?;
            }
        }
        self.disk.put("checkpoint", &signed(&next, self.signer.as_ref())?)?;
        for tile in before.iter().filter(|tile| !new.contains(tile) && !stands(tile)) {
            self.disk.remove(*tile);
        }
        let [newest, _] = std::mem::take(&mut self.kept);
        self.kept = [new, newest];
        self.tail = next;
        Ok(())
    }
}

/// The signed checkpoint of a tree.
fn signed(tail: &Tail, signer: &dyn Signer) -> Result<Vec<u8>, LogError> {
    let origin = signer.verifier_key().name().to_owned();
    Ok(Checkpoint { origin, size: tail.size, root: tail.root() }.sign(signer)?)
}

/// Where a file on the disk differs from what it should be: the number of the first entry beneath the difference.
pub(crate) fn first_difference((tile, bytes): &Written, found: &[u8]) -> u64 {
    use super::tile::{Kind, WIDTH, entries};
    let (level, place) = match tile.kind {
        Kind::Entries => {
            let (wanted, found) = (entries(bytes).0, entries(found).0);
            let same = wanted.iter().zip(&found).take_while(|(wanted, found)| wanted == found);
            (0, same.count())
        }
        Kind::Hashes(level) => {
            let same = bytes.chunks(32).zip(found.chunks(32)).take_while(|(wanted, found)| wanted == found);
            (u32::from(level), same.count())
        }
    };
    // A file that is only longer differs after its last entry.
    let place = u64::try_from(place).unwrap_or(0).min(u64::from(tile.width).saturating_sub(1));
    let place = tile.index.saturating_mul(WIDTH).saturating_add(place);
    place.checked_shl(level.saturating_mul(8)).unwrap_or(0).saturating_add(1)
}
