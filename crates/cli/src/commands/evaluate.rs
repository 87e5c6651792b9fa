//! `flagstone evaluate`: one decision from a definition or a sealed file, with its explanation.

use std::io::Read;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, anyhow, bail};
use flagstone_evaluate::{Context, Control, OpenStage, decide_key, decision_json, explain_json};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{OpenPolicy, open};
use flagstone_snapshot::Snapshot;
use serde_json::{Value, json};

use crate::commands::seal::payload;
use crate::files::{self, Compiling};
use crate::output::{Output, answer, tell, time};

/// Decide one flag for one context.
///
/// Exit code 1 when the decision is an error (unknown flag, broken definition).
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone evaluate new-answers --definition flags.yaml --context '{\"targetingKey\":\"ana\"}'\n  \
    flagstone evaluate new-answers --definition flags.yaml --context @ana.json --stage new-answers=2 --explain\n  \
    flagstone evaluate new-answers --sealed flags.sealed --trust trust.note --audience acme.example/assistant --environment production --context -")]
pub(crate) struct Arguments {
    /// The flag's key
    flag: String,
    /// A definition or a snapshot to evaluate
    #[arg(long, value_name = "FILE", conflicts_with = "sealed", required_unless_present = "sealed")]
    definition: Option<PathBuf>,
    /// A sealed file to verify and evaluate; needs --trust, --audience and --environment
    #[arg(long, value_name = "FILE", requires_all = ["trust", "audience", "environment"])]
    sealed: Option<PathBuf>,
    /// The trust note to verify it by
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// The audience it must be for
    #[arg(long, value_name = "NAME")]
    audience: Option<String>,
    /// The context: JSON, `@FILE`, or `-` for standard input
    #[arg(long, value_name = "JSON", default_value = "{}")]
    context: String,
    /// The time to decide at, unix seconds; by default now
    #[arg(long, value_name = "SECONDS")]
    now: Option<u64>,
    /// As if a pulse had opened a plan's stage (counted from 0); clamped to the plan's ceiling. With `@SECONDS` (unix) it
    /// is open since then, otherwise for long
    #[arg(long, value_name = "FLAG=STAGE[@SECONDS]", value_parser = stage)]
    stage: Vec<(String, u8, u64)>,
    /// As if a pulse had halted a flag
    #[arg(long, value_name = "FLAG")]
    halt: Vec<String>,
    /// As if there were no fresh pulse
    #[arg(long, conflicts_with_all = ["stage", "halt"])]
    without_pulse: bool,
    /// Say why: every check in order, with what it saw
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    compiling: Compiling,
    #[command(flatten)]
    show: Output,
}

/// How long the pulse that the options stand for would hold, seconds.
const LEASE: u64 = 300;

fn stage(text: &str) -> Result<(String, u8, u64), String> {
    let (flag, stage) = text.rsplit_once('=').ok_or("write it as FLAG=STAGE")?;
    let (stage, since) = stage.split_once('@').unwrap_or((stage, "0"));
    let stage = stage.parse().map_err(|_| format!("`{stage}` is no stage: count from 0"))?;
    let since = since.parse().map_err(|_| format!("`{since}` is no time: unix seconds"))?;
    Ok((flag.to_owned(), stage, since))
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let now = arguments.now.unwrap_or_else(files::now);
    let Some(bytes) = snapshot(arguments, now)? else {
        arguments.show.object(&json!({"evaluated": false}));
        return Ok(ExitCode::FAILURE);
    };
    let snapshot = Snapshot::load(&bytes).map_err(|error| anyhow!("the snapshot is refused: {error}"))?;
    let context = Context::from_json(&snapshot, &context(&arguments.context)?).map_err(|error| {
        anyhow!("{error}\nhint: a context is a JSON object like {{\"targetingKey\":\"ana\"}}")
    })?;
    let control = if arguments.without_pulse {
        Control::closed(&snapshot)
    } else {
        let stages = arguments.stage.iter().map(|(flag, stage, since)| OpenStage {
            flag,
            stage: *stage,
            since: *since,
        });
        Control::new(&snapshot, now + LEASE, stages, arguments.halt.iter().map(String::as_str))
    };
    let key = arguments.flag.as_str();
    let text = if arguments.explain {
        explain_json(&snapshot, &control, &context, key, now)
    } else {
        decision_json(&snapshot, &decide_key(&snapshot, &control, &context, key, now), key)
    };
    let value: Value = serde_json::from_str(&text).context("the engine wrote no JSON")?;
    let decision = if arguments.explain { &value["decision"] } else { &value };
    let failed = !decision["errorCode"].is_null();
    if !arguments.show.json {
        people(decision, value.get("trace"), now);
    }
    if arguments.show.json {
        tell!("{text}"); // the engine's own text, byte for byte
    }
    Ok(answer(!failed))
}

