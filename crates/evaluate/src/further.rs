//! The operators that are ours, beside JsonLogic's and flagd's. All answer null, not false, for what they cannot read.

use alloc::string::String;

use flagstone_snapshot::blob::{dfa, key_set, network};
use flagstone_snapshot::layout::Instruction;
use flagstone_snapshot::program::code;
use flagstone_snapshot::time;

use crate::fold;
use crate::item::{Built, Item};
use crate::operators::{self, length};
use crate::state::{Fault, State};

/// Operators of two values.
pub(crate) fn two<'a>(
    state: &mut State<'a>,
    instruction: &Instruction,
    left: Item<'a>,
    right: Item<'a>,
) -> Result<Item<'a>, Fault> {
    let answer = match instruction.op {
        code::FOLD => {
            let work = match instruction.a {
                // A part is looked for at every place.
                3 => length(&state.built, left).saturating_mul(length(&state.built, right).max(1)) / 8,
                4 => length(&state.built, left).saturating_mul(length(&state.built, right)) / 8,
                _ => length(&state.built, left),
            };
            state.charge(work)?;
            folded(&state.built, instruction.a, left, right)
        }
        code::ORDER => match (left.number(), right.number()) {
            (Some(_), Some(_)) => Some(operators::compare(&state.built, instruction.a, left, right)),
            _ => None,
        },
        _ => {
            let (a, b) = (state.built.count(left), state.built.count(right));
            // Each element is compared with each, texts as far as both go.
            let each = operators::weight(&state.built, left);
            state.charge(each.saturating_mul(b.unwrap_or_default().max(1)))?;
            a.zip(b).map(|counts| overlap(&state.built, instruction.a, (left, right), counts))
        }
    };
    Ok(answer.map_or(Item::Null, Item::Bool))
}

fn folded<'a>(built: &Built<'a>, test: u8, left: Item<'a>, right: Item<'a>) -> Option<bool> {
    let text = built.str(left)?;
    if test == 4 {
        let count = built.count(right)?;
        return Some((0..count).any(|index| {
            let element = built.element(right, index);
            element.and_then(|element| built.str(element)).is_some_and(|other| fold::equal(text, other))
        }));
    }
    let other = built.str(right)?;
    Some(match test {
        0 => fold::equal(text, other),
        1 => fold::starts_with(text, other),
        2 => fold::ends_with(text, other),
        _ => fold::contains(text, other),
    })
}

fn overlap<'a>(
    built: &Built<'a>,
    which: u8,
    (left, right): (Item<'a>, Item<'a>),
    (lefts, rights): (usize, usize),
) -> bool {
    let has = |list: Item<'a>, count: usize, wanted: Item<'a>| {
        (0..count)
            .any(|index| built.element(list, index).is_some_and(|item| built.strict_equal(item, wanted)))
    };
    if which == 1 {
        let mut wanted = (0..rights).filter_map(|index| built.element(right, index));
        return wanted.all(|item| has(left, lefts, item));
    }
    let any = (0..lefts).filter_map(|index| built.element(left, index)).any(|item| has(right, rights, item));
    any == (which == 0)
}

/// Operators of one value, with their constant in the heap.
pub(crate) fn one<'a>(
    state: &mut State<'a>,
    instruction: &Instruction,
    value: Item<'a>,
) -> Result<Item<'a>, Fault> {
    state.charge(length(&state.built, value))?;
    let constant = state.scene.snapshot.heap_at(instruction.c.get());
    let built = &state.built;
    Ok(match instruction.op {
        code::MATCHES => {
            built.text(value).map_or(Item::Null, |text| Item::Bool(dfa::matches(constant, text)))
        }
        code::IN_KEYS => Item::Bool(built.text(value).is_some_and(|text| key_set::contains(constant, text))),
        code::IN_NETWORK => {
            let inside = built.str(value).and_then(|text| network::contains(constant, text));
            inside.map_or(Item::Null, Item::Bool)
        }
        _ => match (built.str(value), value.number()) {
            (Some(text), _) => time::parse(text).map_or(Item::Null, Item::Integer),
            (None, Some(number)) => whole(value, number),
            _ => Item::Null,
        },
    })
}

/// Seconds without their fraction.
fn whole<'a>(value: Item<'a>, number: f64) -> Item<'a> {
    match value {
        Item::Number(_) => Item::Number(libm::floor(number)),
        other => other,
    }
}

/// `between`: both ends included.
pub(crate) fn within<'a>(value: Item<'a>, low: Item<'a>, high: Item<'a>) -> Item<'a> {
    if value.number().is_none() || low.number().is_none() || high.number().is_none() {
        return Item::Null;
    }
    let built = Built { text: String::new(), items: alloc::vec::Vec::new() };
    Item::Bool(operators::compare(&built, 5, low, value) && operators::compare(&built, 5, value, high))
}
