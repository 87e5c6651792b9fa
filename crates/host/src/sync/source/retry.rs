//! `Retry-After` (RFC 9110, 10.2.3): a number of seconds, or a date.

use std::time::Duration;

use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

/// How long the server asks to be left alone. A date is measured against the answer's own `Date`, so the two clocks need
/// not agree; without that header, and for a date that has passed, nothing was asked.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(asked).ok()?;
    let sent = httpdate::parse_http_date(text(DATE)?).ok()?;
    until.duration_since(sent).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(retry: &str, date: Option<&str>) -> Option<u64> {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, retry.parse().unwrap());
        if let Some(date) = date {
            headers.insert(DATE, date.parse().unwrap());
        }
        retry_after(&headers).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_and_the_three_forms_of_a_date_are_understood() {
        let sent = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(asked("120", None), Some(120));
        assert_eq!(asked(" 7 ", sent), Some(7));
        for date in
            ["Sun, 06 Nov 1994 08:50:07 GMT", "Sunday, 06-Nov-94 08:50:07 GMT", "Sun Nov  6 08:50:07 1994"]
        {
            assert_eq!(asked(date, sent), Some(30), "{date}");
        }
    }

    #[test]
    fn what_makes_no_sense_asks_for_nothing() {
        let sent = Some("Sun, 06 Nov 1994 08:49:37 GMT");
        for retry in ["", "-1", "1.5", "soon", "Sun, 06 Nov 1994 08:49:36 GMT", "99999999999999999999"] {
            assert_eq!(asked(retry, sent), None, "{retry}");
        }
        assert_eq!(asked("Sun, 06 Nov 1994 08:50:07 GMT", None), None, "whose clock?");
    }
}
