//! Do two samples come from one distribution? The two-sample Kolmogorov-Smirnov test, for continuous inputs.
//!
//! D is the largest distance between the two empirical distribution functions. Its p-value without a change is computed
//! exactly, by counting lattice paths, or from the exact distribution of the one-sample statistic with the effective number
//! of values (what scipy calls asymptotic). Both are for **one look**: a signal, no promise under peeking.
//!
//! Sources: Hodges 1958 (paths); Marsaglia, Tsang & Wang 2003, and Birnbaum & Tingey 1951, for the one-sample statistic;
//! Raab, Heusinger & Schleif 2020 for the window.

use core::f64::consts::PI;
use std::collections::VecDeque;

use crate::special::ln_gamma;

/// Products of the sample sizes up to this are counted exactly by [`Distance::p`]: a few hundredths of a second.
pub const EXACT_CELLS: u64 = 4_000_000;

/// And up to this by [`Distance::exact_p`], for those who ask for it: about a second.
pub const MOST_CELLS: u64 = 100_000_000;

/// The distance of two samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Distance {
    sizes: [u64; 2],
    /// D times both sizes: a whole number, so that ties are ties.
    steps: u64,
}

impl Distance {
    /// Measures two samples, in any order. None when one is empty or holds NaN.
    pub fn between(first: &[f64], second: &[f64]) -> Option<Self> {
        if first.is_empty() || second.is_empty() || first.iter().chain(second).any(|value| value.is_nan()) {
            return None;
        }
        let sorted = |values: &[f64]| {
            let mut values = values.to_vec();
            values.sort_by(f64::total_cmp);
            values
        };
        let (a, b) = (sorted(first), sorted(second));
        let sizes = [a.len() as u64, b.len() as u64];
        let [m, n] = sizes;
        let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
        let (mut x, mut y, mut steps) = (0u64, 0u64, 0u64);
        while let (Some(from_a), Some(from_b)) = (a.peek().copied(), b.peek().copied()) {
            let at = from_a.min(from_b);
            while a.next_if(|value| *value <= at).is_some() {
                x += 1;
            }
            while b.next_if(|value| *value <= at).is_some() {
                y += 1;
            }
            steps = steps.max((x * n).abs_diff(y * m));
        }
        Some(Self { sizes, steps })
    }

    /// D, from 0 to 1.
    pub fn value(self) -> f64 {
        let [m, n] = self.sizes;
        self.steps as f64 / (m as f64 * n as f64)
    }

    /// The exact p-value up to [`EXACT_CELLS`], the other beyond.
    pub fn p(self) -> f64 {
        let [m, n] = self.sizes;
        let exact = if m.saturating_mul(n) <= EXACT_CELLS { self.exact_p() } else { None };
        exact.unwrap_or_else(|| self.effective_p())
    }

    /// Probability of a distance at least this large when the samples come from one continuous distribution. None when the
    /// product of the sizes is above [`MOST_CELLS`].
    ///
    /// Every interleaving of the samples is a path of steps right and up, all equally likely. The probability that a path
    /// has not yet been as far from the diagonal is carried along, and what leaves is added up: only positive terms, so the
    /// far tail is as exact as the middle.
    pub fn exact_p(self) -> Option<f64> {
        let [m, n] = self.sizes;
        if m.checked_mul(n)? > MOST_CELLS {
            return None;
        }
        if self.steps == 0 {
            return Some(1.0);
        }
        let outside = |x: u64, y: u64| (x * n).abs_diff(y * m) >= self.steps;
        let mut left = 0.0;
        // Probability of being at (x, y), still inside, for the x of the row above.
        let mut column = vec![0.0; usize::try_from(n).ok()? + 1];
        for x in 0..=m {
            let mut below = 0.0;
            for (y, slot) in (0..=n).zip(column.iter_mut()) {
                // Arrivals from the left, of the column before, and from below, of this one.
                let from_left =
                    if x == 0 { 0.0 } else { *slot * (m - x + 1) as f64 / (m - x + 1 + n - y) as f64 };
                let mut here = from_left + below;
                if x == 0 && y == 0 {
                    here = 1.0;
                } else if outside(x, y) {
                    left += here;
                    here = 0.0;
                }
                *slot = here;
                let rest = (m - x + n - y) as f64;
                below = if y == n || rest == 0.0 { 0.0 } else { here * (n - y) as f64 / rest };
            }
        }
        Some(left.min(1.0))
    }

