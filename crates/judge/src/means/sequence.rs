//! Asymptotic confidence sequences: an interval for a difference that may be looked at after every unit.
//!
//! A confidence interval for one look is an estimate plus or minus 1.96 standard errors. Looked at again and again it is
//! wrong sooner or later for certain. The sequence replaces 1.96 by a factor that grows slowly with n and is tightest
//! where the plan expects to decide:
//!
//! ```text
//! two sides: SE sqrt( 2(nρ²+1)/(nρ²) ln( sqrt(nρ²+1)/α ) )             ρ² = (-2 ln α + ln(1 - 2 ln α)) / N*
//! one side:  SE sqrt( 2(nρ²+1)/(nρ²) ln( 1 + sqrt(nρ²+1)/(2α) ) )      ρ² with 2α in the place of α
//! ```
//!
//! n the units of both arms, N* the planned units at the decision. Source: Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas,
//! arXiv:2103.06476. "Asymptotic" means: right once sums are nearly normal, which is what
//! [`compare::enough`](super::compare::enough) is there to wait for.

use super::compare::Difference;
use crate::boundary::Sides;

/// N* where the plan says nothing.
pub const DEFAULT_PLANNED: u64 = 5_000;

/// A sequence, fixed before the first look and for the whole attempt.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sequence {
    sides: Sides,
    /// ρ².
    square: f64,
}

impl Sequence {
    /// Tightest at `planned` units for level `alpha`. None unless 0 < alpha < 1 (one side: below 0.5) and planned > 0.
    pub fn tuned(planned: f64, alpha: f64, sides: Sides) -> Option<Self> {
        let alpha = if sides == Sides::One { 2.0 * alpha } else { alpha };
        let usable = alpha > 0.0 && alpha < 1.0 && planned > 0.0 && planned.is_finite();
        let nats = -2.0 * libm::log(alpha);
        usable.then(|| Self { sides, square: (nats + libm::log1p(nats)) / planned })
    }

    /// ρ.
    pub fn rho(&self) -> f64 {
        libm::sqrt(self.square)
    }

    /// Half the width at `units` units in standard errors of the estimate, at level `alpha`.
    pub fn factor(&self, units: f64, alpha: f64) -> f64 {
        let spread = units * self.square;
        let root = libm::sqrt(spread + 1.0);
        let nats = match self.sides {
            Sides::Two => libm::log(root / alpha),
            Sides::One => libm::log1p(root / (2.0 * alpha)),
        };
        libm::sqrt(2.0 * (spread + 1.0) / spread * nats)
    }

    /// The interval's ends. With one side each end holds by itself at level `alpha`, not both together.
    pub fn interval(&self, difference: &Difference, alpha: f64) -> (f64, f64) {
        let half = difference.error * self.factor(difference.units, alpha);
        (difference.estimate - half, difference.estimate + half)
    }

    /// ln(1/p): p is the smallest level at which the sequence excludes a difference of `null`; with one side, at which
    /// its lower end is above it. 0 where no level does. Exceeds ln(1/α) exactly when the interval at level α excludes
    /// `null`, so it is compared with thresholds as an e-value is.
    pub fn log_evidence(&self, difference: &Difference, null: f64) -> f64 {
        let z = (difference.estimate - null) / difference.error;
        let readable = difference.error > 0.0 && !z.is_nan();
        if !readable || (self.sides == Sides::One && z <= 0.0) {
            return 0.0;
        }
        let spread = difference.units * self.square;
        let growth = z * z * spread / (2.0 * (spread + 1.0));
        let price = 0.5 * libm::log1p(spread);
        let evidence = match self.sides {
            Sides::Two => growth - price,
            // ln(2 (e^growth - 1)) without overflow.
            Sides::One => core::f64::consts::LN_2 + growth + libm::log(-libm::expm1(-growth)) - price,
        };
        evidence.max(0.0)
    }

    /// The one-sided p-value of "no difference" as GrowthBook searches it: the level is halved between 1e-5 and 0.4999 until
    /// the interval's lower end is within 1e-6 of zero. For agreement with its digits; `exp(-log_evidence)` is exact.
    pub fn p_by_halving(&self, difference: &Difference) -> f64 {
        const LEAST: f64 = 1e-5;
        const MOST: f64 = 0.4999;
        let end = |level: f64| self.interval(difference, level).0;
        if end(LEAST) > 0.0 {
            return LEAST;
        }
        if end(MOST) < 0.0 {
            return MOST;
        }
        let (mut low, mut high) = (LEAST, MOST);
        let mut level = 0.5 * (low + high);
        for _ in 0..100 {
            let at = end(level);
            if at < 0.0 {
                low = level;
            } else {
                high = level;
            }
            level = 0.5 * (low + high);
            if at.abs() < 1e-6 {
                break;
            }
        }
        level
    }
}
