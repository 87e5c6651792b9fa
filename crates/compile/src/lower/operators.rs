//! JsonLogic's own operators.

use flagstone_snapshot::{Arithmetic, Comparison, Iteration, Json, Op};

use crate::diagnostic::{Code, Diagnostic};
use crate::lower::rule::{Rule, Step, truthy};
use crate::nearest;
use crate::span::Spanned;
use crate::tree::{Node, Value};

/// Every operator there is, for suggestions.
const OPERATORS: &[&str] = &[
    "if",
    "?:",
    "and",
    "or",
    "!",
    "!!",
    "==",
    "===",
    "!=",
    "!==",
    "<",
    "<=",
    ">",
    ">=",
    "var",
    "missing",
    "missing_some",
    "in",
    "cat",
    "substr",
    "+",
    "-",
    "*",
    "/",
    "%",
    "min",
    "max",
    "merge",
    "map",
    "filter",
    "reduce",
    "all",
    "some",
    "none",
    "log",
    "fractional",
    "sem_ver",
    "starts_with",
    "ends_with",
    "$ref",
    "segment",
];

impl Rule<'_> {
    /// Lowers `{operator: arguments}`; arguments that are no list are a list of one.
    pub(super) fn operation(&mut self, operator: &Spanned<String>, value: &Node) -> Step {
        let arguments = match &value.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(value),
        };
        if let Some(comparison) = comparison(operator) {
            return self.comparison(comparison, operator, arguments);
        }
        if let Some((arithmetic, most)) = arithmetic(operator) {
            return self.arithmetic(arithmetic, most, operator, arguments);
        }
        if let Some(iteration) = iteration(operator) {
            return self.iteration(iteration, operator, arguments);
        }
        match operator.as_str() {
            "if" | "?:" => self.conditional(arguments),
            "and" => self.chain(arguments, Op::AndJump, false),
            "or" => self.chain(arguments, Op::OrJump, true),
            "!" => self.negation(operator, arguments, Op::Not),
            "!!" => self.negation(operator, arguments, Op::Truthy),
            "var" => self.variable(operator, arguments),
            "missing" => {
                self.all(arguments)?;
                self.push(Op::Missing(count(arguments)))
            }
            "missing_some" => self.fixed(operator, arguments, 2, Op::MissingSome),
            "in" => self.fixed(operator, arguments, 2, Op::In),
            "cat" => {
                self.all(arguments)?;
                self.push(Op::Concatenate(count(arguments)))
            }
            "substr" => self.substring(operator, arguments),
            "merge" => {
                self.all(arguments)?;
                self.push(Op::Merge(count(arguments)))
            }
            "log" => self.argument(arguments, 0),
            "fractional" => self.fractional(operator, arguments),
            "sem_ver" => self.sem_ver(operator, arguments),
            "starts_with" => self.affix(operator, arguments, Op::StartsWith),
            "ends_with" => self.affix(operator, arguments, Op::EndsWith),
            "$ref" => self.named(value, "$ref", |rule, name| rule.reference(name, value.span)),
            "segment" => self.named(value, "segment", |rule, name| rule.segment(name, value.span)),
            _ => self.unknown(operator, value),
        }
    }

    fn unknown(&mut self, operator: &Spanned<String>, value: &Node) -> Step {
        let hint = nearest::nearest(operator, OPERATORS.iter().copied()).map_or_else(
            || "an object with one key is an operation in a rule".to_owned(),
            |near| format!("did you mean `{near}`?"),
        );
        self.fail(
            Diagnostic::error(
                Code::UnknownOperator,
                operator.span,
                format!("there is no operator `{operator}`"),
            )
            .hint(hint),
        )?;
        // What is wrong inside is worth saying too.
        match &value.value {
            Value::List(items) => items.iter().try_for_each(|item| self.unreachable(item)),
            _ => self.unreachable(value),
        }
    }

    /// `$ref` and `segment` take a name, not an expression.
    fn named(&mut self, value: &Node, operator: &str, walk: impl FnOnce(&mut Self, &str) -> Step) -> Step {
        let name = match value.value {
            Value::List(ref items) if items.len() == 1 => items.first().and_then(Node::as_text),
            _ => value.as_text(),
        };
        match name {
            Some(name) => walk(self, name),
            None => self.fail(Diagnostic::error(
                Code::BadArguments,
                value.span,
                format!("`{operator}` takes a name, this is {}", value.kind()),
            )),
        }
    }

    /// The argument at `index`, null when there is none.
    pub(super) fn argument(&mut self, arguments: &[Node], index: usize) -> Step {
        match arguments.get(index) {
            Some(node) => self.expression(node),
            None => self.constant(Json::Null),
        }
    }

    /// Every argument in order.
    fn all(&mut self, arguments: &[Node]) -> Step {
        if let Some(first) = arguments.first() {
            self.arguments(arguments.len(), first.span)?;
        }
        arguments.iter().try_for_each(|argument| self.expression(argument))
    }

    /// Reports a number of arguments that the operator does not take; it answers as JavaScript's would.
    pub(super) fn arity(
        &mut self,
        operator: &Spanned<String>,
        arguments: &[Node],
        least: usize,
        most: usize,
    ) {
        if (least..=most).contains(&arguments.len()) {
            return;
        }
        let takes = match (least, most) {
            (1, 1) => "one argument".to_owned(),
            (least, most) if least == most => format!("{least} arguments"),
            (least, usize::MAX) => format!("at least {least} arguments"),
            (least, most) => format!("{least} to {most} arguments"),
        };
        self.complain(Diagnostic::error(
            Code::BadArguments,
            operator.span,
            format!("`{operator}` takes {takes}, not {}", arguments.len()),
        ));
    }

    fn fixed(&mut self, operator: &Spanned<String>, arguments: &[Node], many: usize, op: Op) -> Step {
        self.arity(operator, arguments, many, many);
        for index in 0..many {
            self.argument(arguments, index)?;
        }
        self.push(op)
    }

    /// `if`: condition, answer, condition, answer, …, last answer.
    fn conditional(&mut self, arguments: &[Node]) -> Step {
        let mut ends = Vec::new();
        let mut pairs = arguments.chunks(2);
        let mut answered = false;
        for pair in &mut pairs {
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
                    let otherwise = self.jump(Op::JumpIfFalse)?;
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
    fn chain(&mut self, arguments: &[Node], keep: fn(u32) -> Op, decides: bool) -> Step {
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

    fn negation(&mut self, operator: &Spanned<String>, arguments: &[Node], op: Op) -> Step {
        self.arity(operator, arguments, 1, 1);
        let mark = self.ops.len();
        self.argument(arguments, 0)?;
        if let Some(truth) = self.constant_since(mark).map(truthy) {
            self.ops.truncate(mark);
            return self.constant(Json::Bool(truth != (op == Op::Not)));
        }
        self.push(op)
    }

    /// Two arguments are compared; of more, each with the next, up to the first that does not hold.
    fn comparison(&mut self, op: Comparison, operator: &Spanned<String>, arguments: &[Node]) -> Step {
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

    fn arithmetic(
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

    fn substring(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
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

    /// `map`, `filter`, `all`, `some`, `none`: list, body. `reduce`: list, body, initial value.
    fn iteration(&mut self, op: Iteration, operator: &Spanned<String>, arguments: &[Node]) -> Step {
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

fn count(arguments: &[Node]) -> u16 {
    u16::try_from(arguments.len()).unwrap_or(u16::MAX)
}

fn comparison(operator: &str) -> Option<Comparison> {
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
fn arithmetic(operator: &str) -> Option<(Arithmetic, usize)> {
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

fn iteration(operator: &str) -> Option<Iteration> {
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