    /// The p-value of D as a one-sample distance of `round(m n / (m + n))` values.
    pub fn effective_p(self) -> f64 {
        let [m, n] = self.sizes.map(|size| size as f64);
        one_sample_upper(libm::rint(m * n / (m + n)).max(1.0), self.value())
    }
}

/// P(D_n >= d) of the one-sample two-sided statistic of `n` values, by the form that is exact, or nearly, where it lies
/// (the choice of Simard and L'Ecuyer 2011).
fn one_sample_upper(n: f64, d: f64) -> f64 {
    /// Up to this many values the matrix is small everywhere.
    const FEW: f64 = 140.0;
    if d <= 0.5 / n {
        return 1.0;
    }
    if d >= 1.0 {
        return 0.0;
    }
    let squared = n * d * d;
    if d >= 0.5 || squared >= if n <= FEW { 4.0 } else { 2.2 } {
        // Both sides at once are rare beside one: by exp(-6 n d²).
        return (2.0 * one_sided_upper(n, d)).min(1.0);
    }
    let lower =
        if n <= FEW || n * libm::pow(d, 1.5) <= 1.4 { matrix_lower(n, d) } else { expanded_lower(n, d) };
    (1.0 - lower).clamp(0.0, 1.0)
}

/// P(D_n+ >= d), Birnbaum and Tingey's sum of positive terms.
fn one_sided_upper(n: f64, d: f64) -> f64 {
    let last = libm::floor(n * (1.0 - d));
    let mut sum = 0.0;
    let mut j = 0.0;
    while j <= last {
        let (reached, rest) = (d + j / n, 1.0 - d - j / n);
        let paths = ln_gamma(n + 1.0) - ln_gamma(j + 1.0) - ln_gamma(n - j + 1.0);
        let term = paths + (j - 1.0) * libm::log(reached);
        if rest > 0.0 {
            sum += libm::exp(term + (n - j) * libm::log(rest));
        } else if n - j == 0.0 {
            sum += libm::exp(term);
        }
        j += 1.0;
    }
    d * sum
}

/// P(D_n < d) by Pelz and Good's expansion (1976): Kolmogorov's limit and three corrections, in powers of 1/√n.
fn expanded_lower(n: f64, d: f64) -> f64 {
    let root = libm::sqrt(n);
    let z = root * d;
    let [z2, z3, z4, z6] = [2.0, 3.0, 4.0, 6.0].map(|power| libm::pow(z, power));
    let (z7, z8, z10) = (z6 * z, z6 * z2, z6 * z4);
    let pi2 = PI * PI;
    let (pi4, pi6) = (pi2 * pi2, pi2 * pi2 * pi2);
    let terms = libm::ceil(16.0 * z / PI) as u32;
    let (mut sums, mut extra) = ([0.0; 4], [0.0; 2]);
    // Small terms first.
    for k in (1..=terms).rev() {
        let k = f64::from(k);
        let odd2 = (2.0 * k - 1.0) * (2.0 * k - 1.0);
        let (odd4, odd6) = (odd2 * odd2, odd2 * odd2 * odd2);
        let odd = libm::exp(-odd2 * pi2 / (8.0 * z2));
        let each = [
            1.0,
            pi2 / 4.0 * odd2 - z2,
            6.0 * z6
                + 2.0 * z4
                + (2.0 * z4 - 5.0 * z2) * pi2 / 4.0 * odd2
                + pi4 * (1.0 - 2.0 * z2) / 16.0 * odd4,
            -30.0 * z6 - 90.0 * z8
                + pi2 * (135.0 * z4 - 96.0 * z6) / 4.0 * odd2
                + pi4 * (212.0 * z4 - 60.0 * z2) / 16.0 * odd4
                + pi6 * (5.0 - 30.0 * z2) / 64.0 * odd6,
        ];
        sums.iter_mut().zip(each).for_each(|(sum, term)| *sum += term * odd);
        let whole = libm::exp(-k * k * pi2 / (2.0 * z2));
        let [second, third] = &mut extra;
        *second += k * k * whole;
        *third += (3.0 * z2 - pi2 * k * k) * k * k * whole;
    }
    let scale = libm::sqrt(2.0 * PI);
    let ([first, second, third, fourth], [more_third, more_fourth]) = (sums, extra);
    let corrections = [
        first / z,
        second / (6.0 * z4),
        third / (72.0 * z7) - pi2 * more_third / (36.0 * z3),
        fourth / (6_480.0 * z10) + pi2 * more_fourth / (216.0 * z6),
    ];
    let [limit, one, two, three] = corrections;
    scale * (limit + (one + (two + three / root) / root) / root)
}

