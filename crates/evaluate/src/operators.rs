//! What each operator does with its arguments; the rules are JsonLogic's (that is, JavaScript's) and flagd's.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use flagstone_snapshot::layout::Instruction;
use flagstone_snapshot::program::code;
use flagstone_snapshot::version::{Relation, Version};

use crate::arithmetic::{arithmetic, finite, substring};
use crate::item::{Built, Item, MAX_NESTING, members};
use crate::state::{Fault, MAX_BUILT_TEXT, State};
use crate::{fractional, further};

/// `Iteration::Map`.
pub(crate) const MAP: u8 = 0;
/// `Iteration::Filter`.
pub(crate) const FILTER: u8 = 1;
/// `Iteration::All`.
pub(crate) const ALL: u8 = 2;
/// `Iteration::Some`.
pub(crate) const SOME: u8 = 3;
/// `Iteration::None`.
pub(crate) const NONE: u8 = 4;
/// `Iteration::Reduce`.
pub(crate) const REDUCE: u8 = 5;

/// The result of a loop over nothing.
pub(crate) fn empty_loop<'a>(kind: u8, initial: Option<Item<'a>>) -> Item<'a> {
    match kind {
        MAP | FILTER => Item::Gathered(0, 0),
        NONE => Item::Bool(true),
        REDUCE => initial.unwrap_or(Item::Null),
        _ => Item::Bool(false),
    }
}

/// `== === != !== < <= > >=`.
pub(crate) fn compare<'a>(built: &Built<'a>, comparison: u8, left: Item<'a>, right: Item<'a>) -> bool {
    match comparison {
        0 => built.loose_equal(left, right),
        1 => built.strict_equal(left, right),
        2 => !built.loose_equal(left, right),
        3 => !built.strict_equal(left, right),
        ordering => matches!(
            (built.order(left, right), ordering),
            (Some(Ordering::Less), 4 | 5) | (Some(Ordering::Equal), 5 | 7) | (Some(Ordering::Greater), 6 | 7)
        ),
    }
}

/// `== === != !== < <= > >=`, by code.
pub(crate) const COMPARISONS: &[&str] = &["==", "===", "!=", "!==", "<", "<=", ">", ">="];

/// `in`: text in text, or an element of a list.
fn contains<'a>(built: &Built<'a>, needle: Item<'a>, haystack: Item<'a>) -> bool {
    if let Some(text) = built.str(haystack) {
        return match built.str(needle) {
            Some(needle) => text.contains(needle),
            None if matches!(needle, Item::Null) => false,
            None => {
                let mut written = String::new();
                built.write(needle, &mut written);
                text.contains(&written)
            }
        };
    }
    let count = built.count(haystack).unwrap_or_default();
    (0..count).any(|index| {
        built.element(haystack, index).is_some_and(|element| built.strict_equal(needle, element))
    })
}

/// How much there is to look through: bytes of a text, elements of a list by the cost of a comparison.
pub(crate) fn length<'a>(built: &Built<'a>, item: Item<'a>) -> usize {
    built.text(item).map_or_else(|| 8 * built.count(item).unwrap_or_default(), <[u8]>::len)
}

/// flagd's `starts_with` and `ends_with`.
pub(crate) fn affix<'a>(built: &Built<'a>, text: Item<'a>, affix: Item<'a>, ends: bool) -> Item<'a> {
    match (built.text(text), built.text(affix)) {
        (Some(text), Some(affix)) if ends => Item::Bool(text.ends_with(affix)),
        (Some(text), Some(affix)) => Item::Bool(text.starts_with(affix)),
        _ => Item::Null,
    }
}

