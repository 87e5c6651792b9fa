//! What came of one suite.

use serde::Serialize;

/// What came of one suite.
#[derive(Debug, Default, Serialize)]
pub struct Suite {
    /// Its name: a folder, or `folder/file` where a folder holds several suites.
    pub suite: String,
    /// Rows that held.
    pub passed: usize,
    /// Rows that did not.
    pub failed: usize,
    /// Rows that need not hold.
    pub skipped: usize,
    /// The names of the failed rows, each with what was seen.
    pub failures: Vec<String>,
    /// Why rows were skipped, where that is not their own mark.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

impl Suite {
    /// A suite without rows.
    pub(super) fn new(name: &str) -> Self {
        Suite { suite: name.into(), ..Suite::default() }
    }

    /// Counts one row: `Ok` held, `Err` says what was seen instead.
    pub(super) fn row(&mut self, name: &str, result: Result<(), String>) {
        match result {
            Ok(()) => self.passed += 1,
            Err(seen) => {
                self.failed += 1;
                self.failures.push(format!("{name}: {seen}"));
            }
        }
    }
}
