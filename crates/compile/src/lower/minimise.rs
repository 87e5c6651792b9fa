//! The states of an automaton that nothing tells apart, by refining a partition (Hopcroft 1971).

use std::collections::{BTreeMap, BTreeSet};

/// For each state the number of its block: states of one block answer the same to whatever follows. `rows` says where
/// a state goes by each column, `accepts` what it answers when nothing follows.
pub(super) fn blocks(rows: &[Vec<u32>], accepts: &[bool]) -> Vec<u32> {
    let mut arrivals: Vec<Vec<(usize, u32)>> = vec![Vec::new(); rows.len()];
    for (state, row) in (0..).zip(rows) {
        for (column, next) in row.iter().enumerate() {
            if let Some(list) = arrivals.get_mut(*next as usize) {
                list.push((column, state));
            }
        }
    }
    let mut block_of: Vec<u32> = accepts.iter().map(|accepts| u32::from(*accepts)).collect();
    let mut members: Vec<Vec<u32>> = vec![Vec::new(), Vec::new()];
    for (state, block) in (0..).zip(&block_of) {
        if let Some(list) = members.get_mut(*block as usize) {
            list.push(state);
        }
    }
    let mut waiting: BTreeSet<u32> = BTreeSet::from([0, 1]);
    while let Some(splitter) = waiting.pop_first() {
        // Who arrives in the splitter, by column; splitting the splitter itself meanwhile does not matter.
        let mut by_column: BTreeMap<usize, Vec<u32>> = BTreeMap::new();
        for state in members.get(splitter as usize).into_iter().flatten() {
            for (column, from) in arrivals.get(*state as usize).into_iter().flatten() {
                by_column.entry(*column).or_default().push(*from);
            }
        }
        for arriving in by_column.into_values() {
            let mut parts: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
            for state in arriving {
                if let Some(block) = block_of.get(state as usize) {
                    parts.entry(*block).or_default().insert(state);
                }
            }
            for (block, part) in parts {
                let Some(whole) = members.get_mut(block as usize) else { continue };
                if part.len() == whole.len() {
                    continue;
                }
                whole.retain(|state| !part.contains(state));
                let rest = whole.len();
                let new = members.len() as u32;
                for state in &part {
                    if let Some(slot) = block_of.get_mut(*state as usize) {
                        *slot = new;
                    }
                }
                // Both halves when the whole was waiting, else the smaller one is enough.
                let smaller = if waiting.contains(&block) || part.len() <= rest { new } else { block };
                waiting.insert(smaller);
                members.push(part.into_iter().collect());
            }
        }
    }
    block_of
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The states that are told apart, by the definition: until nothing changes, two are apart when a column leads
    /// to two that are.
    fn apart(rows: &[Vec<u32>], accepts: &[bool]) -> Vec<Vec<bool>> {
        let count = rows.len();
        let mut apart: Vec<Vec<bool>> =
            (0..count).map(|a| (0..count).map(|b| accepts[a] != accepts[b]).collect()).collect();
        for _ in 0..count {
            for a in 0..count {
                for b in 0..count {
                    apart[a][b] |= rows[a].iter().zip(&rows[b]).any(|(x, y)| apart[*x as usize][*y as usize]);
                }
            }
        }
        apart
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn blocks_are_what_nothing_tells_apart(
            states in prop::collection::vec((any::<bool>(), prop::collection::vec(0u32..12, 2)), 12),
        ) {
            let (accepts, rows): (Vec<bool>, Vec<Vec<u32>>) = states.into_iter().unzip();
            let blocks = blocks(&rows, &accepts);
            let apart = apart(&rows, &accepts);
            for a in 0..12 {
                for b in 0..12 {
                    prop_assert_eq!(blocks[a] != blocks[b], apart[a][b], "{} and {}", a, b);
                }
            }
        }
    }
}