/// A square matrix times a power of ten, so that high powers neither overflow nor vanish.
#[derive(Clone)]
struct Scaled {
    side: usize,
    cells: Vec<f64>,
    exponent: i32,
}

impl Scaled {
    const LARGE: f64 = 1e140;

    fn times(&self, other: &Self) -> Self {
        let mut cells = Vec::with_capacity(self.cells.len());
        for row in self.cells.chunks_exact(self.side) {
            let mut sums = vec![0.0; self.side];
            for (left, other_row) in row.iter().zip(other.cells.chunks_exact(self.side)) {
                for (sum, right) in sums.iter_mut().zip(other_row) {
                    *sum += left * right;
                }
            }
            cells.extend(sums);
        }
        let mut exponent = self.exponent + other.exponent;
        if cells.iter().any(|cell| *cell > Self::LARGE) {
            cells.iter_mut().for_each(|cell| *cell /= Self::LARGE);
            exponent += 140;
        }
        Self { side: self.side, cells, exponent }
    }

    fn power(&self, n: u64) -> Self {
        let mut square = self.clone();
        let mut product: Option<Self> = None;
        let mut rest = n;
        while rest > 0 {
            if rest & 1 == 1 {
                product = Some(product.map_or_else(|| square.clone(), |product| product.times(&square)));
            }
            rest >>= 1;
            if rest > 0 {
                square = square.times(&square);
            }
        }
        product.unwrap_or(square)
    }
}

/// P(D_n < d) by Marsaglia, Tsang and Wang: n!/n^n times the middle entry of the n-th power of a matrix of side 2k - 1,
/// with k = ⌊n d⌋ + 1 and h = k - n d.
fn matrix_lower(n: f64, d: f64) -> f64 {
    let k = libm::floor(n * d) + 1.0;
    let h = k - n * d;
    let middle = k as usize - 1;
    let side = 2 * middle + 1;
    let h_to = |power: usize| libm::pow(h, power as f64);
    let mut cells = Vec::with_capacity(side * side);
    for row in 0..side {
        for column in 0..side {
            let mut cell = if row + 1 >= column { 1.0 } else { 0.0 };
            if column == 0 {
                cell -= h_to(row + 1);
            }
            if row + 1 == side {
                cell -= h_to(side - column);
            }
            if column == 0 && row + 1 == side && 2.0 * h - 1.0 > 0.0 {
                cell += libm::pow(2.0 * h - 1.0, side as f64);
            }
            if row + 1 > column {
                cell /= libm::exp(ln_gamma((row + 1 - column) as f64 + 1.0));
            }
            cells.push(cell);
        }
    }
    let power = Scaled { side, cells, exponent: 0 }.power(n as u64);
    let Some(mut entry) = power.cells.get(middle * side + middle).copied() else { return 0.0 };
    let mut exponent = power.exponent;
    let mut i = 1.0;
    while i <= n {
        entry *= i / n;
        if entry < 1.0 / Scaled::LARGE {
            entry *= Scaled::LARGE;
            exponent -= 140;
        }
        i += 1.0;
    }
    entry * libm::pow(10.0, f64::from(exponent))
}

/// KSWIN: compares the newest values of a sliding window with as many drawn from the older ones. **A signal**: its `alpha`
/// is that of every single look, and it looks at every value.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowedTest {
    /// Fires when p is at most this: 0.005.
    pub alpha: f64,
    /// Values in the window: 100.
    pub window: usize,
    /// Newest values, and as many drawn: 30.
    pub newest: usize,
    values: VecDeque<f64>,
    fired: bool,
}

/// Distances up to this never fire, whatever p is.
const LEAST_DISTANCE: f64 = 0.1;

