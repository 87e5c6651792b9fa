//! Operators that calculate, and `substr`; the rules are JsonLogic's, that is, JavaScript's.

use alloc::string::String;

use crate::item::{Built, Item, parse_float};

/// A number, or null where JavaScript would have NaN or an infinity.
pub(crate) fn finite<'a>(number: f64) -> Item<'a> {
    if number.is_finite() { Item::Number(number) } else { Item::Null }
}

/// `substr`: a negative start counts from the end, a negative length leaves that many off the end.
pub(crate) fn substring(text: &str, start: f64, length: Option<f64>) -> String {
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
pub(crate) fn arithmetic<'a>(built: &Built<'a>, which: u8, arguments: &[Item<'a>]) -> Item<'a> {
    let lenient = |item: &Item<'a>| match built.str(*item) {
        Some(text) => parse_float(text).unwrap_or(f64::NAN),
        None => match item {
            Item::Null | Item::Bool(_) => f64::NAN,
            list if built.count(*list).is_some() => parse_float(&built.written(*list)).unwrap_or(f64::NAN),
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
