//! Numbers as a dashboard shows them.

/// A duration in the words of the definition: `45s`, `15m`, `1h 30m`, `14d`; the two largest units.
pub(crate) fn duration(seconds: u64) -> String {
    let parts =
        [(seconds / 86_400, "d"), (seconds / 3_600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")];
    let Some(first) = parts.iter().position(|(count, _)| *count > 0) else { return "0s".to_owned() };
    let shown = parts.iter().skip(first).take(2).filter(|(count, _)| *count > 0);
    shown.map(|(count, unit)| format!("{count}{unit}")).collect::<Vec<_>>().join(" ")
}

/// `1 unit`, `12 units`, `0 bad units`.
pub(crate) fn plural(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// A log e-value or its threshold: the natural logarithm, two digits.
pub(crate) fn log_e(value: f64) -> String {
    format!("ln E {value:.2}")
}

/// A share: `10 %`, `0.25 %`.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_like_the_definition() {
        let shown = [0, 45, 60, 90, 3_600, 5_400, 86_400, 14 * 86_400, 90_061, 3_605].map(duration);
        assert_eq!(shown, ["0s", "45s", "1m", "1m 30s", "1h", "1h 30m", "1d", "14d", "1d 1h", "1h"]);
    }

    #[test]
    fn shares_and_counts() {
        assert_eq!(
            [percent(0.1), percent(0.0025), percent(1.0), percent(0.304)],
            ["10 %", "0.25 %", "100 %", "30.4 %"]
        );
        assert_eq!([plural(1, "unit"), plural(0, "bad unit")], ["1 unit", "0 bad units"]);
    }
}
