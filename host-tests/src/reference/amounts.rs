//! Shares, durations and times as authors write them.

use std::sync::LazyLock;

use serde_json::Value;

/// The whole.
pub(super) const TOTAL: u64 = 1_000_000_000;

/// Parts of [`TOTAL`]: `5%`, `"0.05"`, `0.05`.
pub(super) fn share(value: &Value) -> u64 {
    let fraction = match value.as_str() {
        Some(text) => match text.strip_suffix('%') {
            Some(percent) => percent.trim().parse::<f64>().unwrap_or_default() / 100.0,
            None => text.parse().unwrap_or_default(),
        },
        None => value.as_f64().unwrap_or_default(),
    };
    (fraction * TOTAL as f64).round() as u64
}

/// Seconds: `90s`, `15m`, `24h`, `14d`; nothing is 0.
pub(super) fn seconds(value: &Value) -> u64 {
    let Some(text) = value.as_str() else { return 0 };
    let (digits, unit) = text.split_at(text.len() - 1);
    let unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        _ => 86_400,
    };
    digits.parse::<u64>().unwrap_or_default() * unit
}

/// Unix seconds of an RFC 3339 text, or of a number with its fraction cut off (as cutting it off a text would); none for anything else.
pub(super) fn time(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_f64().map(|number| number.floor() as i64),
        Value::String(text) => rfc3339(text),
        _ => None,
    }
}

/// A point in time that a definition gives.
pub(super) fn moment(value: &Value) -> Option<u64> {
    time(value).and_then(|time| u64::try_from(time).ok())
}

/// `YYYY-MM-DDThh:mm:ss[.fraction](Z|+hh:mm|-hh:mm)`, the days counted one year and one month at a time.
fn rfc3339(text: &str) -> Option<i64> {
    static PATTERN: LazyLock<Option<regex::Regex>> = LazyLock::new(|| {
        let day = r"(\d{4})-(\d\d)-(\d\d)";
        let time = r"(\d\d):(\d\d):(\d\d)(?:\.\d+)?";
        regex::Regex::new(&format!(r"^{day}[Tt]{time}(?:[Zz]|([+-])(\d\d):(\d\d))$")).ok()
    });
    let parts = PATTERN.as_ref()?.captures(text)?;
    let number = |index: usize| parts.get(index).map_or(Some(0), |part| part.as_str().parse::<i64>().ok());
    let (year, month, day) = (number(1)?, number(2)?, number(3)?);
    let (hour, minute, second) = (number(4)?, number(5)?, number(6)?);
    let (away_hours, away_minutes) = (number(8)?, number(9)?);
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let length = |month: i64| match month {
        2 => 28 + i64::from(leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    let fits = (1..=12).contains(&month)
        && (1..=length(month)).contains(&day)
        && hour < 24
        && minute < 60
        && second < 60
        && away_hours < 24
        && away_minutes < 60;
    if !fits {
        return None;
    }
    let year_days = |year: i64| 365 + i64::from(leap(year));
    let years: i64 = match year {
        1970.. => (1970..year).map(year_days).sum(),
        _ => -(year..1970).map(year_days).sum::<i64>(),
    };
    let days = years + (1..month).map(length).sum::<i64>() + day - 1;
    let away = 60 * away_hours + away_minutes;
    let away = if parts.get(7).is_some_and(|sign| sign.as_str() == "-") { -away } else { away };
    Some(86_400 * days + 3_600 * hour + 60 * (minute - away) + second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_are_those_of_rfc_3339() {
        // The first three are of RFC 3339 section 5.8; the numbers are from `date --date=… +%s`.
        for (text, expected) in [
            ("1985-04-12T23:20:50.52Z", Some(482_196_050)),
            ("1996-12-19T16:39:57-08:00", Some(851_042_397)),
            ("1937-01-01T12:00:27.87+00:20", Some(-1_041_337_173)),
            ("2026-12-01T09:00:00Z", Some(1_796_115_600)),
            ("2024-02-29T00:00:00+02:00", Some(1_709_157_600)),
            ("2023-02-29T00:00:00Z", None),
            ("2026-12-01", None),
            ("2026-12-01T09:00:00", None),
        ] {
            assert_eq!(time(&json!(text)), expected, "{text}");
        }
        assert_eq!(time(&json!(1.9)), Some(1));
        assert_eq!(time(&json!(true)), None);
    }

    #[test]
    fn amounts() {
        assert_eq!(share(&json!("0.01%")), 100_000);
        assert_eq!(share(&json!(0.5)), TOTAL / 2);
        assert_eq!(seconds(&json!("36h")), 129_600);
        assert_eq!(seconds(&Value::Null), 0);
    }
}
