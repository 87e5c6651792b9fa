//! JsonLogic to a [`Program`]: the walk over a rule. What each operator becomes is in its neighbours.

use flagstone_snapshot::{Json, Op, Program};

use crate::diagnostic::{Code, Diagnostic, Diagnostics};
use crate::limits;
use crate::lower::scope::Scope;
use crate::model::Definition;
use crate::span::Span;
use crate::tree::{Node, Value};
use crate::{Audience, Options};

/// A rule beyond a limit; it has been reported and nothing more of it is looked at.
pub(super) struct Stop;

/// How one step of the walk ends.
pub(super) type Step = Result<(), Stop>;

/// Lowers a whole rule; none when it cannot be used, which has been reported.
pub(super) fn lower(node: &Node, scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<Program> {
    Rule::new(scope, diagnostics).program(|rule| rule.targeting(node))
}

/// Looks at every shared rule and segment, used or not, so that each is reported once and by itself.
pub(super) fn check_shared(scope: &Scope<'_>, diagnostics: &mut Diagnostics) {
    for evaluator in &scope.set.evaluators {
        Rule::new(scope, diagnostics).program(|rule| rule.reference(&evaluator.name, evaluator.name.span));
    }
    let server = Options { audience: Audience::Server, ..scope.options.clone() };
    let server = Scope::new(scope.set, &server);
    for segment in &scope.set.segments {
        Rule::new(&server, diagnostics).program(|rule| rule.segment(&segment.name, segment.name.span));
    }
}

/// A rule being lowered.
pub(super) struct Rule<'a> {
    pub(super) scope: &'a Scope<'a>,
    pub(super) set: &'a Definition,
    pub(super) options: &'a Options,
    diagnostics: &'a mut Diagnostics,
    pub(super) ops: Vec<Op>,
    depth: usize,
    /// Iterations around the present place; inside one, `var` reads the element.
    loops: usize,
    /// The `$ref`s and segments being written out.
    pub(super) trail: Vec<String>,
    failed: bool,
    /// It is beyond a limit, and that has been said.
    stopped: bool,
}

impl<'a> Rule<'a> {
    pub(super) fn new(scope: &'a Scope<'a>, diagnostics: &'a mut Diagnostics) -> Self {
        Rule {
            scope,
            set: scope.set,
            options: scope.options,
            diagnostics,
            ops: Vec::new(),
            depth: 0,
            loops: 0,
            trail: Vec::new(),
            failed: false,
            stopped: false,
        }
    }

    /// Runs the walk and hands over the program, unless something made the rule unusable.
    pub(super) fn program(mut self, walk: impl FnOnce(&mut Self) -> Step) -> Option<Program> {
        walk(&mut self).ok()?;
        (!self.failed).then_some(Program(self.ops))
    }

