//! The methods for measured values against what other implementations computed, and their laws.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests, outside a #[test] function

#[path = "../support/mod.rs"]
mod support;

mod boundaries;
mod fixed;
mod means;
mod merging;
mod quantiles;
mod scores;
mod special;
mod verdicts;
