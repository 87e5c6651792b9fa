//! Numbers and names as people read them.

use flagstone_judge::Action;
use serde::Serialize;

/// The word that stands for a value in JSON, e.g. `unable-to-assess`.
pub(crate) fn word(value: impl Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// What the judge says to do.
pub(crate) fn action(action: Action) -> &'static str {
    match action {
        Action::RollBack => "roll-back",
        Action::Wait => "wait",
        Action::Hold => "hold",
        Action::AwaitApproval => "await-approval",
        Action::Advance { .. } => "advance",
        Action::Complete => "complete",
    }
}

/// Three significant digits, without trailing zeros; thousands grouped.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "-".to_owned();
    }
    let size = value.abs();
    if size >= 1_000.0 {
        let whole = grouped(size.round() as u64);
        return if value < 0.0 { format!("-{whole}") } else { whole };
    }
    if size > 0.0 && size < 1e-4 {
        return format!("{value:.1e}");
    }
    let digits = [(100.0, 0), (10.0, 1), (1.0, 2), (0.1, 3), (0.01, 4)];
    let digits = digits.iter().find(|(from, _)| size >= *from).map_or(5, |(_, digits)| *digits);
    let text = format!("{value:.digits$}");
    if !text.contains('.') {
        return text;
    }
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// `12,345`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 unit`, `12,345 units`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `2.4 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

/// A multiple of a threshold: `0.02`, `3.1`, `4e6`.
pub(crate) fn times(value: f64) -> String {
    if value >= 1e5 || (value > 0.0 && value < 1e-3) { format!("{value:.0e}") } else { number(value) }
}

/// Unix seconds as `2026-09-21 14:13:20Z` (proleptic Gregorian calendar).
pub(crate) fn time(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    // Days since 0000-03-01, in eras of 400 years: the algorithm of Howard Hinnant's `civil_from_days`.
    let shifted = days.saturating_add(719_468);
    let (era, day) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let (day, month) = (
        day_of_year - (153 * shifted_month + 2) / 5 + 1,
        if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 },
    );
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (rest / 3_600, rest / 60 % 60, rest % 60);
    format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}Z")
}

/// `3d 4h`, the two largest units.
pub(crate) fn duration(seconds: u64) -> String {
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let Some(first) = parts.iter().position(|(count, _)| *count > 0) else { return "0s".to_owned() };
    let shown = parts.iter().skip(first).take(2).filter(|(count, _)| *count > 0);
    shown.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        let shown = [0.0, 1.0, 1.5, 12.34, 123.4, 1_234.5, -0.0123, 0.000_01, -1e-9, f64::NAN].map(number);
        assert_eq!(shown, ["0", "1", "1.5", "12.3", "123", "1,235", "-0.0123", "1.0e-5", "-1.0e-9", "-"]);
        assert_eq!(
            [times(0.02), times(3.271), times(4_000_000.0), times(1e-7)],
            ["0.02", "3.27", "4e6", "1e-7"]
        );
        assert_eq!([count(1, "unit"), count(1_234_567, "unit")], ["1 unit", "1,234,567 units"]);
    }

    #[test]
    fn times_are_the_calendar_s() {
        let shown = [0, 951_782_400, 1_790_000_000, 4_102_444_799].map(time);
        assert_eq!(
            shown,
            ["1970-01-01 00:00:00Z", "2000-02-29 00:00:00Z", "2026-09-21 14:13:20Z", "2099-12-31 23:59:59Z"]
        );
    }
}