impl WindowedTest {
    /// An empty window. None unless `newest` is above 0 and at most half of `window`.
    pub fn new(alpha: f64, window: usize, newest: usize) -> Option<Self> {
        let fits = newest > 0 && newest.checked_mul(2).is_some_and(|both| both <= window);
        fits.then(|| Self { alpha, window, newest, values: VecDeque::new(), fired: false })
    }

    /// One more value; whether the test fires. `draw(older, count)` draws `count` different positions below `older`: chance
    /// is the caller's. The window starts anew at the value after it fired. NaN is left out.
    pub fn observe(&mut self, value: f64, draw: impl FnOnce(usize, usize) -> Vec<usize>) -> bool {
        if value.is_nan() {
            return false;
        }
        if self.fired {
            self.values.clear();
            self.fired = false;
        }
        self.values.push_back(value);
        while self.values.len() > self.window {
            self.values.pop_front();
        }
        if self.values.len() < self.window {
            return false;
        }
        let older = self.window - self.newest;
        let drawn: Vec<f64> =
            draw(older, self.newest).into_iter().filter_map(|at| self.values.get(at).copied()).collect();
        let newest: Vec<f64> = self.values.iter().skip(older).copied().collect();
        let distance = Distance::between(&drawn, &newest);
        self.fired = distance.is_some_and(|d| d.p() <= self.alpha && d.value() > LEAST_DISTANCE);
        self.fired
    }

    /// Whether the last value fired it, so that the next one starts a new window.
    pub fn fired(&self) -> bool {
        self.fired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All interleavings of small samples, counted one by one.
    #[test]
    fn the_exact_p_value_is_a_share_of_all_interleavings() {
        let (m, n) = (4u32, 3u32);
        let mut distances = Vec::new();
        for mask in (0u32..1 << (m + n)).filter(|mask| mask.count_ones() == m) {
            let side = |one: u32| -> Vec<f64> {
                (0..m + n).filter(|i| mask >> i & 1 == one).map(f64::from).collect()
            };
            distances.push(Distance::between(&side(1), &side(0)).unwrap());
        }
        assert_eq!(distances.len(), 35);
        for distance in &distances {
            let as_far = distances.iter().filter(|other| other.steps >= distance.steps).count();
            assert!((distance.exact_p().unwrap() - as_far as f64 / 35.0).abs() < 1e-12, "{distance:?}");
        }
    }

    #[test]
    fn the_forms_of_the_one_sample_distribution_meet() {
        // At n d² = 4, the matrix and twice one side; below, the matrix and the expansion.
        let sum = 2.0 * one_sided_upper(400.0, 0.1);
        assert!(((1.0 - matrix_lower(400.0, 0.1)) / sum - 1.0).abs() < 1e-8);
        for (n, d) in [(200.0, 0.06), (300.0, 0.06), (1_000.0, 0.04)] {
            let (exact, expanded) = (matrix_lower(n, d), expanded_lower(n, d));
            assert!((exact - expanded).abs() < 1e-6, "{n} {d}: {exact} {expanded}");
        }
        // Published: P(D_10 < 0.274) = 0.6284796154565 (Marsaglia, Tsang & Wang).
        assert!((matrix_lower(10.0, 0.274) - 0.628_479_615_456_504_3).abs() < 1e-12);
    }

    #[test]
    fn ties_and_nothing() {
        let same = Distance::between(&[1.0, 1.0, 2.0], &[1.0, 2.0, 1.0]).unwrap();
        assert_eq!((same.value(), same.exact_p(), same.effective_p()), (0.0, Some(1.0), 1.0));
        assert_eq!(Distance::between(&[], &[1.0]), None);
        assert_eq!(Distance::between(&[f64::NAN], &[1.0]), None);
        assert_eq!(WindowedTest::new(0.005, 50, 30), None);
    }

    #[test]
    fn the_window_starts_anew_after_firing() {
        let mut test = WindowedTest::new(0.005, 100, 30).unwrap();
        let first = |_: usize, count: usize| (0..count).collect();
        let fired: Vec<u32> = (0..400u32)
            .filter(|i| test.observe(f64::from(i % 7) + if *i < 200 { 0.0 } else { 5.0 }, first))
            .collect();
        assert!(fired.first().is_some_and(|at| (200..230).contains(at)), "{fired:?}");
        assert!(fired.get(1).is_none_or(|at| *at >= fired[0] + 100), "{fired:?}");
    }
}
