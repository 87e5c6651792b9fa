//! Other projects' expectations, run against the engine: one suite a folder or file.

pub mod bucket_values;
pub mod flagd;
pub mod flagd_schemas;
pub mod json_logic;
pub mod murmur3;
mod number;
pub mod statistics;
mod suite;

use std::path::Path;

use anyhow::Result;

pub use suite::Suite;

/// Suites whose every row must hold; the others are information.
#[must_use]
pub fn must_hold(suite: &str) -> bool {
    matches!(suite, "flagd" | "flagd-schemas" | "json-logic/compatible" | "murmur3" | "bucket-values")
        || suite.starts_with(statistics::PREFIX)
}

/// Runs every suite whose data is in `folder`.
///
/// # Errors
/// Data that is there but cannot be read.
pub fn run(folder: &Path) -> Result<Vec<Suite>> {
    let mut suites = Vec::new();
    if folder.join("flagd").is_dir() {
        suites.push(flagd::run(&folder.join("flagd"))?);
    }
    if folder.join("flagd-schemas").is_dir() {
        suites.push(flagd_schemas::run(&folder.join("flagd-schemas"))?);
    }
    if folder.join("json-logic").is_dir() {
        suites.extend(json_logic::run(&folder.join("json-logic"))?);
    }
    if folder.join("murmur3").is_dir() {
        suites.push(murmur3::run(&folder.join("murmur3"))?);
    }
    if folder.join("bucket-values").is_dir() {
        suites.push(bucket_values::run(&folder.join("bucket-values"))?);
    }
    Ok(suites)
}
