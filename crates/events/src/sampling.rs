//! Sampling by unit: a host that makes too many events keeps those of a part of its units, always the same ones.
//!
//! A unit is kept or not by a salted hash of its pseudonym, in whole numbers, so its exposures and outcomes stay together,
//! every host with the same pepper decides alike, and the choice has nothing to do with the arm: what is kept of
//! both arms has the same probability. Every event that is kept says that probability.

use flagstone_snapshot::{SHARE_TOTAL, bucket_salt, murmur3_x64_128, position};
use serde::{Deserialize, Serialize};

use crate::{EventError, Pseudonym, Stream};

/// The probability with which a unit's events are kept, in parts of 1,000,000,000: 1 to 1,000,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Inclusion(u32);

impl Inclusion {
    /// Everybody is kept.
    pub const CERTAIN: Self = Self(SHARE_TOTAL);

    /// A probability of `parts` in 1,000,000,000.
    ///
    /// # Errors
    /// [`EventError::OutOfRange`] for 0 and above 1,000,000,000.
    pub fn new(parts: u32) -> Result<Self, EventError> {
        let inclusion = Self(parts);
        inclusion.check()?;
        Ok(inclusion)
    }

    /// In parts of 1,000,000,000.
    #[must_use]
    pub const fn parts(self) -> u32 {
        self.0
    }

    /// Whether everybody is kept.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        *self == Self::CERTAIN
    }

    /// What has come over the wire may be anything.
    pub(crate) fn check(self) -> Result<(), EventError> {
        if (1..=SHARE_TOTAL).contains(&self.0) {
            return Ok(());
        }
        Err(EventError::OutOfRange { what: "inclusion" })
    }
}

impl Default for Inclusion {
    fn default() -> Self {
        Self::CERTAIN
    }
}

/// Which units are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sampling {
    /// With which probability.
    pub inclusion: Inclusion,
}

impl Sampling {
    /// Whether a unit's events are kept. A unit that is kept at one probability is kept at every higher one.
    #[must_use]
    pub fn keeps(self, stream: Stream, unit: Pseudonym) -> bool {
        let salt = bucket_salt("sample", stream.as_str());
        position(murmur3_x64_128(unit.as_bytes(), 0), salt) < self.inclusion.parts()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pepper, UnitKey};

    fn units() -> impl Iterator<Item = Pseudonym> {
        let pepper = Pepper::from_bytes([3; 32]);
        (0..20_000).map(move |index| {
            let key = UnitKey::new(format!("user-{index}")).unwrap_or_else(|error| panic!("{error}"));
            Pseudonym::of(&pepper, Stream::Production, &key)
        })
    }

    fn sampling(parts: u32) -> Sampling {
        Sampling { inclusion: Inclusion::new(parts).unwrap_or_default() }
    }

    #[test]
    fn the_share_kept_is_the_share_asked_for_and_grows_without_loss() {
        let kept = |parts| units().filter(|unit| sampling(parts).keeps(Stream::Production, *unit)).count();
        assert_eq!(kept(SHARE_TOTAL), 20_000);
        // Five standard deviations of a binomial count.
        assert!((1_788..=2_212).contains(&kept(100_000_000)), "{}", kept(100_000_000));
        for unit in units().filter(|unit| sampling(50_000_000).keeps(Stream::Production, *unit)) {
            assert!(sampling(100_000_000).keeps(Stream::Production, unit));
        }
    }

    #[test]
    fn an_inclusion_of_nothing_or_of_more_than_all_is_refused() {
        assert!(Inclusion::new(0).is_err());
        assert!(Inclusion::new(SHARE_TOTAL + 1).is_err());
        assert!(Inclusion::new(1).is_ok());
    }
}
