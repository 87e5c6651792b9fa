//! What the reader brings to an opening: who it is, what time it is, and what it has accepted before.

/// The identity of an accepted snapshot: the high-water mark below which nothing is accepted again.
///
/// Ordered by epoch, then sequence (then digest, which two honest statements never come to).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark {
    /// Rises only by rotation of the trust root.
    pub epoch: u64,
    /// Strictly rising within (audience, environment, epoch).
    pub sequence: u64,
    /// SHA-256 of the statement text, the bytes that were signed.
    pub digest: [u8; 32],
}

/// How [`open`](crate::open) judges a sealed file.
#[derive(Debug, Clone, Copy)]
pub struct OpenPolicy<'a> {
    /// The reader's audience, compared byte for byte.
    pub audience: &'a str,
    /// The reader's environment, compared byte for byte; it also picks the role `release:<environment>`.
    pub environment: &'a str,
    /// The time, unix seconds. Pass it through [`Clock::now`] so that a clock wound back cannot un-expire.
    pub now: u64,
    /// The mark of the last file accepted for this audience and environment, if any.
    pub mark: Option<Mark>,
    /// Largest payload in bytes; see [`limits`](crate::limits) for what to use without a reason of your own.
    pub max_payload: u64,
}

/// How [`open_pulse`](crate::open_pulse) judges a pulse.
#[derive(Debug, Clone, Copy)]
pub struct PulsePolicy<'a> {
    /// The reader's audience, compared byte for byte.
    pub audience: &'a str,
    /// The reader's environment; it also picks the role `pulse:<environment>`.
    pub environment: &'a str,
    /// The time, unix seconds. Pass it through [`Clock::now`].
    pub now: u64,
    /// The number of the last pulse accepted: a lower one is refused, the same one may be read again.
    /// Clear it when the trust root's epoch rises, so that a stolen key's huge number does not outlive the key.
    pub last_number: Option<u64>,
}

/// The clock rule: time never runs behind the newest statement accepted.
///
/// A clock jumping forward only makes things stale; winding it back must not bring an expired file to life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Clock {
    latest: u64,
}

impl Clock {
    /// A clock that has seen statements issued up to `latest` (unix seconds; 0 for none). Persist
    /// [`Clock::latest`] beside the mark.
    #[must_use]
    pub const fn new(latest: u64) -> Self {
        Self { latest }
    }

    /// Note the time of issue of an accepted statement.
    pub fn saw(&mut self, issued: u64) {
        self.latest = self.latest.max(issued);
    }

    /// The newest time of issue seen.
    #[must_use]
    pub const fn latest(&self) -> u64 {
        self.latest
    }

    /// The time to judge by, given what the machine's clock says.
    #[must_use]
    pub fn now(&self, machine: u64) -> u64 {
        self.latest.max(machine)
    }
}