/// The snapshot to evaluate; none when a definition has errors.
fn snapshot(arguments: &Arguments, now: u64) -> Result<Option<Vec<u8>>> {
    if let Some(path) = &arguments.definition {
        return payload(path, &arguments.compiling);
    }
    let (Some(file), Some(trust), Some(audience), Some(environment)) =
        (&arguments.sealed, &arguments.trust, &arguments.audience, &arguments.compiling.environment)
    else {
        bail!("name a --definition, or --sealed with --trust, --audience and --environment");
    };
    let trust = files::trust(trust, now)?;
    let bytes = files::read(file)?;
    let policy = OpenPolicy { audience, environment, now, mark: None, max_payload: SERVER_PAYLOAD_BYTES };
    match open(&bytes, &trust, &policy) {
        Ok(opened) => Ok(Some(opened.payload.to_vec())),
        Err(error) => {
            arguments.show.say(&format!("refused: {error} ({})", error.code()));
            Ok(None)
        }
    }
}

/// JSON given as such, as `@FILE` or as `-`.
pub(crate) fn context(argument: &str) -> Result<String> {
    match argument.strip_prefix('@') {
        Some(path) => files::read_text(path.as_ref()),
        None if argument == "-" => {
            let mut text = String::new();
            std::io::stdin().take(1 << 20).read_to_string(&mut text).context("cannot read standard input")?;
            Ok(text)
        }
        None => Ok(argument.to_owned()),
    }
}

/// A decision as people read it.
pub(crate) fn people(decision: &Value, trace: Option<&Value>, now: u64) {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if decision["variant"].is_null() {
        tell!("{}: the caller's own default", text(&decision["flag"]));
    } else {
        tell!("{}: {} = {}", text(&decision["flag"]), text(&decision["variant"]), decision["value"]);
    }
    let mut because = text(&decision["reason"]);
    for part in ["errorCode", "detail", "arm"] {
        if !decision[part].is_null() {
            because += &format!(", {}", text(&decision[part]));
        }
    }
    tell!("  because {because}");
    for part in ["stage", "cohort"] {
        if let Some(name) = decision[part]["name"].as_str() {
            tell!("  {part} {} `{name}`", decision[part]["index"]);
        }
    }
    let Some(Value::Array(steps)) = trace else { return };
    tell!("  at {}, in this order:", time(now));
    for step in steps {
        let mark = if step["passed"] == Value::Bool(true) { "yes" } else { "no " };
        let rest: Vec<String> = step
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(key, _)| !matches!(key.as_str(), "check" | "passed" | "rules" | "tests"))
            .map(|(key, value)| format!("{key} {}", text(value)))
            .collect();
        tell!("    {mark} {:<24} {}", text(&step["check"]), rest.join(", "));
        for rule in step["rules"].as_array().into_iter().flatten() {
            let mark = if rule["matched"] == Value::Bool(true) { "matched" } else { "did not match" };
            tell!("        rule {} {mark}", rule["rule"]);
            rule["tests"].as_array().into_iter().flatten().for_each(test);
        }
        step["tests"].as_array().into_iter().flatten().for_each(test);
    }
}

/// A test that a rule made, with what it saw.
fn test(test: &Value) {
    let name = test["test"].as_str().unwrap_or_default();
    let left = match test["attribute"].as_str() {
        Some(attribute) => format!("`{attribute}` ({})", test["value"]),
        None => test["value"].to_string(),
    };
    let right = test.get("against").map(|against| format!(" {against}")).unwrap_or_default();
    tell!("          {left} {name}{right}: {}", test["answer"]);
}
