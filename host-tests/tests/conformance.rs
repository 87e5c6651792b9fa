//! What other projects expect of us holds whole, where their data is beside the checkout.

#![allow(clippy::unwrap_used, clippy::panic)]

use host_tests::conformance::{must_hold, run};
use host_tests::shared;

#[test]
fn the_suites_that_must_hold_hold() {
    let Some(folder) = shared::folder().map(|folder| folder.join("conformance")) else {
        println!("the shared test data is not beside the checkout: nothing to compare with");
        return;
    };
    let suites = run(&folder).unwrap();
    let held: Vec<_> = suites.iter().filter(|suite| must_hold(&suite.suite)).collect();
    // The statistics run in the judge's own tests.
    assert_eq!(held.len(), 5, "a suite is missing from {}", folder.display());
    for suite in held {
        assert!(suite.passed > 0, "{} has no row", suite.suite);
        assert_eq!(suite.failed, 0, "{}:\n{}", suite.suite, suite.failures.join("\n"));
    }
}
