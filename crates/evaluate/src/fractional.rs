//! flagd's `fractional`: a weighted choice by the hash of a bucketing value.

use alloc::vec::Vec;

use flagstone_snapshot::blob::shares;
use flagstone_snapshot::layout::{Instruction, NONE16};
use flagstone_snapshot::program::code;
use flagstone_snapshot::{Murmur32, murmur3_x86_32};

use crate::context::TARGETING_KEY;
use crate::item::{Built, Item, members};
use crate::state::{Scene, State};

/// Chooses among `pairs` (name, weight, name, weight …). None (null) when a weight is not a whole number,
/// the weights add up to nothing or to more than `i32::MAX`, or there is no bucketing value.
///
/// - v1: `abs(i32(hash)) / 2147483647 * 100` against cumulated percentages, as flagd once did.
/// - v2 and v3: `(u64(hash) * total) >> 32` against cumulated weights.
fn choose<'a>(version: u8, hash: u32, pairs: &[Item<'a>]) -> Option<Item<'a>> {
    let (pairs, _) = pairs.as_chunks::<2>();
    let mut total: u64 = 0;
    for [_, weight] in pairs {
        total += u64::from(whole(*weight)?);
    }
    if total == 0 || total > i32::MAX as u64 {
        return None;
    }
    if version == 1 {
        let bucket = (f64::from((hash as i32).unsigned_abs()) / f64::from(i32::MAX)) * 100.0;
        let mut end = 0.0;
        for [name, weight] in pairs {
            end += f64::from(whole(*weight)?) / total as f64 * 100.0;
            if bucket < end {
                return Some(*name);
            }
        }
        return None;
    }
    let bucket = (u64::from(hash) * total) >> 32;
    let mut end = 0;
    for [name, weight] in pairs {
        end += u64::from(whole(*weight)?);
        if bucket < end {
            return Some(*name);
        }
    }
    None
}

/// A weight: negative ones count as zero, fractions and other things are refused.
fn whole(weight: Item<'_>) -> Option<u32> {
    let number = weight.number()?;
    if number != libm::trunc(number) || number > f64::from(i32::MAX) {
        return None;
    }
    Some(if number <= 0.0 { 0 } else { number as u32 })
}

/// `fractional` with its arguments on the stack; `mode` is the version, with [`code::KEYED`] when the first argument
/// is the bucketing value.
pub(crate) fn answer<'a>(state: &State<'a>, mode: u8, arguments: &[Item<'a>]) -> Item<'a> {
    let version = mode & !code::KEYED;
    let (hash, pairs) = if mode >= code::KEYED {
        match arguments.split_first() {
            Some((key, pairs)) => (hash(&state.built, version, *key), pairs),
            None => return Item::Null,
        }
    } else {
        (default_hash(&state.scene, version), arguments)
    };
    hash.and_then(|hash| choose(version, hash, pairs)).unwrap_or(Item::Null)
}

/// `fractional` v2 whose variants and weights stand in the snapshot.
#[inline]
pub(crate) fn shares(state: &State<'_>, instruction: &Instruction) -> Option<(u16, bool)> {
    let hash = match instruction.b.get() {
        NONE16 => joined_hash(&state.scene)?,
        attribute => murmur3_x86_32(state.scene.context.text(u32::from(attribute))?, 0),
    };
    shares::choose(state.scene.snapshot.heap_at(instruction.c.get()), hash)
}

/// The hash of a bucketing value, none when it cannot be one.
fn hash<'a>(built: &Built<'a>, version: u8, value: Item<'a>) -> Option<u32> {
    match (version, value) {
        (_, Item::Null) => None,
        (3, value) => {
            let mut bytes = Vec::new();
            cbor(built, value, &mut bytes, 0)?;
            Some(murmur3_x86_32(&bytes, 0))
        }
        (_, value) => built.text(value).map(|text| murmur3_x86_32(text, 0)),
    }
}

/// The hash of flag key and targeting key, where the author gave no bucketing value.
fn default_hash(scene: &Scene<'_>, version: u8) -> Option<u32> {
    if version != 3 {
        return joined_hash(scene);
    }
    let key = targeting_key(scene)?;
    let mut bytes = Vec::with_capacity(scene.flag_key.len() + key.len() + 16);
    head(4, 2, &mut bytes);
    for text in [scene.flag_key, key] {
        head(3, text.len() as u64, &mut bytes);
        bytes.extend_from_slice(text);
    }
    Some(murmur3_x86_32(&bytes, 0))
}

/// The same by versions 1 and 2: of the two texts, one behind the other.
#[inline]
fn joined_hash(scene: &Scene<'_>) -> Option<u32> {
    let mut hash = Murmur32::new(0);
    hash.write(scene.flag_key);
    hash.write(targeting_key(scene)?);
    Some(hash.finish())
}

/// The targeting key, empty where there is none; none when it is no text.
#[inline]
fn targeting_key<'a>(scene: &Scene<'a>) -> Option<&'a [u8]> {
    let text = scene.context.text(TARGETING_KEY);
    text.or_else(|| matches!(scene.context.attribute(TARGETING_KEY), Item::Null).then_some(&[]))
}

