//! Did the mix change? The population stability index over bins, with the gate that its rule of thumb lacks.
//!
//! `PSI = Σ (q - p) ln(q / p)` over bins that were fixed beforehand, p of the baseline and q of now. "Above 0.1 is a change,
//! above 0.25 a large one" takes no notice of how much was counted: with few units PSI is large by chance. Without a change
//! PSI is about (1/N + 1/M) times a chi-square variable with bins - 1 degrees of freedom (Yurdakul & Naranjo), so an alarm
//! asks for both: large enough to matter, and not by chance.
//!
//! A signal for inputs (mix of intents, languages, prompt lengths) and outcomes alike. Valid for one look; no promise on
//! how often it is wrong over many.

use crate::special::chi_square_upper;

/// What stands in for an empty bin, whose logarithm would be infinite.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum Smoothing {
    /// Nothing: PSI is infinite when a bin is empty on one side only.
    None,
    /// Shares are at least this.
    Floor(f64),
    /// Half a unit more in every bin (Jeffreys): the default.
    #[default]
    AddHalf,
}

/// A PSI and how likely it is by chance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stability {
    /// The index, 0 for the same mix.
    pub psi: f64,
    /// Probability of one at least as large without a change, about.
    pub p: f64,
    /// Beyond [`PSI_ALARM`](crate::limits::PSI_ALARM), and p below [`PSI_ALARM_P`](crate::limits::PSI_ALARM_P).
    pub alarm: bool,
}

/// Compares the counts of now with those of the baseline, bin by bin. None when the bins are not as many, fewer than two, or
/// one of the sides is empty.
pub fn stability(baseline: &[u64], now: &[u64], smoothing: Smoothing) -> Option<Stability> {
    let scale = scale(baseline, now)?;
    let (before, after) = (shares(baseline, smoothing), shares(now, smoothing));
    let psi =
        before.iter().zip(&after).map(|(p, q)| if p == q { 0.0 } else { (q - p) * libm::log(q / p) }).sum();
    let degrees = u32::try_from(baseline.len() - 1).ok()?;
    let p = if f64::is_infinite(psi) { 0.0 } else { chi_square_upper(psi / scale, degrees) };
    let alarm = psi > crate::limits::PSI_ALARM && p < crate::limits::PSI_ALARM_P;
    Some(Stability { psi, p, alarm })
}

/// The PSI that is exceeded with probability `level` without a change, about. None as in [`stability`], and for levels
/// outside (0, 1).
pub fn critical(baseline: &[u64], now: &[u64], level: f64) -> Option<f64> {
    if !(level > 0.0 && level < 1.0) {
        return None;
    }
    let degrees = u32::try_from(baseline.len().checked_sub(1)?).ok()?;
    let (mut low, mut high) = (0.0, 1.0);
    while chi_square_upper(high, degrees) > level {
        high *= 2.0;
    }
    // Each round halves the bracket: 100 leave nothing between its ends.
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        *(if chi_square_upper(middle, degrees) > level { &mut low } else { &mut high }) = middle;
    }
    Some(scale(baseline, now)? * 0.5 * (low + high))
}

/// 1/N + 1/M.
fn scale(baseline: &[u64], now: &[u64]) -> Option<f64> {
    let total = |counts: &[u64]| counts.iter().map(|count| *count as f64).sum::<f64>();
    let (n, m) = (total(baseline), total(now));
    (baseline.len() == now.len() && baseline.len() > 1 && n > 0.0 && m > 0.0).then(|| 1.0 / n + 1.0 / m)
}

fn shares(counts: &[u64], smoothing: Smoothing) -> Vec<f64> {
    let more = if smoothing == Smoothing::AddHalf { 0.5 } else { 0.0 };
    let total: f64 = counts.iter().map(|count| *count as f64 + more).sum();
    let share = |count: &u64| {
        let share = (*count as f64 + more) / total;
        if let Smoothing::Floor(least) = smoothing { share.max(least) } else { share }
    };
    counts.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_units_raise_no_alarm_by_chance() {
        let small = stability(&[5, 5, 5], &[9, 4, 2], Smoothing::AddHalf).unwrap();
        assert!(small.psi > 0.25 && small.p > 0.05 && !small.alarm, "{small:?}");
        let large = stability(&[500, 500, 500], &[900, 400, 200], Smoothing::AddHalf).unwrap();
        assert!(large.alarm, "{large:?}");
        // Many units make a trifle certain, and it stays a trifle.
        let trifle = stability(&[500_000, 500_000], &[510_000, 490_000], Smoothing::AddHalf).unwrap();
        assert!(trifle.p < 1e-6 && !trifle.alarm, "{trifle:?}");
    }

    #[test]
    fn bins_that_cannot_be_compared_give_nothing() {
        assert_eq!(stability(&[1, 2], &[1, 2, 3], Smoothing::AddHalf), None);
        assert_eq!(stability(&[1], &[1], Smoothing::AddHalf), None);
        assert_eq!(stability(&[0, 0], &[1, 2], Smoothing::AddHalf), None);
        assert_eq!(critical(&[], &[], 0.05), None);
        assert_eq!(stability(&[0, 3], &[0, 9], Smoothing::None).unwrap().psi, 0.0);
        assert_eq!(stability(&[0, 3], &[1, 9], Smoothing::None).unwrap().psi, f64::INFINITY);
    }
}
