//! `flagstone simulate`: many rollouts in virtual time, and whether what is promised of the judge holds.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow, bail};
use flagstone_simulate::{Own, Row, Scenario, Settings, all, own, run as simulate, table};
use serde_json::json;

use crate::commands::plan::Rates;
use crate::output::{Output, answer};

/// Roll out a thousand times in virtual time, where it is known whether the candidate does harm.
///
/// Drives the real engine and the real judge over made-up populations and prints, with standard errors, how often a harmless
/// candidate is taken back, how often and how soon harm is found, and how often a broken comparison is noticed
/// (docs/simulation.md). Exit code 1 when one of the promised error rates does not hold.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone simulate                                       all scenarios, 1,000 rollouts each\n  \
    flagstone simulate --scenario doubling --compare         and what others would have done\n  \
    flagstone simulate --rollouts 1000 --units 20000 --scenario same-returning --json\n  \
    flagstone simulate --definition flags.yaml --base-rate unsupported=3% --units 50000\n\n\
    All cores are used; RAYON_NUM_THREADS says how many. The numbers do not depend on it.")]
pub(crate) struct Arguments {
    /// A scenario by name; `all` for all of them
    #[arg(long, value_name = "NAME", default_values_t = ["all".to_owned()], conflicts_with = "definition")]
    scenario: Vec<String>,
    /// Simulate one's own plan instead: nothing changes, and each metric that can take it back doubles and grows fivefold
    #[arg(long, value_name = "FILE")]
    definition: Option<PathBuf>,
    #[command(flatten)]
    rates: Rates,
    /// Rollouts of each scenario
    #[arg(long, value_name = "NUMBER", default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    rollouts: u64,
    /// Units of each rollout; by default as many as the scenario says, 20,000 for one's own plan. Scenarios in which
    /// something is to be found never have fewer than that takes
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=50_000_000))]
    units: Option<u32>,
    /// Own plan: mean visits of a unit over all of the time
    #[arg(long, value_name = "NUMBER", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    visits: u32,
    /// Own plan: virtual days; by default one and a half times what the stages bake
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    days: Option<u32>,
    /// Where chance comes from: the same seed, the same numbers
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    /// Ask also what others would have done in the same rollouts; stages then move by their bake times alone
    #[arg(long)]
    compare: bool,
    #[command(flatten)]
    show: Output,
}

pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    let Some(scenarios) = scenarios(arguments)? else {
        arguments.show.object(&json!({"simulated": false}));
        return Ok(ExitCode::FAILURE);
    };
    let settings = Settings {
        seed: arguments.seed,
        rollouts: arguments.rollouts,
        // One's own scenarios have their units already.
        units: arguments.units.filter(|_| arguments.definition.is_none()),
        compare: arguments.compare,
    };
    let mut rows: Vec<Row> = Vec::new();
    for scenario in &scenarios {
        let progress = Progress::new(&scenario.name, scenario.rollouts(&settings));
        let row = simulate(scenario, &settings, &|| progress.step()).map_err(|words| anyhow!(words))?;
        progress.clear();
        rows.push(row);
    }
    arguments.show.say(table::rows(&rows).trim_end());
    for row in &rows {
        let details = table::details(row);
        if !details.is_empty() {
            arguments.show.say(&format!("\n{}:\n{}", row.scenario, details.trim_end()));
        }
    }
    let broken: Vec<&Row> = rows.iter().filter(|row| !row.met).collect();
    for row in &broken {
        arguments.show.say(&format!("\n{}: promised is {}", row.scenario, row.goal.words()));
    }
    arguments.show.object(&json!({
        "simulated": true,
        "holds": broken.is_empty(),
        "seed": arguments.seed,
        "rollouts": arguments.rollouts,
        "compare": arguments.compare,
        "rows": rows,
    }));
    Ok(answer(broken.is_empty()))
}

/// What to simulate; none when a definition has errors.
fn scenarios(arguments: &Arguments) -> Result<Option<Vec<Scenario>>> {
    if let Some(path) = &arguments.definition {
        let units = arguments.units.unwrap_or(20_000);
        let assumed = Own { units, visits: f64::from(arguments.visits), days: arguments.days };
        let trials = arguments.rates.trials(path)?;
        return Ok(trials.map(|trials| trials.iter().flat_map(|trial| own(trial, &assumed)).collect()));
    }
    let mut known = all().map_err(|words| anyhow!(words))?;
    if arguments.scenario.iter().any(|name| name == "all") {
        return Ok(Some(known));
    }
    if let Some(name) = arguments.scenario.iter().find(|name| known.iter().all(|one| one.name != **name)) {
        let names: Vec<&str> = known.iter().map(|scenario| scenario.name.as_str()).collect();
        bail!("there is no scenario `{name}`\nhint: there are {}, and `all`", names.join(", "));
    }
    known.retain(|scenario| arguments.scenario.contains(&scenario.name));
    Ok(Some(known))
}

/// How far a scenario is, on a terminal's last line; silent elsewhere.
struct Progress<'a> {
    name: &'a str,
    of: u64,
    done: AtomicU64,
    shown: bool,
}

impl<'a> Progress<'a> {
    fn new(name: &'a str, of: u64) -> Self {
        Self { name, of, done: AtomicU64::new(0), shown: std::io::stderr().is_terminal() }
    }

    fn step(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if self.shown && done.is_multiple_of((self.of / 100).max(1)) {
            let mut errors = std::io::stderr().lock();
            let _ = write!(errors, "\r{}: {done} of {} rollouts\x1b[K", self.name, self.of);
            let _ = errors.flush();
        }
    }

    fn clear(&self) {
        if self.shown {
            eprint!("\r\x1b[K");
        }
    }
}
