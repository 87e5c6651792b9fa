//! JSON text of values, always the same: compact, members in the order given, shortest numbers.

use alloc::string::String;

use crate::{Json, number_text};

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
        Json::Integer(value) => {
            if *value < 0 {
                out.push('-');
            }
            write_whole(value.unsigned_abs(), out);
        }
        Json::Unsigned(value) => write_whole(*value, out),
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

/// A number as JavaScript would print it: the shortest digits that read back, an exponent only from 10^21
/// up and below 10^-6. Numbers that are not finite print as `null`.
pub fn write_number(value: f64, out: &mut String) {
    number_text::print(value, out);
}

/// A whole number.
pub fn write_whole(value: u64, out: &mut String) {
    let mut digits = [0; 20];
    let start = number_text::digits(value, &mut digits);
    out.extend(digits.iter().skip(start).map(|digit| char::from(*digit)));
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
            control if u32::from(control) < 0x20 => {
                out.push_str(if control < '\u{10}' { "\\u000" } else { "\\u001" });
                out.push(char::from_digit(u32::from(control) & 15, 16).unwrap_or('0'));
            }
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
