//! How long to wait after failures: exponential with full jitter, so that a thousand hosts whose server comes
//! back do not all arrive in the same second.

use std::time::Duration;

use crate::limits;

/// The wait after `failures` failures in a row (1 for the first): evenly between nothing and
/// `first * 2^(failures - 1)`, at most [`limits::BACKOFF_CAP`]. `random` is evenly distributed over all of u64.
#[must_use]
pub fn after_failures(first: Duration, failures: u32, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1).min(31);
    let ceiling = first.saturating_mul(1 << doublings).min(limits::BACKOFF_CAP);
    fraction(ceiling, random)
}

/// The wait that a server asked for (at most [`limits::RETRY_AFTER_CAP`]), and up to `spread` more, so that
/// those it asked at the same time do not come back at the same time.
#[must_use]
pub fn as_asked(asked: Duration, spread: Duration, random: u64) -> Duration {
    asked.min(limits::RETRY_AFTER_CAP).saturating_add(fraction(spread, random))
}

/// The time to the next look when all is well: `period` give or take a tenth.
#[must_use]
pub fn steady(period: Duration, random: u64) -> Duration {
    let tenth = period / 10;
    period.saturating_sub(tenth).saturating_add(fraction(tenth.saturating_mul(2), random))
}

fn fraction(whole: Duration, random: u64) -> Duration {
    let nanos = whole.as_nanos().saturating_mul(u128::from(random)) >> 64;
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_double_up_to_the_cap_and_are_spread_over_all_of_it() {
        let at = |failures, random| after_failures(SECOND, failures, random).as_secs_f64();
        for (failures, ceiling) in [(1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (10, 300.0), (u32::MAX, 300.0)]
        {
            assert_eq!(at(failures, 0), 0.0);
            assert!((at(failures, u64::MAX) - ceiling).abs() < 1e-6, "{failures}");
            assert!((at(failures, u64::MAX / 2) - ceiling / 2.0).abs() < 1e-6, "{failures}");
        }
    }

    #[test]
    fn a_server_is_obeyed_but_not_for_ever() {
        assert_eq!(as_asked(SECOND * 30, SECOND * 10, 0), SECOND * 30);
        assert!(as_asked(SECOND * 30, SECOND * 10, u64::MAX) > SECOND * 39);
        assert_eq!(as_asked(SECOND * 86_400, SECOND, 0), limits::RETRY_AFTER_CAP);
    }

    #[test]
    fn looks_are_spread_by_a_tenth() {
        assert_eq!(steady(SECOND * 10, 0), SECOND * 9);
        assert!(steady(SECOND * 10, u64::MAX) > Duration::from_millis(10_999));
    }
}
