//! What each operator does with its arguments; the rules are JsonLogic's (that is, JavaScript's) and flagd's.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use flagstone_snapshot::Value;
use flagstone_snapshot::layout::Instruction;
use flagstone_snapshot::program::code;

use crate::fractional;
use crate::item::{Built, Item, parse_float};
use crate::machine::{Fault, MAX_BUILT_TEXT, Machine};
use crate::semver;

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

/// `in`: text in text, or an element of a list.
pub(crate) fn contains<'a>(built: &Built<'a>, needle: Item<'a>, haystack: Item<'a>) -> bool {
    if let Some(text) = built.text(haystack) {
        return match built.text(needle) {
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

/// flagd's `sem_ver`; numbers are read by their text.
pub(crate) fn sem_ver<'a>(
    built: &Built<'a>,
    left: Item<'a>,
    operator: Item<'a>,
    right: Item<'a>,
) -> Option<bool> {
    let operator = built.text(operator)?;
    match (built.text(left), built.text(right)) {
        (Some(left), Some(right)) => semver::compare(left, operator, right),
        _ => {
            let written = |item: Item<'a>| {
                let scalar = item.number().is_some() || built.text(item).is_some();
                scalar.then(|| {
                    let mut out = String::new();
                    built.write(item, &mut out);
                    out
                })
            };
            semver::compare(&written(left)?, operator, &written(right)?)
        }
    }
}

/// flagd's `fractional`; `mode` is the version, with [`code::KEYED`] when the first argument is the
/// bucketing value.
pub(crate) fn fractional<'a>(machine: &Machine<'a>, mode: u8, arguments: &[Item<'a>]) -> Item<'a> {
    let version = mode & !code::KEYED;
    let built = &machine.built;
    let (hash, pairs) = if mode >= code::KEYED {
        match arguments.split_first() {
            Some((key, pairs)) => (fractional::hash(built, version, *key), pairs),
            None => return Item::Null,
        }
    } else {
        let hash = match machine.scene.context.at("targetingKey") {
            Value::Text(key) => Some(fractional::default_hash(version, machine.scene.flag_key, key)),
            Value::Null => Some(fractional::default_hash(version, machine.scene.flag_key, "")),
            _ => None,
        };
        (hash, arguments)
    };
    hash.and_then(|hash| fractional::choose(version, hash, pairs)).unwrap_or(Item::Null)
}

/// A number, or null where JavaScript would have NaN or an infinity.
pub(crate) fn finite<'a>(number: f64) -> Item<'a> {
    if number.is_finite() { Item::Number(number) } else { Item::Null }
}

/// The operators that take any number of arguments.
pub(crate) fn many<'a>(
    machine: &mut Machine<'a>,
    instruction: &Instruction,
    arguments: &[Item<'a>],
) -> Result<Item<'a>, Fault> {
    match instruction.op {
        code::CONCATENATE => {
            let mut text = String::new();
            for argument in arguments {
                machine.built.write(*argument, &mut text);
                if text.len() > MAX_BUILT_TEXT {
                    return Err(Fault::Size);
                }
            }
            keep(machine, &text)
        }
        code::SUBSTRING => {
            let mut text = String::new();
            let [source, numbers @ ..] = arguments else { return Err(Fault::Internal) };
            machine.built.write(*source, &mut text);
            let mut bounds = numbers.iter().map(|number| machine.built.to_number(*number));
            let part = substring(&text, bounds.next().unwrap_or_default(), bounds.next());
            keep(machine, &part)
        }
        code::ARITHMETIC => Ok(arithmetic(&machine.built, instruction.a, arguments)),
        code::LIST => machine.gather(arguments),
        code::MERGE => {
            let mut merged = Vec::new();
            for argument in arguments {
                match machine.built.count(*argument) {
                    Some(count) => {
                        merged.extend((0..count).filter_map(|index| machine.built.element(*argument, index)));
                    }
                    None => merged.push(*argument),
                }
            }
            machine.gather(&merged)
        }
        code::MISSING => {
            // One list of paths may stand for all arguments.
            let missing = match arguments {
                [only] if machine.built.count(*only).is_some() => {
                    missing(machine, &elements(machine, *only))?
                }
                all => missing(machine, all)?,
            };
            machine.gather(&missing)
        }
        _ => Err(Fault::Internal),
    }
}

/// `missing_some`: none missing when enough are there, else those missing.
pub(crate) fn missing_some<'a>(
    machine: &mut Machine<'a>,
    needed: Item<'a>,
    paths: Item<'a>,
) -> Result<Item<'a>, Fault> {
    let paths = elements(machine, paths);
    let absent = missing(machine, &paths)?;
    let present = (paths.len() - absent.len()) as f64;
    if present >= machine.built.to_number(needed) { machine.gather(&[]) } else { machine.gather(&absent) }
}

