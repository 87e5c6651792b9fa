//! The Mann-Whitney test: does one arm tend to have larger values? A fixed-sample reference that needs all values; for one
//! look whose moment was fixed beforehand, and for reports of offline runs. No verdict uses it.

use crate::special::normal_upper;

/// What the test says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MannWhitney {
    /// Pairs in which x is larger, ties counted half.
    pub u: f64,
    /// Two-sided p-value by the normal approximation, with correction for ties and continuity.
    pub p: f64,
    /// The median of all differences x - y (Hodges & Lehmann): by how much x is larger.
    pub shift: f64,
    /// The chance that an x is larger than a y, ties counted half.
    pub larger: f64,
}

/// Compares two samples; needs time and memory for all pairs. None when one is empty or a value is not a number.
pub fn mann_whitney(x: &[f64], y: &[f64]) -> Option<MannWhitney> {
    if x.is_empty() || y.is_empty() || x.iter().chain(y).any(|v| !v.is_finite()) {
        return None;
    }
    let (m, n) = (x.len() as f64, y.len() as f64);
    let mut differences: Vec<f64> = x.iter().flat_map(|a| y.iter().map(move |b| a - b)).collect();
    let u: f64 = differences
        .iter()
        .map(|d| {
            if *d > 0.0 {
                1.0
            } else if *d == 0.0 {
                0.5
            } else {
                0.0
            }
        })
        .sum();
    differences.sort_unstable_by(f64::total_cmp);

    let mut all: Vec<f64> = x.iter().chain(y).copied().collect();
    all.sort_unstable_by(f64::total_cmp);
    let ties: f64 = all
        .chunk_by(|a, b| a == b)
        .map(|run| {
            let length = run.len() as f64;
            length * length * length - length
        })
        .sum();
    let total = m + n;
    let variance = m * n / 12.0 * (total + 1.0 - ties / (total * (total - 1.0)));
    let larger = u.max(m * n - u);
    let p = if variance > 0.0 {
        2.0 * normal_upper((larger - m * n / 2.0 - 0.5) / libm::sqrt(variance))
    } else {
        1.0
    };
    Some(MannWhitney { u, p: p.min(1.0), shift: median(&differences), larger: u / (m * n) })
}

fn median(sorted: &[f64]) -> f64 {
    let half = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len() % 2 == 1 { at(half) } else { (at(half.wrapping_sub(1)) + at(half)) / 2.0 }
}
