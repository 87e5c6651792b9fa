//! Bucketing, judged by statistics: shares down to 0.01 %, independence of purposes, avalanche, and MurmurHash3 against
//! the published crate.
//!
//! Keys and salts are fixed, so that a test holds always or never. A threshold is the value that a perfect source would
//! pass once in a million (chi-square) or in a billion (single bits) tries; beside each test stands how many it makes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::Cursor;

use flagstone_snapshot::{SHARE_TOTAL, bucket_salt, murmur3_x64_128, murmur3_x86_32, position};

const KEYS: usize = 1_000_000;
const PURPOSES: [&str; 6] = ["segment", "rollout", "split", "layer", "holdout", "sample"];

/// Chi-square's upper one-in-a-million points by degrees of freedom, and for 9,999 also the lower one: too even is not
/// random either.
const POINT_1: f64 = 23.928;
const POINT_81: f64 = 156.45;
const POINTS_9999: (f64, f64) = (9_341.1, 10_685.7);

/// SplitMix64 (Steele, Lea and Flood 2014): a source that has nothing to do with the hashes under test.
struct Source(u64);

impl Source {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// A million keys of one shape, hashed.
fn units(shape: &str) -> Vec<(u64, u64)> {
    let mut source = Source(7);
    let mut key = String::new();
    (0..KEYS)
        .map(|index| {
            use std::fmt::Write;
            key.clear();
            match shape {
                "uuid" => {
                    let (high, low) = (source.next(), source.next());
                    let (a, b, c) = (high >> 32, (high >> 16) & 0xffff, high & 0xfff);
                    write!(key, "{a:08x}-{b:04x}-4{c:03x}-{:04x}-{:012x}", 0x8000 | (low >> 50), low >> 16)
                }
                "number" => write!(key, "{index}"),
                "long" => write!(key, "https://accounts.example/tenants/eu-central/members/{index:09}"),
                _ => {
                    // Four characters of base 36: all below zzzz that have four.
                    let mut rest = index + 36 * 36 * 36 / 2;
                    for _ in 0..4 {
                        key.push(char::from_digit((rest % 36) as u32, 36).unwrap());
                        rest /= 36;
                    }
                    Ok(())
                }
            }
            .unwrap();
            murmur3_x64_128(key.as_bytes(), 0)
        })
        .collect()
}

/// How far a count is from what its probability promises, as a chi-square of one degree.
fn one_share(count: usize, probability: f64) -> f64 {
    let expected = KEYS as f64 * probability;
    (count as f64 - expected).powi(2) / (expected * (1.0 - probability))
}

/// Pearson's chi-square of independence of a table's rows and columns.
fn independence(table: &[[u32; 10]; 10]) -> f64 {
    let total: u32 = table.iter().flatten().sum();
    let rows = table.map(|row| row.iter().sum::<u32>());
    let columns: Vec<u32> = (0..10).map(|column| table.iter().map(|row| row[column]).sum()).collect();
    let mut chi_square = 0.0;
    for (row, counts) in table.iter().enumerate() {
        for (column, count) in counts.iter().enumerate() {
            let expected = f64::from(rows[row]) * f64::from(columns[column]) / f64::from(total);
            chi_square += (f64::from(*count) - expected).powi(2) / expected;
        }
    }
    chi_square
}

/// 4 shapes x 6 purposes x (1 + 9) chi-squares: a false alarm once in 4,000 choices of keys.
#[test]
fn shares_are_what_they_say_down_to_a_hundredth_of_a_percent() {
    const CELLS: usize = 10_000;
    for shape in ["uuid", "number", "short", "long"] {
        let units = units(shape);
        for purpose in PURPOSES {
            let salt = bucket_salt(purpose, "answers");
            let mut cells = vec![0u32; CELLS];
            for unit in &units {
                let place = position(*unit, salt);
                assert!(place < SHARE_TOTAL);
                cells[place as usize / (SHARE_TOTAL as usize / CELLS)] += 1;
            }
            let expected = (KEYS / CELLS) as f64;
            let chi_square: f64 =
                cells.iter().map(|count| (f64::from(*count) - expected).powi(2) / expected).sum();
            assert!(
                (POINTS_9999.0..=POINTS_9999.1).contains(&chi_square),
                "{shape} keys for {purpose}: {chi_square} over {CELLS} cells"
            );
            for parts in [1, 5, 10, 50, 100, 500, 1_000, 2_500, 5_000] {
                let count = cells.iter().take(parts).map(|count| *count as usize).sum();
                let chi_square = one_share(count, parts as f64 / CELLS as f64);
                assert!(chi_square < POINT_1, "{shape} keys for {purpose}: {count} of {parts} in {CELLS}");
            }
        }
    }
}

/// (15 pairs of purposes + 6 of objects) x 3 shapes x (1 + 4) chi-squares: a false alarm once in 3,000.
#[test]
fn purposes_and_objects_are_independent_of_each_other() {
    let mut pairs = Vec::new();
    for (index, one) in PURPOSES.iter().enumerate() {
        for other in &PURPOSES[index + 1..] {
            pairs.push(((*one, "answers"), (*other, "answers")));
        }
        // The same purpose for names that differ in their last letter only.
        pairs.push(((*one, "answers-1"), (*one, "answers-2")));
    }
    for shape in ["uuid", "number", "short"] {
        let units = units(shape);
        for (one, other) in &pairs {
            let (left, right) = (bucket_salt(one.0, one.1), bucket_salt(other.0, other.1));
            let table = table(units.iter().map(|unit| (position(*unit, left), position(*unit, right))));
            must_be_independent(&table, &format!("{shape} keys for {one:?} and {other:?}"));
        }
    }
}

/// 4 flags x 3 shapes x (1 + 4) chi-squares: a false alarm once in 16,000. The hash of flagd's `fractional` is that of flag
/// key and unit key, scaled to a position as `fractional` scales it to weights.
#[test]
fn fractional_is_independent_of_plans() {
    let mut key = String::new();
    for prefix in ["", "user-", "tenant-0007/"] {
        for flag in ["answers", "a", "banner-color", "x"] {
            let salt = bucket_salt("rollout", flag);
            let pairs = (0..KEYS / 4).map(|index| {
                use std::fmt::Write;
                key.clear();
                write!(key, "{flag}{prefix}{index}").unwrap();
                let hash = u64::from(murmur3_x86_32(key.as_bytes(), 0));
                let unit = murmur3_x64_128(&key.as_bytes()[flag.len()..], 0);
                (((hash * u64::from(SHARE_TOTAL)) >> 32) as u32, position(unit, salt))
            });
            must_be_independent(&table(pairs), &format!("keys `{prefix}…` of `{flag}`"));
        }
    }
}

/// Neighbours: key n against key n + 1, for which consecutive numbers are the worst case. 6 x 5 chi-squares.
#[test]
fn neighbouring_keys_are_independent() {
    let units = units("number");
    for purpose in PURPOSES {
        let salt = bucket_salt(purpose, "answers");
        let pairs = units.chunks(2).map(|pair| (position(pair[0], salt), position(pair[1], salt)));
        must_be_independent(&table(pairs), purpose);
    }
}

/// How often pairs of positions fall in each pair of hundredths; coarser tables are sums of it.
fn table(pairs: impl Iterator<Item = (u32, u32)>) -> Box<[[u32; 100]; 100]> {
    let mut table = Box::new([[0u32; 100]; 100]);
    for (left, right) in pairs {
        table[(left / (SHARE_TOTAL / 100)) as usize][(right / (SHARE_TOTAL / 100)) as usize] += 1;
    }
    table
}

/// Ten by ten, and two by two at 1 % and 50 %.
fn must_be_independent(table: &[[u32; 100]; 100], what: &str) {
    let mut tenths = [[0; 10]; 10];
    for (row, counts) in table.iter().enumerate() {
        for (column, count) in counts.iter().enumerate() {
            tenths[row / 10][column / 10] += count;
        }
    }
    let chi_square = independence(&tenths);
    assert!(chi_square < POINT_81, "{what}: {chi_square}");
    let total = f64::from(table.iter().flatten().sum::<u32>());
    for (rows, columns) in [(1, 1), (1, 50), (50, 1), (50, 50)] {
        let sum = |rows: usize, columns: usize| -> f64 {
            table.iter().take(rows).flat_map(|row| row.iter().take(columns)).copied().map(f64::from).sum()
        };
        let (both, left, right) = (sum(rows, columns), sum(rows, 100), sum(100, columns));
        // Pearson's chi-square of a two by two table, from its corner and margins.
        let chi_square =
            (both * total - left * right).powi(2) * total / (left * right * (total - left) * (total - right));
        assert!(chi_square < POINT_1, "{what} at {rows} % and {columns} %: {chi_square}");
    }
}

/// The mix of `docs/snapshot.md`, before it is scaled down to a position.
fn mix(unit: (u64, u64), salt: u64) -> u64 {
    let finalise = |mut value: u64| {
        for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
            value = (value ^ (value >> 33)).wrapping_mul(factor);
        }
        value ^ (value >> 33)
    };
    finalise(finalise(unit.0 ^ salt).wrapping_add(unit.1))
}