/// RFC 8949 core deterministic encoding. None past the depth that contexts can have.
fn cbor<'a>(built: &Built<'a>, item: Item<'a>, out: &mut Vec<u8>, depth: usize) -> Option<()> {
    if depth > 32 {
        return None;
    }
    match item {
        Item::Null => out.push(0xf6),
        Item::Bool(value) => out.push(0xf4 + u8::from(value)),
        Item::Integer(value) => integer(value, out),
        Item::Unsigned(value) => head(0, value, out),
        Item::Number(value) => number(value, out),
        Item::Text(_) | Item::Made(..) => {
            let text = built.text(item)?;
            head(3, text.len() as u64, out);
            out.extend_from_slice(text);
        }
        Item::List(_) | Item::Gathered(..) => {
            let count = built.count(item)?;
            head(4, count as u64, out);
            for index in 0..count {
                cbor(built, built.element(item, index)?, out, depth + 1)?;
            }
        }
        Item::Object(object) => {
            head(5, object.len() as u64, out);
            let mut sorted: Vec<(Vec<u8>, Item<'a>)> = Vec::with_capacity(object.len());
            for (key, value) in members(object) {
                let mut encoded = Vec::with_capacity(key.len() + 5);
                head(3, key.len() as u64, &mut encoded);
                encoded.extend_from_slice(key);
                sorted.push((encoded, value));
            }
            // A handful: a sort of the library's would be more code than all of this.
            for end in 1..sorted.len() {
                let place = sorted
                    .get(..end)
                    .unwrap_or_default()
                    .partition_point(|before| sorted.get(end).is_some_and(|member| before.0 <= member.0));
                if let Some(run) = sorted.get_mut(place..=end) {
                    run.rotate_right(1);
                }
            }
            for (key, value) in sorted {
                out.extend_from_slice(&key);
                cbor(built, value, out, depth + 1)?;
            }
        }
    }
    Some(())
}

fn integer(value: i64, out: &mut Vec<u8>) {
    if value < 0 { head(1, !(value as u64), out) } else { head(0, value as u64, out) }
}

/// A major type and its argument in the fewest bytes.
fn head(major: u8, argument: u64, out: &mut Vec<u8>) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

/// A float: whole numbers as integers, others in the shortest of 16, 32 and 64 bits that is exact.
fn number(value: f64, out: &mut Vec<u8>) {
    let whole = value == libm::trunc(value);
    if whole && (-9_223_372_036_854_775_808.0..9_223_372_036_854_775_808.0).contains(&value) {
        return integer(value as i64, out);
    }
    if whole && (9_223_372_036_854_775_808.0..18_446_744_073_709_551_616.0).contains(&value) {
        return head(0, value as u64, out);
    }
    if let Some(half) = half(value) {
        out.push(0xf9);
        out.extend_from_slice(&half.to_be_bytes());
    } else if f64::from(value as f32) == value {
        out.push(0xfa);
        out.extend_from_slice(&(value as f32).to_be_bytes());
    } else {
        out.push(0xfb);
        out.extend_from_slice(&value.to_be_bytes());
    }
}

/// IEEE 754 half precision of a finite number, when it is exact.
fn half(value: f64) -> Option<u16> {
    let bits = value.to_bits();
    let sign = ((bits >> 48) & 0x8000) as u16;
    let exponent = ((bits >> 52) & 0x7ff) as i32 - 1023;
    let mantissa = bits & 0x000f_ffff_ffff_ffff;
    match exponent {
        -1023 if mantissa == 0 => Some(sign),
        -14..=15 if mantissa.trailing_zeros() >= 42 => {
            Some(sign | (((exponent + 15) as u16) << 10) | (mantissa >> 42) as u16)
        }
        // Subnormal halves are multiples of 2^-24.
        -24..=-15 => {
            let shift = 28 - exponent; // 52 fraction bits of the double, 24 of the half
            let full = mantissa | 0x0010_0000_0000_0000;
            let lost = full & ((1u64 << shift) - 1);
            (lost == 0).then_some(sign | (full >> shift) as u16)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(item: Item<'_>) -> alloc::string::String {
        let mut bytes = Vec::new();
        cbor(&Built::default(), item, &mut bytes, 0).unwrap();
        bytes.iter().map(|byte| alloc::format!("{byte:02x}")).collect()
    }

    #[test]
    fn numbers_follow_the_examples_of_rfc_8949() {
        // RFC 8949 appendix A; whole floats as integers is flagd's addition.
        for (number, expected) in [
            (1.5, "f93e00"),
            (5.960_464_477_539_063e-8, "f90001"),
            (0.000_061_035_156_25, "f90400"),
            (-4.1, "fbc010666666666666"),
            (1.1, "fb3ff199999999999a"),
            (3.402_823_466_385_288_6e38, "fa7f7fffff"),
            (1.0e300, "fb7e37e43c8800759c"),
            (-0.0, "00"),
            (-1.0, "20"),
            (65_504.0, "19ffe0"),
        ] {
            assert_eq!(hex(Item::Number(number)), expected, "{number}");
        }
        for (number, expected) in [
            (0, "00"),
            (23, "17"),
            (24, "1818"),
            (-1000, "3903e7"),
            (1_000_000_000_000, "1b000000e8d4a51000"),
        ] {
            assert_eq!(hex(Item::Integer(number)), expected);
        }
        assert_eq!(hex(Item::Unsigned(u64::MAX)), "1bffffffffffffffff");
        assert_eq!(hex(Item::Text(b"IETF")), "6449455446");
    }

    #[test]
    fn weights_cut_the_hash_range_in_order() {
        let pairs = [Item::Text(b"a"), Item::Integer(1), Item::Text(b"b"), Item::Integer(3)];
        let name = |hash| match choose(2, hash, &pairs) {
            Some(Item::Text(name)) => name,
            other => panic!("{other:?}"),
        };
        assert_eq!(name(0), b"a");
        assert_eq!(name(0x3fff_ffff), b"a");
        assert_eq!(name(0x4000_0000), b"b");
        assert_eq!(name(u32::MAX), b"b");
        assert!(choose(2, 1, &[Item::Text(b"a"), Item::Integer(-5)]).is_none());
        assert!(choose(2, 1, &[Item::Text(b"a"), Item::Number(0.5)]).is_none());
    }
}
