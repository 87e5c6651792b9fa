//! Which files a log of a given size consists of, and their names: C2SP tlog-tiles.
//!
//! A tile holds up to 256 consecutive hashes of one level, a bundle the 256 entries beneath a tile of level 0. Full ones
//! never change; the last one of each level is partial, named by its width, and begins every wider one.

use super::merkle::Hash;

/// Hashes in a full tile, entries in a full bundle.
pub(crate) const WIDTH: u64 = 256;
/// Bytes of the longest entry: its length is written in 16 bits.
pub const MAX_ENTRY_BYTES: usize = 65_535;

/// What a file of the log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Hashes of one tile level: 0 are the entries' own, each further one spans 256 of those beneath.
    Hashes(u8),
    /// Entries, each behind its length in two bytes, big-endian.
    Entries,
}

/// One file of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// What it holds.
    pub kind: Kind,
    /// Its place among those of its kind, from 0.
    pub index: u64,
    /// How many hashes or entries: 256 for a full one, else 1 to 255.
    pub width: u16,
}

impl Tile {
    /// Whether it is full, and so never changes.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.width == 256
    }

    /// The same tile when it is full.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: 256, ..self }
    }

    /// Its path beneath the log's folder or address, e.g. `tile/0/x001/234.p/7`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut groups = vec![format!("{:03}", self.index % 1_000)];
        let mut rest = self.index / 1_000;
        while rest > 0 {
            groups.push(format!("x{:03}", rest % 1_000));
            rest /= 1_000;
        }
        groups.reverse();
        let kind = match self.kind {
            Kind::Hashes(level) => level.to_string(),
            Kind::Entries => "entries".to_owned(),
        };
        let partial = if self.is_full() { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{kind}/{}{partial}", groups.join("/"))
    }

    /// Reads a path; only the exact form that [`Tile::path`] writes is one.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let kind = match kind {
            "entries" => Kind::Entries,
            level => Kind::Hashes(level.parse().ok().filter(|level| *level < 64)?),
        };
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().ok().filter(|width| (1..256).contains(width))?),
            None => (rest, 256),
        };
        let mut number = 0_u64;
        for group in index.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            number = number.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
        }
        let tile = Self { kind, index: number, width };
        (tile.path() == path).then_some(tile)
    }

    /// The bytes of this tile out of those of a wider one, which it begins; none when they are no such tile.
    #[must_use]
    pub fn cut(&self, wider: &[u8]) -> Option<Vec<u8>> {
        let width = usize::from(self.width);
        match self.kind {
            Kind::Hashes(_) => wider.get(..width.checked_mul(32)?).map(<[u8]>::to_vec),
            Kind::Entries => {
                let mut rest = wider;
                for _ in 0..width {
                    (_, rest) = next_entry(rest)?;
                }
                wider.get(..wider.len().checked_sub(rest.len())?).map(<[u8]>::to_vec)
            }
        }
    }
}

/// How wide the tile of this level and index is in a tree of `size` entries; 0 when it has none.
pub(crate) fn width(size: u64, level: u8, index: u64) -> u16 {
    let below = size.checked_shr(u32::from(level).saturating_mul(8)).unwrap_or(0);
    let hashes = below.saturating_sub(index.saturating_mul(WIDTH)).min(WIDTH);
    u16::try_from(hashes).unwrap_or(0)
}

/// The tiles of one kind in a tree of `size` entries, in order.
pub(crate) fn of_kind(size: u64, kind: Kind) -> impl Iterator<Item = Tile> {
    let level = if let Kind::Hashes(level) = kind { level } else { 0 };
    let count = size.checked_shr(u32::from(level).saturating_mul(8)).unwrap_or(0).div_ceil(WIDTH);
    (0..count).map(move |index| Tile { kind, index, width: width(size, level, index) })
}

