//! Retrieval: BM25 over the sections of the articles.
//!
//! Robertson, Zaragoza, "The probabilistic relevance framework: BM25 and beyond" (2009), with k1 = 1.2, b = 0.75 and
//! the non-negative inverse document frequency `ln(1 + (N - n + 0.5) / (n + 0.5))`. Titles and headings count as text.

use std::collections::HashMap;

use crate::articles::Passage;
use crate::text;

const K1: f64 = 1.2;
const B: f64 = 0.75;

/// The index over all passages.
#[derive(Debug)]
pub struct Index {
    postings: HashMap<String, Vec<(u32, u32)>>,
    lengths: Vec<f64>,
    mean_length: f64,
}

impl Index {
    /// Indexes the passages; results are positions in this list.
    pub fn new(passages: &[Passage]) -> Self {
        let mut postings: HashMap<String, Vec<(u32, u32)>> = HashMap::new();
        let mut lengths = Vec::with_capacity(passages.len());
        for (position, passage) in passages.iter().enumerate() {
            let stems = text::stems(&format!("{} {} {}", passage.title, passage.topic, passage.text));
            lengths.push(stems.len() as f64);
            let mut counts: HashMap<String, u32> = HashMap::new();
            for stem in stems {
                *counts.entry(stem).or_default() += 1;
            }
            for (stem, count) in counts {
                postings.entry(stem).or_default().push((position as u32, count));
            }
        }
        let mean_length = lengths.iter().sum::<f64>() / (lengths.len().max(1) as f64);
        Self { postings, lengths, mean_length }
    }

    /// How rare a stem is, in nats; the greatest value for a stem that no passage has.
    pub fn rarity(&self, stem: &str) -> f64 {
        let having = self.postings.get(stem).map_or(0, Vec::len) as f64;
        (1.0 + (self.lengths.len() as f64 - having + 0.5) / (having + 0.5)).ln()
    }

    /// The best `depth` passages for a query, best first, with their scores; ties go to the earlier passage.
    pub fn search(&self, query: &str, depth: usize) -> Vec<(usize, f64)> {
        let mut scores = vec![0.0; self.lengths.len()];
        let mut stems = text::stems(query);
        stems.sort_unstable();
        stems.dedup();
        for stem in &stems {
            let rarity = self.rarity(stem);
            for &(position, count) in self.postings.get(stem).into_iter().flatten() {
                let (position, count) = (position as usize, f64::from(count));
                let length = self.lengths.get(position).copied().unwrap_or_default();
                let norm = K1 * (1.0 - B + B * length / self.mean_length);
                if let Some(score) = scores.get_mut(position) {
                    *score += rarity * count * (K1 + 1.0) / (count + norm);
                }
            }
        }
        let mut found: Vec<(usize, f64)> =
            scores.into_iter().enumerate().filter(|(_, score)| *score > 0.0).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(depth);
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::articles;

    #[test]
    fn a_topic_finds_its_own_passage_in_every_language() {
        let passages = articles::load().unwrap();
        let index = Index::new(&passages);
        let mut first = 0;
        for (position, passage) in passages.iter().enumerate() {
            let found = index.search(&format!("{}: {}", passage.title, passage.topic), 3);
            assert!(
                found.iter().any(|(p, _)| *p == position),
                "`{}` not among the best three",
                passage.topic
            );
            first += usize::from(found[0].0 == position);
        }
        assert!(first * 100 >= passages.len() * 95, "{first} of {}", passages.len());
    }

    #[test]
    fn unknown_words_find_nothing_and_depth_is_kept() {
        let passages = articles::load().unwrap();
        let index = Index::new(&passages);
        assert!(index.search("zyxxy qwv", 3).is_empty());
        assert_eq!(index.search("parcel locker code", 2).len(), 2);
        assert!(index.rarity("zyxxy") > index.rarity("parcel"));
    }
}