/// 192 input bits x 64 output bits, each a coin thrown 8,192 times. At 6.11 standard deviations a fair coin is refused once
/// in a billion throws, so one of all once in 80,000 choices of units.
#[test]
fn every_input_bit_flips_every_output_bit_half_the_time() {
    const TRIES: u32 = 8_192;
    let bound = 6.11 * (f64::from(TRIES) / 4.0).sqrt();
    let mut source = Source(11);
    let mut flips = vec![[0u32; 64]; 192];
    for _ in 0..TRIES {
        let (unit, salt) = ((source.next(), source.next()), source.next());
        let before = mix(unit, salt);
        assert_eq!(position(unit, salt), (((before >> 30) * u64::from(SHARE_TOTAL)) >> 34) as u32);
        for (bit, flips) in flips.iter_mut().enumerate() {
            let one = 1u64 << (bit % 64);
            let after = match bit / 64 {
                0 => mix((unit.0 ^ one, unit.1), salt),
                1 => mix((unit.0, unit.1 ^ one), salt),
                _ => mix(unit, salt ^ one),
            };
            let changed = before ^ after;
            for (output, flips) in flips.iter_mut().enumerate() {
                *flips += ((changed >> output) & 1) as u32;
            }
        }
    }
    for (input, flips) in flips.iter().enumerate() {
        for (output, count) in flips.iter().enumerate() {
            let away = (f64::from(*count) - f64::from(TRIES) / 2.0).abs();
            assert!(away < bound, "input bit {input}, output bit {output}: {count} of {TRIES}");
        }
    }
}

