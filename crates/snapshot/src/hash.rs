//! The two hashes that decide who gets what, over slices and in integers only.
//!
//! - [`murmur3_x86_32`] is what flagd's `fractional` uses (Austin Appleby's MurmurHash3, public domain).
//! - [`murmur3_x64_128`] is taken once of a unit's key; [`position`] then mixes it with the salt of a purpose.
//!   The mix is the 64-bit finaliser of MurmurHash3 (full avalanche), applied twice.

use crate::SHARE_TOTAL;

/// MurmurHash3 x86 32-bit of `data`.
///
/// ```
/// assert_eq!(flagstone_snapshot::murmur3_x86_32(b"hello", 0), 0x248b_fa47);
/// ```
#[must_use]
pub fn murmur3_x86_32(data: &[u8], seed: u32) -> u32 {
    let mut hash = Murmur32::new(seed);
    hash.write(data);
    hash.finish()
}

/// MurmurHash3 x86 32-bit of several slices one after another, without putting them together.
///
/// ```
/// use flagstone_snapshot::{Murmur32, murmur3_x86_32};
/// let mut hash = Murmur32::new(0);
/// hash.write(b"flag-");
/// hash.write(b"key");
/// assert_eq!(hash.finish(), murmur3_x86_32(b"flag-key", 0));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Murmur32 {
    hash: u32,
    /// Bytes that do not fill a block yet, the first lowest.
    carry: u32,
    length: u32,
}

impl Murmur32 {
    const C1: u32 = 0xcc9e_2d51;
    const C2: u32 = 0x1b87_3593;

    /// Nothing hashed yet.
    #[must_use]
    pub const fn new(seed: u32) -> Self {
        Murmur32 { hash: seed, carry: 0, length: 0 }
    }

    #[inline]
    fn block(&mut self, word: u32) {
        let k = word.wrapping_mul(Self::C1).rotate_left(15).wrapping_mul(Self::C2);
        self.hash = (self.hash ^ k).rotate_left(13).wrapping_mul(5).wrapping_add(0xe654_6b64);
    }

    /// Hashes more bytes.
    #[inline]
    pub fn write(&mut self, data: &[u8]) {
        let shift = 8 * (self.length & 3);
        let (blocks, tail) = data.as_chunks::<4>();
        if shift == 0 {
            for block in blocks {
                self.block(u32::from_le_bytes(*block));
            }
        } else {
            for block in blocks {
                let word = u32::from_le_bytes(*block);
                self.block(self.carry | (word << shift));
                self.carry = word >> (32 - shift);
            }
        }
        let mut shift = shift;
        for byte in tail {
            self.carry |= u32::from(*byte) << shift;
            shift += 8;
            if shift == 32 {
                self.block(self.carry);
                (self.carry, shift) = (0, 0);
            }
        }
        self.length = self.length.wrapping_add(data.len() as u32);
    }

    /// The hash of all that was written.
    #[inline]
    #[must_use]
    pub fn finish(self) -> u32 {
        let mut hash = self.hash;
        if self.length & 3 != 0 {
            hash ^= self.carry.wrapping_mul(Self::C1).rotate_left(15).wrapping_mul(Self::C2);
        }
        hash ^= self.length;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x85eb_ca6b);
        hash = (hash ^ (hash >> 13)).wrapping_mul(0xc2b2_ae35);
        hash ^ (hash >> 16)
    }
}

