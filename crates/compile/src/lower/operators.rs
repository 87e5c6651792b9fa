//! What each operator becomes: the table, and what the operators share.

use flagstone_snapshot::{Json, Op};

use crate::diagnostic::{Code, Diagnostic};
use crate::lower::calculation::{arithmetic, comparison};
use crate::lower::control::iteration;
use crate::lower::rule::{Rule, Step};
use crate::nearest;
use crate::span::Spanned;
use crate::tree::{Node, Value};

/// Every operator there is, for suggestions.
#[rustfmt::skip]
const OPERATORS: &[&str] = &[
    "if", "?:", "and", "or", "!", "!!", "==", "===", "!=", "!==", "<", "<=", ">", ">=", "var", "missing",
    "missing_some", "in", "cat", "substr", "+", "-", "*", "/", "%", "min", "max", "merge", "map", "filter", "reduce",
    "all", "some", "none", "log",
    "fractional", "sem_ver", "starts_with", "ends_with", "$ref",
    "segment", "equals_ignore_case", "starts_with_ignore_case", "ends_with_ignore_case", "contains_ignore_case",
    "in_ignore_case", "matches", "before", "after", "now", "in_network", "between", "any_of", "all_of", "none_of",
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
        if let Some(done) = self.ours(operator, arguments) {
            return done;
        }
        match operator.as_str() {
            "if" | "?:" => self.conditional(arguments, false),
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
    pub(super) fn all(&mut self, arguments: &[Node]) -> Step {
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
            (0, 0) => "no arguments".to_owned(),
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
}

/// A number of arguments that [`Rule::arguments`] has let pass.
pub(super) fn count(arguments: &[Node]) -> u16 {
    u16::try_from(arguments.len()).unwrap_or(u16::MAX)
}
