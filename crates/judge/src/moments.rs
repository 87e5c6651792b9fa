//! What is kept of a measured value: counts and sums in whole numbers, so that any order and any partition of the units
//! adds up to the same bits.
//!
//! One **unit** (the thing that was randomised) contributes once, with its value over the metric's window: a sum, a mean, a
//! cost. A value is in **micros** (millionths). A second value may stand beside it: the denominator of a ratio, or what the
//! same unit did before it was exposed (CUPED).
//!
//! # Overflow
//! Values are limited to [`VALUE_LIMIT`] by whoever adds them ([`Moments::add`] does, and counts what it cut). Sums then fit
//! exactly for up to [`UNIT_LIMIT`] units. They are added modulo 2^128: that is exact whenever the true sum fits, and free of
//! order even when it does not, which saturating would not be. Beyond `UNIT_LIMIT` units [`Moments::problem`] says so and
//! the metric is invalid, never silently wrong.

use serde::{Deserialize, Serialize};

/// The largest magnitude of a value, in micros: ten million whole units. A registered cap below it winsorises earlier.
pub const VALUE_LIMIT: i64 = 10_000_000_000_000;

/// Units whose squares are certain to fit: 10^12 x (10^13)^2 = 10^38 < 2^127.
pub const UNIT_LIMIT: u64 = 1_000_000_000_000;

/// One arm of one cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Moments {
    /// Units measured.
    pub units: u64,
    /// Of these, units whose value is not zero.
    pub non_zero: u64,
    /// Values that were cut to the limit.
    pub cut: u64,
    /// Σ value, micros.
    #[serde(with = "text")]
    pub sum: i128,
    /// Σ value², micros².
    #[serde(with = "text")]
    pub squares: i128,
    /// Σ second value, micros.
    #[serde(with = "text")]
    pub second_sum: i128,
    /// Σ second value², micros².
    #[serde(with = "text")]
    pub second_squares: i128,
    /// Σ value x second value, micros².
    #[serde(with = "text")]
    pub products: i128,
}

impl Moments {
    /// One more unit with `value` and `second` (0 where there is none), in micros.
    pub fn add(&mut self, value: i64, second: i64) {
        let (a, b) = (value.clamp(-VALUE_LIMIT, VALUE_LIMIT), second.clamp(-VALUE_LIMIT, VALUE_LIMIT));
        let cut = u64::from(a != value || b != second);
        let (a, b) = (i128::from(a), i128::from(b));
        *self = self.merged(&Self {
            units: 1,
            non_zero: u64::from(a != 0),
            cut,
            sum: a,
            squares: a * a,
            second_sum: b,
            second_squares: b * b,
            products: a * b,
        });
    }

    /// These units and `other`'s together; no unit may be in both.
    #[must_use]
    pub fn merged(&self, other: &Self) -> Self {
        Self {
            units: self.units.saturating_add(other.units),
            non_zero: self.non_zero.saturating_add(other.non_zero),
            cut: self.cut.saturating_add(other.cut),
            sum: self.sum.wrapping_add(other.sum),
            squares: self.squares.wrapping_add(other.squares),
            second_sum: self.second_sum.wrapping_add(other.second_sum),
            second_squares: self.second_squares.wrapping_add(other.second_squares),
            products: self.products.wrapping_add(other.products),
        }
    }

    /// What cannot be true of these numbers; none when they can be.
    pub fn problem(&self) -> Option<&'static str> {
        if self.units > UNIT_LIMIT {
            return Some("there are more units than sums are kept exactly for");
        }
        let most = i128::from(self.units) * i128::from(VALUE_LIMIT);
        let possible = |sum: i128, squares: i128| {
            // (Σx)² <= n Σx², in floating point with room for its rounding.
            let (mean_square, square) = (squares as f64 * self.units as f64, sum as f64 * sum as f64);
            squares >= 0 && sum.unsigned_abs() <= most.unsigned_abs() && square <= mean_square * (1.0 + 1e-9)
        };
        let fits = self.non_zero <= self.units
            && possible(self.sum, self.squares)
            && possible(self.second_sum, self.second_squares);
        (!fits).then_some("its sums contradict each other")
    }

    /// The same in whole units and floating point, as the methods take it.
    pub fn sample(&self) -> crate::means::Sample {
        let (one, two) = (|sum: i128| sum as f64 / 1e6, |sum: i128| sum as f64 / 1e12);
        crate::means::Sample {
            units: self.units as f64,
            non_zero: self.non_zero as f64,
            sum: one(self.sum),
            squares: two(self.squares),
            second_sum: one(self.second_sum),
            second_squares: two(self.second_squares),
            products: two(self.products),
            centred: Some(self.centred()),
        }
    }

    /// n Σxy - Σx Σy and its like, whole as long as they fit: a variance of values that lie far from zero loses its digits
    /// when that difference is taken in floating point.
    fn centred(&self) -> crate::means::Centred {
        let n = i128::from(self.units);
        let about = |products: i128, a: i128, b: i128| {
            let exact = n
                .checked_mul(products)
                .zip(a.checked_mul(b))
                .and_then(|(left, right)| left.checked_sub(right));
            let rough = || n as f64 * products as f64 - a as f64 * b as f64;
            let times_n = exact.map_or_else(rough, |exact| exact as f64);
            if n == 0 { 0.0 } else { times_n / n as f64 / 1e12 }
        };
        crate::means::Centred {
            squares: about(self.squares, self.sum, self.sum).max(0.0),
            second_squares: about(self.second_squares, self.second_sum, self.second_sum).max(0.0),
            products: about(self.products, self.sum, self.second_sum),
        }
    }
}

/// The two arms of one enrolment cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CohortMoments {
    /// Position of the stage that enrolled these units.
    pub cohort: u8,
    /// As in [`CohortCounts::probability`](crate::CohortCounts::probability).
    pub probability: u32,
    /// The treatment arm.
    pub treated: Moments,
    /// The control arm.
    pub control: Moments,
}

/// 128-bit numbers as decimal text: JSON numbers are exact to 53 bits at most readers.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(value: &i128, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i128, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom(format!("`{text}` is not a whole number of 128 bits")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_and_counted() {
        let mut moments = Moments::default();
        moments.add(i64::MAX, 3);
        moments.add(-2_000_000, 1_000_000);
        moments.add(0, 0);
        assert_eq!((moments.units, moments.non_zero, moments.cut), (3, 2, 1));
        assert_eq!(moments.sum, i128::from(VALUE_LIMIT) - 2_000_000);
        assert_eq!(moments.problem(), None);
        let json = serde_json::to_string(&moments).unwrap();
        assert_eq!(serde_json::from_str::<Moments>(&json).unwrap(), moments, "{json}");
    }

    #[test]
    fn contradictions_are_found() {
        let impossible = Moments { units: 2, sum: 10, squares: 3, ..Moments::default() };
        assert!(impossible.problem().unwrap().contains("contradict"));
        let crowd = Moments { units: UNIT_LIMIT + 1, ..Moments::default() };
        assert!(crowd.problem().unwrap().contains("more units"));
        assert!(Moments { units: 1, non_zero: 2, ..Moments::default() }.problem().is_some());
    }

    #[test]
    fn variance_keeps_its_digits_far_from_zero() {
        let mut moments = Moments::default();
        for value in [9_000_000_000_001i64, 9_000_000_000_002, 9_000_000_000_003] {
            moments.add(value, 0);
        }
        assert_eq!(moments.sample().centred.unwrap().squares, 2e-12);
    }
}
