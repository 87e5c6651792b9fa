//! The `flagstone` binary: every arrow of the loop as a command.
fn main() {}
