//! `var`: fixed paths become attributes, others are looked up when they are known.

use flagstone_snapshot::{Json, Op};

use crate::diagnostic::{Code, Diagnostic};
use crate::lower::rule::{Rule, Step, literal};
use crate::span::Spanned;
use crate::tree::Node;

impl Rule<'_> {
    /// `var`: a path, and a default for when nothing is there.
    pub(super) fn variable(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
        self.arity(operator, arguments, 0, 2);
        let path = arguments.first();
        let fixed = path.map_or(Some(Json::Null), literal).map(|value| text_of(&value));
        match &fixed {
            // The whole scope; a default never comes into it.
            Some(Some(text)) if text.is_empty() => {
                self.constant(Json::Text(String::new()))?;
                return self.push(Op::Variable);
            }
            Some(Some(text)) if !self.in_loop() => {
                if let Some(unknown) = text.strip_prefix("$flagd.")
                    && !matches!(unknown, "flagKey" | "timestamp")
                {
                    let span = path.map_or(operator.span, |node| node.span);
                    self.complain(
                        Diagnostic::error(Code::BadArguments, span, format!("there is no `{text}`"))
                            .hint("there are `$flagd.flagKey` and `$flagd.timestamp`"),
                    );
                }
                self.push(Op::Attribute(text.clone()))?;
            }
            Some(Some(text)) => {
                self.constant(Json::Text(text.clone()))?;
                self.push(Op::Variable)?;
            }
            _ => {
                self.argument(arguments, 0)?;
                self.push(Op::Variable)?;
            }
        }
        let Some(default) = arguments.get(1) else {
            return Ok(());
        };
        let end = self.jump(Op::CoalesceJump)?;
        self.expression(default)?;
        self.land(end);
        Ok(())
    }
}

/// A fixed path as text, as JavaScript's `String()` would write it; none for values that are no paths.
fn text_of(value: &Json) -> Option<String> {
    match value {
        Json::Null => Some(String::new()),
        Json::Text(text) => Some(text.clone()),
        Json::Integer(number) => Some(number.to_string()),
        Json::Unsigned(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}
