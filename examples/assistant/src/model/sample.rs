//! The next word: merged counts, interpolation over the orders, temperature, one draw.
//!
//! Words that only the single-word distribution of the training text supports are handled as one block: their
//! tempered masses differ only by a factor, so their sums are prepared once and no pass over the vocabulary is made.

use crate::random::Random;

use super::counts::{BEGIN, Counts};
use super::prompt::Reading;
use super::{FOCUS, HIGHEST_ORDER, Settings};

/// Below this temperature the likeliest word is taken.
const GREEDY: f64 = 0.05;
/// Of the single-word distribution, the share of the prompt's sources (the rest is the training text's).
const SOURCE_SHARE: f64 = 0.9;

/// Draws the words of one answer.
pub(super) struct Sampler<'a> {
    counts: &'a Counts,
    reading: &'a Reading,
    order: usize,
    /// `1 / temperature`; `None` is greedy.
    power: Option<f64>,
    /// Running sums of the training text's single-word probabilities raised to `power`.
    block: Vec<f64>,
    block_total: f64,
    probabilities: Dense,
    level: Dense,
}

/// Values by word number, with the list of those that are set.
struct Dense {
    values: Vec<f64>,
    set: Vec<u32>,
}

impl Dense {
    fn new(size: usize) -> Self {
        Self { values: vec![0.0; size], set: Vec::new() }
    }

    fn add(&mut self, word: u32, amount: f64) {
        if let Some(value) = self.values.get_mut(word as usize) {
            if *value == 0.0 {
                self.set.push(word);
            }
            *value += amount;
        }
    }

    fn get(&self, word: u32) -> f64 {
        self.values.get(word as usize).copied().unwrap_or_default()
    }

    fn clear(&mut self) {
        for word in self.set.drain(..) {
            if let Some(value) = self.values.get_mut(word as usize) {
                *value = 0.0;
            }
        }
    }
}

impl<'a> Sampler<'a> {
    pub(super) fn new(counts: &'a Counts, reading: &'a Reading, settings: &Settings) -> Self {
        let power = (settings.temperature >= GREEDY).then(|| 1.0 / settings.temperature);
        let (single, total) = counts.single();
        let mut sum = 0.0;
        let block = single
            .iter()
            .map(|count| {
                sum += (f64::from(*count) / total.max(1) as f64).powf(power.unwrap_or(1.0));
                sum
            })
            .collect();
        Self {
            counts,
            reading,
            order: settings.order.clamp(1, HIGHEST_ORDER),
            power,
            block,
            block_total: sum,
            probabilities: Dense::new(reading.words),
            level: Dense::new(reading.words),
        }
    }

    /// Draws the word that follows a history.
    pub(super) fn next(&mut self, history: &[u32], random: &mut Random) -> u32 {
        self.probabilities.clear();
        let mut left = 1.0;
        for length in (1..self.order).rev() {
            let Some(start) = history.len().checked_sub(length) else { continue };
            let recent = history.get(start..).unwrap_or_default();
            left = self.interpolate(recent, left);
        }
        let block_share = self.add_single_words(left);
        self.draw(block_share, random)
    }

    /// Adds one order's share; returns what is left for the lower orders.
    fn interpolate(&mut self, recent: &[u32], left: f64) -> f64 {
        self.level.clear();
        for &(word, count) in self.counts.successors(recent) {
            self.level.add(word, f64::from(count));
        }
        for source in &self.reading.sources {
            for window in source.tokens.windows(recent.len() + 1) {
                if let Some((word, before)) = window.split_last()
                    && before == recent
                {
                    self.level.add(*word, FOCUS * source.attention);
                }
            }
        }
        let different = self.level.set.len() as f64;
        if different == 0.0 {
            return left;
        }
        let total: f64 = self.level.set.iter().map(|word| self.level.get(*word)).sum();
        let share = left * total / (total + different);
        for word in &self.level.set {
            self.probabilities.add(*word, share * self.level.get(*word) / total);
        }
        left - share
    }

    /// Adds the single words of the sources; returns the share of the training text's single words.
    fn add_single_words(&mut self, left: f64) -> f64 {
        let mut total = 0.0;
        for source in &self.reading.sources {
            total += source.attention * source.tokens.len().saturating_sub(1) as f64;
        }
        if total == 0.0 {
            return left;
        }
        for source in &self.reading.sources {
            for word in source.tokens.iter().filter(|word| **word != BEGIN) {
                self.probabilities.add(*word, left * SOURCE_SHARE * source.attention / total);
            }
        }
        left * (1.0 - SOURCE_SHARE)
    }

    fn draw(&mut self, block_share: f64, random: &mut Random) -> u32 {
        let (single, total) = self.counts.single();
        let of_block = |word: u32| {
            single.get(word as usize).map_or(0.0, |count| f64::from(*count) / total.max(1) as f64)
        };
        self.probabilities.set.sort_unstable();
        let full = |word: u32| self.probabilities.get(word) + block_share * of_block(word);
        let Some(power) = self.power else {
            let best = self.probabilities.set.iter().copied().max_by(|a, b| full(*a).total_cmp(&full(*b)));
            return best.unwrap_or(super::END);
        };
        let mut masses = Vec::with_capacity(self.probabilities.set.len());
        let (mut sum, mut in_block) = (0.0, 0.0);
        for &word in &self.probabilities.set {
            sum += full(word).powf(power);
            in_block += of_block(word).powf(power);
            masses.push(sum);
        }
        let rest = block_share.powf(power) * (self.block_total - in_block).max(0.0);
        let target = random.unit() * (sum + rest);
        if target < sum {
            let position = masses.partition_point(|mass| *mass <= target);
            return self.probabilities.set.get(position).copied().unwrap_or(super::END);
        }
        // From the block: draw by the prepared sums, again when the word had a share of its own above.
        for _ in 0..64 {
            let target = random.unit() * self.block_total;
            let word = self.block.partition_point(|mass| *mass <= target) as u32;
            if self.probabilities.get(word) == 0.0 && of_block(word) > 0.0 {
                return word;
            }
        }
        super::END
    }
}
