//! ADWIN: a window of recent values that shrinks when its older part has another mean (Bifet & Gavaldà 2007). **A signal.**
//!
//! The window is kept as buckets of 1, 2, 4, 8 … values, at most [`ROW`] of a size, so memory grows with the logarithm of
//! its length. Every [`EVERY`] values each place between two buckets is tried as a cut, and while the two sides' means
//! differ by more than Bernstein's bound allows, the oldest bucket is dropped.
//!
//! Its `delta` bounds the chance of a false cut at one step, not over a stream; there is no bound on how often it is wrong
//! in the long run. What it is good for: a window to estimate from that holds nothing from before the change.
//!
//! The constants, and the [`SIDE`] values that a cut asks for on each side, are those of the implementation that others
//! compare with (river); that one also forgets the rest of the window after a cut, which is the caller's choice here.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Buckets of one size before the two oldest become one of the next.
pub const ROW: usize = 5;
/// Values between two looks.
pub const EVERY: u64 = 32;
/// Fewer values than this are never cut.
pub const WINDOW: f64 = 10.0;
/// Least values on each side of a cut.
pub const SIDE: f64 = 5.0;

/// Sum of the values, and of the squares of their distances from their mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
struct Bucket {
    total: f64,
    squares: f64,
}

/// The window.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AdaptiveWindow {
    delta: f64,
    /// Row r has buckets of 2^r values, oldest first; higher rows are older.
    rows: Vec<VecDeque<Bucket>>,
    seen: u64,
    width: f64,
    total: f64,
    squares: f64,
}

/// Sum of squares between two groups, given their sizes and means.
fn between(size: f64, mean: f64, other_size: f64, other_mean: f64) -> f64 {
    let apart = mean - other_mean;
    size * other_size * apart * apart / (size + other_size)
}

/// Values in a bucket of this row.
fn size(row: usize) -> f64 {
    libm::ldexp(1.0, i32::try_from(row).unwrap_or(i32::MAX))
}

impl AdaptiveWindow {
    /// An empty window; `delta` in (0, 1), usually 0.002: the smaller, the rarer its cuts.
    pub fn new(delta: f64) -> Self {
        Self { delta, rows: vec![VecDeque::new()], seen: 0, width: 0.0, total: 0.0, squares: 0.0 }
    }

    /// Values in the window.
    pub fn width(&self) -> u64 {
        self.width as u64
    }

    /// Their mean; none without values.
    pub fn mean(&self) -> Option<f64> {
        (self.width > 0.0).then(|| self.total / self.width)
    }

    /// One more value; whether the window was cut. NaN is left out.
    pub fn observe(&mut self, value: f64) -> bool {
        if value.is_nan() {
            return false;
        }
        if self.width > 0.0 {
            self.squares += between(self.width, self.total / self.width, 1.0, value);
        }
        self.width += 1.0;
        self.total += value;
        self.insert(Bucket { total: value, squares: 0.0 });
        self.seen += 1;
        let mut cut = false;
        if self.seen.is_multiple_of(EVERY) && self.width > WINDOW {
            while self.differs() && self.drop_oldest() {
                cut = true;
            }
        }
        cut
    }

    /// Puts a bucket into the first row and merges upwards where a row is full.
    fn insert(&mut self, bucket: Bucket) {
        let mut carried = Some(bucket);
        let mut row = 0;
        while let Some(bucket) = carried.take() {
            if self.rows.len() == row {
                self.rows.push(VecDeque::new());
            }
            let Some(buckets) = self.rows.get_mut(row) else { return };
            buckets.push_back(bucket);
            if buckets.len() > ROW
                && let (Some(first), Some(second)) = (buckets.pop_front(), buckets.pop_front())
            {
                let count = size(row);
                let apart = between(count, first.total / count, count, second.total / count);
                let squares = first.squares + second.squares + apart;
                carried = Some(Bucket { total: first.total + second.total, squares });
            }
            row += 1;
        }
    }

    /// Whether some cut has means that differ by more than the bound.
    fn differs(&self) -> bool {
        let (mut older, mut older_total) = (0.0, 0.0);
        for (row, buckets) in self.rows.iter().enumerate().rev() {
            for bucket in buckets.iter() {
                older += size(row);
                older_total += bucket.total;
                let newer = self.width - older;
                if older < SIDE || newer < SIDE {
                    continue;
                }
                let apart = older_total / older - (self.total - older_total) / newer;
                if apart.abs() > self.bound(older, newer) {
                    return true;
                }
            }
        }
        false
    }

    /// How far two means of these many values may be apart.
    fn bound(&self, older: f64, newer: f64) -> f64 {
        let nats = libm::log(2.0 * libm::log(self.width) / self.delta);
        let each = 1.0 / (older - SIDE + 1.0) + 1.0 / (newer - SIDE + 1.0);
        let variance = (self.squares / self.width).max(0.0);
        libm::sqrt(2.0 * each * variance * nats) + 2.0 / 3.0 * nats * each
    }

    /// Drops the oldest bucket; false when it is the whole window.
    fn drop_oldest(&mut self) -> bool {
        let Some(count) = self.rows.len().checked_sub(1).map(size).filter(|count| *count < self.width) else {
            return false;
        };
        let Some(buckets) = self.rows.last_mut() else { return false };
        let Some(bucket) = buckets.pop_front() else { return false };
        if buckets.is_empty() {
            self.rows.pop();
        }
        self.width -= count;
        self.total -= bucket.total;
        let apart = between(count, bucket.total / count, self.width, self.total / self.width);
        self.squares -= bucket.squares + apart;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_forgets_what_was_before_a_step() {
        let mut window = AdaptiveWindow::new(0.002);
        let cuts: Vec<u32> = (0..400u32).filter(|i| window.observe(f64::from(u8::from(*i >= 200)))).collect();
        assert!(!cuts.is_empty() && cuts.iter().all(|at| *at >= 200), "{cuts:?}");
        assert!(window.width() <= 220 && window.mean().unwrap() > 0.9, "{}", window.width());
    }

    #[test]
    fn memory_grows_with_the_logarithm() {
        let mut window = AdaptiveWindow::new(0.002);
        for _ in 0..100_000 {
            window.observe(1.0);
        }
        assert_eq!(window.width(), 100_000);
        assert!(window.rows.iter().map(VecDeque::len).sum::<usize>() < 90);
    }
}
