//! How latencies are counted: in buckets with fixed bounds, the same everywhere and for ever, so that histograms from many
//! places add up to the same bits in any order.
//!
//! Values are whole micros (of a second, of a currency, of whatever the metric measures). Each power of two is cut into eight
//! buckets of equal width, so a bucket is at most 12.5 % wide; below 8 every value has its own. 496 buckets hold every `u64`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Buckets within one power of two, as a power of two.
const BITS: u32 = 3;

/// Number of buckets there are.
pub const BUCKETS: u16 = ((64 - BITS as u16) << BITS) + (1 << BITS);

/// The bucket that `value` belongs to.
pub fn bucket(value: u64) -> u16 {
    let magnitude = 63 - value.max(1).leading_zeros();
    if magnitude < BITS {
        return value as u16;
    }
    let within = (value >> (magnitude - BITS)) & ((1 << BITS) - 1);
    (((magnitude - BITS + 1) << BITS) as u16) + within as u16
}

/// The largest value in `bucket`. Beyond the last bucket the largest there is.
pub fn upper(bucket: u16) -> u64 {
    let (block, within) = (u32::from(bucket >> BITS), u64::from(bucket) & ((1 << BITS) - 1));
    if block == 0 {
        return within;
    }
    let shift = block - 1;
    let width = 1u64.checked_shl(shift).unwrap_or(0);
    let first = ((1u64 << BITS) + within).checked_shl(shift).unwrap_or(0);
    if bucket >= BUCKETS { u64::MAX } else { first.wrapping_add(width).wrapping_sub(1) }
}

/// The smallest value in `bucket`.
pub fn floor(bucket: u16) -> u64 {
    bucket.checked_sub(1).map_or(0, |before| upper(before).saturating_add(1))
}

/// Units by bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram {
    /// Only buckets that are not empty.
    pub buckets: BTreeMap<u16, u64>,
}

impl Histogram {
    /// One more unit with `value`.
    pub fn add(&mut self, value: u64) {
        let units = self.buckets.entry(bucket(value)).or_default();
        *units = units.saturating_add(1);
    }

    /// These units and `other`'s together.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        let mut sum = self.clone();
        for (bucket, units) in &other.buckets {
            let entry = sum.buckets.entry(*bucket).or_default();
            *entry = entry.saturating_add(*units);
        }
        sum
    }

    /// Units in all buckets.
    pub fn units(&self) -> u64 {
        self.buckets.values().fold(0, |sum, units| sum.saturating_add(*units))
    }

    /// Values by which `begun` of a bucket says it counts, in order, each with the units counted up to there.
    fn running(&self, begun: impl Fn(u16) -> u64) -> Counts {
        let mut sum = 0u64;
        let steps = self.buckets.iter().map(|(bucket, units)| {
            sum = sum.saturating_add(*units);
            (begun(*bucket), sum)
        });
        Counts { steps: steps.collect() }
    }

    /// Units whose value is certainly at most some value: those whose bucket ends there or below.
    pub fn certainly(&self) -> Counts {
        self.running(upper)
    }

    /// Units whose value may be at most some value: those whose bucket begins there or below.
    pub fn possibly(&self) -> Counts {
        self.running(floor)
    }

    /// The bucket that holds the observation of `rank` (1 is the smallest).
    pub fn bucket_at(&self, rank: u64) -> Option<u16> {
        let mut below = 0u64;
        self.buckets.iter().find_map(|(bucket, units)| {
            below = below.saturating_add(*units);
            (rank >= 1 && rank <= below).then_some(*bucket)
        })
    }

    /// Bounds for the `p`-quantile that hold at any moment at level `alpha`: the floor of the lower rank's bucket and the
    /// ceiling of the upper rank's. None at an end: no bound there yet.
    pub fn quantile_interval(&self, p: f64, alpha: f64, at: f64) -> (Option<u64>, Option<u64>) {
        let Some(ranks) = super::sequence::fixed(p, self.units(), alpha, at) else { return (None, None) };
        let holder = |rank: i64| u64::try_from(rank).ok().and_then(|rank| self.bucket_at(rank));
        let low = holder(ranks.lower).filter(|_| ranks.has_lower).map(floor);
        (low, holder(ranks.upper).filter(|_| ranks.has_upper).map(upper))
    }
}

/// How many units lie at most at a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counts {
    /// Values in order, with the units counted from there on.
    steps: Vec<(u64, u64)>,
}

impl Counts {
    /// Units at most at `value`.
    pub fn at_most(&self, value: u64) -> u64 {
        let passed = self.steps.partition_point(|(from, _)| *from <= value);
        passed.checked_sub(1).and_then(|index| self.steps.get(index)).map_or(0, |(_, units)| *units)
    }
}

/// The two arms of one enrolment cohort.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CohortHistograms {
    /// Position of the stage that enrolled these units.
    pub cohort: u8,
    /// As in [`CohortCounts::probability`](crate::CohortCounts::probability).
    pub probability: u32,
    /// The treatment arm.
    pub treated: Histogram,
    /// The control arm.
    pub control: Histogram,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_tile_the_numbers() {
        let mut next = 0u64;
        for index in 0..BUCKETS {
            assert_eq!(bucket(next), index, "at {next}");
            let last = upper(index);
            assert_eq!(bucket(last), index, "at {last}");
            assert!(last - next <= next / 8, "{next}..={last} is wider than an eighth");
            next = last.wrapping_add(1);
        }
        assert_eq!((next, upper(BUCKETS - 1)), (0, u64::MAX));
    }

    #[test]
    fn ranks_find_their_buckets() {
        let mut histogram = Histogram::default();
        for value in [5, 5, 100, 1_000] {
            histogram.add(value);
        }
        assert_eq!(
            [1, 2, 3, 4].map(|rank| histogram.bucket_at(rank).map(upper).unwrap()),
            [5, 5, 103, 1_023]
        );
        assert_eq!((histogram.bucket_at(0), histogram.bucket_at(5)), (None, None));
        assert_eq!([100, 103].map(|v| histogram.certainly().at_most(v)), [2, 3]);
        assert_eq!([4, 95, 96].map(|v| histogram.possibly().at_most(v)), [0, 2, 3]);
        // Four units bound no p95 from above.
        assert_eq!(histogram.quantile_interval(0.95, 0.05, 1_000.0).1, None);
    }
}
