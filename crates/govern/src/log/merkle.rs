//! RFC 6962 Merkle trees over SHA-256: hashes, roots, proofs and their verification. Small on purpose: the tree's
//! hashes stay where they are (in tile files) and are asked for one perfect subtree at a time.
//!
//! Definitions: RFC 6962 section 2.1. Verification: RFC 9162 sections 2.1.3.2 and 2.1.4.2.

use crate::canonical::sha256;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// The hash of an entry: SHA-256(0x00 ‖ entry).
#[must_use]
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

/// The hash of an inner node: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// The root of a tree without entries: SHA-256 of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// Where a tree's hashes are found.
pub trait Nodes {
    /// Why a hash cannot be had.
    type Error;

    /// The root of the perfect subtree over the entries from `index · 2^level` to `(index + 1) · 2^level`.
    ///
    /// # Errors
    /// When it cannot be read.
    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// The root over the entries from `from` to `to`, where `from` is a place at which RFC 6962 cuts a tree.
///
/// # Errors
/// Those of the nodes.
pub fn range_root<N: Nodes>(nodes: &mut N, from: u64, to: u64) -> Result<Hash, N::Error> {
    let size = to.saturating_sub(from);
    if size == 0 {
        return Ok(empty_root());
    }
    if size.is_power_of_two() && from.is_multiple_of(size) {
        let level = size.trailing_zeros();
        return nodes.node(level, from.checked_shr(level).unwrap_or(0));
    }
    let middle = from.saturating_add(split(size));
    Ok(node_hash(&range_root(nodes, from, middle)?, &range_root(nodes, middle, to)?))
}

/// The proof that entry `index` (from 0) is in the tree of the first `size` entries: from its sibling to the root's
/// child, RFC 6962 section 2.1.1. Empty when there is no such entry.
///
/// # Errors
/// Those of the nodes.
pub fn prove_inclusion<N: Nodes>(nodes: &mut N, index: u64, size: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut from, mut to, mut path) = (0, if index < size { size } else { 0 }, Vec::new());
    while to.saturating_sub(from) > 1 {
        let middle = split(to.saturating_sub(from)).saturating_add(from);
        if index < middle {
            path.push(range_root(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range_root(nodes, from, middle)?);
            from = middle;
        }
    }
    path.reverse();
    Ok(path)
}

/// The proof that the tree of the first `old` entries is the beginning of the tree of the first `new`, RFC 6962
/// section 2.1.2. Empty when they are the same, and when `old` is 0 or more than `new`: then there is nothing to prove.
///
/// # Errors
/// Those of the nodes.
pub fn prove_consistency<N: Nodes>(nodes: &mut N, old: u64, new: u64) -> Result<Vec<Hash>, N::Error> {
    let (mut from, mut to, mut path, mut whole) = (0, new, Vec::new(), true);
    if old == 0 || old > new {
        return Ok(path);
    }
    while to != old {
        let middle = split(to.saturating_sub(from)).saturating_add(from);
        if old <= middle {
            path.push(range_root(nodes, middle, to)?);
            to = middle;
        } else {
            path.push(range_root(nodes, from, middle)?);
            from = middle;
            whole = false;
        }
    }
    if !whole {
        path.push(range_root(nodes, from, to)?);
    }
    path.reverse();
    Ok(path)
}

/// The root that an inclusion proof leads to; none when the proof has not the shape that index and size ask for.
#[must_use]
pub fn root_of_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash]) -> Option<Hash> {
    let (mut node, mut last) = (index, size.checked_sub(1)?);
    if node > last {
        return None;
    }
    let mut root = *leaf;
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = node_hash(sibling, &root);
            (node, last) = up_to_right_child(node, last);
        } else {
            root = node_hash(&root, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    (last == 0).then_some(root)
}

/// Whether the proof shows that the tree of `old` entries is the beginning of the tree of `new`. From an empty tree
/// there is nothing to show, so `old` 0 is refused.
#[must_use]
pub fn consistent(old: u64, old_root: &Hash, new: u64, new_root: &Hash, proof: &[Hash]) -> bool {
    if old == 0 || old > new {
        return false;
    }
    if old == new {
        return proof.is_empty() && old_root == new_root;
    }
    let (first, rest) = match (old.is_power_of_two(), proof) {
        (true, [_, ..]) => (old_root, proof),
        (false, [first, rest @ ..]) => (first, rest),
        (_, []) => return false,
    };
    let (mut node, mut last) = (old.saturating_sub(1), new.saturating_sub(1));
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut to_old, mut to_new) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return false;
        }
        if node & 1 == 1 || node == last {
            to_old = node_hash(sibling, &to_old);
            to_new = node_hash(sibling, &to_new);
            (node, last) = up_to_right_child(node, last);
        } else {
            to_new = node_hash(&to_new, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    last == 0 && to_old == *old_root && to_new == *new_root
}

/// A last node without a right sibling has been carried up: to the level where it is a right child, or the root.
fn up_to_right_child(mut node: u64, mut last: u64) -> (u64, u64) {
    while node & 1 == 0 && node != 0 {
        (node, last) = (node >> 1, last >> 1);
    }
    (node, last)
}

/// The largest power of two below `size`, where RFC 6962 splits a tree of more than one entry.
fn split(size: u64) -> u64 {
    let below = size.saturating_sub(1);
    1_u64.checked_shl(63_u32.saturating_sub(below.leading_zeros())).unwrap_or(0)
}

/// The hashes of all entries in memory.
impl Nodes for &[Hash] {
    type Error = std::convert::Infallible;

    /// Beyond the end everything hashes as an empty tree, which no root contains.
    fn node(&mut self, level: u32, index: u64) -> Result<Hash, Self::Error> {
        let width = 1_usize.checked_shl(level).unwrap_or(0);
        let from = usize::try_from(index).ok().and_then(|index| index.checked_mul(width));
        let range = from.and_then(|from| self.get(from..from.checked_add(width)?));
        Ok(range.map_or_else(empty_root, perfect_root))
    }
}

/// The root over hashes whose number is a power of two.
pub(crate) fn perfect_root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => empty_root(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            node_hash(&perfect_root(left), &perfect_root(right))
        }
    }
}

/// The root of the tree with these leaf hashes.
#[must_use]
pub fn root(mut leaves: &[Hash]) -> Hash {
    let size = u64::try_from(leaves.len()).unwrap_or(u64::MAX);
    range_root(&mut leaves, 0, size).unwrap_or_else(|never| match never {})
}
