//! The compiled flag set: layout, codec, limits, stable ids and codes.
#![no_std]
extern crate alloc;

mod draft;
mod hash;
mod json;
pub mod limits;
mod value;

pub use draft::*;
pub use hash::{bucket_salt, murmur3_x64_128, murmur3_x86_32, position};
pub use json::Json;
pub use value::{List, Object, Value, ValueError};

/// Shares are counted in parts of this total: one part is 10^-9.
pub const SHARE_TOTAL: u32 = 1_000_000_000;
