//! The demonstration: the real system, end to end, on generated traffic.

pub mod edition;
pub mod keys;
pub mod operator;
