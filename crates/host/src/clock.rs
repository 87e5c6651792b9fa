//! The outermost edge: the only place where the host reads a clock or draws randomness. Everything within takes
//! both as arguments.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Where the time comes from: milliseconds since 1970. Tests and drills bring their own.
#[derive(Clone)]
pub struct Time(Arc<dyn Fn() -> u64 + Send + Sync>);

impl Time {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(|| {
            let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
        })
    }

    /// Any other source.
    #[must_use]
    pub fn from_fn(read: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    fn read(&self) -> u64 {
        (self.0)()
    }
}

impl std::fmt::Debug for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Time({})", self.read())
    }
}

/// The host's time: what the machine says, but never behind the newest statement accepted (the rule of
/// [`flagstone_seal::Clock`], shared between threads), so that a clock wound back cannot bring an expired file to life.
#[derive(Debug)]
pub(crate) struct HostClock {
    time: Time,
    latest_issued: AtomicU64,
}

impl HostClock {
    pub(crate) fn new(time: Time, latest_issued: u64) -> Self {
        Self { time, latest_issued: AtomicU64::new(latest_issued) }
    }

    /// Unix seconds.
    pub(crate) fn seconds(&self) -> u64 {
        flagstone_seal::Clock::new(self.latest_issued()).now(self.time.read() / 1_000)
    }

    /// Unix milliseconds.
    pub(crate) fn milliseconds(&self) -> u64 {
        self.time.read().max(self.latest_issued().saturating_mul(1_000))
    }

    /// Notes the time of issue of an accepted statement, unix seconds.
    pub(crate) fn saw(&self, issued: u64) {
        self.latest_issued.fetch_max(issued, Ordering::AcqRel);
    }

    pub(crate) fn latest_issued(&self) -> u64 {
        self.latest_issued.load(Ordering::Acquire)
    }
}

/// Evenly distributed over all of u64; from the system's source.
pub(crate) fn random() -> u64 {
    // Without a source, hosts are still spread by their clocks and addresses; nothing secret depends on it.
    getrandom::u64().unwrap_or_else(|_| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::from(since.subsec_nanos()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_wound_back_does_not_go_behind_what_was_seen() {
        let machine = Arc::new(AtomicU64::new(2_000_000));
        let read = Arc::clone(&machine);
        let clock = HostClock::new(Time::from_fn(move || read.load(Ordering::Relaxed)), 0);
        assert_eq!((clock.seconds(), clock.milliseconds()), (2_000, 2_000_000));
        clock.saw(1_999);
        machine.store(5, Ordering::Relaxed);
        assert_eq!((clock.seconds(), clock.milliseconds()), (1_999, 1_999_000));
        clock.saw(3);
        assert_eq!(clock.latest_issued(), 1_999);
    }
}
