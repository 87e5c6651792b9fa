//! The stack machine that runs a rule: iterative, bounded in steps, stack, loops and text.
//!
//! Rules were checked when the snapshot was loaded, so that a stack access that finds nothing is a fault of
//! ours; it is answered with [`Fault::Internal`], never with a panic.

use alloc::vec::Vec;

use flagstone_snapshot::Rule;
use flagstone_snapshot::layout::Instruction;
use flagstone_snapshot::limits::MAX_STACK;
use flagstone_snapshot::program::code;

use crate::item::Item;
use crate::state::{Fault, Loop, State};
use crate::trace::{Test, Trace};
use crate::{attribute_tests, fractional, operators};

/// What a rule answered.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Answer<'a> {
    /// A value.
    Value(Item<'a>),
    /// A variant of the flag by position, and whether the author wrote a boolean.
    Variant(u16, bool),
}

/// One evaluation, and who listens to it.
pub(crate) struct Machine<'a, T> {
    pub(crate) state: State<'a>,
    pub(crate) trace: T,
}

struct Stack<'s, 'a> {
    items: &'s mut [Item<'a>],
    top: usize,
}

impl<'a> Stack<'_, 'a> {
    fn push(&mut self, item: Item<'a>) -> Result<(), Fault> {
        *self.items.get_mut(self.top).ok_or(Fault::Internal)? = item;
        self.top += 1;
        Ok(())
    }

    fn pop(&mut self) -> Result<Item<'a>, Fault> {
        self.top = self.top.checked_sub(1).ok_or(Fault::Internal)?;
        self.items.get(self.top).copied().ok_or(Fault::Internal)
    }

    /// The `count` values on top, which stay until [`Stack::drop`].
    fn last(&self, count: usize) -> Result<&[Item<'a>], Fault> {
        let start = self.top.checked_sub(count).ok_or(Fault::Internal)?;
        self.items.get(start..self.top).ok_or(Fault::Internal)
    }

    /// Replaces the `count` values on top by one.
    fn replace(&mut self, count: usize, item: Item<'a>) -> Result<(), Fault> {
        self.top = self.top.checked_sub(count).ok_or(Fault::Internal)?;
        self.push(item)
    }
}

