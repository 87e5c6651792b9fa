//! What a rule sees and what it has built so far, with the limits of one evaluation.

use alloc::vec::Vec;

use flagstone_snapshot::Snapshot;

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
    pub(crate) snapshot: &'a Snapshot<'a>,
    pub(crate) context: &'a Context,
    pub(crate) flag_key: &'a [u8],
    pub(crate) now: u64,
}

/// An open iteration.
pub(crate) struct Loop<'a> {
    pub(crate) kind: u8,
    pub(crate) list: Item<'a>,
    pub(crate) next: usize,
    /// The element under way, or reduce's `current`.
    pub(crate) element: Item<'a>,
    /// Reduce's `accumulator`.
    pub(crate) accumulator: Option<Item<'a>>,
    pub(crate) out: Vec<Item<'a>>,
}

/// One evaluation under way.
pub(crate) struct State<'a> {
    pub(crate) scene: Scene<'a>,
    pub(crate) built: Built<'a>,
    pub(crate) loops: Vec<Loop<'a>>,
    /// Whether the prerequisite decided last answers as it does because of a halt or a lost lease, its own or that of
    /// one that it asks for.
    pub(crate) stopped: bool,
    steps: u32,
}

impl<'a> State<'a> {
    pub(crate) fn new(scene: Scene<'a>) -> Self {
        State { scene, built: Built::default(), loops: Vec::new(), stopped: false, steps: MAX_STEPS }
    }

    /// Another flag in the same scene: nothing of the evaluation before is left but its room.
    pub(crate) fn begin(&mut self, flag_key: &'a [u8]) {
        self.scene.flag_key = flag_key;
        self.built.text.clear();
        self.built.items.clear();
        self.loops.clear();
        self.stopped = false;
        self.steps = MAX_STEPS;
    }

    /// Takes a step, and one more for every 16 `units` of work in it: bytes searched, elements compared.
    #[inline]
    pub(crate) fn charge(&mut self, units: usize) -> Result<(), Fault> {
        let cost = u32::try_from(units / 16).unwrap_or(u32::MAX).saturating_add(1);
        self.steps = self.steps.checked_sub(cost).ok_or(Fault::Steps)?;
        Ok(())
    }

    /// Takes the value of a loop's body: the loop's result when it is done, none to go round again.
    pub(crate) fn step_loop(&mut self, value: Item<'a>) -> Result<Option<Item<'a>>, Fault> {
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
