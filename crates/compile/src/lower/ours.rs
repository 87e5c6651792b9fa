//! Flagstone's own operators on texts, numbers and lists.
//!
//! On arguments that they cannot use these answer null, which selects the default variant, as flagd's do. What the
//! engine could only answer null to is said and left in use; what it could not be told at all (a pattern or a
//! network that is none) makes the rule unusable.

use flagstone_snapshot::{FoldTest, Json, Op, Overlap};

use crate::diagnostic::{Code, Diagnostic};
use crate::limits;
use crate::lower::rule::{Rule, Step, literal};
use crate::lower::{network, pattern};
use crate::span::Spanned;
use crate::tree::{Node, Value};

/// What an argument must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    List,
}

/// The operators that are one instruction after their arguments.
fn plain(operator: &str) -> Option<(Op, &'static [Kind])> {
    use Kind::{List, Number, Text};
    Some(match operator {
        "equals_ignore_case" => (Op::Fold(FoldTest::Equal), &[Text, Text]),
        "starts_with_ignore_case" => (Op::Fold(FoldTest::StartsWith), &[Text, Text]),
        "ends_with_ignore_case" => (Op::Fold(FoldTest::EndsWith), &[Text, Text]),
        "contains_ignore_case" => (Op::Fold(FoldTest::Contains), &[Text, Text]),
        "in_ignore_case" => (Op::Fold(FoldTest::In), &[Text, List]),
        "between" => (Op::Within, &[Number, Number, Number]),
        "any_of" => (Op::Overlap(Overlap::Any), &[List, List]),
        "all_of" => (Op::Overlap(Overlap::All), &[List, List]),
        "none_of" => (Op::Overlap(Overlap::None), &[List, List]),
        _ => return None,
    })
}

impl Rule<'_> {
    /// Lowers one of our operators; none when it is not ours.
    pub(super) fn ours(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Option<Step> {
        if let Some((op, kinds)) = plain(operator) {
            return Some(self.plain(operator, arguments, op, kinds));
        }
        Some(match operator.as_str() {
            "matches" => self.matches(operator, arguments),
            "in_network" => self.in_network(operator, arguments),
            "before" | "after" => self.ordered_times(operator, arguments),
            "now" => self.now(operator, arguments),
            _ => return None,
        })
    }

    fn plain(&mut self, operator: &Spanned<String>, arguments: &[Node], op: Op, kinds: &[Kind]) -> Step {
        if !self.enough(operator, arguments, kinds.len())? {
            return Ok(());
        }
        for (argument, kind) in arguments.iter().zip(kinds) {
            self.kind(operator, argument, *kind);
        }
        if let (Op::Within, [_, low, high]) = (&op, arguments) {
            self.interval(low, high);
        }
        self.all(arguments)?;
        self.push(op)
    }

    /// Whether there are as many arguments as the operator takes; if not, says so and lets it answer null.
    pub(super) fn enough(
        &mut self,
        operator: &Spanned<String>,
        arguments: &[Node],
        many: usize,
    ) -> Result<bool, crate::lower::rule::Stop> {
        if arguments.len() == many {
            return Ok(true);
        }
        self.arity(operator, arguments, many, many);
        self.null(arguments)?;
        Ok(false)
    }

    /// Answers null, having looked at the arguments for what is wrong inside them.
    pub(super) fn null(&mut self, arguments: &[Node]) -> Step {
        arguments.iter().try_for_each(|argument| self.unreachable(argument))?;
        self.constant(Json::Null)
    }

    /// Says when an argument is written as something that the operator answers null to.
    fn kind(&mut self, operator: &Spanned<String>, argument: &Node, wanted: Kind) {
        let (fits, takes) = match (&argument.value, wanted) {
            (Value::Object(members), _) if members.len() == 1 => return,
            (value, Kind::Text) => (matches!(value, Value::Text(_)), "a string"),
            (value, Kind::Number) => (matches!(value, Value::Number(_)), "a number"),
            (value, Kind::List) => (matches!(value, Value::List(_)), "a list"),
        };
        if !fits {
            self.complain(Diagnostic::error(
                Code::BadArguments,
                argument.span,
                format!("`{operator}` takes {takes} here, this is {}", argument.kind()),
            ));
        }
    }

    fn interval(&mut self, low: &Node, high: &Node) {
        if let (Value::Number(from), Value::Number(to)) = (&low.value, &high.value)
            && from.as_f64() > to.as_f64()
        {
            let said = format!("no number lies between {} and {}", from.text(), to.text());
            self.complain(
                Diagnostic::error(Code::BadArguments, low.span.to(high.span), said)
                    .hint("the lower end comes first; both ends count"),
            );
        }
    }

    /// `matches`: text, pattern.
    fn matches(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
        if !self.enough(operator, arguments, 2)? {
            return Ok(());
        }
        let [text, pattern] = arguments else { return Ok(()) };
        self.kind(operator, text, Kind::Text);
        let Some(written) = pattern.as_text() else {
            self.kind(operator, pattern, Kind::Text);
            if literal(pattern).is_some() {
                return self.null(arguments);
            }
            return self.fail(
                Diagnostic::error(Code::Pattern, pattern.span, "the pattern of `matches` is not written out")
                    .hint("a pattern becomes a table when compiling, so it must be a string here"),
            );
        };
        match self.scope.pattern(written) {
            Ok(table) => {
                self.expression(text)?;
                self.push(Op::Matches(table))
            }
            Err(pattern::PatternError { what, hint }) => {
                self.unreachable(text)?;
                self.fail(
                    Diagnostic::error(Code::Pattern, pattern.span, format!("the pattern {what}"))
                        .maybe_hint(hint.map(str::to_owned)),
                )
            }
        }
    }

    /// `in_network`: address, network or list of networks.
    fn in_network(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
        if !self.enough(operator, arguments, 2)? {
            return Ok(());
        }
        let [address, networks] = arguments else { return Ok(()) };
        self.kind(operator, address, Kind::Text);
        let items = match &networks.value {
            Value::List(items) => items.as_slice(),
            _ => std::slice::from_ref(networks),
        };
        if literal(networks).is_none() {
            return self.fail(
                Diagnostic::error(Code::Network, networks.span, "the networks are not written out")
                    .hint("they are sorted and merged when compiling, so they must be strings here"),
            );
        }
        if items.is_empty() {
            let said = "no address is in an empty list of networks";
            self.complain(Diagnostic::error(Code::BadArguments, networks.span, said));
        }
        let mut ranges = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = item.as_text() else {
                self.kind(operator, item, Kind::Text);
                return self.null(arguments);
            };
            match network::range(text) {
                Ok((range, None)) => ranges.push(range),
                Ok((range, Some(meant))) => {
                    ranges.push(range);
                    let said = format!("`{text}` has bits beyond its prefix");
                    self.complain(
                        Diagnostic::warning(Code::Network, item.span, said)
                            .hint(format!("it means `{meant}`")),
                    );
                }
                Err(hint) => {
                    let said = format!("`{text}` is not a network");
                    return self.fail(Diagnostic::error(Code::Network, item.span, said).hint(hint));
                }
            }
        }
        let ranges = network::merged(ranges);
        if ranges.len() > limits::NETWORKS {
            let said = format!("{} ranges of addresses are too many in one test", ranges.len());
            return self.fail(
                Diagnostic::error(Code::RuleTooLarge, networks.span, said)
                    .hint(format!("at most {}, once those that meet are merged", limits::NETWORKS)),
            );
        }
        self.expression(address)?;
        self.push(Op::InNetwork(ranges))
    }
}
