//! `flagstone host status`: how a running host stands, for people and for probes.

use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::output::{Output, time};

/// Show how a running host stands.
///
/// Exit codes: 0 fresh, 3 stale, 4 expired or empty, 2 when the host cannot be asked.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone host status\n  \
    flagstone host status --url http://127.0.0.1:7171 --json | jq .sync.pulse")]
pub(crate) struct Arguments {
    /// The host's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7171")]
    url: String,
    #[command(flatten)]
    show: Output,
}

/// How long the host may take; it is on this machine or in this pod.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let runtime = tokio::runtime::Runtime::new().context("cannot start the runtime")?;
    let url = format!("{}/v1/status", arguments.url.trim_end_matches('/'));
    let status = runtime.block_on(ask(&url))?;
    let code = code(&status).with_context(|| format!("`{url}` answered, but not as a host does"))?;
    arguments.show.say(render(&status).trim_end());
    arguments.show.object(&status);
    Ok(ExitCode::from(code))
}

async fn ask(url: &str) -> Result<Value> {
    let client = flagstone_host::client(None).map_err(anyhow::Error::new)?;
    let hint = "hint: is `flagstone host` running, and is this its --listen address?";
    let answer = client.get(url).timeout(PATIENCE).send().await;
    let answer = answer.with_context(|| format!("`{url}` cannot be reached\n{hint}"))?;
    if !answer.status().is_success() {
        bail!("`{url}` answered {}\n{hint}", answer.status());
    }
    answer.json().await.with_context(|| format!("`{url}` did not answer with JSON\n{hint}"))
}

/// The exit code for a state.
fn code(status: &Value) -> Option<u8> {
    match status.get("state")?.as_str()? {
        "fresh" => Some(0),
        "stale" => Some(3),
        "expired" | "empty" => Some(4),
        _ => None,
    }
}

/// What a person wants to know, most important first.
fn render(status: &Value) -> String {
    let mut text = String::new();
    let at = |path: &str| status.pointer(path).filter(|value| !value.is_null());
    let number = |path: &str| at(path).and_then(Value::as_u64).unwrap_or(0);
    let word = |path: &str| at(path).and_then(Value::as_str).unwrap_or_default();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<10}{value}"); // writing to a string cannot fail
    };
    let now = number("/now");
    line("state", format!("{}: {}", word("/state"), word("/reason")));
    if at("/serving").is_some() {
        let digest: String = word("/serving/digest").chars().take(12).collect();
        line(
            "serving",
            format!(
                "sequence {} of epoch {}, {digest}",
                number("/serving/sequence"),
                number("/serving/epoch")
            ),
        );
    }
    if at("/sync/snapshot").is_some() {
        line("valid", until(number("/sync/snapshot/expires"), now));
    }
    if at("/sync/pulse").is_some() {
        let halts = match number("/sync/pulse/halts") {
            0 => String::new(),
            1 => ", 1 flag halted".to_owned(),
            halts => format!(", {halts} flags halted"),
        };
        line("lease", format!("{}{halts}", until(number("/sync/pulse/expires"), now)));
    }
    let push = match (
        at("/sync/push/live").and_then(Value::as_bool),
        at("/sync/push/absent").and_then(Value::as_bool),
    ) {
        (Some(true), _) => ", pulses are pushed",
        (_, Some(true)) => ", the source has no stream of pulses",
        _ => "",
    };
    line(
        "looks",
        format!(
            "{}, {} failed, {} in a row{push}",
            number("/sync/attempts"),
            number("/sync/failures_total"),
            number("/sync/failures")
        ),
    );
    if at("/sync/last_error").is_some() {
        line("trouble", word("/sync/last_error").to_owned());
    }
    for damage in at("/sync/damage").and_then(Value::as_array).into_iter().flatten() {
        line("damage", damage.as_str().unwrap_or_default().to_owned());
    }
    let quarantined = at("/sync/quarantined").and_then(Value::as_array).map_or(0, Vec::len);
    if quarantined > 0 {
        line("refused", format!("{quarantined} snapshots verified but could not be used"));
    }
    line(
        "decisions",
        format!("{}, {} traps, {} reverts", number("/evaluations"), number("/traps"), number("/reverts")),
    );
    let dropped: u64 = at("/events/dropped")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(_, count)| count.as_u64())
        .sum();
    line(
        "events",
        format!(
            "{} delivered, {} in the spool, {dropped} lost",
            number("/events/delivered"),
            number("/events/pending")
        ),
    );
    text
}

/// A moment, and how far it is away.
fn until(moment: u64, now: u64) -> String {
    let away = |seconds: u64| humantime::format_duration(Duration::from_secs(seconds));
    match moment.checked_sub(now) {
        Some(0) | None => format!("until {}, over for {}", time(moment), away(now.saturating_sub(moment))),
        Some(left) => format!("until {}, {} left", time(moment), away(left)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn states_have_exit_codes_of_their_own() {
        let code = |state: &str| code(&json!({"state": state}));
        assert_eq!(["fresh", "stale", "expired", "empty"].map(code), [Some(0), Some(3), Some(4), Some(4)]);
        assert_eq!(code("merry"), None);
        assert_eq!(super::code(&json!([])), None);
    }

    #[test]
    fn a_person_reads_what_matters_first() {
        let status = json!({
            "state": "stale", "reason": "the last pulse's lease ended at 1000", "now": 1_090,
            "serving": {"epoch": 1, "sequence": 7, "digest": "ab".repeat(32)},
            "sync": {
                "snapshot": {"expires": 4_690}, "pulse": {"expires": 1_000, "halts": 2}, "attempts": 9,
                "failures": 3, "failures_total": 4, "last_error": "connection refused", "push": {"live": false},
                "quarantined": [], "damage": ["the pulse is missing"],
            },
            "events": {"delivered": 5, "pending": 6, "dropped": {"queue-full": 1, "poison": 2}},
            "evaluations": 10, "traps": 0, "reverts": 0,
        });
        insta::assert_snapshot!(render(&status), @r"
        state     stale: the last pulse's lease ended at 1000
        serving   sequence 7 of epoch 1, abababababab
        valid     until 1970-01-01T01:18:10Z, 1h left
        lease     until 1970-01-01T00:16:40Z, over for 1m 30s, 2 flags halted
        looks     9, 4 failed, 3 in a row
        trouble   connection refused
        damage    the pulse is missing
        decisions 10, 0 traps, 0 reverts
        events    5 delivered, 6 in the spool, 3 lost
        ");
    }

    #[test]
    fn an_empty_host_is_shown_too() {
        let text = render(&json!({"state": "empty", "reason": "connection refused", "now": 5}));
        assert!(text.starts_with("state     empty: connection refused\nlooks"), "{text}");
    }
}
