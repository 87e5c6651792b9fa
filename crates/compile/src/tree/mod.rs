//! The definition as one tree with positions, whichever notation it was written in.

mod json;
mod node;
mod number;
mod source;
mod yaml;
mod yaml_lines;
mod yaml_scalar;

pub(crate) use node::members_as_map;
pub use node::{Member, Node, Value};
pub use number::Number;
pub use source::{Format, Source};