/// flagd's `sem_ver`; numbers are read by their text.
fn sem_ver<'a>(built: &Built<'a>, left: Item<'a>, operator: Item<'a>, right: Item<'a>) -> Option<bool> {
    let relation = Relation::parse(built.text(operator)?)?;
    if let (Some(left), Some(right)) = (built.text(left), built.text(right)) {
        return Some(relation.holds(&Version::parse(left)?, &Version::parse(right)?));
    }
    let (left, right) = (written(built, left)?, written(built, right)?);
    Some(relation.holds(&Version::parse(left.as_bytes())?, &Version::parse(right.as_bytes())?))
}

/// A number or text as text.
pub(crate) fn written<'a>(built: &Built<'a>, item: Item<'a>) -> Option<String> {
    let scalar = item.number().is_some() || built.text(item).is_some();
    scalar.then(|| {
        let mut out = String::new();
        built.write(item, &mut out);
        out
    })
}

/// How many values an operator takes off the stack; each leaves one.
pub(crate) fn taken(instruction: &Instruction) -> usize {
    let count = usize::from(instruction.b.get());
    match instruction.op {
        code::FLAG_KEY | code::TIMESTAMP => 0,
        code::COMPARE
        | code::IN
        | code::MISSING_SOME
        | code::STARTS_WITH
        | code::ENDS_WITH
        | code::FOLD
        | code::ORDER
        | code::OVERLAP => 2,
        code::BETWEEN | code::SEM_VER | code::WITHIN => 3,
        code::SUBSTRING | code::CONCATENATE | code::ARITHMETIC | code::LIST | code::MERGE | code::MISSING => {
            count
        }
        code::FRACTIONAL => 2 * count + usize::from(instruction.a >= code::KEYED),
        _ => 1,
    }
}

/// What an explanation calls an operator that tests something; none for those that only make values.
pub(crate) fn test(instruction: &Instruction) -> Option<&'static str> {
    let names: &[&'static str] = match instruction.op {
        code::COMPARE | code::BETWEEN | code::ORDER => COMPARISONS,
        code::IN => &["in"],
        code::STARTS_WITH => &["starts_with"],
        code::ENDS_WITH => &["ends_with"],
        code::SEM_VER => &["sem_ver"],
        code::WITHIN => &["between"],
        code::FOLD => &[
            "equals_ignore_case",
            "starts_with_ignore_case",
            "ends_with_ignore_case",
            "contains_ignore_case",
            "in_ignore_case",
        ],
        code::OVERLAP => &["any_of", "all_of", "none_of"],
        code::MATCHES => &["matches"],
        code::IN_NETWORK => &["in_network"],
        code::IN_KEYS => &["segment"],
        _ => return None,
    };
    names.get(usize::from(instruction.a)).copied()
}

/// How much an operator has to read beyond a step: roughly bytes. What ours read is charged where they are.
#[inline]
fn work<'a>(built: &Built<'a>, op: u8, arguments: &[Item<'a>]) -> usize {
    match (op, arguments) {
        (code::NOT | code::TRUTHY | code::WITHIN | code::ORDER | code::FOLD | code::OVERLAP, _) => 0,
        (code::MATCHES | code::TIME | code::IN_NETWORK | code::IN_KEYS | code::LIST, _) => 0,
        (code::IN, [needle, list]) if built.count(*list).is_some() => {
            // A text is compared with those of its length only.
            let needle = if built.count(*needle).is_some() { 0 } else { weight(built, *needle) };
            length(built, *list).saturating_mul(8 + needle) / 8
        }
        // A search reads what it looks for several times.
        (code::IN, [needle, text]) => {
            weight(built, *needle).saturating_mul(2).saturating_add(weight(built, *text))
        }
        // Each path is looked up.
        (code::MISSING | code::MISSING_SOME, _) => {
            arguments.iter().map(|item| 2 * weight(built, *item)).sum()
        }
        (code::MERGE, _) => arguments.iter().map(|list| length(built, *list)).sum(),
        _ => arguments.iter().fold(0, |sum: usize, item| sum.saturating_add(weight(built, *item))),
    }
}

