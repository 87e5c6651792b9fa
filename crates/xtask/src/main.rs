//! Builds the wasm artefacts, packages, runs the whole check.
fn main() {}