/// All files of a tree of `size` entries but the checkpoint.
pub fn all(size: u64) -> impl Iterator<Item = Tile> {
    let levels = (0..8).take_while(move |level| size >> (u32::from(*level) * 8) > 0);
    of_kind(size, Kind::Entries).chain(levels.flat_map(move |level| of_kind(size, Kind::Hashes(level))))
}

/// The hashes of a tile; none when it is not as long as its width.
pub(crate) fn hashes(bytes: &[u8], width: u16) -> Option<Vec<Hash>> {
    let (hashes, rest) = bytes.as_chunks::<32>();
    (rest.is_empty() && hashes.len() == usize::from(width)).then(|| hashes.to_vec())
}

/// The entries of a bundle. What follows a fault is not there: fewer than the width, or `rest` not empty, is one.
pub(crate) fn entries(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while let Some((entry, after)) = next_entry(rest) {
        entries.push(entry);
        rest = after;
    }
    (entries, rest)
}

fn next_entry(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

/// Appends an entry to a bundle; false when it is too long.
pub(crate) fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(length) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_specification() {
        let tile = |kind, index, width| Tile { kind, index, width };
        for (tile, path) in [
            (tile(Kind::Hashes(0), 1_234_067, 256), "tile/0/x001/x234/067"),
            (tile(Kind::Hashes(1), 0, 17), "tile/1/000.p/17"),
            (tile(Kind::Entries, 273, 112), "tile/entries/273.p/112"),
            (tile(Kind::Hashes(63), 1_000, 1), "tile/63/x001/000.p/1"),
        ] {
            assert_eq!(tile.path(), path);
            assert_eq!(Tile::parse(path), Some(tile));
        }
        for path in [
            "checkpoint",
            "tile/0",
            "tile/0/",
            "tile/0/0",
            "tile/0/0000",
            "tile/00/000",
            "tile/64/000",
            "tile/0/x000/001",
            "tile/0/000.p/0",
            "tile/0/000.p/256",
            "tile/0/000.p/07",
            "tile/0/000.p/",
            "tile/0/../0/000",
            "tile/0/000/",
            "tile/0/x001",
            "tile/entries/000.part",
            "tile/-1/000",
            "tile/+1/000",
            "/tile/0/000",
            "tile/0/001/234",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
    }

    #[test]
    fn a_tree_of_70_000_has_the_tiles_that_the_specification_counts() {
        let of = |level| of_kind(70_000, Kind::Hashes(level)).map(|tile| tile.width).collect::<Vec<_>>();
        assert_eq!((of(0).len(), of(0)[272], of(0)[273]), (274, 256, 112));
        assert_eq!((of(1), of(2), of(3)), (vec![256, 17], vec![1], vec![]));
        assert_eq!(of_kind(256, Kind::Hashes(0)).map(|tile| tile.width).collect::<Vec<_>>(), [256]);
        assert_eq!(of_kind(256, Kind::Hashes(1)).map(|tile| tile.width).collect::<Vec<_>>(), [1]);
        assert_eq!(all(70_000).count(), 274 + 274 + 2 + 1);
        assert_eq!(all(0).count(), 0);
    }

    #[test]
    fn a_narrow_tile_begins_a_wider_one() {
        let mut bundle = Vec::new();
        for entry in [&b"one"[..], b"", b"three"] {
            assert!(push_entry(&mut bundle, entry));
        }
        assert!(!push_entry(&mut bundle, &[0; MAX_ENTRY_BYTES + 1]));
        let two = Tile { kind: Kind::Entries, index: 0, width: 2 };
        let cut = two.cut(&bundle).unwrap();
        assert_eq!(entries(&cut), (vec![&b"one"[..], b""], &b""[..]));
        assert_eq!(Tile { width: 4, ..two }.cut(&bundle), None);
        let hashes = Tile { kind: Kind::Hashes(0), index: 0, width: 2 };
        assert_eq!(hashes.cut(&[7; 96]).unwrap().len(), 64);
        assert_eq!(hashes.cut(&[7; 63]), None);
        assert_eq!(entries(&[0, 3, 1]), (vec![], &[0, 3, 1][..]));
    }
}
