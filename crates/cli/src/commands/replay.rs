//! `flagstone replay`: a decision of the past, made again: the control plane's from its record, a flag's from what was
//! in force then.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use flagstone_evaluate::{Context, Control, OpenStage, explain_json};
use flagstone_govern::{LedgerFile, Replayed};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{
    OpenPolicy, PulsePolicy, PulseStatement, Statement, TrustRoot, inspect, open, open_pulse,
};
use flagstone_snapshot::Snapshot;
use serde_json::{Value, json};

use crate::commands::evaluate::{context, people};
use crate::commands::ledger::{judged, runtime};
use crate::files;
use crate::output::{Output, answer, tell, time};

/// Make a decision of the past again, bit for bit
///
/// With --database the verdicts of a control plane, from the inputs kept with them. With --sealed a flag's decision, from
/// the sealed file and the pulse that were in force at that time; that they have expired since is no hindrance. Exit code 1
/// when it comes out otherwise.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone replay --database govern.sqlite --all\n  \
    flagstone replay --database govern.sqlite --ledger 12\n  \
    flagstone replay --sealed flags.sealed --trust trust.note --pulse pulse.note --at 2026-09-21T14:13:20Z \\\n    \
    --context '{\"targetingKey\":\"ana\"}' --flag answers --expect @decision.json")]
pub(crate) struct Arguments {
    /// A control plane's database
    #[arg(long, value_name = "FILE", conflicts_with = "sealed", required_unless_present = "sealed")]
    database: Option<PathBuf>,
    /// The ledger entry of a decision
    #[arg(long, value_name = "N", requires = "database", conflicts_with = "all")]
    ledger: Option<u64>,
    /// All decisions of the ledger
    #[arg(long, requires = "database")]
    all: bool,
    /// The sealed file that was in force
    #[arg(long, value_name = "FILE", requires_all = ["trust", "at", "flag"])]
    sealed: Option<PathBuf>,
    /// The trust note of that time
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The newest pulse of that time; none: as if there had been none
    #[arg(long, value_name = "FILE", requires = "sealed")]
    pulse: Option<PathBuf>,
    /// When: unix seconds, or like 2026-09-21T14:13:20Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    at: Option<u64>,
    /// The context: JSON, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    context: String,
    /// The flag's key
    #[arg(long, value_name = "KEY")]
    flag: Option<String>,
    /// The decision as it was made: JSON, `@FILE`, or `-`
    #[arg(long, value_name = "JSON", requires = "sealed")]
    expect: Option<String>,
    #[command(flatten)]
    show: Output,
}

pub(crate) fn moment(text: &str) -> Result<u64, String> {
    if let Ok(seconds) = text.parse() {
        return Ok(seconds);
    }
    let moment = humantime::parse_rfc3339_weak(text).map_err(|error| error.to_string())?;
    let since = moment.duration_since(std::time::UNIX_EPOCH).map_err(|error| error.to_string())?;
    Ok(since.as_secs())
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    match (&arguments.database, &arguments.sealed) {
        (Some(database), _) => verdicts(arguments, database),
        (None, Some(sealed)) => decision(arguments, sealed),
        (None, None) => bail!("name a --database or a --sealed file"),
    }
}

fn verdicts(arguments: &Arguments, database: &Path) -> Result<ExitCode> {
    let show = arguments.show;
    let (mut after, limit) = match (arguments.ledger, arguments.all) {
        (Some(entry), _) => (entry.saturating_sub(1), 1),
        (None, true) => (0, 100),
        (None, false) => bail!("which decision? --ledger N, or --all"),
    };
    let runtime = runtime()?;
    let mut ledger = runtime.block_on(LedgerFile::open(database))?;
    let (mut replayed, mut different) = (0_u64, Vec::new());
    loop {
        let page = match runtime.block_on(ledger.replay(after, limit)) {
            Ok(page) => page,
            Err(error) => {
                let error = anyhow::Error::new(error);
                let (entry, bad) = judged(&error);
                if !bad {
                    return Err(error);
                }
                show.say(&format!("bad: {error:#}"));
                show.object(&json!({"same": false, "replayed": replayed, "entry": entry, "reason": format!("{error:#}")}));
                return Ok(ExitCode::FAILURE);
            }
        };
        if let Some(entry) =
            arguments.ledger.filter(|entry| page.first().map(|one| one.entry) != Some(*entry))
        {
            bail!(
                "ledger entry {entry} is no decision\nhint: `flagstone ledger show {} --kind decision`",
                database.display()
            );
        }
        let Some(last) = page.last() else { break };
        after = last.entry;
        for one in &page {
            verdict(arguments, one);
            replayed += 1;
            if !one.same() {
                different.push(one.entry);
            }
        }
        if arguments.ledger.is_some() {
            break;
        }
    }
    show.say(&format!("{replayed} decisions replayed, {} came out otherwise", different.len()));
    show.object(&json!({"same": different.is_empty(), "replayed": replayed, "different": different}));
    Ok(answer(different.is_empty()))
}

