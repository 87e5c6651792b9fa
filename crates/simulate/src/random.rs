//! Chance from a seed: the same numbers on every machine, in every thread.
//!
//! Each rollout draws from a stream of its own (a PCG generator with the rollout's number as stream), so a result does
//! not depend on which thread computes it or in which order. Distributions go through `libm`, whose results do not
//! depend on the platform.

use rand_core::Rng;
use rand_pcg::Pcg64;

/// A stream of chance.
#[derive(Debug, Clone)]
pub(crate) struct Random(Pcg64);

impl Random {
    /// The stream `stream` of `seed`.
    pub(crate) fn new(seed: u64, stream: u64) -> Self {
        let mut random = Pcg64::new(u128::from(seed) << 64 | u128::from(stream), u128::from(stream));
        // Neighbouring seeds differ in few bits of the first states: let them go.
        for _ in 0..4 {
            random.next_u64();
        }
        Self(random)
    }

    pub(crate) fn bits(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in [0, 1).
    pub(crate) fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// True with this probability.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Standard normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(1.0 - self.unit()));
        radius * libm::cos(2.0 * core::f64::consts::PI * self.unit())
    }

    /// Exponential with mean 1.
    pub(crate) fn waiting(&mut self) -> f64 {
        -libm::log(1.0 - self.unit())
    }

    /// Poisson with this mean: by waiting times while it is small, else by the normal with the same mean and variance.
    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean <= 0.0 {
            return 0;
        }
        if mean > 200.0 {
            return (mean + libm::sqrt(mean) * self.normal() + 0.5).max(0.0) as u64;
        }
        let (mut gone, mut count) = (self.waiting(), 0);
        while gone < mean {
            gone += self.waiting();
            count += 1;
        }
        count
    }

    /// A heavy tail with mean 1: log-normal with this standard deviation of the logarithm.
    pub(crate) fn heavy(&mut self, sigma: f64) -> f64 {
        if sigma == 0.0 { 1.0 } else { libm::exp(sigma * self.normal() - sigma * sigma / 2.0) }
    }

    /// Gamma with shape ½ and mean 1: the square of a standard normal.
    pub(crate) fn frail(&mut self) -> f64 {
        let normal = self.normal();
        normal * normal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(mut draw: impl FnMut(&mut Random) -> f64) -> f64 {
        let mut random = Random::new(1, 1);
        (0..200_000).map(|_| draw(&mut random)).sum::<f64>() / 200_000.0
    }

    #[test]
    fn distributions_have_their_means() {
        assert!((mean(Random::unit) - 0.5).abs() < 0.01);
        assert!(mean(Random::normal).abs() < 0.02);
        assert!((mean(|r| r.normal().powi(2)) - 1.0).abs() < 0.02);
        assert!((mean(Random::waiting) - 1.0).abs() < 0.02);
        assert!((mean(Random::frail) - 1.0).abs() < 0.02);
        assert!((mean(|r| r.heavy(1.0)) - 1.0).abs() < 0.05);
        assert!((mean(|r| r.poisson(3.0) as f64) - 3.0).abs() < 0.03);
        assert!((mean(|r| r.poisson(500.0) as f64) - 500.0).abs() < 0.5);
        assert_eq!(mean(|r| r.poisson(0.0) as f64), 0.0);
    }

    #[test]
    fn streams_and_seeds_differ() {
        let first = |seed, stream| Random::new(seed, stream).bits();
        let all = [first(1, 1), first(1, 2), first(2, 1), first(2, 2), first(1, 0), first(0, 1)];
        let distinct: std::collections::BTreeSet<u64> = all.into_iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert_eq!(first(7, 9), first(7, 9));
    }
}
