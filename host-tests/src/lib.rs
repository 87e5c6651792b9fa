//! What the tests of the whole share: where other projects' data lies, the conformance suites, and a proxy that misbehaves.
//!
//! The tests themselves are in `tests/`, the runner of the suites is `cargo xtask conformance`.

pub mod conformance;
pub mod embed;
pub mod fault;
pub mod fixture;
pub mod openfeature;
pub mod questions;
pub mod reference;
pub mod shared;
pub mod vectors;
pub mod worst;

/// The README's Rust compiles.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
