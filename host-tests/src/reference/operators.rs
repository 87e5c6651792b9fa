//! Operators over values: JsonLogic's, flagd's and ours. Ours answer null for what they do not take.

use std::cmp::Ordering;
use std::net::{IpAddr, Ipv6Addr};

use serde_json::{Value, json};

use super::amounts::time;
use super::rules::{Rule, Scope};
use super::values::{finite, loose_equal, number, order, parse_float, strict_equal, text, truthy};

pub(super) fn eager(operator: &str, values: &[Value]) -> Value {
    let null = Value::Null;
    let value = |index: usize| values.get(index).unwrap_or(&null);
    match operator {
        "!" => json!(!truthy(value(0))),
        "!!" => json!(truthy(value(0))),
        "==" => json!(loose_equal(value(0), value(1))),
        "!=" => json!(!loose_equal(value(0), value(1))),
        "===" => json!(strict_equal(value(0), value(1))),
        "!==" => json!(!strict_equal(value(0), value(1))),
        "<" | "<=" | ">" | ">=" => {
            let holds = |pair: &[Value]| match (pair, operator) {
                ([a, b], "<") => order(a, b) == Some(Ordering::Less),
                ([a, b], "<=") => matches!(order(a, b), Some(Ordering::Less | Ordering::Equal)),
                ([a, b], ">") => order(a, b) == Some(Ordering::Greater),
                ([a, b], _) => matches!(order(a, b), Some(Ordering::Greater | Ordering::Equal)),
                _ => false,
            };
            json!(values.windows(2).all(holds))
        }
        "in" => json!(match value(1) {
            Value::String(hay) => !value(0).is_null() && hay.contains(&text(value(0))),
            Value::Array(items) => items.iter().any(|item| strict_equal(item, value(0))),
            _ => false,
        }),
        "cat" => json!(values.iter().map(text).collect::<String>()),
        "substr" => json!(substring(value(0), value(1), values.get(2))),
        "+" => finite(values.iter().map(parse_float).sum()),
        "*" => finite(values.iter().map(parse_float).product()),
        "-" if values.len() == 1 => finite(-number(value(0))),
        "-" => finite(number(value(0)) - number(value(1))),
        "/" => finite(number(value(0)) / number(value(1))),
        "%" => finite(number(value(0)) % number(value(1))),
        "min" | "max" => {
            let numbers: Vec<f64> = values.iter().map(number).collect();
            if numbers.iter().any(|number| number.is_nan()) {
                return Value::Null;
            }
            let most = numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let least = numbers.iter().copied().fold(f64::INFINITY, f64::min);
            finite(if operator == "min" { least } else { most })
        }
        "merge" => values
            .iter()
            .flat_map(|value| value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]))
            .collect(),
        "log" => value(0).clone(),
        "starts_with" | "ends_with" | "sem_ver" => {
            flagd(operator, value(0), value(1), value(2)).map_or(null, Value::Bool)
        }
        _ => ours(operator, value(0), value(1), value(2)).map_or(null, Value::Bool),
    }
}

fn substring(source: &Value, start: &Value, length: Option<&Value>) -> String {
    let letters: Vec<char> = text(source).chars().collect();
    let whole = |value: &Value| if number(value).is_nan() { 0 } else { number(value).trunc() as i64 };
    let size = letters.len() as i64;
    let start = if whole(start) < 0 { (size + whole(start)).max(0) } else { whole(start).min(size) };
    let end = match length.map(whole) {
        None => size,
        Some(length) if length < 0 => size + length,
        Some(length) => start.saturating_add(length),
    };
    letters.iter().take(end.max(0) as usize).skip(start as usize).collect()
}

fn flagd(operator: &str, left: &Value, middle: &Value, right: &Value) -> Option<bool> {
    match operator {
        "starts_with" => Some(left.as_str()?.starts_with(middle.as_str()?)),
        "ends_with" => Some(left.as_str()?.ends_with(middle.as_str()?)),
        _ => {
            let (left, right) = (version(left)?, version(right)?);
            let ordering = left.cmp_precedence(&right);
            Some(match middle.as_str()? {
                "=" => ordering.is_eq(),
                "!=" => ordering.is_ne(),
                "<" => ordering.is_lt(),
                "<=" => ordering.is_le(),
                ">" => ordering.is_gt(),
                ">=" => ordering.is_ge(),
                "^" => left.major == right.major,
                "~" => (left.major, left.minor) == (right.major, right.minor),
                _ => return None,
            })
        }
    }
}

