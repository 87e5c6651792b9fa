//! `flagstone plan check`: what a plan can see, asked before it starts.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Result, bail};
use flagstone_compile::Source;
use flagstone_simulate::check::{Assumed, check};
use flagstone_simulate::{BaseRates, Trial, table, trials};
use serde_json::json;

use crate::files;
use crate::output::{Output, answer};

/// Look at a rollout plan before it starts.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    Check(Arguments),
}

/// Say what each stage of a plan can see.
///
/// For each stage: the units and bad units to expect, the smallest effect it finds, how many treated units it takes to find
/// a doubling, and the chance that a harmless candidate is taken back. Computed with the judge's own test on drawn counts
/// (docs/simulation.md). Exit code 1 when a stage cannot see a doubling, or the definition has errors.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  \
    flagstone plan check flags.yaml --units-per-day 20000 --base-rate 2%\n  \
    flagstone plan check flags.yaml --units-per-day 5000 --population 40000 --base-rate unsupported=3% --base-rate slow=8%")]
pub(crate) struct Arguments {
    /// The definition
    definition: PathBuf,
    /// Different units that come on a day
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    units_per_day: u64,
    /// How many units there are altogether; without it new ones keep coming
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    population: Option<u64>,
    #[command(flatten)]
    rates: Rates,
    /// Rollouts for each number
    #[arg(long, value_name = "NUMBER", default_value_t = 400, value_parser = clap::value_parser!(u64).range(1..))]
    rollouts: u64,
    /// Where chance comes from: the same seed, the same numbers
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    show: Output,
}

/// Which plan, and what to assume of its metrics.
#[derive(clap::Args)]
pub(crate) struct Rates {
    /// Only this flag; by default every flag with a plan
    #[arg(long, value_name = "KEY")]
    flag: Option<String>,
    /// Part of the units that turn bad without the candidate, of one metric or of all that are not named [default: 2%].
    /// Tripwires have none unless they are named
    #[arg(long, value_name = "[METRIC=]RATE", value_parser = rate)]
    base_rate: Vec<(Option<String>, f64)>,
}

fn rate(text: &str) -> Result<(Option<String>, f64), String> {
    let (metric, amount) = match text.rsplit_once('=') {
        Some((metric, amount)) => (Some(metric.to_owned()), amount),
        None => (None, text),
    };
    let part = match amount.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map(|percent| percent / 100.0),
        None => amount.parse::<f64>(),
    };
    let part = part.ok().filter(|part| (0.0..1.0).contains(part));
    let part = part.ok_or_else(|| format!("`{amount}` is no rate: write it like `2%` or `0.02`"))?;
    Ok((metric, part))
}

/// Seconds without outcomes after which a metric is stale, in simulations: their populations are small.
const STALENESS: u64 = 86_400;

impl Rates {
    /// The plans of a definition; none, and said so, when it has errors.
    pub(crate) fn trials(&self, path: &Path) -> Result<Option<Vec<Trial>>> {
        let mut rates = BaseRates::default();
        for (metric, rate) in &self.base_rate {
            match metric {
                Some(metric) => drop(rates.named.insert(metric.clone(), *rate)),
                None => rates.general = *rate,
            }
        }
        let source = Source::new(path.display().to_string(), files::read_text(path)?);
        let mut found = match trials(&source, &rates, STALENESS) {
            Ok(found) => found,
            Err(words) => {
                eprintln!("{}", words.trim_end());
                return Ok(None);
            }
        };
        if let Some(flag) = &self.flag {
            found.retain(|trial| trial.flag == *flag);
        }
        if found.is_empty() {
            bail!(
                "{} has a plan whose stages draw units at random\nhint: `treat` and `control` in a stage do",
                self.flag.as_ref().map_or("no flag".to_owned(), |flag| format!("no flag `{flag}`"))
            );
        }
        Ok(Some(found))
    }
}

pub(crate) fn run(command: &Command) -> Result<ExitCode> {
    let Command::Check(arguments) = command;
    let Some(trials) = arguments.rates.trials(&arguments.definition)? else {
        arguments.show.object(&json!({"checked": false}));
        return Ok(ExitCode::FAILURE);
    };
    let assumed = Assumed {
        units_per_day: arguments.units_per_day as f64,
        population: arguments.population.map(|units| units as f64),
        seed: arguments.seed,
        rollouts: arguments.rollouts,
    };
    let plans: Vec<_> = trials.iter().map(|trial| check(trial, &assumed)).collect();
    for plan in &plans {
        arguments.show.say(table::checked(plan).trim_end());
    }
    let sees = plans.iter().all(|plan| plan.sees_doubling);
    arguments.show.object(&json!({
        "checked": true,
        "seesDoubling": sees,
        "unitsPerDay": arguments.units_per_day,
        "population": arguments.population,
        "seed": arguments.seed,
        "rollouts": arguments.rollouts,
        "plans": plans,
    }));
    Ok(answer(sees))
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn rates_are_percentages_or_parts_of_one() {
        assert_eq!(rate("2.5%"), Ok((None, 0.025)));
        assert_eq!(rate("slow=0.1"), Ok((Some("slow".to_owned()), 0.1)));
        assert!(rate("slow=").is_err() && rate("2").is_err() && rate("-1%").is_err() && rate("NaN").is_err());
    }
}
