//! Reading a log from wherever its files are: a folder, a copy, an HTTP door.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;

use flagstone_seal::VerifierKey;

use super::merkle::{Hash, Nodes, perfect_root, prove_inclusion, range_root};
use super::tile::{self, Kind, Tile, WIDTH};
use super::{Checkpoint, LogError, Proof, find};

/// Gives one of the log's files by its path (`checkpoint`, `tile/…`); none when it is not there.
pub trait Read: FnMut(&str) -> io::Result<Option<Vec<u8>>> {}

impl<F: FnMut(&str) -> io::Result<Option<Vec<u8>>>> Read for F {}

/// Reads a log's folder.
pub fn folder(folder: PathBuf) -> impl Read + 'static {
    move |path: &str| find(&folder, path)
}

/// The files of a log at the size of one checkpoint.
pub(crate) struct Reader<R> {
    read: R,
    pub(crate) note: Vec<u8>,
    pub(crate) checkpoint: Checkpoint,
    tiles: HashMap<(u8, u64), Vec<Hash>>,
}

impl<R: Read> Reader<R> {
    /// Reads and opens the checkpoint.
    pub(crate) fn open(mut read: R, keys: &[VerifierKey]) -> Result<Self, LogError> {
        let note = ask(&mut read, "checkpoint")?;
        let note = note.ok_or_else(|| LogError::Checkpoint("is not there".to_owned()))?;
        let checkpoint = Checkpoint::open(&note, keys)?;
        Ok(Self { read, note, checkpoint, tiles: HashMap::new() })
    }

    /// A tile's bytes, from its own file or the full one.
    pub(crate) fn bytes(&mut self, tile: Tile) -> Result<Option<Vec<u8>>, LogError> {
        if let Some(bytes) = ask(&mut self.read, &tile.path())? {
            return Ok(Some(bytes));
        }
        if tile.is_full() {
            return Ok(None);
        }
        Ok(ask(&mut self.read, &tile.full().path())?.and_then(|full| tile.cut(&full)))
    }

    fn hashes(&mut self, level: u8, index: u64) -> Result<&[Hash], LogError> {
        if !self.tiles.contains_key(&(level, index)) {
            let width = tile::width(self.checkpoint.size, level, index);
            let tile = Tile { kind: Kind::Hashes(level), index, width };
            let wrong = |fault: &str| LogError::Tile { path: tile.path(), fault: fault.to_owned() };
            let bytes = self.bytes(tile)?.ok_or_else(|| wrong("is missing"))?;
            let hashes = tile::hashes(&bytes, width).ok_or_else(|| wrong("has the wrong length"))?;
            self.tiles.insert((level, index), hashes);
        }
        Ok(self.tiles.get(&(level, index)).map_or(&[], Vec::as_slice))
    }
}

impl<R: Read> Nodes for Reader<R> {
    type Error = LogError;

    fn node(&mut self, level: u32, index: u64) -> Result<Hash, LogError> {
        let tile_level = u8::try_from(level / 8).unwrap_or(u8::MAX);
        let height = level % 8;
        let first = index.checked_shl(height).unwrap_or(u64::MAX);
        let hashes = self.hashes(tile_level, first / WIDTH)?;
        let from = usize::try_from(first % WIDTH).unwrap_or(usize::MAX);
        let range = hashes.get(from..from.saturating_add(1 << height));
        let path = Tile { kind: Kind::Hashes(tile_level), index: first / WIDTH, width: 256 }.path();
        range.map(perfect_root).ok_or_else(|| LogError::Tile {
            path,
            fault: "is narrower than the checkpoint's size asks for".to_owned(),
        })
    }
}

fn ask(read: &mut impl Read, path: &str) -> Result<Option<Vec<u8>>, LogError> {
    read(path).map_err(|source| LogError::Read { path: path.to_owned(), source })
}

/// The proof that entry `number` (from 1) is in the log, and the entry's bytes. The proof is verified before it is given,
/// so that a damaged log gives none.
///
/// # Errors
/// [`LogError`]; [`LogError::Proof`] when there is no such entry.
pub fn prove(read: impl Read, keys: &[VerifierKey], number: u64) -> Result<(Proof, Vec<u8>), LogError> {
    let mut reader = Reader::open(read, keys)?;
    let size = reader.checkpoint.size;
    let Some(index) = number.checked_sub(1).filter(|index| *index < size) else {
        return Err(LogError::Proof(format!(
            "cannot be made: the log has entries 1 to {size}, not {number}"
        )));
    };
    if range_root(&mut reader, 0, size)? != reader.checkpoint.root {
        let what = "bears another root than the tiles have\nhint: `flagstone ledger verify` says where";
        return Err(LogError::Checkpoint(what.to_owned()));
    }
    let bundle =
        Tile { kind: Kind::Entries, index: index / WIDTH, width: tile::width(size, 0, index / WIDTH) };
    let bytes = reader.bytes(bundle)?.unwrap_or_default();
    let place = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
    let Some(entry) = tile::entries(&bytes).0.get(place).map(|entry| entry.to_vec()) else {
        return Err(LogError::Entry { entry: number, fault: format!("is not in `{}`", bundle.path()) });
    };
    let proof =
        Proof { index, path: prove_inclusion(&mut reader, index, size)?, checkpoint: reader.note.clone() };
    match proof.verify(&entry, keys) {
        Ok(_) => Ok((proof, entry)),
        Err(_) => {
            Err(LogError::Entry { entry: number, fault: "was changed since it was signed for".to_owned() })
        }
    }
}
