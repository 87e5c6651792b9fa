//! `$ref` and `segment`: what they name is written out where they stand; circles are refused.

use flagstone_snapshot::{Json, Op};

use crate::Audience;
use crate::diagnostic::{Code, Diagnostic};
use crate::lower::rule::{Rule, Step};
use crate::model::{Flag, Segment};
use crate::nearest;
use crate::span::Span;

impl Rule<'_> {
    /// `{"$ref": "name"}`: the shared rule of that name, written out.
    pub(super) fn reference(&mut self, name: &str, span: Span) -> Step {
        let Some(evaluator) = self.set.evaluator(name) else {
            let known = self.set.evaluators.iter().map(|evaluator| evaluator.name.as_str());
            let hint = match self.set.evaluators.is_empty() {
                true => Some("shared rules stand under `$evaluators`".to_owned()),
                false => nearest::hint(name, known),
            };
            return self.fail(
                Diagnostic::error(Code::UnknownReference, span, format!("there is no shared rule `{name}`"))
                    .maybe_hint(hint),
            );
        };
        self.enter(format!("$ref {name}"), span, |rule| rule.expression(&evaluator.rule))
    }

    /// `{"segment": "name"}`: excluded units are out, included units are in, then the condition decides.
    pub(super) fn segment(&mut self, name: &str, span: Span) -> Step {
        let Some(segment) = self.set.segment(name) else {
            let known = self.set.segments.iter().map(|segment| segment.name.as_str());
            let hint = match self.set.segments.is_empty() {
                true => Some("segments stand under `segments`".to_owned()),
                false => nearest::hint(name, known),
            };
            return self.fail(
                Diagnostic::error(Code::UnknownReference, span, format!("there is no segment `{name}`"))
                    .maybe_hint(hint),
            );
        };
        if self.in_loop() {
            return self.fail(
                Diagnostic::error(
                    Code::BadArguments,
                    span,
                    "a segment cannot be asked for inside an iteration",
                )
                .hint("a segment is about the whole context, an iteration's body about one element"),
            );
        }
        let listed = !(segment.include.is_empty() && segment.exclude.is_empty());
        if self.options.audience == Audience::Browser && listed {
            return self.fail(
                Diagnostic::error(Code::Privacy, span, format!("the lists of `{name}` would reach browsers"))
                    .label(segment.name.span, "it lists targeting keys")
                    .hint("use a condition, or leave out `client: true`"),
            );
        }
        self.enter(format!("segment {name}"), span, |rule| rule.membership(segment))
    }

    /// `overrides`: unit by unit the name of a variant, null for everybody else.
    pub(super) fn overrides(&mut self, flag: &Flag) -> Step {
        let unit = flag.rollout.as_ref().map_or("targetingKey", |rollout| rollout.unit.as_str());
        let mut ends = Vec::new();
        for given in &flag.overrides {
            if self.options.audience == Audience::Browser && !given.units.is_empty() {
                return self.fail(
                    Diagnostic::error(
                        Code::Privacy,
                        given.variant.span,
                        "the overrides would reach browsers",
                    )
                    .hint("leave out `client: true`, or have the units' own attributes decide"),
                );
            }
            self.push(Op::Attribute(unit.to_owned()))?;
            self.constant(Json::List(given.units.iter().flat_map(|key| unit_values(key)).collect()))?;
            self.push(Op::In)?;
            let miss = self.jump(Op::JumpIfFalse)?;
            self.constant(Json::Text(given.variant.value.clone()))?;
            ends.push(self.jump(Op::Jump)?);
            self.land(miss);
        }
        self.constant(Json::Null)?;
        for end in ends {
            self.land(end);
        }
        Ok(())
    }

    fn membership(&mut self, segment: &Segment) -> Step {
        let mut ends = Vec::new();
        for (list, answer) in [(&segment.exclude, false), (&segment.include, true)] {
            if list.is_empty() {
                continue;
            }
            self.push(Op::Attribute("targetingKey".to_owned()))?;
            match self.scope.key_set(list) {
                Some(keys) => self.push(Op::InKeys(keys))?,
                None => {
                    self.constant(Json::List(list.keys.iter().map(|key| Json::Text(key.clone())).collect()))?;
                    self.push(Op::In)?;
                }
            }
            let miss = self.jump(Op::JumpIfFalse)?;
            self.constant(Json::Bool(answer))?;
            ends.push(self.jump(Op::Jump)?);
            self.land(miss);
        }
        match &segment.when {
            Some(when) => {
                self.expression(when)?;
                self.push(Op::Truthy)?;
            }
            None => self.constant(Json::Bool(false))?,
        }
        for end in ends {
            self.land(end);
        }
        Ok(())
    }

    /// Goes into something named, unless one is inside it already.
    fn enter(&mut self, name: String, span: Span, walk: impl FnOnce(&mut Self) -> Step) -> Step {
        if self.trail.contains(&name) {
            let circle = self
                .trail
                .iter()
                .chain(std::iter::once(&name))
                .skip_while(|step| **step != name)
                .map(|step| format!("`{step}`"))
                .collect::<Vec<_>>()
                .join(" -> ");
            return self.fail(
                Diagnostic::error(Code::ReferenceCycle, span, "the rule refers to itself")
                    .hint(format!("the circle is {circle}")),
            );
        }
        self.trail.push(name);
        let done = walk(self);
        self.trail.pop();
        done
    }
}

/// The values by which a unit may name itself: its text, and the whole number whose decimal text it is.
fn unit_values(key: &str) -> impl Iterator<Item = Json> + use<> {
    let number = key.parse::<i64>().ok().filter(|number| number.to_string() == key);
    std::iter::once(Json::Text(key.to_owned())).chain(number.map(Json::Integer))
}
