//! What training leaves behind: the vocabulary and, for every history, how often which word followed.

use std::collections::HashMap;

use super::HIGHEST_ORDER;

/// Stands before the first word of a passage; never produced.
pub(super) const BEGIN: u32 = 0;
/// Stands after the last word of a passage; producing it ends the text.
pub(super) const END: u32 = 1;

/// Words and marks by number.
#[derive(Debug)]
pub struct Vocabulary {
    numbers: HashMap<String, u32>,
    words: Vec<String>,
}

impl Vocabulary {
    pub(super) fn new() -> Self {
        Self { numbers: HashMap::new(), words: vec!["<begin>".to_owned(), "<end>".to_owned()] }
    }

    /// Number of entries, the two boundaries among them.
    pub fn len(&self) -> usize {
        self.words.len()
    }

    /// Whether nothing was learnt.
    pub fn is_empty(&self) -> bool {
        self.numbers.is_empty()
    }

    pub(super) fn intern(&mut self, word: &str) -> u32 {
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let number = self.words.len() as u32;
        self.words.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        number
    }

    pub(super) fn number(&self, word: &str) -> Option<u32> {
        self.numbers.get(word).copied()
    }

    pub(super) fn word(&self, number: u32) -> Option<&str> {
        self.words.get(number as usize).map(String::as_str)
    }
}

/// Successor counts of every history of 0 to `HIGHEST_ORDER - 1` words.
#[derive(Debug)]
pub(super) struct Counts {
    single: Vec<u32>,
    single_total: u64,
    successors: HashMap<Vec<u32>, Vec<(u32, u32)>>,
    tables: HashMap<Vec<u32>, HashMap<u32, u32>>,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self { single: Vec::new(), single_total: 0, successors: HashMap::new(), tables: HashMap::new() }
    }

    /// Counts one sequence that begins with [`BEGIN`].
    pub(super) fn add(&mut self, sequence: &[u32]) {
        for (position, &word) in sequence.iter().enumerate().skip(1) {
            let slot = word as usize;
            if self.single.len() <= slot {
                self.single.resize(slot + 1, 0);
            }
            if let Some(count) = self.single.get_mut(slot) {
                *count += 1;
            }
            self.single_total += 1;
            for length in 1..HIGHEST_ORDER.min(position + 1) {
                if let Some(history) = sequence.get(position - length..position) {
                    *self.tables.entry(history.to_vec()).or_default().entry(word).or_default() += 1;
                }
            }
        }
    }

    /// Ends training: puts successors in order, so that sampling does not depend on a hash map's order.
    pub(super) fn finish(&mut self) {
        for (history, table) in std::mem::take(&mut self.tables) {
            let mut list: Vec<(u32, u32)> = table.into_iter().collect();
            list.sort_unstable();
            self.successors.insert(history, list);
        }
    }

    /// How often each word followed a history of 1 to `HIGHEST_ORDER - 1` words.
    pub(super) fn successors(&self, history: &[u32]) -> &[(u32, u32)] {
        self.successors.get(history).map_or(&[], Vec::as_slice)
    }

    /// How often each word occurred, by number, and the sum.
    pub(super) fn single(&self) -> (&[u32], u64) {
        (&self.single, self.single_total)
    }

    pub(super) fn histories(&self) -> usize {
        self.successors.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors_of_every_length_of_history_are_counted() {
        let mut counts = Counts::new();
        counts.add(&[BEGIN, 5, 6, 5, 7, END]);
        counts.finish();
        assert_eq!(counts.successors(&[5]), [(6, 1), (7, 1)]);
        assert_eq!(counts.successors(&[6, 5]), [(7, 1)]);
        assert_eq!(counts.successors(&[BEGIN]), [(5, 1)]);
        assert_eq!(counts.successors(&[BEGIN, 5, 6, 5]), [(7, 1)]);
        assert!(counts.successors(&[9]).is_empty());
        let (single, total) = counts.single();
        assert_eq!((single[5], single[END as usize], total), (2, 1, 5));
    }
}