/// Bytes of a text, and of all texts in a list or object, with a step for each member.
pub(crate) fn weight<'a>(built: &Built<'a>, item: Item<'a>) -> usize {
    fn within<'a>(built: &Built<'a>, item: Item<'a>, depth: usize) -> usize {
        let inside = |sum: usize, item| sum.saturating_add(within(built, item, depth - 1)).saturating_add(16);
        match (item, built.count(item)) {
            _ if depth == 0 => 0,
            (Item::Object(object), _) => {
                members(object).fold(0, |sum, (key, item)| inside(sum.saturating_add(key.len()), item))
            }
            (list, Some(count)) => (0..count).filter_map(|index| built.element(list, index)).fold(0, inside),
            _ => built.text(item).map_or(0, <[u8]>::len),
        }
    }
    within(built, item, MAX_NESTING)
}

/// The answer of an operator to its arguments.
pub(crate) fn apply<'a>(
    state: &mut State<'a>,
    instruction: &Instruction,
    arguments: &[Item<'a>],
) -> Result<Item<'a>, Fault> {
    let argument = |index: usize| arguments.get(index).copied().ok_or(Fault::Internal);
    let work = work(&state.built, instruction.op, arguments);
    if work > 0 {
        state.charge(work)?;
    }
    Ok(match instruction.op {
        code::FLAG_KEY => Item::Text(state.scene.flag_key),
        code::TIMESTAMP => Item::Integer(state.scene.now as i64),
        code::VARIABLE => variable(state, argument(0)?)?,
        code::NOT => Item::Bool(!state.built.truthy(argument(0)?)),
        code::TRUTHY => Item::Bool(state.built.truthy(argument(0)?)),
        code::COMPARE => Item::Bool(compare(&state.built, instruction.a, argument(0)?, argument(1)?)),
        code::BETWEEN => {
            let (low, middle, high) = (argument(0)?, argument(1)?, argument(2)?);
            Item::Bool(
                compare(&state.built, instruction.a, low, middle)
                    && compare(&state.built, instruction.a, middle, high),
            )
        }
        code::IN => Item::Bool(contains(&state.built, argument(0)?, argument(1)?)),
        code::STARTS_WITH | code::ENDS_WITH => {
            affix(&state.built, argument(0)?, argument(1)?, instruction.op == code::ENDS_WITH)
        }
        code::SEM_VER => {
            sem_ver(&state.built, argument(0)?, argument(1)?, argument(2)?).map_or(Item::Null, Item::Bool)
        }
        code::TO_NUMBER => finite(state.built.to_number(argument(0)?)),
        code::FRACTIONAL => fractional::answer(state, instruction.a, arguments),
        code::MISSING_SOME => missing_some(state, argument(0)?, argument(1)?)?,
        code::FOLD | code::ORDER | code::OVERLAP => {
            further::two(state, instruction, argument(0)?, argument(1)?)?
        }
        code::MATCHES | code::TIME | code::IN_NETWORK | code::IN_KEYS => {
            further::one(state, instruction, argument(0)?)?
        }
        code::WITHIN => further::within(argument(0)?, argument(1)?, argument(2)?),
        _ => return many(state, instruction, arguments),
    })
}

/// The operators that take any number of arguments.
fn many<'a>(
    state: &mut State<'a>,
    instruction: &Instruction,
    arguments: &[Item<'a>],
) -> Result<Item<'a>, Fault> {
    match instruction.op {
        code::CONCATENATE => {
            let mut text = String::new();
            for argument in arguments {
                state.built.write(*argument, &mut text);
                if text.len() > MAX_BUILT_TEXT {
                    return Err(Fault::Size);
                }
            }
            keep(state, &text)
        }
        code::SUBSTRING => {
            let mut text = String::new();
            let [source, numbers @ ..] = arguments else { return Err(Fault::Internal) };
            state.built.write(*source, &mut text);
            let mut bounds = numbers.iter().map(|number| state.built.to_number(*number));
            let part = substring(&text, bounds.next().unwrap_or_default(), bounds.next());
            keep(state, &part)
        }
        code::ARITHMETIC => Ok(arithmetic(&state.built, instruction.a, arguments)),
        code::LIST => state.gather(arguments),
        code::MERGE => {
            let mut merged = Vec::new();
            for argument in arguments {
                match state.built.count(*argument) {
                    Some(count) => {
                        merged.extend((0..count).filter_map(|index| state.built.element(*argument, index)));
                    }
                    None => merged.push(*argument),
                }
            }
            state.gather(&merged)
        }
        code::MISSING => {
            // One list of paths may stand for all arguments.
            let missing = match arguments {
                [only] if state.built.count(*only).is_some() => missing(state, &elements(state, *only))?,
                all => missing(state, all)?,
            };
            state.gather(&missing)
        }
        _ => Err(Fault::Internal),
    }
}