/// flagd's latitude: a `v` before, and one or two numbers instead of three.
fn version(value: &Value) -> Option<semver::Version> {
    if !value.is_string() && !value.is_number() {
        return None;
    }
    let text = text(value);
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    let core = text.find(['-', '+']).unwrap_or(text.len());
    let (core, rest) = text.split_at(core);
    let padding = match core.split('.').count() {
        1 => ".0.0",
        2 => ".0",
        _ => "",
    };
    semver::Version::parse(&format!("{core}{padding}{rest}")).ok()
}

fn ours(operator: &str, a: &Value, b: &Value, c: &Value) -> Option<bool> {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<String>();
    let folded = |value: &Value| value.as_str().map(lower);
    let has = |list: &Value, element: &Value| {
        list.as_array().is_some_and(|items| items.iter().any(|item| strict_equal(item, element)))
    };
    Some(match operator {
        "equals_ignore_case" => folded(a)? == folded(b)?,
        "starts_with_ignore_case" => folded(a)?.starts_with(&folded(b)?),
        "ends_with_ignore_case" => folded(a)?.ends_with(&folded(b)?),
        "contains_ignore_case" => folded(a)?.contains(&folded(b)?),
        "in_ignore_case" => {
            let text = folded(a)?;
            b.as_array()?.iter().any(|item| folded(item).as_ref() == Some(&text))
        }
        "matches" => regex::Regex::new(b.as_str()?).ok()?.is_match(a.as_str()?),
        "before" => time(a)? < time(b)?,
        "after" => time(a)? > time(b)?,
        "between" => {
            let (number, low, high) = (a.as_f64()?, b.as_f64()?, c.as_f64()?);
            low <= number && number <= high
        }
        "in_network" => {
            let address: IpAddr = a.as_str()?.parse().ok()?;
            super::rules::arguments(b)
                .iter()
                .any(|network| network.as_str().is_some_and(|text| within(address, text)))
        }
        "any_of" => a.as_array().zip(b.as_array())?.0.iter().any(|element| has(b, element)),
        "all_of" => a.as_array().zip(b.as_array())?.1.iter().all(|element| has(a, element)),
        "none_of" => !a.as_array().zip(b.as_array())?.0.iter().any(|element| has(b, element)),
        _ => return None,
    })
}

/// Whether the first bits of an address are those of a network; IPv4 addresses are their IPv4-mapped ones.
fn within(address: IpAddr, network: &str) -> bool {
    let mapped = |address: IpAddr| -> Ipv6Addr {
        match address {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        }
    };
    let (base, length) = network.split_once('/').unwrap_or((network, "128"));
    let Ok(base) = base.parse::<IpAddr>() else { return false };
    let bits = length.parse::<u32>().unwrap_or_default() + if base.is_ipv4() { 96 } else { 0 };
    let (left, right) = (mapped(address).octets(), mapped(base).octets());
    (0..bits.min(128) as usize).all(|bit| (left[bit / 8] ^ right[bit / 8]) & (0x80 >> (bit % 8)) == 0)
}

/// flagd's `fractional`, second version: `(hash * total) >> 32` against cumulated weights.
pub(super) fn fractional(rule: &Rule<'_>, arguments: &[Value], scope: Scope<'_>) -> Value {
    let (key, buckets) = match arguments {
        [first, rest @ ..] if !first.is_array() => (rule.apply(first, scope), rest),
        buckets => {
            let unit = match &rule.world.context["targetingKey"] {
                Value::Null => "",
                Value::String(unit) => unit,
                _ => return Value::Null,
            };
            (json!(format!("{}{unit}", rule.flag)), buckets)
        }
    };
    let Some(key) = key.as_str() else { return Value::Null };
    let Ok(hash) = murmur3::murmur3_32(&mut key.as_bytes(), 0) else { return Value::Null };
    let mut weights = Vec::new();
    for bucket in buckets {
        let bucket = super::rules::arguments(bucket);
        let weight = bucket.get(1).map_or(json!(1), |weight| rule.apply(weight, scope));
        let Some(weight) = weight.as_f64().filter(|weight| weight.fract() == 0.0) else { return Value::Null };
        weights.push((bucket.first(), weight.max(0.0) as u128));
    }
    let total: u128 = weights.iter().map(|(_, weight)| weight).sum();
    if total == 0 || total > i32::MAX as u128 {
        return Value::Null;
    }
    let place = (u128::from(hash) * total) >> 32;
    let mut end = 0;
    for (name, weight) in weights {
        end += weight;
        if place < end {
            return name.map_or(Value::Null, |name| rule.apply(name, scope));
        }
    }
    Value::Null
}
