//! Where the reference vectors are, and how two numbers are compared.

#![allow(clippy::expect_used)] // helpers of tests, outside a #[test] function
#![allow(dead_code)] // not every test file needs every helper

use std::path::PathBuf;

/// The folder of reference vectors: `FLAGSTONE_SHARED`, or `shared` beside the checkout. None (said aloud) when it
/// is not there: the vectors are not ours to carry along.
pub(crate) fn vectors(file: &str) -> Option<serde_json::Value> {
    let shared = std::env::var_os("FLAGSTONE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = shared.join("stat-vectors").join(file);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("{} is not there: only the published numbers in the unit tests are checked", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).expect("a vector file is JSON"))
}

/// Fails unless `got` is within `relative` of `want` (and of 1e-12 absolutely, around zero).
#[track_caller]
pub(crate) fn close(what: &str, got: f64, want: f64, relative: f64) {
    let allowed = (want.abs() * relative).max(1e-12);
    assert!((got - want).abs() <= allowed, "{what}: got {got:e}, want {want:e}, off by {:e}", got - want);
}

/// The numbers of a JSON list.
pub(crate) fn numbers(list: &serde_json::Value) -> Vec<f64> {
    list.as_array().expect("a list").iter().map(|v| v.as_f64().expect("a number")).collect()
}

/// The whole numbers of a JSON list.
pub(crate) fn counts(list: &serde_json::Value) -> Vec<u64> {
    list.as_array().expect("a list").iter().map(|v| v.as_u64().expect("a count")).collect()
}
