//! Looks at a few moments planned beforehand (Lan & DeMets): tighter than a sequence that may be looked at all the time, for
//! those who know their horizon and read batches. Never for rollback: information beyond the planned end voids it.
//!
//! Information time t runs from 0 to 1 (units seen over units planned). At each look the error spent so far is α t^φ; the
//! bound at a look is where the chance of crossing it first there is what that look adds. The chance is computed by following
//! the distribution of the sum of those that have not crossed yet from look to look (Armitage, McPherson, Rowe 1969), on a grid
//! of 1/20 of a step's standard deviation, and the bound is searched in steps of 1, 1/10, 1/100 … until the chance is within
//! 10⁻⁷: the procedure of the `ldbounds` programs, so that published bounds come out digit for digit.

use crate::boundary::Sides;
use crate::special::{ln_normal_density, normal_lower, normal_quantile, normal_upper};

/// Bounds above this are not told apart from it.
const HIGHEST: f64 = 8.0;
/// A look's chance is found to within this.
const CHANCE: f64 = 1e-7;
/// Grid step in standard deviations of the step between two looks.
const GRID: f64 = 0.05;

/// z at each of the looks at information times `times` for overall level `alpha` spent like t^`phi`. With [`Sides::Two`] half
/// of `alpha` on each side, the bounds holding for |z|. None unless times rise in (0, 1], 0 < alpha < 1 and phi > 0.
pub fn bounds(times: &[f64], alpha: f64, phi: f64, sides: Sides) -> Option<Vec<f64>> {
    let rising = times.iter().zip(times.iter().skip(1)).all(|(a, b)| a <= b);
    let inside = times.iter().all(|t| *t > 0.0 && *t <= 1.0);
    if !(rising && inside && alpha > 0.0 && alpha < 1.0 && phi > 0.0) {
        return None;
    }
    let alpha = if sides == Sides::Two { alpha / 2.0 } else { alpha };
    let mut bounds: Vec<f64> = Vec::with_capacity(times.len());
    let mut walk: Option<Walk> = None;
    let mut spent = 0.0;
    for (look, &time) in times.iter().enumerate() {
        let Some(before) = &walk else {
            spent = alpha * libm::pow(time, phi);
            let mut z = normal_quantile(1.0 - spent);
            if z > HIGHEST {
                z = HIGHEST;
                spent = normal_upper(z);
            }
            bounds.push(z);
            walk = Some(Walk::first(time, z));
            continue;
        };
        if time - before.time <= 1e-5 {
            bounds.extend(bounds.last().copied());
            continue;
        }
        let until = alpha * libm::pow(time, phi);
        let step = libm::sqrt(time - before.time);
        let wanted = (until - spent).clamp(0.0, 1.0);
        spent = until;
        let mut z = HIGHEST;
        if wanted >= CHANCE {
            z = before.crossed_with(wanted, step) / libm::sqrt(time);
        }
        if z >= HIGHEST {
            z = HIGHEST;
            spent = until - wanted + before.chance_above(z * libm::sqrt(time), step);
        }
        bounds.push(z);
        if look + 1 < times.len() {
            walk = Some(before.next(time, z, step));
        }
    }
    Some(bounds)
}

/// The density of the sum at one look, of those walks that have not crossed, on an even grid.
struct Walk {
    time: f64,
    low: f64,
    high: f64,
    density: Vec<f64>,
}

/// Points of an even grid of `intervals` from `low` to `high`.
fn grid(low: f64, high: f64, intervals: usize) -> impl Iterator<Item = f64> {
    let width = (high - low) / intervals as f64;
    (0..=intervals).map(move |i| if i == intervals { high } else { low + width * i as f64 })
}

/// The range from the lowest sum followed to the bound, and how finely it is cut.
fn range(time: f64, z: f64, step: f64) -> (f64, f64, usize) {
    let (low, high) = (-HIGHEST * libm::sqrt(time), z * libm::sqrt(time));
    (low, high, libm::ceil((high - low) / (GRID * step)) as usize)
}

impl Walk {
    fn first(time: f64, z: f64) -> Self {
        let deviation = libm::sqrt(time);
        let (low, high, intervals) = range(time, z, deviation);
        let density =
            grid(low, high, intervals).map(|x| libm::exp(ln_normal_density(x / deviation)) / deviation);
        Self { time, low, high, density: density.collect() }
    }

    /// The trapezoid rule over the grid of density x `weight`.
    fn integral(&self, weight: impl Fn(f64) -> f64) -> f64 {
        let intervals = self.density.len().saturating_sub(1).max(1);
        let values = grid(self.low, self.high, intervals).zip(&self.density).map(|(x, d)| d * weight(x));
        let (mut sum, mut first, mut last) = (0.0, None, 0.0);
        for value in values {
            sum += value;
            first.get_or_insert(value);
            last = value;
        }
        let ends = first.unwrap_or(0.0) + last;
        0.5 * ((self.high - self.low) / intervals as f64) * (2.0 * sum - ends)
    }

    /// Chance that a walk that got this far is above `bound` one step of deviation `step` later.
    fn chance_above(&self, bound: f64, step: f64) -> f64 {
        self.integral(|x| normal_lower((x - bound) / step))
    }

    /// The bound that is crossed one step later with chance `wanted`.
    fn crossed_with(&self, wanted: f64, step: f64) -> f64 {
        let mut bound = self.high;
        let mut chance = self.chance_above(bound, step);
        let mut stride = 10.0;
        for _ in 0..16 {
            if (chance - wanted).abs() <= CHANCE {
                break;
            }
            stride /= 10.0;
            let up = chance > wanted + CHANCE;
            for _ in 0..50 {
                bound += if up { stride } else { -stride };
                chance = self.chance_above(bound, step);
                if up && chance <= wanted + CHANCE || !up && chance >= wanted - CHANCE {
                    break;
                }
            }
        }
        bound
    }

    /// Those that stay below `z` at `time`.
    fn next(&self, time: f64, z: f64, step: f64) -> Self {
        let (low, high, intervals) = range(time, z, step);
        let arrive = |x: f64| self.integral(|from| libm::exp(ln_normal_density((x - from) / step)) / step);
        Self { time, low, high, density: grid(low, high, intervals).map(arrive).collect() }
    }
}
