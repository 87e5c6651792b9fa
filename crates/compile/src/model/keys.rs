//! Lists of targeting keys, and how a snapshot keeps them.

use serde::Serialize;

/// Keys of a segment.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct KeyList {
    /// The keys, as authored.
    pub keys: Vec<String>,
    /// How the snapshot keeps them.
    pub store: Store,
}

impl KeyList {
    /// Whether it names nobody.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// How a snapshot keeps a list of keys.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Store {
    /// As they are: exact, and readable to whoever has the snapshot.
    #[default]
    List,
    /// Sorted 64-bit hashes: 8 bytes a key; one stranger in 2^64 / n is taken for a key.
    Hashes,
    /// A Bloom filter: smaller, and strangers are taken for keys at a known rate.
    #[serde(rename_all = "camelCase")]
    Bloom {
        /// Bytes of the filter.
        bytes: u32,
        /// Bits that are looked at for a key.
        probes: u8,
        /// The rate at which strangers are taken for keys, as achieved by this size: `(1 - e^(-k n / m))^k`.
        error_rate: f64,
    },
}

impl Store {
    /// The Bloom filter for `count` different keys that takes strangers for keys at `rate` (above 0, below 1), by the
    /// textbook's sizes: `m = -n ln p / (ln 2)^2` bits, rounded up to whole bytes, and `k = m / n ln 2` probes,
    /// rounded, at most 24.
    #[must_use]
    pub fn bloom(count: usize, rate: f64) -> Store {
        let ln2 = core::f64::consts::LN_2;
        let keys = count.max(1) as f64;
        let bytes = (-keys * libm::log(rate) / (ln2 * ln2) / 8.0).ceil().clamp(1.0, f64::from(u32::MAX));
        let bits = 8.0 * bytes;
        let most = f64::from(flagstone_snapshot::limits::MAX_PROBES);
        let probes = (bits / keys * ln2).round().clamp(1.0, most);
        let error_rate = libm::pow(1.0 - libm::exp(-probes * keys / bits), probes);
        Store::Bloom { bytes: bytes as u32, probes: probes as u8, error_rate }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_the_textbooks() {
        // 14.38 bits a key and 10 probes are the table's entry for one in a thousand.
        let Store::Bloom { bytes, probes, error_rate } = Store::bloom(100_000, 0.001) else {
            panic!("a filter");
        };
        assert_eq!((bytes, probes), (179_720, 10));
        assert!((error_rate - 0.001).abs() < 0.000_01, "{error_rate}");
        for (count, rate) in [(1, 0.001), (10, 0.1), (1_001, 0.01), (5_000, 1e-7)] {
            let Store::Bloom { probes, error_rate, .. } = Store::bloom(count, rate) else {
                panic!("a filter")
            };
            assert!((1..=24).contains(&probes));
            assert!(error_rate < 1.2 * rate, "{count} {rate}: {error_rate}");
        }
    }
}
