//! Authored definition -> diagnostics and snapshot.

mod code;
pub mod diagnostic;
pub mod limits;
pub mod model;
mod nearest;
mod render;
pub mod span;
mod tree;

pub use diagnostic::{Code, Diagnostic, Diagnostics, Severity};
pub use model::Definition;
pub use render::JsonDiagnostic;
pub use span::{Span, Spanned};
pub use tree::{Format, Member, Node, Number, Source, Value};
