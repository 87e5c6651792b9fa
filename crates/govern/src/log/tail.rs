//! The growing right edge of the tree: everything that is needed to add entries, and nothing that is on the disk for good.

use super::merkle::{Hash, empty_root, leaf_hash, node_hash, perfect_root};
use super::tile::{self, Kind, Tile, WIDTH, push_entry};
use super::{LogError, MAX_ENTRY_BYTES};

/// A tile and its bytes.
pub(crate) type Written = (Tile, Vec<u8>);

/// The tree's size, and the partial tiles and bundle at its end.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tail {
    pub(crate) size: u64,
    /// By level, the hashes of its last tile when that is partial: at most 255.
    levels: Vec<Vec<Hash>>,
    bundle: Vec<u8>,
}

impl Tail {
    /// Adds an entry; gives the tiles and the bundle that became full by it.
    pub(crate) fn push(&mut self, entry: &[u8]) -> Result<Vec<Written>, LogError> {
        let number = self.size.saturating_add(1);
        if !push_entry(&mut self.bundle, entry) {
            let fault = format!("has {} bytes, and {MAX_ENTRY_BYTES} are the most", entry.len());
            return Err(LogError::Entry { entry: number, fault });
        }
        let hashes = self.push_hash(leaf_hash(entry));
        if hashes.is_empty() {
            return Ok(Vec::new());
        }
        let index = (self.size / WIDTH).saturating_sub(1);
        let bundle = (Tile { kind: Kind::Entries, index, width: 256 }, std::mem::take(&mut self.bundle));
        Ok([vec![bundle], hashes].concat())
    }

    /// Adds an entry by its hash alone, in a tail that holds no bundle; gives the tiles that became full by it.
    pub(crate) fn push_hash(&mut self, leaf: Hash) -> Vec<Written> {
        self.size = self.size.saturating_add(1);
        let mut full = Vec::new();
        let mut carry = leaf;
        for level in 0_u8.. {
            let place = usize::from(level);
            if self.levels.len() <= place {
                self.levels.push(Vec::new());
            }
            let Some(hashes) = self.levels.get_mut(place) else { break };
            hashes.push(carry);
            if hashes.len() < 256 {
                break;
            }
            let index =
                (self.size >> (u32::from(level).saturating_add(1).saturating_mul(8))).saturating_sub(1);
            full.push((Tile { kind: Kind::Hashes(level), index, width: 256 }, hashes.concat()));
            carry = perfect_root(hashes);
            hashes.clear();
        }
        full
    }

    /// The partial tiles and bundle as they are now.
    pub(crate) fn partials(&self) -> Vec<Written> {
        let mut partials = Vec::new();
        for (level, hashes) in (0_u8..).zip(&self.levels) {
            if hashes.is_empty() {
                continue;
            }
            let index = self.size.checked_shr(u32::from(level).saturating_mul(8)).unwrap_or(0) / WIDTH;
            let width = tile::width(self.size, level, index);
            if level == 0 && !self.bundle.is_empty() {
                partials.push((Tile { kind: Kind::Entries, index, width }, self.bundle.clone()));
            }
            partials.push((Tile { kind: Kind::Hashes(level), index, width }, hashes.concat()));
        }
        partials
    }

    /// The root over all entries.
    pub(crate) fn root(&self) -> Hash {
        // The perfect subtrees that the size is made of, the largest and leftmost first.
        let mut roots = Vec::new();
        for hashes in self.levels.iter().rev() {
            let mut rest = hashes.as_slice();
            while !rest.is_empty() {
                let width = 1_usize << rest.len().ilog2();
                let (subtree, after) = rest.split_at(width.min(rest.len()));
                roots.push(perfect_root(subtree));
                rest = after;
            }
        }
        let mut roots = roots.into_iter().rev();
        let last = roots.next().unwrap_or_else(empty_root);
        roots.fold(last, |right, left| node_hash(&left, &right))
    }
}
