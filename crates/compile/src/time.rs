//! Points in time as authors write them: RFC 3339, or unix seconds.

/// The last second of the year 9999, the last that RFC 3339 can write.
pub(crate) const LAST: i64 = 253_402_300_799;

/// The unix seconds of an RFC 3339 text such as `2026-12-01T09:00:00Z` or `2026-12-01T10:00:00.5+01:00`; fractions
/// of a second are cut off, a leap second counts as the second after it.
pub(crate) fn unix_seconds(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let number = |from: usize, length: usize| {
        let digits = bytes.get(from..from + length)?;
        let value =
            |value: i64, digit: &u8| digit.is_ascii_digit().then(|| 10 * value + i64::from(digit - b'0'));
        digits.iter().try_fold(0, value)
    };
    let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
    let separated = is(4, b"-") && is(7, b"-") && is(10, b"Tt") && is(13, b":") && is(16, b":");
    let (year, month, day) = (number(0, 4)?, number(5, 2)?, number(8, 2)?);
    let (hour, minute, second) = (number(11, 2)?, number(14, 2)?, number(17, 2)?);
    let days = days_of(year, month)?;
    if !separated || !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let rest = bytes.get(19..)?;
    let rest = match rest.split_first() {
        Some((b'.', fraction)) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            fraction.get(digits..).filter(|_| digits > 0)?
        }
        _ => rest,
    };
    let offset = match rest {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let at = bytes.len() - 5;
            let (hours, minutes) = (number(at, 2)?, number(at + 3, 2)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = 3_600 * hours + 60 * minutes;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    Some(86_400 * days_since_1970(year, month, day) + 3_600 * hour + 60 * minute + second - offset)
}

/// Days of a month, none when there is no such month.
pub(crate) fn days_of(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar, by counting years from March so that the leap day comes
/// last (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * of_era + of_era / 4 - of_era / 100 + of_year;
    146_097 * era + days - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_rfc_3339() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2026-12-01T09:00:00Z", Some(1_796_115_600)),
            ("2026-12-01T10:00:00+01:00", Some(1_796_115_600)),
            ("2026-12-01T04:30:00.999-04:30", Some(1_796_115_600)),
            ("2000-02-29t12:00:00z", Some(951_825_600)),
            ("1969-12-31T23:59:59.5Z", Some(-1)),
            ("0000-01-01T00:00:00Z", Some(-62_167_219_200)),
            ("9999-12-31T23:59:59Z", Some(LAST)),
            ("1985-04-12T23:20:50.52Z", Some(482_196_050)),
            ("1990-12-31T15:59:60-08:00", Some(662_688_000)),
            ("2026-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-12-01T24:00:00Z", None),
            ("2026-12-01T09:00:00", None),
            ("2026-12-01 09:00:00Z", None),
            ("2026-12-01T09:00:00.Z", None),
            ("2026-12-01T09:00:00+1:00", None),
            ("2026-12-01T09:00:00+24:00", None),
            ("2026-12-01", None),
            ("2026-12-01T09:00Z", None),
            ("+026-12-01T09:00:00Z", None),
            ("2026-12-01T09:00:00Zé", None),
            ("", None),
        ] {
            assert_eq!(unix_seconds(text), expected, "{text}");
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut expected = days_since_1970(1896, 1, 1);
        for year in 1896..=2104 {
            for month in 1..=12 {
                for day in 1..=days_of(year, month).unwrap_or_default() {
                    assert_eq!(days_since_1970(year, month, day), expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
    }
}
