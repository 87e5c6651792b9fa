//! Numbers: the author's digits beside the value, so that shares and thresholds are read exactly.

use flagstone_snapshot::Json;
use serde::{Serialize, Serializer};

/// A finite number. Two are equal when their values are.
#[derive(Debug, Clone)]
pub struct Number {
    text: String,
    value: Numeric,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Numeric {
    Integer(i64),
    Unsigned(u64),
    Float(f64),
}

impl Number {
    /// Reads a JSON number: `-?digits[.digits][e[+-]digits]`, no superfluous zeros. None when it is not
    /// one or is too large for a 64-bit float.
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let whole = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
        if whole > 1 && digits.starts_with('0') {
            return None;
        }
        Self::from_decimal(text)
    }

    /// Reads a decimal number as YAML's core schema writes them: also a leading `+`, leading zeros, and a
    /// point with digits on one side only.
    #[must_use]
    pub fn from_decimal(text: &str) -> Option<Self> {
        if !is_decimal(text) {
            return None;
        }
        let plain = text.strip_prefix('+').unwrap_or(text);
        let value = if let Ok(integer) = plain.parse::<i64>() {
            // -0 is a float in JavaScript and in JSON's number model; nothing depends on its sign here.
            Numeric::Integer(integer)
        } else if let Ok(unsigned) = plain.parse::<u64>() {
            Numeric::Unsigned(unsigned)
        } else {
            let float = plain.parse::<f64>().ok().filter(|float| float.is_finite())?;
            Numeric::Float(float)
        };
        Some(Number { text: plain.to_owned(), value })
    }

    /// A whole number.
    #[must_use]
    pub fn from_integer(value: i64) -> Self {
        Number { text: value.to_string(), value: Numeric::Integer(value) }
    }

    /// The digits as written, without a leading `+`.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The value when it is whole and not negative; `3.0` counts as 3.
    #[must_use]
    pub fn as_count(&self) -> Option<u64> {
        match self.value {
            Numeric::Integer(value) => u64::try_from(value).ok(),
            Numeric::Unsigned(value) => Some(value),
            Numeric::Float(value) => ((0.0..9_007_199_254_740_992.0).contains(&value)
                && value.fract() == 0.0)
                .then_some(value as u64),
        }
    }

    /// The nearest 64-bit float.
    #[must_use]
    pub fn as_f64(&self) -> f64 {
        match self.value {
            Numeric::Integer(value) => value as f64,
            Numeric::Unsigned(value) => value as f64,
            Numeric::Float(value) => value,
        }
    }

    /// The value as the snapshot keeps it.
    #[must_use]
    pub fn to_json(&self) -> Json {
        match self.value {
            Numeric::Integer(value) => Json::Integer(value),
            Numeric::Unsigned(value) => Json::Unsigned(value),
            Numeric::Float(value) => Json::Number(value),
        }
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.value {
            Numeric::Integer(value) => serializer.serialize_i64(value),
            Numeric::Unsigned(value) => serializer.serialize_u64(value),
            Numeric::Float(value) => serializer.serialize_f64(value),
        }
    }
}

/// Whether `text` is `[-+]?(digits[.digits?] | .digits)([eE][-+]?digits)?`.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (unsigned.get(..at).unwrap_or_default(), unsigned.get(at + 1..)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let exponent_ok = exponent.is_none_or(|exponent| {
        let digits = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !digits.is_empty() && all_digits(digits)
    });
    !(whole.is_empty() && fraction.is_empty()) && all_digits(whole) && all_digits(fraction) && exponent_ok
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_stay_exact() {
        let json = |text: &str| Number::from_json(text).map(|number| number.to_json());
        assert_eq!(json("9007199254740993"), Some(Json::Integer(9_007_199_254_740_993)));
        assert_eq!(json("18446744073709551615"), Some(Json::Unsigned(u64::MAX)));
        assert_eq!(json("-1.5e3"), Some(Json::Number(-1500.0)));
        for wrong in ["", "-", "01", "1e", "0x1f", "1e999", "NaN", "."] {
            assert_eq!(json(wrong), None, "{wrong}");
        }
        assert_eq!(Number::from_decimal("+007").map(|number| number.to_json()), Some(Json::Integer(7)));
    }
}
