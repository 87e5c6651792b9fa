//! Intervals of shares, of their ratio and of their difference, from counts. **For one look**: with `z` = 1.96 each holds
//! with 95 % where it is read once; a wider multiplier makes it last over many (see [`crate::fairness`]).
//!
//! | what | interval | source |
//! | --- | --- | --- |
//! | a share | [`wilson`] (the default), [`clopper_pearson`] (never too short), [`jeffreys`] | Brown, Cai & DasGupta 2001 |
//! | ratio of two shares | [`katz`] | Katz, Baptista, Azen & Pike 1978 |
//! | difference of two shares | [`newcombe`] | Newcombe 1998, method 10 |

use crate::special::{ln_beta_upper, log_one_minus_exp};

/// How many of how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// Units that have it.
    pub count: u64,
    /// Units in all.
    pub of: u64,
}

impl Share {
    /// `count` of `of`. None when there are none, or more have it than there are.
    pub fn new(count: u64, of: u64) -> Option<Self> {
        (of > 0 && count <= of).then_some(Self { count, of })
    }

    /// The share itself, 0 to 1.
    pub fn value(self) -> f64 {
        self.count as f64 / self.of as f64
    }
}

/// Lower and upper end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
}

/// Wilson's score interval, `z` standard deviations to each side.
pub fn wilson(share: Share, z: f64) -> Interval {
    let (p, n) = (share.value(), share.of as f64);
    let scale = 1.0 + z * z / n;
    let middle = (p + z * z / (2.0 * n)) / scale;
    let half = z / scale * libm::sqrt(p * (1.0 - p) / n + z * z / (4.0 * n * n));
    // At the ends of the range the interval ends there; rounding would not.
    let lower = if share.count == 0 { 0.0 } else { (middle - half).max(0.0) };
    let upper = if share.count == share.of { 1.0 } else { (middle + half).min(1.0) };
    Interval { lower, upper }
}

/// Clopper and Pearson's exact interval: misses with probability at most `alpha`, usually less.
pub fn clopper_pearson(share: Share, alpha: f64) -> Interval {
    let (x, rest) = (share.count as f64, (share.of - share.count) as f64);
    let lower = if share.count == 0 { 0.0 } else { beta_quantile(x, rest + 1.0, alpha / 2.0) };
    let upper = if share.count == share.of { 1.0 } else { beta_quantile(x + 1.0, rest, 1.0 - alpha / 2.0) };
    Interval { lower, upper }
}

/// The Bayesian interval under Jeffreys' prior, `alpha`/2 outside on each side.
pub fn jeffreys(share: Share, alpha: f64) -> Interval {
    let (a, b) = (share.count as f64 + 0.5, (share.of - share.count) as f64 + 0.5);
    Interval { lower: beta_quantile(a, b, alpha / 2.0), upper: beta_quantile(a, b, 1.0 - alpha / 2.0) }
}

/// The x below which a Beta(a, b) lies with probability `level`, by bisection on the log of the smaller tail.
fn beta_quantile(a: f64, b: f64, level: f64) -> f64 {
    let upper_wanted = level > 0.5;
    let goal = libm::log(if upper_wanted { 1.0 - level } else { level });
    let below = |x: f64| {
        let upper = ln_beta_upper(a, b, x);
        if upper_wanted { upper > goal } else { log_one_minus_exp(upper.min(0.0)) < goal }
    };
    let (mut low, mut high) = (0.0_f64, 1.0_f64);
    // 1100 halvings reach the smallest number; in practice some sixty do.
    for _ in 0..1_100 {
        let middle = 0.5 * (low + high);
        if middle <= low || middle >= high {
            break;
        }
        *(if below(middle) { &mut low } else { &mut high }) = middle;
    }
    0.5 * (low + high)
}

/// A ratio of two shares with Katz's interval on the logarithmic scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The ratio.
    pub ratio: f64,
    /// Its interval.
    pub interval: Interval,
    /// A count was 0, and half a unit was added to each: read with care.
    pub corrected: bool,
}

/// `share` divided by `reference`, `z` standard deviations to each side.
pub fn katz(share: Share, reference: Share, z: f64) -> Ratio {
    let (log_ratio, variance, corrected) = log_ratio(share, reference);
    let half = z * libm::sqrt(variance);
    let interval = Interval { lower: libm::exp(log_ratio - half), upper: libm::exp(log_ratio + half) };
    Ratio { ratio: libm::exp(log_ratio), interval, corrected }
}

/// ln of the ratio, its variance, and whether it had to be corrected for a count of 0.
fn log_ratio(share: Share, reference: Share) -> (f64, f64, bool) {
    let corrected = share.count == 0 || reference.count == 0;
    let more = if corrected { 0.5 } else { 0.0 };
    let part = |share: Share| {
        let (x, n) = (share.count as f64 + more, share.of as f64 + 2.0 * more);
        (libm::log(x / n), (1.0 - x / n) / x)
    };
    let (a, b) = (part(share), part(reference));
    (a.0 - b.0, a.1 + b.1, corrected)
}

/// Newcombe's interval of `share` - `reference`, from the two Wilson intervals.
pub fn newcombe(share: Share, reference: Share, z: f64) -> Interval {
    let (a, b) = (wilson(share, z), wilson(reference, z));
    let (p, q) = (share.value(), reference.value());
    let difference = p - q;
    Interval {
        lower: difference - libm::hypot(p - a.lower, b.upper - q),
        upper: difference + libm::hypot(a.upper - p, q - b.lower),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(count: u64, of: u64) -> Share {
        Share::new(count, of).unwrap()
    }

    #[test]
    fn the_designs_example() {
        let ratio = katz(share(12, 40), share(48, 80), 1.959_963_984_540_054);
        assert!((ratio.ratio - 0.5).abs() < 1e-12 && !ratio.corrected);
        assert!((ratio.interval.lower - 0.3014).abs() < 5e-5 && (ratio.interval.upper - 0.8294).abs() < 5e-5);
        let difference = newcombe(share(12, 40), share(48, 80), 1.959_963_984_540_054);
        assert!((difference.lower + 0.4559).abs() < 5e-5 && (difference.upper + 0.1108).abs() < 5e-5);
    }

    #[test]
    fn ends_of_the_range() {
        assert_eq!(wilson(share(0, 5), 1.96).lower, 0.0);
        assert_eq!(clopper_pearson(share(5, 5), 0.05).upper, 1.0);
        // Rule of three, exact: (alpha/2)^(1/n).
        assert!((clopper_pearson(share(5, 5), 0.05).lower - libm::pow(0.025, 0.2)).abs() < 1e-12);
        assert!(katz(share(0, 5), share(3, 5), 1.96).corrected);
        assert_eq!((Share::new(1, 0), Share::new(3, 2)), (None, None));
    }

    #[test]
    fn a_quantile_undoes_the_distribution() {
        for (a, b) in [(0.5, 0.5), (3.0, 900.0), (40_000.0, 10.0)] {
            for level in [1e-6, 0.025, 0.5, 0.975] {
                let x = beta_quantile(a, b, level);
                let back = 1.0 - libm::exp(ln_beta_upper(a, b, x));
                assert!((back - level).abs() < 1e-9, "{a} {b} {level}: {x} {back}");
            }
        }
    }
}
