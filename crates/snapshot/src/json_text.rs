//! JSON text of values, always the same: compact, members in the order given, shortest numbers.

use alloc::string::String;
use core::fmt::Write;

use crate::Json;

/// The compact JSON text of a value.
#[must_use]
pub fn to_text(json: &Json) -> String {
    let mut out = String::new();
    write(json, &mut out);
    out
}

fn write(json: &Json, out: &mut String) {
    match json {
        Json::Null => out.push_str("null"),
        Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Json::Integer(value) => print(out, format_args!("{value}")),
        Json::Unsigned(value) => print(out, format_args!("{value}")),
        Json::Number(value) => write_number(*value, out),
        Json::Text(value) => write_string(value, out),
        Json::List(elements) => {
            out.push('[');
            for (index, element) in elements.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write(element, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            let mut first = true;
            for (index, (key, value)) in members.iter().enumerate() {
                if members.iter().skip(index + 1).any(|(later, _)| later == key) {
                    continue; // of repeated keys the last one counts
                }
                if !first {
                    out.push(',');
                }
                first = false;
                write_string(key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// Writing to a `String` cannot fail.
fn print(out: &mut String, arguments: core::fmt::Arguments<'_>) {
    let _ = out.write_fmt(arguments);
}

/// A number as JavaScript would print it: the shortest digits that read back, an exponent only from 10^21
/// up and below 10^-6. Numbers that are not finite print as `null`.
pub fn write_number(value: f64, out: &mut String) {
    let size = if value < 0.0 { -value } else { value };
    if !value.is_finite() {
        out.push_str("null");
    } else if value == 0.0 {
        out.push('0');
    } else if (1e-6..1e21).contains(&size) {
        print(out, format_args!("{value}"));
    } else {
        let start = out.len();
        print(out, format_args!("{value:e}"));
        // Rust writes `1e21`, JavaScript `1e+21`.
        if let Some(at) = out.get(start..).and_then(|text| text.find('e'))
            && out.as_bytes().get(start + at + 1) != Some(&b'-')
        {
            out.insert(start + at + 1, '+');
        }
    }
}

/// A string in quotes, with the escapes that JSON demands.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            control if u32::from(control) < 0x20 => print(out, format_args!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn numbers_print_as_javascript_prints_them() {
        for (number, text) in [
            (0.1, "0.1"),
            (-0.0, "0"),
            (1e21, "1e+21"),
            (123_456_789_012_345_680_000.0, "123456789012345680000"),
            (1e-6, "0.000001"),
            (1.5e-7, "1.5e-7"),
            (-2.5e300, "-2.5e+300"),
            (5.0, "5"),
        ] {
            let mut out = String::new();
            write_number(number, &mut out);
            assert_eq!(out, text);
        }
    }

    #[test]
    fn text_is_escaped_and_the_last_of_repeated_keys_counts() {
        let json = Json::Object(vec![
            ("a".into(), Json::Integer(1)),
            ("b\u{1}\"".into(), Json::Text("x\n\\".into())),
            ("a".into(), Json::List(vec![Json::Null, Json::Bool(true), Json::Unsigned(u64::MAX)])),
        ]);
        assert_eq!(to_text(&json), r#"{"b\u0001\"":"x\n\\","a":[null,true,18446744073709551615]}"#);
    }
}