    /// Reports something that JsonLogic answers somehow; the rule stays usable.
    pub(super) fn complain(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports something that makes the rule unusable; the walk goes on to find more.
    pub(super) fn fail(&mut self, diagnostic: Diagnostic) -> Step {
        self.failed = true;
        self.diagnostics.push(diagnostic);
        self.constant(Json::Null)
    }

    pub(super) fn push(&mut self, op: Op) -> Step {
        if self.ops.len() >= limits::PROGRAM_OPS {
            self.failed = true;
            return Err(Stop);
        }
        self.ops.push(op);
        Ok(())
    }

    pub(super) fn constant(&mut self, value: Json) -> Step {
        self.push(Op::Constant(value))
    }

    /// Pushes a jump whose target is still to come.
    pub(super) fn jump(&mut self, op: impl FnOnce(u32) -> Op) -> Result<usize, Stop> {
        self.push(op(u32::MAX))?;
        Ok(self.ops.len() - 1)
    }

    /// Lets the jump at `at` lead to what is pushed next.
    pub(super) fn land(&mut self, at: usize) {
        let here = u32::try_from(self.ops.len()).unwrap_or(u32::MAX);
        if let Some(
            Op::Jump(target)
            | Op::JumpIfFalse(target)
            | Op::Branch { target, .. }
            | Op::JumpIfTrue(target)
            | Op::AndJump(target)
            | Op::OrJump(target)
            | Op::CoalesceJump(target),
        ) = self.ops.get_mut(at)
        {
            *target = here;
        }
    }

    /// The value of what was pushed since `mark`, when that is one constant.
    pub(super) fn constant_since(&self, mark: usize) -> Option<&Json> {
        match self.ops.get(mark..) {
            Some([Op::Constant(value)]) => Some(value),
            _ => None,
        }
    }

    /// Lowers something only to find what is wrong with it: it can never be reached.
    pub(super) fn unreachable(&mut self, node: &Node) -> Step {
        let mark = self.ops.len();
        self.expression(node)?;
        self.ops.truncate(mark);
        Ok(())
    }

    /// Lowers an expression; it leaves one value on the stack.
    pub(super) fn expression(&mut self, node: &Node) -> Step {
        if let Some(value) = literal(node) {
            return self.constant(value);
        }
        match &node.value {
            Value::List(items) => {
                for item in items {
                    self.expression(item)?;
                }
                let count = self.arguments(items.len(), node.span)?;
                self.push(Op::List(count))
            }
            Value::Object(members) => match members.as_slice() {
                [member] => {
                    self.depth += 1;
                    if self.depth > limits::RULE_DEPTH {
                        self.too_large(node.span, "is nested too deeply", limits::RULE_DEPTH, "levels");
                        return Err(Stop);
                    }
                    let done = self.operation(&member.key, &member.value);
                    if done.is_err() && self.ops.len() >= limits::PROGRAM_OPS {
                        self.too_large(node.span, "is too long", limits::PROGRAM_OPS, "instructions");
                    }
                    self.depth -= 1;
                    done
                }
                _ => self.constant(node.to_json()),
            },
            _ => self.constant(node.to_json()),
        }
    }

    fn too_large(&mut self, span: Span, what: &str, limit: usize, unit: &str) {
        self.failed = true;
        // The innermost place is the one to show; the way out passes here again.
        if !self.stopped {
            self.stopped = true;
            self.diagnostics.push(
                Diagnostic::error(Code::RuleTooLarge, span, format!("the rule {what}"))
                    .hint(format!("at most {limit} {unit}, with `$ref` and `segment` written out")),
            );
        }
    }

    /// A number of arguments as programs count them.
    pub(super) fn arguments(&mut self, count: usize, span: Span) -> Result<u16, Stop> {
        u16::try_from(count).map_err(|_| {
            self.too_large(span, "has too many arguments in one place", usize::from(u16::MAX), "arguments");
            Stop
        })
    }

    pub(super) fn in_loop(&self) -> bool {
        self.loops > 0
    }

    /// Lowers the body of an iteration.
    pub(super) fn body(&mut self, node: Option<&Node>) -> Step {
        self.loops += 1;
        let done = match node {
            Some(node) => self.expression(node),
            None => self.constant(Json::Null),
        };
        self.loops -= 1;
        done
    }
}

/// The value of an expression without operators: scalars, lists of such, and objects that do not have
/// exactly one member, which JsonLogic takes as they are.
pub(super) fn literal(node: &Node) -> Option<Json> {
    match &node.value {
        Value::List(items) => items.iter().map(literal).collect::<Option<Vec<_>>>().map(Json::List),
        Value::Object(members) if members.len() == 1 => None,
        _ => Some(node.to_json()),
    }
}

/// JsonLogic's truth: null, false, zero, the empty text and the empty list are not.
pub(super) fn truthy(value: &Json) -> bool {
    match value {
        Json::Null => false,
        Json::Bool(value) => *value,
        Json::Integer(value) => *value != 0,
        Json::Unsigned(value) => *value != 0,
        Json::Number(value) => *value != 0.0,
        Json::Text(text) => !text.is_empty(),
        Json::List(items) => !items.is_empty(),
        Json::Object(_) => true,
    }
}
