//! Verifying a whole log, and naming the first entry that is not what was signed.

use flagstone_seal::VerifierKey;
use serde_json::Value;

use super::merkle::{Hash, consistent, empty_root, leaf_hash, prove_consistency, root};
use super::read::{Read, Reader};
use super::tail::Tail;
use super::tile::{self, Kind, Tile};
use super::write::first_difference;
use super::{Checkpoint, LogError};

/// A log that is what its checkpoint says.
#[derive(Debug, Clone)]
pub struct Verified {
    /// What the checkpoint says.
    pub checkpoint: Checkpoint,
    /// The checkpoint itself, a signed note.
    pub note: Vec<u8>,
    /// The hash of every entry: whoever keeps them can name the entry at which a later log differs.
    pub leaves: Vec<Hash>,
}

/// Reads all of a log, recomputes every hash, and gives each entry (number from 1, bytes) to `each` on the way. What it
/// was given is only believed when this returns without an error.
///
/// # Errors
/// [`LogError::Entry`] names the first entry that is changed, missing or out of its place; [`LogError::Tile`] a damaged
/// hash above sound entries; [`LogError::Checkpoint`] a checkpoint that the pinned keys have not signed.
pub fn verify(
    read: impl Read,
    keys: &[VerifierKey],
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<Verified, LogError> {
    let mut reader = Reader::open(read, keys)?;
    let size = reader.checkpoint.size;
    let mut found = Found::default();
    for bundle in tile::of_kind(size, Kind::Entries) {
        found.bundle(&mut reader, bundle, each)?;
    }
    let told = [told(&mut reader, 0)?, told(&mut reader, 1)?];
    if found.fault.is_none() && root(&found.leaves) == reader.checkpoint.root {
        if let Some(error) = found.number_fault {
            return Err(error);
        }
        tiles(&mut reader, &found.leaves)?;
        let Reader { note, checkpoint, .. } = reader;
        return Ok(Verified { checkpoint, note, leaves: found.leaves });
    }
    Err(blame(found, &told, &reader.checkpoint))
}

/// What the bundles hold.
#[derive(Default)]
struct Found {
    leaves: Vec<Hash>,
    /// The first place where an entry should be and none is.
    fault: Option<LogError>,
    /// The first entry that says it is another one.
    number_fault: Option<LogError>,
}

impl Found {
    fn bundle<R: Read>(
        &mut self,
        reader: &mut Reader<R>,
        tile: Tile,
        each: &mut dyn FnMut(u64, &[u8]),
    ) -> Result<(), LogError> {
        if self.fault.is_some() {
            return Ok(());
        }
        let start = self.leaves.len();
        let Some(bytes) = reader.bytes(tile)? else {
            self.fault =
                Some(LogError::entry_at(start, format!("is missing: there is no `{}`", tile.path())));
            return Ok(());
        };
        let (entries, rest) = tile::entries(&bytes);
        for entry in entries.iter().take(usize::from(tile.width)) {
            let number = u64::try_from(self.leaves.len()).unwrap_or(u64::MAX).saturating_add(1);
            each(number, entry);
            let says =
                serde_json::from_slice::<Value>(entry).ok().and_then(|entry| entry.get("entry")?.as_u64());
            if says != Some(number) && self.number_fault.is_none() {
                let says = says.map_or("no number".to_owned(), |says| format!("entry {says}"));
                self.number_fault =
                    Some(LogError::entry_at(self.leaves.len(), format!("calls itself {says}")));
            }
            self.leaves.push(leaf_hash(entry));
        }
        let whole = entries.len() == usize::from(tile.width) && rest.is_empty();
        if !whole {
            let fault =
                if entries.len() < usize::from(tile.width) { "is missing" } else { "is followed by more" };
            let place = start.saturating_add(entries.len().min(usize::from(tile.width)));
            let place = if fault == "is missing" { place } else { place.saturating_sub(1) };
            self.fault = Some(LogError::entry_at(place, format!("{fault} in `{}`", tile.path())));
        }
        Ok(())
    }
}

/// The hashes of a level as its tiles have them, up to the first that is not there.
fn told<R: Read>(reader: &mut Reader<R>, level: u8) -> Result<Vec<Hash>, LogError> {
    let mut told = Vec::new();
    for tile in tile::of_kind(reader.checkpoint.size, Kind::Hashes(level)) {
        let bytes = reader.bytes(tile)?;
        let Some(hashes) = bytes.and_then(|bytes| tile::hashes(&bytes, tile.width)) else { break };
        told.extend(hashes);
    }
    Ok(told)
}

/// The entries are not those that were signed. The hashes in the tiles say which, when those are the signed ones still.
fn blame(found: Found, [told, above]: &[Vec<Hash>; 2], checkpoint: &Checkpoint) -> LogError {
    let signed = root(told) == checkpoint.root && !told.is_empty();
    let differs = found.leaves.iter().zip(told).position(|(found, told)| found != told);
    match (differs, found.fault) {
        (Some(index), _) if signed => {
            let hash = found.leaves.get(index);
            let instead = told.iter().position(|told| Some(told) == hash);
            LogError::entry_at(
                index,
                match instead {
                    Some(other) => {
                        format!("is not in its place: entry {} stands there", other.saturating_add(1))
                    }
                    None => "was changed since it was signed for".to_owned(),
                },
            )
        }
        (Some(index), _) => LogError::entry_at(
            index,
            "or its hash was changed; what the tiles hold is not what was signed either",
        ),
        (None, Some(fault)) => fault,
        (None, None) => {
            // Entries and their hashes were rewritten alike; what is left of the old tree is above them.
            let groups = found.leaves.chunks(256).zip(above);
            if let Some(group) = groups.map(|(leaves, told)| root(leaves) == *told).position(|same| !same) {
                let fault = "or one of the 255 after it was changed together with its hash: the tile above has another";
                return LogError::entry_at(group.saturating_mul(256), fault);
            }
            let last = usize::try_from(checkpoint.size).unwrap_or(0).saturating_sub(1);
            let fault =
                "or one before it was changed together with its hash: the signed root is of another history";
            LogError::entry_at(last, fault)
        }
    }
}

/// That every tile holds the hashes that the entries have.
fn tiles<R: Read>(reader: &mut Reader<R>, leaves: &[Hash]) -> Result<(), LogError> {
    let mut tail = Tail::default();
    for leaf in leaves {
        for wanted in tail.push_hash(*leaf) {
            same(reader, &wanted)?;
        }
    }
    tail.partials().iter().try_for_each(|wanted| same(reader, wanted))
}

fn same<R: Read>(reader: &mut Reader<R>, wanted: &super::tail::Written) -> Result<(), LogError> {
    let path = wanted.0.path();
    match reader.bytes(wanted.0)? {
        Some(found) if found == wanted.1 => Ok(()),
        Some(found) => {
            let entry = first_difference(wanted, &found);
            let fault =
                format!("does not fit the entries from entry {entry} on, which are as they were signed");
            Err(LogError::Tile { path, fault })
        }
        None => Err(LogError::Tile { path, fault: "is missing".to_owned() }),
    }
}

/// That a log has only grown since a checkpoint of it was remembered. `leaves` are the hashes that were kept with it; they
/// serve to name the entry, and are used only when they are those of that checkpoint.
///
/// # Errors
/// [`LogError::Entry`] names the first entry that is missing or another; without `leaves` it can only name the last one
/// that was remembered.
pub fn compare(old: &Checkpoint, leaves: &[Hash], now: &Verified) -> Result<(), LogError> {
    if old.origin != now.checkpoint.origin {
        return Err(LogError::OtherLog { found: now.checkpoint.origin.clone(), wanted: old.origin.clone() });
    }
    let size = usize::try_from(old.size).unwrap_or(usize::MAX);
    let known = leaves.get(..size).filter(|leaves| root(leaves) == old.root).unwrap_or_default();
    if let Some(index) = known.iter().zip(&now.leaves).position(|(old, new)| old != new) {
        return Err(LogError::entry_at(
            index,
            "is not the one that was remembered: history was rewritten from here on",
        ));
    }
    if old.size > now.checkpoint.size {
        let fault = format!("is missing: the log had {} entries when it was remembered", old.size);
        return Err(LogError::entry_at(now.leaves.len(), fault));
    }
    if old.size == 0 {
        let fault =
            || LogError::Checkpoint("that was remembered has entries' root without entries".to_owned());
        return if old.root == empty_root() { Ok(()) } else { Err(fault()) };
    }
    let (new, mut nodes) = (&now.checkpoint, now.leaves.as_slice());
    let proof = prove_consistency(&mut nodes, old.size, new.size).unwrap_or_else(|never| match never {});
    if consistent(old.size, &old.root, new.size, &new.root, &proof) {
        return Ok(());
    }
    let fault = "or one before it is not the one that was remembered: history was rewritten";
    Err(LogError::entry_at(size.saturating_sub(1), fault))
}
