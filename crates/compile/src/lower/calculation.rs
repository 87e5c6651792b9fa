//! Operators that compare and calculate.

use flagstone_snapshot::{Arithmetic, Comparison, Json, Op};

use crate::lower::operators::count;
use crate::lower::rule::{Rule, Step};
use crate::span::Spanned;
use crate::tree::Node;

impl Rule<'_> {
    /// Two arguments are compared; of more, each with the next, up to the first that does not hold.
    pub(super) fn comparison(
        &mut self,
        op: Comparison,
        operator: &Spanned<String>,
        arguments: &[Node],
    ) -> Step {
        let ordering = matches!(
            op,
            Comparison::Less | Comparison::LessOrEqual | Comparison::Greater | Comparison::GreaterOrEqual
        );
        self.arity(operator, arguments, 2, if ordering { 3 } else { 2 });
        match arguments {
            // An argument that is not there is `undefined`, which no ordering holds for.
            [] | [_] if ordering => {
                arguments.iter().try_for_each(|argument| self.unreachable(argument))?;
                self.constant(Json::Bool(false))
            }
            [low, middle, high] if ordering => {
                self.expression(low)?;
                self.expression(middle)?;
                self.expression(high)?;
                self.push(Op::Between(op))
            }
            [] | [_] | [_, _] => {
                self.argument(arguments, 0)?;
                self.argument(arguments, 1)?;
                self.push(Op::Compare(op))
            }
            _ => {
                let mut ends = Vec::new();
                for (index, pair) in arguments.windows(2).enumerate() {
                    if let [left, right] = pair {
                        self.expression(left)?;
                        self.expression(right)?;
                        self.push(Op::Compare(op))?;
                    }
                    if index + 2 < arguments.len() {
                        ends.push(self.jump(Op::AndJump)?);
                    }
                }
                for end in ends {
                    self.land(end);
                }
                Ok(())
            }
        }
    }

    pub(super) fn arithmetic(
        &mut self,
        op: Arithmetic,
        most: usize,
        operator: &Spanned<String>,
        arguments: &[Node],
    ) -> Step {
        let least = if matches!(op, Arithmetic::Divide | Arithmetic::Modulo) { 2 } else { 1 };
        self.arity(operator, arguments, least, most);
        let used = arguments;
        if used.len() < least {
            used.iter().try_for_each(|argument| self.unreachable(argument))?;
            return self.constant(match op {
                Arithmetic::Add => Json::Integer(0),
                Arithmetic::Multiply => Json::Integer(1),
                _ => Json::Null,
            });
        }
        if matches!(op, Arithmetic::Subtract | Arithmetic::Divide | Arithmetic::Modulo) {
            // From the left, two at a time.
            let (first, rest) = used.split_at(used.len().min(1));
            self.all(first)?;
            if rest.is_empty() {
                return self.push(Op::Arithmetic(op, 1));
            }
            for argument in rest {
                self.expression(argument)?;
                self.push(Op::Arithmetic(op, 2))?;
            }
            return Ok(());
        }
        self.all(used)?;
        self.push(Op::Arithmetic(op, count(used)))
    }

    pub(super) fn substring(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
        self.arity(operator, arguments, 2, 3);
        self.argument(arguments, 0)?;
        match arguments.get(1) {
            Some(start) => self.expression(start)?,
            None => self.constant(Json::Integer(0))?,
        }
        if let Some(length) = arguments.get(2) {
            self.expression(length)?;
            return self.push(Op::Substring(3));
        }
        self.push(Op::Substring(2))
    }
}

/// The comparison of that name.
pub(super) fn comparison(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "==" => Comparison::Equal,
        "===" => Comparison::StrictEqual,
        "!=" => Comparison::NotEqual,
        "!==" => Comparison::StrictNotEqual,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// The operation and how many arguments it is meant for at most.
pub(super) fn arithmetic(operator: &str) -> Option<(Arithmetic, usize)> {
    Some(match operator {
        "+" => (Arithmetic::Add, usize::MAX),
        "-" => (Arithmetic::Subtract, usize::MAX),
        "*" => (Arithmetic::Multiply, usize::MAX),
        "/" => (Arithmetic::Divide, 2),
        "%" => (Arithmetic::Modulo, 2),
        "min" => (Arithmetic::Minimum, usize::MAX),
        "max" => (Arithmetic::Maximum, usize::MAX),
        _ => return None,
    })
}
