//! A question-answering service rolled out by Flagstone.
fn main() {}
