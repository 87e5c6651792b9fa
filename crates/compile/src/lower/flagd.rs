//! flagd's own operators: `fractional`, `sem_ver`, `starts_with`, `ends_with`.
//!
//! On arguments that they cannot use these answer null, which selects the default variant; the author is
//! told, and the flag stays usable, as it does in flagd.

use flagstone_snapshot::{Json, Op};

use crate::diagnostic::{Code, Diagnostic};
use crate::lower::rule::{Rule, Step, literal};
use crate::nearest;
use crate::span::Spanned;
use crate::tree::{Node, Value};

const SEM_VER_OPERATORS: &[&str] = &["=", "!=", ">", "<", ">=", "<=", "~", "^"];

impl Rule<'_> {
    /// `fractional`: a bucketing value unless the first argument is a bucket itself, then the buckets.
    pub(super) fn fractional(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
        let keyed = arguments.first().is_some_and(|first| first.as_list().is_none());
        let (key, buckets) = match arguments {
            [key, buckets @ ..] if keyed => (Some(key), buckets),
            buckets => (None, buckets),
        };
        if let Some(key) = key {
            if literal(key).is_some() {
                self.complain(
                    Diagnostic::error(Code::BadArguments, key.span, "every unit lands in the same bucket")
                        .hint("the bucketing value is the same for all; use `{\"var\": \"targetingKey\"}`"),
                );
            }
            self.expression(key)?;
        }
        if buckets.is_empty() {
            self.complain(
                Diagnostic::error(Code::BadArguments, operator.span, "`fractional` has no buckets")
                    .hint("a bucket is `[\"variant\", weight]`"),
            );
        }
        let mut total: u64 = 0;
        for bucket in buckets {
            match bucket.as_list() {
                Some([name]) => {
                    self.expression(name)?;
                    self.constant(Json::Integer(1))?;
                    total = total.saturating_add(1);
                }
                Some([name, weight]) => {
                    self.expression(name)?;
                    total = total.saturating_add(self.weight(weight)?);
                }
                _ => {
                    return self.fail(
                        Diagnostic::error(
                            Code::BadArguments,
                            bucket.span,
                            format!(
                                "a bucket is a list of a variant and its weight, this is {}",
                                bucket.kind()
                            ),
                        )
                        .hint("a bucket is `[\"variant\", weight]`; without a weight it is 1"),
                    );
                }
            }
        }
        if total > i32::MAX as u64 {
            self.complain(
                Diagnostic::error(Code::BadArguments, operator.span, "the weights are too large together")
                    .hint(format!("flagd allows a total of {}", i32::MAX)),
            );
        }
        let buckets = self.arguments(buckets.len(), operator.span)?;
        let version = self.options.fractional;
        self.push(Op::Fractional { version, keyed, buckets })
    }

    /// A weight; its value when it is written as a number, else 0.
    fn weight(&mut self, node: &Node) -> Result<u64, crate::lower::rule::Stop> {
        self.expression(node)?;
        match &node.value {
            Value::Number(number) => match number.as_count() {
                Some(weight) => return Ok(weight),
                None if number.as_f64() < 0.0 => self.complain(Diagnostic::error(
                    Code::BadArguments,
                    node.span,
                    "a weight below zero counts as zero",
                )),
                None => self.complain(Diagnostic::error(
                    Code::BadArguments,
                    node.span,
                    "a weight is a whole number",
                )),
            },
            Value::Object(members) if members.len() == 1 => {}
            _ => self.complain(Diagnostic::error(
                Code::BadArguments,
                node.span,
                format!("a weight is a whole number, this is {}", node.kind()),
            )),
        }
        Ok(0)
    }

    /// `sem_ver`: version, operator, version.
    pub(super) fn sem_ver(&mut self, operator: &Spanned<String>, arguments: &[Node]) -> Step {
        let [left, relation, right] = arguments else {
            self.arity(operator, arguments, 3, 3);
            arguments.iter().try_for_each(|argument| self.unreachable(argument))?;
            return self.constant(Json::Null);
        };
        match relation.as_text() {
            Some(text) if !SEM_VER_OPERATORS.contains(&text) => {
                self.complain(
                    Diagnostic::error(
                        Code::BadArguments,
                        relation.span,
                        format!("`sem_ver` has no operator `{text}`"),
                    )
                    .maybe_hint(nearest::hint(text, SEM_VER_OPERATORS.iter().copied())),
                );
            }
            None if literal(relation).is_some() => self.complain(Diagnostic::error(
                Code::BadArguments,
                relation.span,
                format!("the operator of `sem_ver` is a string, this is {}", relation.kind()),
            )),
            _ => {}
        }
        for version in [left, right] {
            if let Some(text) = version.as_text()
                && !is_version(text)
            {
                self.complain(
                    Diagnostic::error(Code::BadArguments, version.span, format!("`{text}` is not a version"))
                        .hint("`1.2.3`, `v1.2`, `1.2.3-beta.1`"),
                );
            } else if !matches!(version.value, Value::Text(_) | Value::Number(_))
                && literal(version).is_some()
            {
                self.complain(Diagnostic::error(
                    Code::BadArguments,
                    version.span,
                    format!("`sem_ver` compares versions, this is {}", version.kind()),
                ));
            }
        }
        arguments.iter().try_for_each(|argument| self.expression(argument))?;
        self.push(Op::SemVer)
    }

    /// `starts_with`, `ends_with`: text, beginning or end.
    pub(super) fn affix(&mut self, operator: &Spanned<String>, arguments: &[Node], op: Op) -> Step {
        let [text, affix] = arguments else {
            self.arity(operator, arguments, 2, 2);
            arguments.iter().try_for_each(|argument| self.unreachable(argument))?;
            return self.constant(Json::Null);
        };
        for argument in [text, affix] {
            if argument.as_text().is_none() && literal(argument).is_some() {
                self.complain(Diagnostic::error(
                    Code::BadArguments,
                    argument.span,
                    format!("`{operator}` compares strings, this is {}", argument.kind()),
                ));
            }
        }
        self.expression(text)?;
        self.expression(affix)?;
        self.push(op)
    }
}

/// Whether flagd takes this for a version: one to three numbers, with `v` before them, a pre-release and
/// build metadata allowed.
fn is_version(text: &str) -> bool {
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let (text, build) = text.split_once('+').map_or((text, None), |(text, build)| (text, Some(build)));
    let (core, before) = text.split_once('-').map_or((text, None), |(core, before)| (core, Some(before)));
    let identifiers = |part: &str| {
        part.split('.').all(|identifier| {
            !identifier.is_empty()
                && identifier.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    let numbers: Vec<&str> = core.split('.').collect();
    (1..=3).contains(&numbers.len())
        && numbers.iter().all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit()))
        && before.is_none_or(identifiers)
        && build.is_none_or(identifiers)
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn versions() {
        for version in ["1", "1.2", "v1.2.3", "V2.0.0-rc.1", "1.0.0+build.7", "1.0.0-a-b"] {
            assert!(is_version(version), "{version}");
        }
        for wrong in ["", "v", "2.0.0.0", "1..2", "one", "1.0.0-", "1.0.0+"] {
            assert!(!is_version(wrong), "{wrong}");
        }
    }
}
