//! Where another system's hash puts a unit: what importers need to keep every unit where it is.
//!
//! Each function states its scheme; what is hashed is always the UTF-8 of the text. Published values of each
//! system hold in `host-tests` (`bucket-values`).

use flagstone_snapshot::{murmur3_x64_128, murmur3_x86_32};
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// What LaunchDarkly and others divide by: fifteen hexadecimal digits, all ones.
pub const LONG_SCALE: u64 = 0x0FFF_FFFF_FFFF_FFFF;

/// LaunchDarkly: the first 15 hexadecimal digits of `sha1(prefix.value)` as a number, at most [`LONG_SCALE`];
/// the bucket is that divided by [`LONG_SCALE`]. `prefix` is what [`launchdarkly_prefix`] gives.
///
/// ```
/// use flagstone_compile::peers::{launchdarkly, launchdarkly_prefix, scaled};
/// let prefix = launchdarkly_prefix("hashKey", "saltyA", None);
/// assert_eq!(scaled(launchdarkly(&prefix, "userKeyA"), 100_000), 42_157);
/// ```
#[must_use]
pub fn launchdarkly(prefix: &str, value: &str) -> u64 {
    sha1_15(&format!("{prefix}.{value}"))
}

/// LaunchDarkly's prefix: the rollout's `seed` when it has one, else flag key and salt.
#[must_use]
pub fn launchdarkly_prefix(key: &str, salt: &str, seed: Option<i64>) -> String {
    seed.map_or_else(|| format!("{key}.{salt}"), |seed| seed.to_string())
}

/// The first 15 hexadecimal digits of `sha1(text)` as a number; also PostHog's, whose text is `flag.id` and a salt.
#[must_use]
pub fn sha1_15(text: &str) -> u64 {
    leading(&Sha1::digest(text)) >> 4
}

/// `value / LONG_SCALE` in whole parts of `parts`, rounded down, exactly.
#[must_use]
pub fn scaled(value: u64, parts: u32) -> u64 {
    let whole = u128::from(value) * u128::from(parts) / u128::from(LONG_SCALE);
    u64::try_from(whole).unwrap_or(u64::MAX)
}

/// Confidence: `(low 64 bits of murmur3_x64_128("salt|unit", seed 0) >> 4) mod buckets`; 0 when there are no buckets.
///
/// ```
/// assert_eq!(flagstone_compile::peers::confidence("MegaSalt-confidence-test", "roug", 1_000_000), 567_493);
/// ```
#[must_use]
pub fn confidence(salt: &str, unit: &str, buckets: u64) -> u64 {
    let (low, _) = murmur3_x64_128(format!("{salt}|{unit}").as_bytes(), 0);
    (low >> 4).checked_rem(buckets).unwrap_or_default()
}

/// Statsig: the first 8 bytes of `sha256(input)`, big-endian. It is taken modulo 10,000 for a pass percentage (the
/// input is then `salt.rule-salt.unit`), modulo 1,000 for the `user_bucket` condition (`salt.unit`).
///
/// ```
/// assert_eq!(flagstone_compile::peers::statsig("blargh"), 0x0ac3_3512_d18e_20d5);
/// ```
#[must_use]
pub fn statsig(input: &str) -> u64 {
    leading(&Sha256::digest(input))
}

/// Optimizely: `floor(murmur3_x86_32(unit ++ experiment, seed 1) / 2^32 * 10000)`, so 0 to 9,999.
///
/// ```
/// assert_eq!(flagstone_compile::peers::optimizely("ppid1", "1886780721"), 5_254);
/// ```
#[must_use]
pub fn optimizely(unit: &str, experiment: &str) -> u32 {
    let hash = murmur3_x86_32(format!("{unit}{experiment}").as_bytes(), 1);
    ((u64::from(hash) * 10_000) >> 32) as u32
}

/// The first eight bytes of a digest as a big-endian number.
fn leading(digest: &[u8]) -> u64 {
    digest.iter().take(8).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_from_the_front() {
        // FIPS 180-4's examples: SHA-1 of `abc` begins a9993e36 4706816a, SHA-256 of it ba7816bf 8f01cfea.
        assert_eq!(sha1_15("abc"), 0x0a99_93e3_6470_6816);
        assert_eq!(statsig("abc"), 0xba78_16bf_8f01_cfea);
    }

    #[test]
    fn scaling_reaches_both_ends() {
        assert_eq!(scaled(0, 100), 0);
        assert_eq!(scaled(LONG_SCALE - 1, 100), 99);
        assert_eq!(scaled(LONG_SCALE, 100), 100, "LaunchDarkly's last bucket is one wide");
        assert_eq!(confidence("a", "b", 0), 0);
    }
}
