//! Points in time as text: RFC 3339, to whole unix seconds.

/// Unix seconds of an RFC 3339 date-time, fractions cut off; none when it is none. The date must be of the calendar;
/// second 60 is taken as the next minute's first. A space may stand for the `T` (section 5.6).
///
/// ```
/// assert_eq!(flagstone_snapshot::time::parse("1996-12-19T16:39:57-08:00"), Some(851_042_397));
/// ```
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let (date, rest) = bytes.split_first_chunk::<10>()?;
    let (year, month, day) = (digits(date.get(..4)?)?, digits(date.get(5..7)?)?, digits(date.get(8..)?)?);
    let (separator, rest) = rest.split_first()?;
    let (clock, mut rest) = rest.split_first_chunk::<8>()?;
    let (hour, minute, second) =
        (digits(clock.get(..2)?)?, digits(clock.get(3..5)?)?, digits(clock.get(6..)?)?);
    let marks = [date.get(4)?, date.get(7)?, clock.get(2)?, clock.get(5)?];
    if marks != [&b'-', &b'-', &b':', &b':'] || !matches!(separator, b'T' | b't' | b' ') {
        return None;
    }
    if let Some(fraction) = rest.strip_prefix(b".") {
        let length = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 {
            return None;
        }
        rest = fraction.get(length..)?;
    }
    let offset = offset(rest)?;
    let days = days_of_month(year, month)?;
    if !(1..=days).contains(&day) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    Some(days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset)
}

/// Days of a month (from 1) of the Gregorian calendar, none when there is no such month.
#[must_use]
pub fn days_of_month(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(28 + i64::from(leap)),
        1..=12 => Some(31),
        _ => None,
    }
}

/// `Z`, or `+hh:mm`, in seconds.
fn offset(text: &[u8]) -> Option<i64> {
    match text {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h, i, b':', m, n] => {
            let (hours, minutes) = (digits(&[*h, *i])?, digits(&[*m, *n])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = hours * 3_600 + minutes * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter()
        .try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// Days since 1970-01-01 in the proleptic Gregorian calendar (Howard Hinnant, "chrono-Compatible Low-Level Date
/// Algorithms", `days_from_civil`), for years from 0.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_standard() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1985-04-12T23:20:50.52Z", 482_196_050),
            ("1996-12-19T16:39:57-08:00", 851_042_397),
            ("1990-12-31T23:59:60Z", 662_688_000),
            ("1937-01-01T12:00:27.87+00:20", -1_041_337_173),
            ("2000-02-29t00:00:00z", 951_782_400),
            ("0000-01-01 00:00:00Z", -62_167_219_200),
            ("9999-12-31T23:59:59Z", 253_402_300_799),
        ] {
            assert_eq!(parse(text), Some(seconds), "{text}");
        }
    }

    #[test]
    fn what_is_no_time() {
        for text in [
            "",
            "2026-01-01",
            "2026-01-01T00:00:00",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T00:60:00Z",
            "2026-01-01T00:00:61Z",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00+24:00",
            "2026-01-01T00:00:00+0100",
            "2026/01/01T00:00:00Z",
            "２026-01-01T00:00:00Z",
            "+026-01-01T00:00:00Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn days_follow_each_other() {
        let mut expected = days_from_civil(1896, 1, 1);
        for year in 1896..=2104 {
            for month in 1..=12 {
                for day in 1..=days_of_month(year, month).unwrap() {
                    assert_eq!(days_from_civil(year, month, day), expected, "{year}-{month}-{day}");
                    expected += 1;
                }
            }
        }
    }
}