fn verdict(arguments: &Arguments, one: &Replayed) {
    let show = arguments.show;
    let said = if one.same() { "the same, bit for bit" } else { "DIFFERENT" };
    let rule = one.again["rule"].as_str().unwrap_or_default();
    show.say(&format!("#{} {} `{}` {rule}: {said}", one.entry, time(one.at / 1_000), one.flag));
    if !one.same() {
        show.say(&format!("  recorded {}\n  now      {}", one.recorded, one.again));
    }
    if arguments.ledger.is_some() {
        for reason in one.again["reasons"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            show.say(&format!("  {reason}"));
        }
    }
}

fn decision(arguments: &Arguments, sealed: &Path) -> Result<ExitCode> {
    let show = arguments.show;
    let (Some(trust), Some(at), Some(flag)) = (&arguments.trust, arguments.at, &arguments.flag) else {
        bail!("name --trust, --at and --flag");
    };
    let refused = |what: &str, error: flagstone_seal::SealError| {
        let reason = format!("{what} was not in force at {}: {error}", time(at));
        show.say(&format!("refused: {reason} ({})", error.code()));
        show.object(&json!({"same": false, "code": error.code(), "reason": reason}));
        Ok(ExitCode::FAILURE)
    };
    let (note, file) = (files::read(trust)?, files::read(sealed)?);
    let trust = match TrustRoot::pin(&note, at) {
        Ok(trust) => trust,
        Err(error) => return refused("the trust note", error),
    };
    // Whoever it was meant for: the question is what they decided.
    let claim = match inspect(&file, SERVER_PAYLOAD_BYTES) {
        Ok(claim) => claim,
        Err(error) => return refused("the sealed file", error),
    };
    let Statement::Snapshot(claimed) = &claim.statement else {
        bail!("`{}` is no sealed file", sealed.display())
    };
    let (audience, environment) = (claimed.audience.as_str(), claimed.environment.as_str());
    let policy = OpenPolicy { audience, environment, now: at, mark: None, max_payload: SERVER_PAYLOAD_BYTES };
    let opened = match open(&file, &trust, &policy) {
        Ok(opened) => opened,
        Err(error) => return refused("the sealed file", error),
    };
    let snapshot =
        Snapshot::load(opened.payload).map_err(|error| anyhow!("the snapshot is refused: {error}"))?;
    let mut control = Control::closed(&snapshot);
    if let Some(path) = &arguments.pulse {
        let bytes = files::read(path)?;
        let Ok(Statement::Pulse(claimed)) = inspect(&bytes, 0).map(|claim| claim.statement) else {
            bail!("`{}` is no pulse", path.display());
        };
        // A host keeps a pulse that has run out, so it is opened as of when it still held; the engine minds the lease.
        let now = at.min(claimed.expires.saturating_sub(1));
        let policy = PulsePolicy { audience, environment, now, last_number: None };
        match open_pulse(&bytes, &trust, &policy) {
            Ok(pulse) => control = controlled(&snapshot, opened.mark, opened.statement.expires, &pulse),
            Err(error) => return refused("the pulse", error),
        }
    }
    let context = Context::from_json(&snapshot, &context(&arguments.context)?).map_err(|error| {
        anyhow!("{error}\nhint: a context is a JSON object like {{\"targetingKey\":\"ana\"}}")
    })?;
    let text = explain_json(&snapshot, &control, &context, flag, at);
    let explained: Value = serde_json::from_str(&text).context("the engine wrote no JSON")?;
    let expected = arguments.expect.as_deref().map(expectation).transpose()?;
    let same = expected.as_ref().is_none_or(|expected| *expected == explained["decision"]);
    if show.json {
        tell!(
            "{}",
            json!({
                "same": same, "decision": explained["decision"], "trace": explained["trace"], "now": at, "expected": expected,
            })
        );
    } else {
        people(&explained["decision"], explained.get("trace"), at);
        match &expected {
            Some(expected) if !same => tell!("DIFFERENT; expected {expected}"),
            Some(_) => tell!("the same as expected"),
            None => {}
        }
    }
    Ok(answer(same))
}

/// A decision as it was written down: as `evaluate` prints it, with or without its trace.
fn expectation(text: &str) -> Result<Value> {
    let value: Value = serde_json::from_str(&context(text)?).context("--expect is no JSON")?;
    Ok(value.get("decision").cloned().unwrap_or(value))
}

/// What a host makes of a pulse: one for another snapshot may only halt.
fn controlled(
    snapshot: &Snapshot<'_>,
    mark: flagstone_seal::Mark,
    expires: u64,
    pulse: &PulseStatement,
) -> Control {
    let halts = pulse.halts.iter().map(String::as_str);
    if pulse.snapshot != mark {
        return Control::closed(snapshot).also_halting(snapshot, halts);
    }
    let stages =
        pulse.stages.iter().map(|line| OpenStage { flag: &line.flag, stage: line.stage, since: line.since });
    Control::new(snapshot, pulse.expires.min(expires), stages, halts)
}
