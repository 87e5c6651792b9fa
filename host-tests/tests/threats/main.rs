//! The threats of `docs/threats.md` that no crate answers alone, each by a test named there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod chance;
mod files;
mod memory;
mod pulses;
mod table;
