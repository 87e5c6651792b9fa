//! Riemann's ζ(s) for s > 1, which shares out error over an infinite row of epochs.

/// ζ(s) for s > 1 by Euler and Maclaurin: twenty terms, and what remains of the sum as an integral with corrections.
/// Infinite at and below 1.
pub fn zeta(s: f64) -> f64 {
    const TERMS: u32 = 20;
    if s <= 1.0 || s.is_nan() {
        return f64::INFINITY;
    }
    let head: f64 = (1..TERMS).rev().map(|k| libm::pow(f64::from(k), -s)).sum();
    let n = f64::from(TERMS);
    let last = libm::pow(n, -s);
    // Bernoulli numbers over factorials: 1/12, -1/720, 1/30240, -1/1209600, 1/47900160.
    let mut factor = last * s / n;
    let mut tail = last * n / (s - 1.0) + 0.5 * last;
    let weights = [1.0 / 12.0, -1.0 / 720.0, 1.0 / 30_240.0, -1.0 / 1_209_600.0, 1.0 / 47_900_160.0];
    let mut rising = s;
    for weight in weights {
        tail += weight * factor;
        factor *= (rising + 1.0) * (rising + 2.0) / (n * n);
        rising += 2.0;
    }
    head + tail
}
