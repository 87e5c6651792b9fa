//! `before`, `after`, `now`: times that are written out are read here, others by the engine.

use flagstone_snapshot::time;
use flagstone_snapshot::{Comparison, Json, Op};

use crate::diagnostic::{Code, Diagnostic};
use crate::lower::rule::{Rule, Step};
use crate::span::Spanned;
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
        let Some(seconds) = seconds(value) else {
            self.push(Op::Time)?;
            return Ok(None);
        };
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

/// What the engine's `Time` makes of a value: the second that it is in, or `Some(None)` when it is no time. None for
/// numbers that a 64-bit float does not count one by one, which are left to the engine.
fn seconds(value: &Json) -> Option<Option<i64>> {
    const EXACT: i64 = 1 << 53;
    let number = match value {
        Json::Text(text) => return Some(time::parse(text)),
        Json::Integer(seconds) => *seconds,
        Json::Number(seconds) if seconds.abs() < EXACT as f64 => libm::floor(*seconds) as i64,
        Json::Number(_) | Json::Unsigned(_) => return None,
        _ => return Some(None),
    };
    (-EXACT..EXACT).contains(&number).then_some(Some(number))
}

fn timestamp() -> Op {
    Op::Attribute("$flagd.timestamp".to_owned())
}
