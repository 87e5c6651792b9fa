//! Tests of an attribute against a constant, in the form that the snapshot keeps it in: the fast half of every rule.

use flagstone_snapshot::layout::Instruction;
use flagstone_snapshot::program::code;
use flagstone_snapshot::version::{Relation, Version};

use crate::context::Context;
use crate::item::Item;
use crate::operators;
use crate::state::{Fault, State};
use crate::trace::{Test, Trace};

/// The answer of one such test; none is null.
#[inline]
pub(crate) fn run(state: &mut State<'_>, instruction: &Instruction) -> Result<Option<bool>, Fault> {
    let scene = &state.scene;
    let attribute = u32::from(instruction.b.get());
    let constant = scene.snapshot.heap_at(instruction.c.get());
    Ok(match instruction.op {
        code::ATTRIBUTE_IN => Some(scene.context.text_in(attribute, constant)),
        code::ATTRIBUTE_COMPARE => match (scene.context.text(attribute), constant_text(constant)) {
            (Some(text), Some(constant)) => Some((text == constant) == (instruction.a < 2)),
            (Some(_), None) => None,
            (None, _) => return compare(state, instruction),
        },
        code::ATTRIBUTE_VERSION => version(state, instruction),
        code::ATTRIBUTE_STARTS => affix(scene.context, attribute, constant, <[u8]>::starts_with),
        _ => affix(scene.context, attribute, constant, <[u8]>::ends_with),
    })
}

#[inline]
fn affix(
    context: &Context,
    attribute: u32,
    constant: &[u8],
    holds: impl FnOnce(&[u8], &[u8]) -> bool,
) -> Option<bool> {
    Some(holds(context.text(attribute)?, constant_text(constant)?))
}

#[inline]
fn version(state: &State<'_>, instruction: &Instruction) -> Option<bool> {
    let scene = &state.scene;
    let attribute = u32::from(instruction.b.get());
    let relation = Relation::from_code(instruction.a)?;
    let other = Version::read(scene.snapshot.heap_at(instruction.c.get()))?;
    match scene.context.version(scene.snapshot, attribute) {
        Some(version) => Some(relation.holds(&version, &other)),
        None => number_as_version(state, attribute, relation, &other),
    }
}

/// An attribute that is no text: by JavaScript's rules, and charged for what is read.
#[cold]
#[inline(never)]
fn compare(state: &mut State<'_>, instruction: &Instruction) -> Result<Option<bool>, Fault> {
    let scene = state.scene;
    let value = scene.context.attribute(u32::from(instruction.b.get()));
    let work = operators::weight(&state.built, value);
    if work > 0 {
        state.charge(work)?;
    }
    let constant = Item::read(scene.snapshot.heap_at(instruction.c.get()));
    Ok(Some(operators::compare(&state.built, instruction.a, value, constant)))
}

/// The text value at the start of checked bytes.
#[inline]
fn constant_text(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.get(1..)?.split_first_chunk::<4>()?;
    rest.get(..u32::from_le_bytes(*length) as usize)
}

/// flagd reads a number by its text.
#[cold]
#[inline(never)]
fn number_as_version(
    state: &State<'_>,
    attribute: u32,
    relation: Relation,
    other: &Version<'_>,
) -> Option<bool> {
    let value = state.scene.context.attribute(attribute);
    value.number()?;
    let text = operators::written(&state.built, value)?;
    Some(relation.holds(&Version::parse(text.as_bytes())?, other))
}

/// Tells the listener of it.
pub(crate) fn tell<'a>(
    state: &State<'a>,
    instruction: &Instruction,
    result: Item<'a>,
    trace: &mut impl Trace,
) {
    let scene = &state.scene;
    let attribute = u32::from(instruction.b.get());
    let constant = scene.snapshot.heap_at(instruction.c.get());
    let comparison = operators::COMPARISONS.get(usize::from(instruction.a)).copied().unwrap_or("?");
    let (name, right) = match instruction.op {
        code::ATTRIBUTE_IN => ("in", None),
        code::ATTRIBUTE_STARTS => ("starts_with", Some(Item::read(constant))),
        code::ATTRIBUTE_ENDS => ("ends_with", Some(Item::read(constant))),
        code::ATTRIBUTE_COMPARE => (comparison, Some(Item::read(constant))),
        _ => ("sem_ver", None),
    };
    let left = scene.context.attribute(attribute);
    trace.test(
        &state.built,
        Test { name, attribute: scene.snapshot.attribute(attribute), left, right, result },
    );
}
