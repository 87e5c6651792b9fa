//! The statistics against reference values that other implementations computed: the suites of `cargo xtask conformance`,
//! taken in from there, so that the judge is checked without building the rest.

#[allow(unreachable_pub)] // it is a part of a library there
#[path = "../../../host-tests/src/conformance/suite.rs"]
mod suite;

#[allow(unreachable_pub)]
#[path = "../../../host-tests/src/conformance/statistics/mod.rs"]
mod statistics;

use std::path::PathBuf;

#[test]
fn every_file_of_reference_values_holds() {
    let shared = std::env::var_os("FLAGSTONE_SHARED")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let folder = shared.join("stat-vectors");
    if !folder.is_dir() {
        println!(
            "{} is not there: only the published numbers in the unit tests are checked",
            folder.display()
        );
        return;
    }
    let mut failures = Vec::new();
    for suite in statistics::run(&folder).unwrap() {
        println!("{:<40} {:>5} passed {:>4} skipped", suite.suite, suite.passed, suite.skipped);
        failures.extend(suite.failures.iter().map(|failure| format!("{}: {failure}", suite.suite)));
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
