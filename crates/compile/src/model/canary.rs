//! Questions whose answers the author knows.

use serde::Serialize;

use crate::span::{Span, Spanned};
use crate::tree::Node;

/// What a flag must answer to a context, without a pulse.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Canary {
    /// The context, an object.
    pub context: Node,
    /// Unix seconds at which it is asked; 0 when the author does not say.
    pub at: u64,
    /// The variant; none for the caller's own default.
    pub variant: Option<Spanned<String>>,
    /// Where it stands.
    #[serde(skip)]
    pub span: Span,
}
