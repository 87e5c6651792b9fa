//! Confidence sequences for the mean of scores in \[0, 1\], for readers. All two-sided at level `alpha`, in the order the
//! scores came in. [`betting`] is the tightest and asks for a grid; the others are formulas and here for comparison.

use super::betting::{Bets, Side};
use crate::ScoreBatch;
use crate::boundary::{Sides, gamma, normal};
use crate::merge::collect_scores;

/// All bars on a grid of `1/steps` that no gambler has beaten: capital at most 2/α on either side, each side with half of α.
/// Widened by one grid step, so that a bar between two points is not lost.
pub fn betting(scores: &[f64], alpha: f64, steps: u32) -> (f64, f64) {
    kept_bars(alpha, steps, |bets| scores.iter().for_each(|score| bets.add(*score)))
}

fn kept_bars(alpha: f64, steps: u32, play: impl Fn(&mut Bets)) -> (f64, f64) {
    let threshold = libm::log(2.0 / alpha);
    let step = 1.0 / f64::from(steps.max(1));
    let kept = |index: u32| {
        let bar = f64::from(index) * step;
        [Side::Above, Side::Below].into_iter().all(|side| {
            let mut bets = Bets::unchecked(bar, side, alpha / 2.0);
            play(&mut bets);
            bets.log_e() <= threshold
        })
    };
    let low = (0..=steps).find(|index| kept(*index));
    let high = (0..=steps).rev().find(|index| kept(*index));
    let at = |index: u32| f64::from(index) * step;
    match low.zip(high) {
        Some((low, high)) => ((at(low) - step).max(0.0), (at(high) + step).min(1.0)),
        None => (0.0, 1.0),
    }
}

/// The same for scores in batches, bet on batch by batch as the judge does; entries of one batch add up, and the order of the
/// entries does not matter.
pub fn of_batches(batches: &[ScoreBatch], alpha: f64, steps: u32) -> (f64, f64) {
    let batches: Vec<Vec<(f64, u64)>> = collect_scores(batches.iter().cloned())
        .iter()
        .map(|batch| batch.scores.iter().map(|(micros, units)| (f64::from(*micros) / 1e6, *units)).collect())
        .collect();
    kept_bars(alpha, steps, |bets| batches.iter().for_each(|batch| bets.add_batch(batch)))
}

/// A lower bound that is a weighted mean less a margin: weights λ_i chosen from what came before.
fn weighted_lower(
    scores: impl Iterator<Item = f64>,
    alpha: f64,
    mut next: impl FnMut(f64) -> (f64, f64),
) -> f64 {
    let (mut weights, mut weighted, mut cost) = (0.0, 0.0, -libm::log(alpha));
    for score in scores {
        let (weight, price) = next(score);
        weights += weight;
        weighted += weight * score;
        cost += price;
    }
    if weights > 0.0 { (weighted - cost) / weights } else { 0.0 }
}

/// Both ends from a rule for the lower one: the upper end is the lower end of 1 - x.
fn both(lower: impl Fn(&dyn Fn(f64) -> f64) -> f64) -> (f64, f64) {
    let low: f64 = lower(&|x| x);
    let high = 1.0 - lower(&|x| 1.0 - x);
    (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0))
}

/// Predictable-mixture Hoeffding: knows nothing of the scores but that they lie in \[0, 1\].
pub fn hoeffding(scores: &[f64], alpha: f64) -> (f64, f64) {
    let each = alpha / 2.0;
    both(|turn| {
        let mut i = 0.0;
        weighted_lower(scores.iter().map(|x| turn(*x)), each, |_| {
            i += 1.0;
            let weight = libm::sqrt(-8.0 * libm::log(each) / (i * libm::log1p(i))).min(1.0);
            (weight, weight * weight / 8.0)
        })
    })
}

/// Predictable-mixture empirical Bernstein: narrower when the scores vary little.
pub fn empirical_bernstein(scores: &[f64], alpha: f64) -> (f64, f64) {
    let each = alpha / 2.0;
    both(|turn| {
        let (mut i, mut sum, mut squares) = (0.0, 0.0, 0.25);
        weighted_lower(scores.iter().map(|x| turn(*x)), each, |x| {
            let (mean, variance) = (if i > 0.0 { sum / i } else { 0.0 }, squares / (i + 1.0));
            i += 1.0;
            let weight = libm::sqrt(-2.0 * libm::log(each) / (i * libm::log1p(i) * variance))
                .min(super::betting::MOST_STAKED);
            sum += x;
            let regular = ((0.5 + sum) / (i + 1.0)).min(1.0);
            squares += (x - regular) * (x - regular);
            (weight, (x - mean) * (x - mean) * (-libm::log1p(-weight) - weight))
        })
    })
}

/// Conjugate-mixture Hoeffding, tightest at `at` scores.
pub fn conjugate_hoeffding(scores: &[f64], alpha: f64, at: f64) -> (f64, f64) {
    let t = scores.len() as f64;
    let mean = scores.iter().sum::<f64>() / t;
    let half = normal::bound(t / 4.0, alpha, at / 4.0, alpha, Sides::Two) / t;
    ((mean - half).max(0.0), (mean + half).min(1.0))
}

/// Conjugate-mixture empirical Bernstein, tightest where the scores' summed variance is `at`. `each` is the level of each
/// of its two ends.
pub fn conjugate_empirical_bernstein(scores: &[f64], each: f64, at: f64) -> (f64, f64) {
    let t = scores.len() as f64;
    both(|turn| {
        let (mut sum, mut variance) = (0.0, 0.0);
        for (i, x) in scores.iter().map(|x| turn(*x)).enumerate() {
            let mean = if i > 0 { sum / i as f64 } else { 0.5 };
            variance += (x - mean) * (x - mean);
            sum += x;
        }
        sum / t - gamma::exponential_bound(variance, each, at, 1.0, each) / t
    })
}