/// MurmurHash3 x64 128-bit of `data`, low half first.
///
/// ```
/// let (low, high) = flagstone_snapshot::murmur3_x64_128(b"hello", 0);
/// assert_eq!((low, high), (0xcbd8_a7b3_41bd_9b02, 0x5b1e_906a_48ae_1d19));
/// ```
#[must_use]
pub fn murmur3_x64_128(data: &[u8], seed: u32) -> (u64, u64) {
    const C1: u64 = 0x87c3_7b91_1142_53d5;
    const C2: u64 = 0x4cf5_ad43_2745_937f;
    let (mut h1, mut h2) = (u64::from(seed), u64::from(seed));
    let (blocks, tail) = data.as_chunks::<16>();
    for block in blocks {
        let k1 = little_endian(block.get(..8).unwrap_or_default());
        let k2 = little_endian(block.get(8..).unwrap_or_default());
        h1 ^= k1.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
        h1 = h1.rotate_left(27).wrapping_add(h2).wrapping_mul(5).wrapping_add(0x52dc_e729);
        h2 ^= k2.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
        h2 = h2.rotate_left(31).wrapping_add(h1).wrapping_mul(5).wrapping_add(0x3849_5ab5);
    }
    if tail.len() > 8 {
        let k2 = little_endian(tail.get(8..).unwrap_or_default());
        h2 ^= k2.wrapping_mul(C2).rotate_left(33).wrapping_mul(C1);
    }
    if !tail.is_empty() {
        let k1 = little_endian(tail.get(..tail.len().min(8)).unwrap_or_default());
        h1 ^= k1.wrapping_mul(C1).rotate_left(31).wrapping_mul(C2);
    }
    h1 ^= data.len() as u64;
    h2 ^= data.len() as u64;
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    h1 = avalanche(h1);
    h2 = avalanche(h2);
    h1 = h1.wrapping_add(h2);
    h2 = h2.wrapping_add(h1);
    (h1, h2)
}

/// The salt of a purpose (`rollout`, `segment`, `layer`, `holdout`, `sample` …) and the object it is about.
///
/// `compile` stores it in the snapshot, so the engine never hashes names.
#[must_use]
pub fn bucket_salt(purpose: &str, object: &str) -> u64 {
    let mut name = alloc::string::String::with_capacity(purpose.len() + object.len() + 1);
    name.push_str(purpose);
    name.push(':');
    name.push_str(object);
    murmur3_x64_128(name.as_bytes(), 0).0
}

/// Where a unit stands for one salt: a number in `0..SHARE_TOTAL`, uniform, and independent between salts.
#[must_use]
pub fn position(unit: (u64, u64), salt: u64) -> u32 {
    let mixed = avalanche(avalanche(unit.0 ^ salt).wrapping_add(unit.1));
    // 34 bits times 30 bits fit 64: an exact integer scaling with 2^34 / 10^9 ≈ 17 source values a part.
    (((mixed >> 30) * u64::from(SHARE_TOTAL)) >> 34) as u32
}

/// MurmurHash3's 64-bit finaliser: every input bit flips every output bit with probability one half.
fn avalanche(mut value: u64) -> u64 {
    value = (value ^ (value >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    value = (value ^ (value >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

/// Up to eight bytes as a little-endian number.
fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    #[test]
    fn positions_are_uniform_and_independent_between_salts() {
        let (a, b) = (bucket_salt("rollout", "one"), bucket_salt("rollout", "two"));
        let (mut first, mut both) = (0u32, 0u32);
        let half = SHARE_TOTAL / 2;
        for index in 0..100_000 {
            let unit = murmur3_x64_128(format!("user-{index}").as_bytes(), 0);
            let (left, right) = (position(unit, a) < half, position(unit, b) < half);
            first += u32::from(left);
            both += u32::from(left && right);
        }
        // Four standard deviations of a binomial with n = 100,000.
        assert!((49_367..=50_633).contains(&first), "{first}");
        assert!((24_452..=25_548).contains(&both), "{both}");
    }

    #[test]
    fn slices_hash_as_one() {
        let text = b"the quick brown fox jumps over the lazy dog";
        for (first, second) in [(0, 3), (1, 1), (2, 9), (3, 3), (4, 21), (5, 43), (17, 18), (43, 43)] {
            let mut hash = Murmur32::new(7);
            for part in [&text[..first], &text[first..second], &text[second..]] {
                hash.write(part);
            }
            assert_eq!(hash.finish(), murmur3_x86_32(text, 7), "{first} {second}");
        }
    }

    #[test]
    fn empty_input_hashes() {
        assert_eq!(murmur3_x86_32(b"", 0), 0);
        assert_eq!(murmur3_x86_32(b"", 1), 0x514e_28b7);
        assert_eq!(murmur3_x64_128(b"", 0), (0, 0));
    }
}
