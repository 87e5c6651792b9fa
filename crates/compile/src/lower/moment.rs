//! `before`, `after`, `now`: times that are written out are read here, others by the engine.

use flagstone_snapshot::{Comparison, Json, Op};

use crate::diagnostic::{Code, Diagnostic};
use crate::lower::rule::{Rule, Step};
use crate::span::Spanned;
use crate::time;
use crate::tree::{Node, Value};

impl Rule<'_> {
    /// `now`: unix seconds of the evaluation.
    pub(super) fn now(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
        self.arity(operator, arguments, 0, 0);
        arguments.iter().try_for_each(|argument| self.unreachable(argument))?;
        self.push(timestamp())
    }

    /// `before`, `after`: time, time.
    pub(super) fn ordered_times(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
        if !self.enough(operator, arguments, 2)? {
            return Ok(());
        }
        let mark = self.ops.len();
        let mut fixed = Vec::with_capacity(2);
        for argument in arguments {
            fixed.push(self.moment(operator, argument)?);
        }
        let order = if operator.value == "before" { Comparison::Less } else { Comparison::Greater };
        let answer = match fixed.as_slice() {
            [Some(None), _] | [_, Some(None)] => Json::Null,
            [Some(Some(left)), Some(Some(right))] => {
                Json::Bool(if order == Comparison::Less { left < right } else { left > right })
            }
            _ => return self.push(Op::Order(order)),
        };
        self.ops.truncate(mark);
        self.constant(answer)
    }

    /// Lowers one side. When it is known here the answer is its value, or `Some(None)` when that is no time.
    fn moment(
        &mut self,
        operator: &Spanned<String>,
        node: &Node,
    ) -> Result<Option<Option<i64>>, crate::lower::rule::Stop> {
        let mark = self.ops.len();
        self.expression(node)?;
        if self.ops.get(mark..) == Some(&[timestamp()]) {
            return Ok(None);
        }
        let Some(value) = self.constant_since(mark) else {
            self.push(Op::Time)?;
            return Ok(None);
        };
        let seconds = seconds(value);
        match seconds {
            Some(seconds) => {
                self.ops.truncate(mark);
                self.constant(Json::Integer(seconds))?;
            }
            None => {
                let written = match &node.value {
                    Value::Text(text) => format!("`{text}` is not a time"),
                    _ => format!("`{operator}` compares times, this is {}", node.kind()),
                };
                self.complain(
                    Diagnostic::error(Code::BadArguments, node.span, written)
                        .hint("write it as `2026-12-01T09:00:00Z`, or as unix seconds"),
                );
            }
        }
        Ok(Some(seconds))
    }
}

/// What the engine's `Time` makes of a value: fractions of a second are cut off.
fn seconds(value: &Json) -> Option<i64> {
    match value {
        Json::Text(text) => time::unix_seconds(text),
        Json::Integer(seconds) => Some(*seconds),
        Json::Unsigned(seconds) => i64::try_from(*seconds).ok(),
        // Beyond 2^53 a float no longer counts seconds.
        Json::Number(seconds) => (seconds.abs() < 9_007_199_254_740_992.0).then_some(seconds.trunc() as i64),
        _ => None,
    }
}

fn timestamp() -> Op {
    Op::Attribute("$flagd.timestamp".to_owned())
}