fn elements<'a>(machine: &Machine<'a>, list: Item<'a>) -> Vec<Item<'a>> {
    let count = machine.built.count(list).unwrap_or_default();
    (0..count).filter_map(|index| machine.built.element(list, index)).collect()
}

fn missing<'a>(machine: &Machine<'a>, paths: &[Item<'a>]) -> Result<Vec<Item<'a>>, Fault> {
    let mut absent = Vec::new();
    for path in paths {
        let found = variable(machine, *path)?;
        if matches!(found, Item::Null) || machine.built.text(found) == Some("") {
            absent.push(*path);
        }
    }
    Ok(absent)
}

/// `var`: what the present scope has at a path.
pub(crate) fn variable<'a>(machine: &Machine<'a>, path: Item<'a>) -> Result<Item<'a>, Fault> {
    let mut written = String::new();
    let path = match machine.built.text(path) {
        Some(text) => text,
        None if path.number().is_some() => {
            machine.built.write(path, &mut written);
            &written
        }
        None if matches!(path, Item::Null) => "",
        None => return Ok(Item::Null),
    };
    let Some(frame) = machine.loops.last() else {
        return Ok(match path {
            "" => machine.scene.context.whole().into(),
            "$flagd.flagKey" => Item::Text(machine.scene.flag_key),
            "$flagd.timestamp" => Item::Integer(machine.scene.now as i64),
            path => machine.scene.context.at(path).into(),
        });
    };
    let Some(accumulator) = frame.accumulator else { return Ok(walk(&machine.built, frame.element, path)) };
    let (name, rest) = path.split_once('.').unwrap_or((path, ""));
    Ok(match name {
        "current" => walk(&machine.built, frame.element, rest),
        "accumulator" => walk(&machine.built, accumulator, rest),
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
            Item::Object(object) => object.get(part).map_or(Item::Null, Item::from),
            list => part.parse().ok().and_then(|index| built.element(list, index)).unwrap_or(Item::Null),
        };
    }
    here
}

/// Keeps text that was built.
fn keep<'a>(machine: &mut Machine<'a>, text: &str) -> Result<Item<'a>, Fault> {
    let start = machine.built.text.len();
    let end = start + text.len();
    if end > MAX_BUILT_TEXT {
        return Err(Fault::Size);
    }
    machine.built.text.push_str(text);
    Ok(Item::Made(start as u32, end as u32))
}

/// `substr`: a negative start counts from the end, a negative length leaves that many off the end.
fn substring(text: &str, start: f64, length: Option<f64>) -> String {
    let size = text.chars().count() as f64;
    let whole = |number: f64| if number.is_nan() { 0.0 } else { libm::trunc(number) };
    let start = whole(start);
    let start = if start < 0.0 { libm::fmax(size + start, 0.0) } else { libm::fmin(start, size) };
    let take = match length.map(whole) {
        None => size,
        Some(length) if length < 0.0 => libm::fmax(size - start + length, 0.0),
        Some(length) => length,
    };
    text.chars().skip(start as usize).take(take as usize).collect()
}

/// `+ - * / % min max`. `+` and `*` read text by `parseFloat`, the others by `Number`.
fn arithmetic<'a>(built: &Built<'a>, which: u8, arguments: &[Item<'a>]) -> Item<'a> {
    let lenient = |item: &Item<'a>| match built.text(*item) {
        Some(text) => parse_float(text).unwrap_or(f64::NAN),
        None => match item {
            Item::Null | Item::Bool(_) => f64::NAN,
            other => built.to_number(*other),
        },
    };
    let number = |index: usize| arguments.get(index).map_or(f64::NAN, |item| built.to_number(*item));
    finite(match which {
        0 => arguments.iter().map(lenient).sum(),
        1 if arguments.len() == 1 => -number(0),
        1 => number(0) - number(1),
        2 => arguments.iter().map(lenient).product(),
        3 => number(0) / number(1),
        4 => libm::fmod(number(0), number(1)),
        5 | 6 => extreme(arguments.iter().map(|item| built.to_number(*item)), which == 5),
        _ => f64::NAN,
    })
}

/// The least or greatest number; NaN when any is, infinite (so null) when there is none.
fn extreme(numbers: impl Iterator<Item = f64>, least: bool) -> f64 {
    let start = if least { f64::INFINITY } else { f64::NEG_INFINITY };
    numbers.fold(start, |kept, number| {
        if kept.is_nan() || number.is_nan() {
            f64::NAN
        } else if (number < kept) == least {
            number
        } else {
            kept
        }
    })
}