/// A key with one bit changed is a stranger to what it was: 100,000 keys of each length, one chi-square each.
#[test]
fn one_bit_of_a_key_makes_it_another_unit() {
    let salt = bucket_salt("rollout", "answers");
    let mut source = Source(13);
    for length in [4usize, 7, 16, 33] {
        let pairs = (0..100_000).map(|_| {
            let mut key: Vec<u8> = (0..length).map(|_| source.next() as u8).collect();
            let before = position(murmur3_x64_128(&key, 0), salt);
            let bit = source.next() as usize % (8 * length);
            key[bit / 8] ^= 1 << (bit % 8);
            (before, position(murmur3_x64_128(&key, 0), salt))
        });
        must_be_independent(&table(pairs), &format!("keys of {length} bytes"));
    }
}

/// Lengths 0 to 64 with 200 random inputs each, and seeds; bit for bit what the published crate says.
#[test]
fn hashes_are_those_of_the_murmur3_crate() {
    let mut source = Source(17);
    for length in 0..=64 {
        for _ in 0..200 {
            let data: Vec<u8> = (0..length).map(|_| source.next() as u8).collect();
            for seed in [0, source.next() as u32] {
                let short = murmur3::murmur3_32(&mut Cursor::new(&data), seed).unwrap();
                assert_eq!(murmur3_x86_32(&data, seed), short, "{data:?} with seed {seed}");
                let long = murmur3::murmur3_x64_128(&mut Cursor::new(&data), seed).unwrap();
                assert_eq!(murmur3_x64_128(&data, seed), (long as u64, (long >> 64) as u64), "{data:?}");
            }
        }
    }
}