/// `missing_some`: none missing when enough are there, else those missing.
fn missing_some<'a>(state: &mut State<'a>, needed: Item<'a>, paths: Item<'a>) -> Result<Item<'a>, Fault> {
    let paths = elements(state, paths);
    let absent = missing(state, &paths)?;
    let present = (paths.len() - absent.len()) as f64;
    if present >= state.built.to_number(needed) { state.gather(&[]) } else { state.gather(&absent) }
}

fn elements<'a>(state: &State<'a>, list: Item<'a>) -> Vec<Item<'a>> {
    let count = state.built.count(list).unwrap_or_default();
    (0..count).filter_map(|index| state.built.element(list, index)).collect()
}

fn missing<'a>(state: &State<'a>, paths: &[Item<'a>]) -> Result<Vec<Item<'a>>, Fault> {
    let mut absent = Vec::new();
    for path in paths {
        let found = variable(state, *path)?;
        if matches!(found, Item::Null) || state.built.text(found) == Some(b"") {
            absent.push(*path);
        }
    }
    Ok(absent)
}

/// `var`: what the present scope has at a path.
fn variable<'a>(state: &State<'a>, path: Item<'a>) -> Result<Item<'a>, Fault> {
    let mut written = String::new();
    let path = match state.built.str(path) {
        Some(text) => text,
        None if path.number().is_some() => {
            state.built.write(path, &mut written);
            &written
        }
        None if matches!(path, Item::Null) => "",
        None => return Ok(Item::Null),
    };
    let Some(frame) = state.loops.last() else {
        let scene = &state.scene;
        return Ok(match path {
            "" => scene.snapshot.whole_context().map_or(Item::Null, |index| scene.context.attribute(index)),
            "$flagd.flagKey" => Item::Text(scene.flag_key),
            "$flagd.timestamp" => Item::Integer(scene.now as i64),
            path => scene.context.at(scene.snapshot, path),
        });
    };
    let Some(accumulator) = frame.accumulator else { return Ok(walk(&state.built, frame.element, path)) };
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    Ok(match name {
        "current" => walk(&state.built, frame.element, rest),
        "accumulator" => walk(&state.built, accumulator, rest),
        _ => Item::Null,
    })
}

/// Follows a dotted path from a value.
fn walk<'a>(built: &Built<'a>, from: Item<'a>, path: &str) -> Item<'a> {
    if path.is_empty() {
        return from;
    }
    let mut here = from;
    for part in path.split('.') {
        here = match here {
            Item::Object(object) => object.bytes_of(part.as_bytes()).map_or(Item::Null, Item::read),
            list => part.parse().ok().and_then(|index| built.element(list, index)).unwrap_or(Item::Null),
        };
    }
    here
}

/// Keeps text that was built.
fn keep<'a>(state: &mut State<'a>, text: &str) -> Result<Item<'a>, Fault> {
    let start = state.built.text.len();
    let end = start + text.len();
    if end > MAX_BUILT_TEXT {
        return Err(Fault::Size);
    }
    state.built.text.push_str(text);
    Ok(Item::Made(start as u32, end as u32))
}
