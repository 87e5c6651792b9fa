//! Tests of an attribute against a constant, in the form that the snapshot keeps it in: the fast half of every rule.

use flagstone_snapshot::blob::text_set;
use flagstone_snapshot::layout::Instruction;
use flagstone_snapshot::program::code;
use flagstone_snapshot::version::{Relation, Version};

use crate::item::Item;
use crate::operators;
use crate::state::State;
use crate::trace::{Test, Trace};

/// The answer of one such test.
#[inline]
pub(crate) fn run<'a>(state: &State<'a>, instruction: &Instruction) -> Item<'a> {
    let scene = &state.scene;
    let value = scene.context.attribute(u32::from(instruction.b.get()));
    let constant = scene.snapshot.heap_at(instruction.c.get());
    match instruction.op {
        code::ATTRIBUTE_IN => match value {
            Item::Text(text) => Item::Bool(text_set::contains(constant, text)),
            _ => Item::Bool(false),
        },
        code::ATTRIBUTE_COMPARE => {
            let other = Item::read(constant);
            Item::Bool(match (value, other) {
                (Item::Text(text), Item::Text(other)) => (text == other) == (instruction.a < 2),
                _ => operators::compare(&state.built, instruction.a, value, other),
            })
        }
        code::ATTRIBUTE_VERSION => {
            version(state, instruction.a, value, constant).map_or(Item::Null, Item::Bool)
        }
        op => operators::affix(&state.built, value, Item::read(constant), op == code::ATTRIBUTE_ENDS),
    }
}

fn version<'a>(state: &State<'a>, relation: u8, value: Item<'a>, constant: &[u8]) -> Option<bool> {
    let relation = Relation::from_code(relation)?;
    let other = Version::read(constant)?;
    match value {
        Item::Text(text) => Some(relation.holds(&Version::parse(text)?, &other)),
        number => {
            let text = operators::written(&state.built, number)?;
            Some(relation.holds(&Version::parse(text.as_bytes())?, &other))
        }
    }
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
