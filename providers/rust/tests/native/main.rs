//! The crate from outside: the shared vectors, what is refused and what stays, memory under swaps, folders, and OpenFeature's features.
#![allow(unsafe_code)] // a global allocator's trait is unsafe; this one only counts and passes on
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod counting;
mod folder;
mod gherkin;
mod kept;
mod openfeature;
mod sandbox;
mod shared_vectors;
mod specification;
mod swaps;
mod world;
