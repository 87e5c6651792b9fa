//! The stack machine that runs a rule: iterative, bounded in steps, stack, loops and text.
//!
//! Rules were checked when the snapshot was loaded, so that a stack access that finds nothing is a fault of
//! ours; it is answered with [`Fault::Internal`], never with a panic.

use alloc::vec::Vec;

use flagstone_snapshot::layout::Instruction;
use flagstone_snapshot::program::code;
use flagstone_snapshot::{Rule, Snapshot};

use crate::context::Context;
use crate::item::{Built, Item};
use crate::operators;

/// Steps of one evaluation: a hundred times the longest rule, and half a millisecond at most.
pub const MAX_STEPS: u32 = 100_000;
/// Bytes of text that one evaluation may build.
pub const MAX_BUILT_TEXT: usize = 64 << 10;
/// List elements that one evaluation may gather.
pub const MAX_BUILT_ITEMS: usize = 64 << 10;

/// Why a rule gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// More than [`MAX_STEPS`].
    Steps,
    /// More than [`MAX_BUILT_TEXT`] or [`MAX_BUILT_ITEMS`].
    Size,
    /// A rule that loading should have refused.
    Internal,
}

/// Everything that a rule can see.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) snapshot: Snapshot<'a>,
    pub(crate) context: &'a Context,
    pub(crate) flag_key: &'a str,
    pub(crate) now: u64,
}

/// An open iteration.
pub(crate) struct Loop<'a> {
    kind: u8,
    list: Item<'a>,
    next: usize,
    /// The element under way, or reduce's `current`.
    pub(crate) element: Item<'a>,
    /// Reduce's `accumulator`.
    pub(crate) accumulator: Option<Item<'a>>,
    out: Vec<Item<'a>>,
}

/// One evaluation.
pub(crate) struct Machine<'a> {
    pub(crate) scene: Scene<'a>,
    pub(crate) built: Built<'a>,
    pub(crate) loops: Vec<Loop<'a>>,
    steps: u32,
}

struct Stack<'a, const N: usize> {
    items: [Item<'a>; N],
    top: usize,
}

impl<'a, const N: usize> Stack<'a, N> {
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

impl<'a> Machine<'a> {
    pub(crate) fn new(scene: Scene<'a>) -> Self {
        Machine { scene, built: Built::default(), loops: Vec::new(), steps: MAX_STEPS }
    }

