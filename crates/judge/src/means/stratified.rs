//! Cohorts put together without mixing them: each cohort's arms are compared with each other, and the differences averaged.
//!
//! ```text
//! estimate = Σ w_e d_e        SE² = Σ w_e² SE_e²        Σ w_e = 1
//! ```
//!
//! The weights come from how units were assigned, never from what was measured: n_e π_e (1 - π_e), the information that a
//! cohort of n_e units with assignment probability π_e carries when a unit is as noisy in one cohort as in another. So
//! weighted, each new unit adds an independent bit to one running sum, which is what makes the sequence of
//! [`sequence`](super::sequence) hold over a whole ramp. [`combined`] takes other weights too (planned treated shares).

use super::compare::{Difference, Quantity, absolute, averages, enough};
use super::{Arm, Average, NotEnough, Sample};
use crate::CohortMoments;
use crate::limits::SHARE_TOTAL;

/// Units that each arm of a cohort must have before the cohort joins in: its own variance must be known somewhat.
pub const LEAST_COHORT_UNITS: u64 = 30;

/// Σ w_e d_e with weights that need not sum to 1. None without a positive weight, or with a negative one.
pub fn combined(parts: &[(f64, Difference)]) -> Option<Difference> {
    let total: f64 = parts.iter().map(|(weight, _)| weight).sum();
    let usable = total > 0.0 && parts.iter().all(|(weight, _)| *weight >= 0.0);
    if !usable {
        return None;
    }
    let (mut estimate, mut square, mut units) = (0.0, 0.0, 0.0);
    for (weight, part) in parts {
        let weight = weight / total;
        estimate += weight * part.estimate;
        square += weight * weight * part.error * part.error;
        units += part.units;
    }
    Some(Difference { estimate, error: libm::sqrt(square), units })
}

impl Compared {
    /// Treatment - `factor` x control, the weights as they are: whether the arms differ by more than a share of a control that
    /// is itself being measured.
    pub fn against(&self, factor: f64) -> Difference {
        let errors = self.errors;
        Difference {
            estimate: self.treatment - factor * self.control,
            error: libm::sqrt(errors.0 + factor * factor * errors.1),
            units: self.difference.units,
        }
    }
}

/// The comparison of all randomised cohorts, and the means of the arms for display, averaged with the same weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Compared {
    /// Treatment - control.
    pub difference: Difference,
    /// The treatment arm's average.
    pub treatment: f64,
    /// The control arm's average.
    pub control: f64,
    /// The squared standard errors of the two.
    errors: (f64, f64),
}

fn sum(samples: impl Iterator<Item = Sample>) -> Sample {
    samples.fold(Sample::default(), |sum, sample| Sample {
        units: sum.units + sample.units,
        non_zero: sum.non_zero + sample.non_zero,
        ..sum
    })
}

/// Compares `quantity` over `cohorts` (one entry for each, in order). Cohorts that were not randomised or are still too
/// small are left out; what is left must have enough.
pub fn compared(quantity: Quantity, cohorts: &[CohortMoments]) -> Result<Compared, NotEnough> {
    let randomised: Vec<_> =
        cohorts.iter().filter(|c| c.probability > 0 && c.probability < SHARE_TOTAL).collect();
    if randomised.is_empty() {
        return Err(NotEnough::NotRandomised);
    }
    let large: Vec<_> = randomised
        .iter()
        .filter(|c| c.treated.units.min(c.control.units) >= LEAST_COHORT_UNITS)
        .map(|c| (c, c.treated.sample(), c.control.sample()))
        .collect();
    let (treated, control) = (sum(large.iter().map(|c| c.1)), sum(large.iter().map(|c| c.2)));
    if large.is_empty() {
        let seen = |arm: fn(&CohortMoments) -> u64| randomised.iter().map(|c| arm(c)).max().unwrap_or(0);
        let (t, c) = (seen(|c| c.treated.units), seen(|c| c.control.units));
        let (arm, have) = if t <= c { (Arm::Treatment, t) } else { (Arm::Control, c) };
        return Err(NotEnough::Units { arm, have, need: super::compare::LEAST_UNITS });
    }
    enough(&treated, &control)?;
    let (mut parts, mut levels) = (Vec::new(), Vec::new());
    for (cohort, treated, control) in large {
        let (t, c) = averages(quantity, &treated, &control)?;
        let probability = f64::from(cohort.probability) / f64::from(SHARE_TOTAL);
        let weight = (treated.units + control.units) * probability * (1.0 - probability);
        // Also where an arm is all alike: leaving such cohorts out would choose cohorts by their outcome.
        parts.push((weight, absolute(&t, &c)));
        levels.push((weight, t, c));
    }
    let difference = combined(&parts).ok_or(NotEnough::NotRandomised)?;
    let varies = difference.error > 0.0;
    if !varies {
        let treated = levels.iter().any(|l| l.1.variance > 0.0);
        let arm = if treated { Arm::Control } else { Arm::Treatment };
        return Err(NotEnough::NoVariance { arm });
    }
    let total: f64 = levels.iter().map(|(weight, ..)| weight).sum();
    let treatment = levels.iter().map(|(weight, t, _)| weight * t.mean).sum::<f64>() / total;
    let control = levels.iter().map(|(weight, _, c)| weight * c.mean).sum::<f64>() / total;
    let squares = |arm: fn(&(f64, Average, Average)) -> f64| {
        levels.iter().map(|level| level.0 * level.0 * arm(level)).sum::<f64>() / (total * total)
    };
    let errors = (squares(|level| level.1.squared_error()), squares(|level| level.2.squared_error()));
    Ok(Compared { difference, treatment, control, errors })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Moments;

    fn arm(shift: i64) -> Moments {
        let mut moments = Moments::default();
        (0..400).for_each(|unit| moments.add(1_000_000 + shift + unit % 7 * 10_000, 0));
        moments
    }

    #[test]
    fn against_the_whole_control_is_the_difference() {
        let cohort = |cohort: u8, probability| CohortMoments {
            cohort,
            probability,
            treated: arm(i64::from(cohort) * 50_000),
            control: arm(20_000),
        };
        let found = compared(Quantity::Mean, &[cohort(0, 100_000_000), cohort(1, 500_000_000)]).unwrap();
        let same = found.against(1.0);
        assert!((same.estimate - found.difference.estimate).abs() < 1e-12);
        assert!((same.error - found.difference.error).abs() < 1e-12);
        let far = found.against(1.1);
        assert!((far.estimate - (found.treatment - 1.1 * found.control)).abs() < 1e-12);
        assert!(far.error > same.error);
    }
}
