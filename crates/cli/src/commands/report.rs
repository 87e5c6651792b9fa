//! `flagstone report`: everything a person should read about one rollout, as text, JSON and plots.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail};
use flagstone_govern::LedgerFile;
use flagstone_report::{Look, Question, Report, Standing, plots, report, text};
use serde_json::{Value, json};

use crate::commands::ledger::runtime;
use crate::commands::publish::Publisher;
use crate::commands::replay::moment;
use crate::files;
use crate::output::Output;

/// Tell everything about one rollout: verdict, evidence, slices, drift, what cannot be seen yet
///
/// From a running control plane; or, with --data or --database, from the records in its database; or, with --inputs, from a
/// file of what the judge was given. Exit codes: 0 nobody is needed, 1 it was taken back, 3 somebody may be needed (held,
/// halted, waiting for approval or a start), 2 it could not be tried.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone report answers --environment production\n  \
    flagstone report answers --environment production --svg plots --json | jq .report.metrics\n  \
    flagstone report answers --data .flagstone --as-of 2026-09-21T14:13:20Z\n  \
    flagstone report answers --inputs looks.json --svg plots")]
pub(crate) struct Arguments {
    /// The flag's key
    flag: String,
    /// The environment
    #[arg(long, value_name = "NAME", required_unless_present_any = ["data", "database", "inputs"])]
    environment: Option<String>,
    /// The control plane's address
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7070")]
    to: String,
    /// The operator's token
    #[arg(long, value_name = "TOKEN", env = "FLAGSTONE_OPERATOR_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// The folder of `flagstone up`, read without the control plane
    #[arg(long, value_name = "DIR", conflicts_with_all = ["environment", "database", "inputs"])]
    data: Option<PathBuf>,
    /// A control plane's database, likewise
    #[arg(long, value_name = "FILE", conflicts_with_all = ["environment", "inputs"])]
    database: Option<PathBuf>,
    /// What the judge was given, one object or a list of them, oldest first: JSON (docs/cli.md)
    #[arg(long, value_name = "FILE", conflicts_with = "environment")]
    inputs: Option<PathBuf>,
    /// Report on an earlier moment: unix seconds, or like 2026-09-21T14:13:20Z
    #[arg(long, value_name = "TIME", value_parser = moment)]
    as_of: Option<u64>,
    /// Nothing of fewer units than this is shown; a running control plane has a number of its own
    #[arg(long, value_name = "K", default_value_t = 20, value_parser = clap::value_parser!(u64).range(2..))]
    k_anonymity: u64,
    /// Write plots into this folder as SVG
    #[arg(long, value_name = "DIR")]
    svg: Option<PathBuf>,
    /// Characters of a line, 60 to 140; by default the terminal's
    #[arg(long, value_name = "N")]
    width: Option<usize>,
    #[command(flatten)]
    show: Output,
}

/// Characters of a line where there is no terminal.
const PLAIN_WIDTH: usize = 100;

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Some(found) = find(arguments)? else {
        let when = arguments.as_of.map_or("", |_| " at that time");
        bail!(
            "nothing was judged of a rollout of `{}`{when}\nhint: `flagstone ledger show DATABASE --kind attempt-begun`",
            arguments.flag
        );
    };
    arguments.show.say(text(&found, arguments.width.unwrap_or_else(width)).trim_end());
    let mut drawn: Vec<Value> = Vec::new();
    if let Some(folder) = &arguments.svg {
        for (file, title) in draw(&found, folder)? {
            arguments.show.say(&format!("drawn: {} ({title})", file.display()));
            drawn.push(json!(file));
        }
        if drawn.is_empty() {
            arguments.show.say("nothing can be drawn yet");
        }
    }
    arguments.show.object(&json!({"report": found, "drawn": drawn}));
    Ok(match found.standing {
        Standing::Fine => ExitCode::SUCCESS,
        Standing::TakenBack => ExitCode::FAILURE,
        Standing::Person => ExitCode::from(3),
    })
}

fn find(arguments: &Arguments) -> Result<Option<Report>> {
    let Arguments { flag, as_of, k_anonymity, .. } = arguments;
    if let Some(file) = &arguments.inputs {
        let looks = looks(file)?;
        let until = as_of.unwrap_or(u64::MAX);
        let looks: Vec<Look> = looks.into_iter().filter(|look| look.now <= until).collect();
        return Ok(report(&Question { flag, looks: &looks, k: *k_anonymity, ..Question::default() }));
    }
    let database =
        arguments.data.as_ref().map(|data| data.join("govern.sqlite")).or(arguments.database.clone());
    if let Some(database) = database {
        if !database.is_file() {
            bail!(
                "there is no `{}`\nhint: --data names the folder of `flagstone up` (`.flagstone`), --database a control plane's file",
                database.display()
            );
        }
        let found = runtime()?
            .block_on(async { LedgerFile::open(&database).await?.report(flag, *as_of, *k_anonymity).await });
        return found.with_context(|| format!("cannot read `{}`", database.display()));
    }
    let Some(environment) = &arguments.environment else { bail!("which --environment?") };
    let publisher = Publisher::new(&arguments.to, arguments.token.clone())?;
    let answer = runtime()?.block_on(publisher.report(environment, flag, *as_of))?;
    let version = answer["report"].as_u64().unwrap_or(0);
    if version != u64::from(flagstone_report::VERSION) {
        bail!(
            "`{}` answers with version {version} of the report, and this command reads version {}\nhint: use the command \
             of the control plane's own version",
            arguments.to,
            flagstone_report::VERSION
        );
    }
    Ok(Some(serde_json::from_value(answer).context("the control plane's report cannot be read")?))
}

/// The judge's inputs of a file, one or several.
fn looks(file: &Path) -> Result<Vec<Look>> {
    let value: Value = serde_json::from_str(&files::read_text(file)?)
        .map_err(|error| anyhow!("`{}` is no JSON: {error}", file.display()))?;
    let all = match value {
        Value::Array(all) => all,
        one => vec![one],
    };
    let mut looks = Vec::with_capacity(all.len());
    for (number, one) in all.into_iter().enumerate() {
        let known = ["rules", "evidence"].iter().all(|member| one.get(member).is_some());
        let look: Look = serde_json::from_value(one)
            .map_err(|error| anyhow!("look {} of `{}`: {error}", number + 1, file.display()))?;
        if !known {
            bail!(
                "look {} of `{}` has no `rules` or no `evidence`\nhint: a look is {{\"rules\", \"state\", \"evidence\", \"now\"}}",
                number + 1,
                file.display()
            );
        }
        looks.push(look);
    }
    looks.sort_by_key(|look: &Look| look.now);
    Ok(looks)
}

/// Writes the plots; gives their files and titles.
fn draw(found: &Report, folder: &Path) -> Result<Vec<(PathBuf, String)>> {
    let drawn = plots::plots(found).map_err(|error| anyhow!(error))?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let mut files = Vec::new();
    for plot in drawn {
        let file = folder.join(format!("{}.svg", plot.name));
        std::fs::write(&file, &plot.svg).with_context(|| format!("cannot write `{}`", file.display()))?;
        files.push((file, plot.title));
    }
    Ok(files)
}

fn width() -> usize {
    let terminal = std::io::stdout().is_terminal().then(terminal_size::terminal_size).flatten();
    terminal.map_or(PLAIN_WIDTH, |(width, _)| usize::from(width.0))
}
