//! Shares, durations, counts and thresholds, read exactly from the author's digits.

use flagstone_snapshot::SHARE_TOTAL;

use crate::diagnostic::{Code, Diagnostic};
use crate::read::Reader;
use crate::tree::{Node, Value};

/// `text` times 10^`scale` when that is a whole number that fits; `text` is a decimal with an optional
/// sign, point and exponent.
fn scaled(text: &str, scale: i32) -> Option<i128> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let mut digits = format!("{whole}{fraction}");
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut shift = scale.checked_add(exponent)?.checked_sub(i32::try_from(fraction.len()).ok()?)?;
    while shift < 0 && digits.ends_with('0') {
        digits.pop();
        shift += 1;
    }
    if digits.trim_start_matches('0').is_empty() {
        return Some(0);
    }
    let power = 10_i128.checked_pow(u32::try_from(shift).ok()?)?;
    let value = digits.parse::<i128>().ok()?.checked_mul(power)?;
    Some(if negative { -value } else { value })
}

/// The digits of a decimal and the unit word after them: `2500ms` is `2500` and `ms`.
fn split_unit(text: &str) -> Option<(&str, &str)> {
    let text = text.trim();
    let at = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '-' | '+'))).unwrap_or(text.len());
    let (digits, unit) = (text.get(..at)?, text.get(at..)?.trim());
    (!digits.is_empty()).then_some((digits, unit))
}

/// A duration's micros of a second.
fn duration_micros(text: &str) -> Option<i128> {
    let (digits, unit) = split_unit(text)?;
    let unit: i128 = match unit {
        "ms" => 1_000,
        "s" => 1_000_000,
        "m" => 60 * 1_000_000,
        "h" => 3_600 * 1_000_000,
        "d" => 86_400 * 1_000_000,
        _ => return None,
    };
    // Digits are scaled first so that `1.5h` is exact.
    let micros = scaled(digits, 6)?.checked_mul(unit)?;
    (micros % 1_000_000 == 0).then_some(micros / 1_000_000)
}

impl Reader<'_> {
    /// A share of the whole, in parts of `SHARE_TOTAL`: `5%`, `0.05`; a bare `1` is refused as ambiguous.
    pub(crate) fn share(&mut self, key: &str, node: &Node) -> Option<u32> {
        let (text, scale) = match &node.value {
            Value::Number(number) => (number.text().to_owned(), 9),
            Value::Text(text) => match text.trim().strip_suffix('%') {
                Some(digits) => (digits.trim_end().to_owned(), 7),
                None => (text.trim().to_owned(), 9),
            },
            _ => {
                self.wrong_kind(key, "a share such as `5%` or `0.05`", node);
                self.broken.get_or_insert(flagstone_snapshot::FlagError::General);
                return None;
            }
        };
        let percent = scale == 7;
        let refuse = |reader: &mut Self, message: String, hint: String| {
            reader.refuse(Diagnostic::error(Code::Share, node.span, message).hint(hint));
            None
        };
        let Some(parts) = scaled(&text, scale) else {
            return match text.parse::<f64>() {
                Ok(_) => refuse(
                    self,
                    format!("`{key}` is finer than shares go"),
                    "a share is a whole number of parts of 10^-9, so `0.0000001%` is the least".to_owned(),
                ),
                Err(_) => {
                    refuse(self, format!("`{key}` is not a share"), "write it as `5%` or `0.05`".to_owned())
                }
            };
        };
        if parts < 0 || parts > i128::from(SHARE_TOTAL) {
            let hint = match scaled(&text, 0) {
                Some(whole) if !percent && (2..=100).contains(&whole) => {
                    format!("a number without `%` is a fraction of one; did you mean `{whole}%`?")
                }
                _ => "a share lies between `0%` and `100%`".to_owned(),
            };
            return refuse(self, format!("`{key}` is not between nothing and everything"), hint);
        }
        if !percent && parts == i128::from(SHARE_TOTAL) && !text.contains('.') {
            return refuse(
                self,
                format!("`{key}: {text}` could mean one percent or all"),
                "write `1%` or `100%`".to_owned(),
            );
        }
        u32::try_from(parts).ok()
    }

    /// A duration in whole seconds: `90s`, `15m`, `24h`, `14d`.
    pub(crate) fn duration(&mut self, key: &str, node: &Node) -> Option<u64> {
        let text = node.as_text().unwrap_or_default();
        let seconds = duration_micros(text)
            .filter(|micros| *micros >= 0 && micros % 1_000_000 == 0)
            .and_then(|micros| u64::try_from(micros / 1_000_000).ok());
        if seconds.is_none() {
            self.push(
                Diagnostic::error(Code::BadValue, node.span, format!("`{key}` is not a duration"))
                    .hint("write whole seconds as `90s`, `15m`, `24h` or `14d`"),
            );
        }
        seconds
    }

    /// A whole number, optionally followed by what is counted: `500`, `500 units`.
    pub(crate) fn count(&mut self, key: &str, node: &Node, unit: &str) -> Option<u64> {
        let count = match &node.value {
            Value::Number(number) => number.as_count(),
            Value::Text(text) => split_unit(text)
                .filter(|(_, word)| word.is_empty() || *word == unit)
                .and_then(|(digits, _)| digits.parse().ok()),
            _ => None,
        };
        if count.is_none() {
            self.push(Diagnostic::error(
                Code::BadValue,
                node.span,
                format!("`{key}` is not a number of {unit}"),
            ));
        }
        count
    }

    /// A threshold of `measure` in micros: a number, or a duration, which is in milliseconds for measures
    /// whose name ends in `_ms` and in seconds for all others.
    pub(crate) fn micros(&mut self, key: &str, node: &Node, measure: &str) -> Option<i64> {
        let unit = if measure.ends_with("_ms") { 1_000 } else { 1 };
        let micros = match &node.value {
            Value::Number(number) => scaled(number.text(), 6),
            Value::Text(text) => duration_micros(text).and_then(|micros| micros.checked_mul(unit)),
            _ => None,
        };
        let micros = micros.and_then(|micros| i64::try_from(micros).ok());
        if micros.is_none() {
            self.push(
                Diagnostic::error(Code::BadValue, node.span, format!("`{key}` is not a threshold"))
                    .hint("write a number of at most six decimals, or a duration such as `2500ms`"),
            );
        }
        micros
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_scale_exactly() {
        assert_eq!(scaled("0.01", 7), Some(100_000));
        assert_eq!(scaled("1e-9", 9), Some(1));
        assert_eq!(scaled("1e-10", 9), None);
        assert_eq!(scaled("0.10000000000", 9), Some(100_000_000));
        assert_eq!(scaled("-2.5", 6), Some(-2_500_000));
        assert_eq!(scaled("0e99", 9), Some(0));
        assert_eq!(scaled("1e99", 9), None);
        for wrong in ["", ".", "-", "1.2.3", "five"] {
            assert_eq!(scaled(wrong, 9), None, "{wrong}");
        }
    }

    #[test]
    fn durations_are_micros_of_a_second() {
        assert_eq!(duration_micros("2500ms"), Some(2_500_000));
        assert_eq!(duration_micros("1.5h"), Some(5_400_000_000));
        assert_eq!(duration_micros("14d"), Some(14 * 86_400 * 1_000_000));
        assert_eq!(duration_micros("0s"), Some(0));
        assert_eq!(duration_micros("10"), None);
        assert_eq!(duration_micros("10 parsecs"), None);
    }
}