    /// Runs a rule to its answer. The stack is sized to what the rule needs, in three steps.
    pub(crate) fn run(&mut self, rule: Rule<'a>) -> Result<Item<'a>, Fault> {
        match rule.stack {
            0..=8 => self.run_with::<8>(rule.code),
            9..=32 => self.run_with::<32>(rule.code),
            _ => self.run_with::<256>(rule.code),
        }
    }

    fn run_with<const N: usize>(&mut self, program: &'a [Instruction]) -> Result<Item<'a>, Fault> {
        let mut stack = Stack::<N> { items: [Item::Null; N], top: 0 };
        let mut at = 0usize;
        while let Some(instruction) = program.get(at) {
            self.steps = self.steps.checked_sub(1).ok_or(Fault::Steps)?;
            at += 1;
            let target = instruction.c.get() as usize;
            let count = usize::from(instruction.b.get());
            match instruction.op {
                code::NULL => stack.push(Item::Null)?,
                code::BOOL => stack.push(Item::Bool(instruction.a != 0))?,
                code::VALUE => stack.push(self.scene.snapshot.constant(instruction.c.get()).into())?,
                code::ATTRIBUTE => stack.push(self.scene.context.attribute(instruction.c.get()).into())?,
                code::FLAG_KEY => stack.push(Item::Text(self.scene.flag_key))?,
                code::TIMESTAMP => stack.push(Item::Integer(self.scene.now as i64))?,
                code::VARIABLE => {
                    let path = stack.pop()?;
                    let found = operators::variable(self, path)?;
                    stack.push(found)?;
                }
                code::JUMP => at = target,
                code::JUMP_IF_FALSE => {
                    if !self.built.truthy(stack.pop()?) {
                        at = target;
                    }
                }
                code::JUMP_IF_TRUE => {
                    if self.built.truthy(stack.pop()?) {
                        at = target;
                    }
                }
                code::AND_JUMP | code::OR_JUMP | code::COALESCE_JUMP => {
                    let top = stack.pop()?;
                    let keep = match instruction.op {
                        code::AND_JUMP => !self.built.truthy(top),
                        code::OR_JUMP => self.built.truthy(top),
                        _ => !matches!(top, Item::Null),
                    };
                    if keep {
                        stack.push(top)?;
                        at = target;
                    }
                }
                code::NOT => {
                    let value = stack.pop()?;
                    stack.push(Item::Bool(!self.built.truthy(value)))?;
                }
                code::TRUTHY => {
                    let value = stack.pop()?;
                    stack.push(Item::Bool(self.built.truthy(value)))?;
                }
                code::COMPARE => {
                    let [left, right] = pair(stack.last(2)?)?;
                    stack.replace(
                        2,
                        Item::Bool(operators::compare(&self.built, instruction.a, left, right)),
                    )?;
                }
                code::BETWEEN => {
                    let [low, middle, high] = triple(stack.last(3)?)?;
                    let holds = operators::compare(&self.built, instruction.a, low, middle)
                        && operators::compare(&self.built, instruction.a, middle, high);
                    stack.replace(3, Item::Bool(holds))?;
                }
                code::IN => {
                    let [needle, haystack] = pair(stack.last(2)?)?;
                    let found = operators::contains(&self.built, needle, haystack);
                    stack.replace(2, Item::Bool(found))?;
                }
                code::STARTS_WITH | code::ENDS_WITH => {
                    let [text, affix] = pair(stack.last(2)?)?;
                    let answer = match (self.built.text(text), self.built.text(affix)) {
                        (Some(text), Some(affix)) if instruction.op == code::STARTS_WITH => {
                            Item::Bool(text.as_bytes().starts_with(affix.as_bytes()))
                        }
                        (Some(text), Some(affix)) => Item::Bool(text.as_bytes().ends_with(affix.as_bytes())),
                        _ => Item::Null,
                    };
                    stack.replace(2, answer)?;
                }
                code::SEM_VER => {
                    let [left, operator, right] = triple(stack.last(3)?)?;
                    let answer = operators::sem_ver(&self.built, left, operator, right);
                    stack.replace(3, answer.map_or(Item::Null, Item::Bool))?;
                }
                code::TO_NUMBER => {
                    let value = stack.pop()?;
                    let number = self.built.to_number(value);
                    stack.push(operators::finite(number))?;
                }
                code::FRACTIONAL => {
                    let keyed = instruction.a >= code::KEYED;
                    let taken = 2 * count + usize::from(keyed);
                    let answer = operators::fractional(self, instruction.a, stack.last(taken)?);
                    stack.replace(taken, answer)?;
                }
                code::EACH => {
                    let initial = if instruction.a == operators::REDUCE { Some(stack.pop()?) } else { None };
                    let list = stack.pop()?;
                    let size = self.built.count(list).unwrap_or_default();
                    if size == 0 {
                        stack.push(operators::empty_loop(instruction.a, initial))?;
                        at = target;
                    } else {
                        let element = self.built.element(list, 0).ok_or(Fault::Internal)?;
                        self.loops.push(Loop {
                            kind: instruction.a,
                            list,
                            next: 1,
                            element,
                            accumulator: initial,
                            out: Vec::new(),
                        });
                    }
                }
                code::END_EACH => {
                    let value = stack.pop()?;
                    match self.step_loop(value)? {
                        None => at = target,
                        Some(result) => stack.push(result)?,
                    }
                }
                code::CONCATENATE
                | code::SUBSTRING
                | code::ARITHMETIC
                | code::LIST
                | code::MERGE
                | code::MISSING => {
                    let answer = operators::many(self, instruction, stack.last(count)?)?;
                    stack.replace(count, answer)?;
                }
                code::MISSING_SOME => {
                    let [needed, paths] = pair(stack.last(2)?)?;
                    let answer = operators::missing_some(self, needed, paths)?;
                    stack.replace(2, answer)?;
                }
                _ => return Err(Fault::Internal),
            }
        }
        stack.pop()
    }

    /// Takes the value of a loop's body: the loop's result when it is done, none to go round again.
    fn step_loop(&mut self, value: Item<'a>) -> Result<Option<Item<'a>>, Fault> {
        let truthy = self.built.truthy(value);
        let frame = self.loops.last_mut().ok_or(Fault::Internal)?;
        let mut done = None;
        match frame.kind {
            operators::MAP => frame.out.push(value),
            operators::FILTER if truthy => frame.out.push(frame.element),
            operators::ALL if !truthy => done = Some(Item::Bool(false)),
            operators::SOME if truthy => done = Some(Item::Bool(true)),
            operators::NONE if truthy => done = Some(Item::Bool(false)),
            operators::REDUCE => frame.accumulator = Some(value),
            _ => {}
        }
        if frame.out.len() > MAX_BUILT_ITEMS {
            return Err(Fault::Size);
        }
        if done.is_none() {
            match self.built.element(frame.list, frame.next) {
                Some(element) => {
                    frame.element = element;
                    frame.next += 1;
                    return Ok(None);
                }
                None => {
                    done = Some(match frame.kind {
                        operators::ALL | operators::NONE => Item::Bool(true),
                        operators::SOME => Item::Bool(false),
                        operators::REDUCE => frame.accumulator.unwrap_or(Item::Null),
                        _ => Item::Null, // replaced by the gathered list below
                    });
                }
            }
        }
        let frame = self.loops.pop().ok_or(Fault::Internal)?;
        if matches!(frame.kind, operators::MAP | operators::FILTER) {
            return self.gather(&frame.out).map(Some);
        }
        Ok(done)
    }

    /// Puts elements behind each other and returns the list of them.
    pub(crate) fn gather(&mut self, elements: &[Item<'a>]) -> Result<Item<'a>, Fault> {
        let start = self.built.items.len();
        let end = start + elements.len();
        if end > MAX_BUILT_ITEMS {
            return Err(Fault::Size);
        }
        self.built.items.extend_from_slice(elements);
        Ok(Item::Gathered(start as u32, end as u32))
    }
}

fn pair<'a>(items: &[Item<'a>]) -> Result<[Item<'a>; 2], Fault> {
    items.first_chunk().copied().ok_or(Fault::Internal)
}

fn triple<'a>(items: &[Item<'a>]) -> Result<[Item<'a>; 3], Fault> {
    items.first_chunk().copied().ok_or(Fault::Internal)
}
