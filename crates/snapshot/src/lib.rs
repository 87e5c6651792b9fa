//! The compiled flag set: layout, codec, limits, stable ids and codes.
#![no_std]
extern crate alloc;

mod draft;
mod json;

pub use draft::*;
pub use json::Json;

/// Shares are counted in parts of this total: one part is 10^-9.
pub const SHARE_TOTAL: u32 = 1_000_000_000;