impl<'a, T: Trace> Machine<'a, T> {
    /// Runs a rule to its answer, on a stack of the size that it needs.
    pub(crate) fn run(&mut self, rule: Rule<'a>) -> Result<Answer<'a>, Fault> {
        match rule.stack {
            0 | 1 => self.run_on(rule.code, &mut [Item::Null; 1]),
            2..=8 => self.run_on(rule.code, &mut [Item::Null; 8]),
            _ => self.run_on(rule.code, &mut [Item::Null; MAX_STACK]),
        }
    }

    /// Whether a condition holds.
    pub(crate) fn holds(&mut self, rule: Rule<'a>) -> Result<bool, Fault> {
        Ok(match self.run(rule)? {
            Answer::Value(item) => self.state.built.truthy(item),
            Answer::Variant(..) => true,
        })
    }

    fn run_on(&mut self, program: &'a [Instruction], room: &mut [Item<'a>]) -> Result<Answer<'a>, Fault> {
        let mut stack = Stack { items: room, top: 0 };
        let mut at = 0usize;
        while let Some(instruction) = program.get(at) {
            self.state.charge(0)?;
            at += 1;
            let target = instruction.c.get() as usize;
            let count = usize::from(instruction.b.get());
            match instruction.op {
                code::NULL => stack.push(Item::Null)?,
                code::BOOL => stack.push(Item::Bool(instruction.a != 0))?,
                code::VALUE => {
                    stack.push(Item::read(self.state.scene.snapshot.heap_at(instruction.c.get())))?;
                }
                code::ATTRIBUTE => stack.push(self.state.scene.context.attribute(instruction.c.get()))?,
                code::JUMP => at = target,
                code::JUMP_IF_FALSE => {
                    let holds = self.state.built.truthy(stack.pop()?);
                    if T::ON && count > 0 {
                        self.trace.rule(instruction.b.get(), holds);
                    }
                    if !holds {
                        at = target;
                    }
                }
                code::ATTRIBUTE_IN
                | code::ATTRIBUTE_STARTS
                | code::ATTRIBUTE_ENDS
                | code::ATTRIBUTE_COMPARE
                | code::ATTRIBUTE_VERSION => {
                    let result = attribute_tests::run(&mut self.state, instruction)?;
                    if T::ON {
                        let answer = result.map_or(Item::Null, Item::Bool);
                        attribute_tests::tell(&self.state, instruction, answer, &mut self.trace);
                    }
                    // Most tests are conditions: the jump behind takes the answer without the stack.
                    match program.get(at) {
                        Some(jump) if jump.op == code::JUMP_IF_FALSE => {
                            let holds = result == Some(true);
                            if T::ON && jump.b.get() > 0 {
                                self.trace.rule(jump.b.get(), holds);
                            }
                            at = if holds { at + 1 } else { jump.c.get() as usize };
                        }
                        _ => stack.push(result.map_or(Item::Null, Item::Bool))?,
                    }
                }
                code::RETURN_VARIANT => return Ok(Answer::Variant(instruction.b.get(), instruction.a != 0)),
                code::RETURN_SHARES => {
                    let chosen = fractional::shares(&self.state, instruction);
                    return Ok(chosen.map_or(Answer::Value(Item::Null), |(variant, boolean)| {
                        Answer::Variant(variant, boolean)
                    }));
                }
                code::JUMP_IF_TRUE => {
                    if self.state.built.truthy(stack.pop()?) {
                        at = target;
                    }
                }
                code::AND_JUMP | code::OR_JUMP | code::COALESCE_JUMP => {
                    let top = stack.pop()?;
                    let keep = match instruction.op {
                        code::AND_JUMP => !self.state.built.truthy(top),
                        code::OR_JUMP => self.state.built.truthy(top),
                        _ => !matches!(top, Item::Null),
                    };
                    if keep {
                        stack.push(top)?;
                        at = target;
                    }
                }
                code::EACH => {
                    if !self.open_loop(instruction, &mut stack)? {
                        at = target;
                    }
                }
                code::END_EACH => {
                    if !self.turn_loop(&mut stack)? {
                        at = target;
                    }
                }
                _ => self.apply(instruction, &mut stack)?,
            }
        }
        stack.pop().map(Answer::Value)
    }
    /// Begins a loop; false when there is nothing to go round, and its result lies on the stack.
    #[inline(never)]
    fn open_loop(&mut self, instruction: &Instruction, stack: &mut Stack<'_, 'a>) -> Result<bool, Fault> {
        let initial = if instruction.a == operators::REDUCE { Some(stack.pop()?) } else { None };
        let list = stack.pop()?;
        let size = self.state.built.count(list).unwrap_or_default();
        if size == 0 {
            stack.push(operators::empty_loop(instruction.a, initial))?;
            return Ok(false);
        }
        let element = self.state.built.element(list, 0).ok_or(Fault::Internal)?;
        self.state.loops.push(Loop {
            kind: instruction.a,
            list,
            next: 1,
            element,
            accumulator: initial,
            out: Vec::new(),
        });
        Ok(true)
    }

    /// Takes what the loop's body answered; true when the loop is over, and its result lies on the stack.
    #[inline(never)]
    fn turn_loop(&mut self, stack: &mut Stack<'_, 'a>) -> Result<bool, Fault> {
        let value = stack.pop()?;
        let result = self.state.step_loop(value)?;
        result.map_or(Ok(false), |result| stack.push(result).map(|()| true))
    }

    /// An operator that takes its arguments off the stack.
    #[inline(never)]
    fn apply(&mut self, instruction: &Instruction, stack: &mut Stack<'_, 'a>) -> Result<(), Fault> {
        let taken = operators::taken(instruction);
        let arguments = stack.last(taken)?;
        let answer = operators::apply(&mut self.state, instruction, arguments)?;
        if T::ON
            && let (Some(name), Some(left)) = (operators::test(instruction), arguments.first())
        {
            let (left, right) = (*left, arguments.get(1).copied());
            let test = Test { name, attribute: None, left, right, result: answer };
            self.trace.test(&self.state.built, test);
        }
        stack.replace(taken, answer)
    }
}
