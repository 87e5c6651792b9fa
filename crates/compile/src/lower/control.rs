//! Operators that choose and repeat: `if`, `and`, `or`, `!`, `!!`, and the iterations.

use flagstone_snapshot::{Iteration, Json, Op};

use crate::lower::rule::{Rule, Step, truthy};
use crate::span::Spanned;
use crate::tree::{Node, Value};

impl Rule<'_> {
    /// A whole targeting: the conditions of its outermost `if` are its rules, numbered from 1.
    pub(super) fn targeting(&mut self, node: &Node) -> Step {
        match node.as_object() {
            Some([member]) if matches!(member.key.as_str(), "if" | "?:") => match &member.value.value {
                Value::List(arguments) => self.conditional(arguments, true),
                _ => self.expression(node),
            },
            _ => self.expression(node),
        }
    }

    /// `if`: condition, answer, condition, answer, …, last answer.
    pub(super) fn conditional(&mut self, arguments: &[Node], numbered: bool) -> Step {
        let mut ends = Vec::new();
        let mut pairs = arguments.chunks(2);
        let mut answered = false;
        let mut rule: u16 = 0;
        for pair in &mut pairs {
            // Conditions that are decided here count, too: the numbers are the author's.
            rule = rule.saturating_add(1);
            let [condition, answer] = pair else {
                // The last one alone is the answer.
                for last in pair {
                    self.expression(last)?;
                    answered = true;
                }
                break;
            };
            let mark = self.ops.len();
            self.expression(condition)?;
            match self.constant_since(mark).map(truthy) {
                Some(true) => {
                    self.ops.truncate(mark);
                    self.expression(answer)?;
                    answered = true;
                    break;
                }
                Some(false) => {
                    self.ops.truncate(mark);
                    self.unreachable(answer)?;
                }
                None => {
                    let otherwise = match numbered {
                        true => self.jump(|target| Op::Branch { target, rule })?,
                        false => self.jump(Op::JumpIfFalse)?,
                    };
                    self.expression(answer)?;
                    ends.push(self.jump(Op::Jump)?);
                    self.land(otherwise);
                }
            }
        }
        for rest in pairs.flatten() {
            self.unreachable(rest)?;
        }
        if !answered {
            self.constant(Json::Null)?;
        }
        for end in ends {
            self.land(end);
        }
        Ok(())
    }

    /// `and`, `or`: the first value that decides, else the last. Without arguments it is false.
    pub(super) fn chain(&mut self, arguments: &[Node], keep: fn(u32) -> Op, decides: bool) -> Step {
        let Some((last, others)) = arguments.split_last() else {
            return self.constant(Json::Bool(false));
        };
        let mut ends = Vec::new();
        let mut decided = false;
        for argument in others {
            if decided {
                self.unreachable(argument)?;
                continue;
            }
            let mark = self.ops.len();
            self.expression(argument)?;
            match self.constant_since(mark).map(truthy) {
                Some(truth) if truth == decides => decided = true,
                Some(_) => self.ops.truncate(mark),
                None => ends.push(self.jump(keep)?),
            }
        }
        if decided {
            self.unreachable(last)?;
        } else {
            self.expression(last)?;
        }
        for end in ends {
            self.land(end);
        }
        Ok(())
    }

    pub(super) fn negation(&mut self, operator: &Spanned<String>, arguments: &[Node], op: Op) -> Step {
        self.arity(operator, arguments, 1, 1);
        let mark = self.ops.len();
        self.argument(arguments, 0)?;
        if let Some(truth) = self.constant_since(mark).map(truthy) {
            self.ops.truncate(mark);
            return self.constant(Json::Bool(truth != (op == Op::Not)));
        }
        self.push(op)
    }

    /// `map`, `filter`, `all`, `some`, `none`: list, body. `reduce`: list, body, initial value.
    pub(super) fn iteration(
        &mut self,
        op: Iteration,
        operator: &Spanned<String>,
        arguments: &[Node],
    ) -> Step {
        let reduce = op == Iteration::Reduce;
        let many = if reduce { 3 } else { 2 };
        self.arity(operator, arguments, many, many);
        self.argument(arguments, 0)?;
        if reduce {
            self.argument(arguments, 2)?;
        }
        self.push(Op::Each(op))?;
        self.body(arguments.get(1))?;
        self.push(Op::EndEach)
    }
}

/// The iteration of that name.
pub(super) fn iteration(operator: &str) -> Option<Iteration> {
    Some(match operator {
        "map" => Iteration::Map,
        "filter" => Iteration::Filter,
        "all" => Iteration::All,
        "some" => Iteration::Some,
        "none" => Iteration::None,
        "reduce" => Iteration::Reduce,
        _ => return None,
    })
}
