//! `flagstone ledger show`: entries as people read them, or as JSON lines.

use std::process::ExitCode;

use anyhow::{Result, bail};
use flagstone_govern::{LedgerFile, Words, log};
use serde_json::{Value, json};

use crate::commands::ledger::{Place, judged, pinned, reader, runtime};
use crate::output::{tell, time};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A log's folder or address, or a database
    ledger: String,
    /// The log's public key, needed for a folder or an address: a file, or the key itself
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Only entries about this flag
    #[arg(long, value_name = "KEY")]
    flag: Option<String>,
    /// Only entries of this kind, e.g. `decision`
    #[arg(long, value_name = "KIND")]
    kind: Option<String>,
    /// Only entries after this number
    #[arg(long, value_name = "N", default_value_t = 0)]
    after: u64,
    /// At most this many
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
    /// One JSON object a line: `entry`, `record`, and `words` where a person's are kept
    #[arg(long)]
    json: bool,
}

/// An entry to show.
struct Shown {
    entry: u64,
    record: Value,
    words: Option<Words>,
}

impl Arguments {
    fn wants(&self, entry: u64, record: &Value) -> bool {
        let is = |name: &str, wanted: &Option<String>| {
            wanted.as_deref().is_none_or(|wanted| record[name].as_str() == Some(wanted))
        };
        entry > self.after && is("flag", &self.flag) && is("kind", &self.kind)
    }

    fn full(&self, shown: &[Shown]) -> bool {
        self.limit.is_some_and(|limit| shown.len() >= limit)
    }
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let place = Place::of(&arguments.ledger)?;
    let found = match &place {
        Place::Database(file) => runtime()?.block_on(of_database(arguments, file)),
        _ => of_log(arguments, &place),
    };
    let shown = match found {
        Ok(shown) => shown,
        Err(error) if judged(&error).1 => {
            eprintln!("bad: {error:#}");
            return Ok(ExitCode::FAILURE);
        }
        Err(error) => return Err(error),
    };
    for Shown { entry, record, words } in &shown {
        if arguments.json {
            tell!("{}", json!({"entry": entry, "record": record, "words": words}));
        } else {
            tell!("{}", line(*entry, record, words.as_ref()));
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn of_database(arguments: &Arguments, file: &std::path::Path) -> Result<Vec<Shown>> {
    let mut ledger = LedgerFile::open(file).await?;
    let (mut shown, mut after) = (Vec::new(), arguments.after);
    loop {
        let page = ledger.entries(after, 500).await?;
        let Some(last) = page.last() else { return Ok(shown) };
        after = last.entry;
        for one in page {
            if arguments.full(&shown) {
                return Ok(shown);
            }
            if arguments.wants(one.entry, &one.record) {
                shown.push(Shown { entry: one.entry, record: one.record, words: one.words });
            }
        }
    }
}

fn of_log(arguments: &Arguments, place: &Place) -> Result<Vec<Shown>> {
    let Some(key) = &arguments.key else {
        bail!("which key must have signed the log?\nhint: --key FILE, with the key that was pinned");
    };
    let mut shown = Vec::new();
    let mut each = |entry: u64, bytes: &[u8]| {
        let record: Value = serde_json::from_slice(bytes).unwrap_or_default();
        if !arguments.full(&shown) && arguments.wants(entry, &record) {
            shown.push(Shown { entry, record, words: None });
        }
    };
    log::verify(reader(place)?, &[pinned(key)?], &mut each)?;
    Ok(shown)
}

/// An entry as people read it.
fn line(entry: u64, record: &Value, words: Option<&Words>) -> String {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if record["kind"].is_null() {
        return format!("#{entry} a record of {} bytes, sha256 {}", record["bytes"], text(&record["sha256"]));
    }
    let at = time(record["at"].as_u64().unwrap_or_default() / 1_000);
    let flag = record["flag"].as_str().map(|flag| format!(" `{flag}`")).unwrap_or_default();
    let (data, kind) = (&record["data"], text(&record["kind"]));
    let snapshot = |snapshot: &Value| format!("snapshot {}.{}", snapshot["epoch"], snapshot["sequence"]);
    let standing = |standing: &Value| match &standing["stage"] {
        Value::Null => text(&standing["phase"]),
        stage => format!("{} at stage {stage}", text(&standing["phase"])),
    };
    let tells = match kind.as_str() {
        "decision" => {
            let why = data["reasons"][0].as_str().or(data["rule"].as_str()).unwrap_or_default();
            format!("{} -> {}: {why}", standing(&data["from"]), standing(&data["to"]))
        }
        "pulse" => {
            let stages = data["stages"].as_array().into_iter().flatten();
            let stages = stages.map(|line| format!("{} at stage {}", text(&line["flag"]), line["stage"]));
            let halts =
                data["halts"].as_array().into_iter().flatten().map(|flag| format!("{} halted", text(flag)));
            let all: Vec<String> = stages.chain(halts).collect();
            let all = if all.is_empty() { "nothing is open".to_owned() } else { all.join(", ") };
            format!("{}, {all}", snapshot(&data["snapshot"]))
        }
        "snapshot-posted" | "snapshot-adopted" => snapshot(&data["snapshot"]),
        "snapshot-refused" => text(&data["code"]),
        "definition-posted" => format!("for {}", text(&data["snapshot"])),
        "attempt-begun" => {
            format!(
                "attempt {}: {} instead of {}",
                data["attempt"],
                text(&data["candidate"]),
                text(&data["baseline"])
            )
        }
        "ceiling-raised" => format!("approved up to stage {} by {}", data["to"], snapshot(&data["snapshot"])),
        "outage" => format!("{} s without a live pulse", data["seconds"]),
        "trust" => format!("version {}, epoch {}", data["version"], data["epoch"]),
        "log-key" => text(&data["key"]),
        _ => words
            .map(|words| words.reason.clone())
            .or(data["reason"].as_str().map(str::to_owned))
            .unwrap_or_default(),
    };
    let actor = match (words, record["actor"].as_str()) {
        (Some(words), _) => format!(" (by {})", words.actor),
        (None, Some("person")) => {
            format!(" (by a person; words {})", text(&data["words"]).get(..8).unwrap_or_default())
        }
        (None, Some("governor") | None) => String::new(),
        (None, Some(actor)) => format!(" (by {actor})"),
    };
    format!("#{entry} {at} {kind}{flag} {tells}{actor}")
}
