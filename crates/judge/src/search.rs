//! Roots and minima of functions of one number, by halving: slow, sure, and the same on every platform.

/// Where `f` changes sign between `low` and `high`: as near as floating point comes, or after 200 halvings. `f` need
/// not be smooth. When both ends have the same sign, the end that is nearer to zero.
pub(crate) fn root(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let (mut low, mut high) = (low, high);
    let (at_low, at_high) = (f(low), f(high));
    if (at_low > 0.0) == (at_high > 0.0) {
        return if at_low.abs() < at_high.abs() { low } else { high };
    }
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if (f(middle) > 0.0) == (at_low > 0.0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

/// Where a function with one valley between `low` and `high` is least, by golden section, to about eight digits:
/// finer is not to be had, because a valley is flat at its floor.
pub(crate) fn minimum(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let (mut low, mut high) = (low, high);
    let (mut left, mut right) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
    let (mut at_left, mut at_right) = (f(left), f(right));
    for _ in 0..100 {
        if at_left <= at_right {
            (high, right, at_right) = (right, left, at_left);
            left = high - GOLDEN * (high - low);
            at_left = f(left);
        } else {
            (low, left, at_left) = (left, right, at_right);
            right = low + GOLDEN * (high - low);
            at_right = f(right);
        }
        if (high - low).abs() < 1e-12 * (1.0 + low.abs()) {
            break;
        }
    }
    low + (high - low) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_and_minima() {
        assert!((root(|x| x * x - 2.0, 0.0, 2.0) - core::f64::consts::SQRT_2).abs() < 1e-15);
        assert_eq!(root(|x| x + 1.0, 1.0, 2.0), 1.0);
        assert!((minimum(|x| (x - 0.3) * (x - 0.3), 0.0, 1.0) - 0.3).abs() < 1e-7);
    }
}
