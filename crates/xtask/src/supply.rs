//! `cargo xtask supply`: what others wrote and we build upon, compared with what `supply.toml` allows (docs/supply-chain.md).
//!
//! It reads lock files and what cargo has on this machine, and asks nobody: what cannot be known that way is said, not guessed.

mod advisories;
mod bill;
mod duplicates;
mod licences;
mod locks;
mod policy;
mod report;
mod sandbox;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::places::Places;
use policy::Policy;
use report::Report;

/// What can be asked.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// A copy of the RustSec advisory database; else the one that cargo-audit or cargo-deny keeps.
    #[arg(long, value_name = "DIR", env = "FLAGSTONE_ADVISORIES")]
    advisories: Option<PathBuf>,
    /// Writes a bill of materials (CycloneDX 1.6, JSON) of what ships, and compares nothing.
    #[arg(long, value_name = "FILE")]
    sbom: Option<PathBuf>,
    /// The moment to be written into the bill, as 2026-11-27T12:00:00Z; none otherwise, so that the same sources give the same bytes.
    #[arg(long, value_name = "MOMENT", requires = "sbom")]
    sbom_time: Option<jiff::Timestamp>,
    /// Compares as on this day (2026-11-27) instead of today: which advisories set aside have run out.
    #[arg(long, value_name = "DATE")]
    today: Option<jiff::civil::Date>,
    /// End with one line holding one JSON object.
    #[arg(long)]
    json: bool,
}

/// Runs the command; the exit code is 0 only when nothing is against the policy.
pub(crate) fn run(places: &Places, arguments: &Arguments) -> Result<ExitCode> {
    if let Some(file) = &arguments.sbom {
        return bill::write(places, file, arguments.sbom_time, arguments.json);
    }
    let report = compare(places, arguments)?;
    report.print(arguments.json);
    Ok(if report.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The step of the whole check, which may get what is lacking.
pub(crate) fn step(places: &Places) -> Result<()> {
    workspace::fetch(places)?;
    let advisories =
        std::env::var_os("FLAGSTONE_ADVISORIES").filter(|set| !set.is_empty()).map(PathBuf::from);
    let arguments = Arguments { advisories, sbom: None, sbom_time: None, today: None, json: false };
    let report = compare(places, &arguments)?;
    report.print(false);
    if !report.passed() {
        bail!("what is locked is not what `{}` allows", policy::FILE);
    }
    Ok(())
}

fn compare(places: &Places, arguments: &Arguments) -> Result<Report> {
    let policy = Policy::read(places)?;
    let today =
        arguments.today.unwrap_or_else(|| jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date());
    let locks = locks::find(places)?;
    let workspaces = workspace::read(places, &locks)?;
    let mut report = Report::default();
    locks::sources(&locks, &mut report);
    workspace::compare(places, &workspaces, &mut report);
    licences::compare(&policy.licences, &workspaces, &mut report)?;
    duplicates::compare(&policy, &locks, &mut report);
    sandbox::compare(&policy.sandbox, &locks, &workspaces, today, &mut report);
    locks::npm(places, &mut report)?;
    let copy = advisories::find(arguments.advisories.as_deref())?;
    advisories::compare(&policy.advisories, copy.as_deref(), &locks, today, &mut report)?;
    report.not_compared(
        "yanked",
        "whether a version was withdrawn from the registry after it was locked: only the registry knows",
    );
    Ok(report)
}
