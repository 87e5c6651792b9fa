//! Compiler and engine in one module, for a page where people try definitions out (`docs/playground.md`).
//!
//! One question, one answer, both JSON text: [`answer`]. Nothing is kept between questions, and the module imports
//! nothing: it has no clock, no storage and no network to reach. The page in `page/` asks it at every change.

mod answer;
#[path = "../../cli/src/canaries.rs"]
mod canaries;
pub mod doors;
mod question;

pub use answer::answer;
