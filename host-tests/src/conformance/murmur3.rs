//! MurmurHash3 literals of two other implementations.

use std::path::Path;

use anyhow::{Context as _, Result};
use flagstone_snapshot::{murmur3_x64_128, murmur3_x86_32};
use serde_json::Value;

use super::Suite;

pub(super) fn run(folder: &Path) -> Result<Suite> {
    let mut suite = Suite::new("murmur3");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(folder.join("vectors.json"))?)?;
    for (index, row) in file["vectors"].as_array().context("vectors is a list")?.iter().enumerate() {
        let input = bytes(row["input_hex"].as_str().unwrap_or_default())?;
        let seed = row["seed"].as_u64().unwrap_or_default() as u32;
        let (low, high) = murmur3_x64_128(&input, seed);
        let seen = [
            ("x86_32", format!("{:08x}", murmur3_x86_32(&input, seed))),
            ("x64_128_h1", format!("{low:016x}")),
            ("x64_128_h2", format!("{high:016x}")),
        ];
        let mut compared = 0;
        let mut wrong = None;
        for (name, seen) in seen {
            if let Some(expected) = row[name].as_str() {
                compared += 1;
                if expected != seen {
                    wrong = Some(format!("{name} is {seen}, expected {expected}"));
                }
            }
        }
        match (compared, wrong) {
            (0, _) => suite.skipped += 1,
            (_, None) => suite.row(&index.to_string(), Ok(())),
            (_, Some(wrong)) => suite.row(&index.to_string(), Err(wrong)),
        }
    }
    Ok(suite)
}

fn bytes(hex: &str) -> Result<Vec<u8>> {
    (0..hex.len() / 2)
        .map(|index| {
            let digits = hex.get(index * 2..index * 2 + 2).context("hex comes in pairs")?;
            Ok(u8::from_str_radix(digits, 16)?)
        })
        .collect()
}
