//! Tests of an attribute against a constant, in the form that the snapshot keeps it in: the fast half of every rule.

use flagstone_snapshot::blob::text_set;
use flagstone_snapshot::layout::Instruction;
use flagstone_snapshot::program::code;
use flagstone_snapshot::version::{Relation, Version};

use crate::item::Item;
use crate::operators;
use crate::state::State;
use crate::trace::{Test, Trace};

/// The answer of one such test; none is null.
#[inline]
pub(crate) fn run(state: &State<'_>, instruction: &Instruction) -> Option<bool> {
    let scene = &state.scene;
    let attribute = u32::from(instruction.b.get());
    let constant = scene.snapshot.heap_at(instruction.c.get());
    match instruction.op {
        code::ATTRIBUTE_IN => {
            Some(scene.context.text(attribute).is_some_and(|text| text_set::contains(constant, text)))
        }
        code::ATTRIBUTE_COMPARE => Some(match scene.context.text(attribute) {
            Some(text) => (text == constant_text(constant)?) == (instruction.a < 2),
            None => {
                let value = scene.context.attribute(attribute);
                operators::compare(&state.built, instruction.a, value, Item::read(constant))
            }
        }),
        code::ATTRIBUTE_VERSION => {
            let relation = Relation::from_code(instruction.a)?;
            let other = Version::read(constant)?;
            match scene.context.version(scene.snapshot, attribute) {
                Some(version) => Some(relation.holds(&version, &other)),
                None => number_as_version(state, attribute, relation, &other),
            }
        }
        code::ATTRIBUTE_STARTS => Some(scene.context.text(attribute)?.starts_with(constant_text(constant)?)),
        _ => Some(scene.context.text(attribute)?.ends_with(constant_text(constant)?)),
    }
}

/// What a comparison has to read when the attribute is no text: the text of a list.
#[inline]
pub(crate) fn work(state: &State<'_>, instruction: &Instruction) -> usize {
    let attribute = u32::from(instruction.b.get());
    match (instruction.op, state.scene.context.text(attribute)) {
        (code::ATTRIBUTE_COMPARE, None) => {
            operators::weight(&state.built, state.scene.context.attribute(attribute))
        }
        _ => 0,
    }
}

/// The text value at the start of checked bytes.
#[inline]
fn constant_text(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.get(1..)?.split_first_chunk::<4>()?;
    rest.get(..u32::from_le_bytes(*length) as usize)
}

/// flagd reads a number by its text.
#[cold]
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
