//! Advisories: every locked version against a copy of the RustSec database, when there is one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use jiff::civil::Date;
use rustsec::Database;
use rustsec::database::Query;

use super::locks::Lock;
use super::policy::{Advisories, FILE};
use super::report::{Copy, Report};

/// The copy to compare with: the folder given, else one that cargo-audit or cargo-deny keeps.
pub(crate) fn find(given: Option<&Path>) -> Result<Option<PathBuf>> {
    if let Some(folder) = given {
        if !folder.join("crates").is_dir() {
            bail!(
                "`{}` is no copy of the advisory database: it has no folder `crates`\nhint: give the folder that `git clone` made of it",
                folder.display()
            );
        }
        return Ok(Some(folder.to_path_buf()));
    }
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let Some(home) = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo"))) else {
        return Ok(None);
    };
    // cargo-audit keeps one folder, cargo-deny one for each address it was given.
    let mut folders = vec![home.join("advisory-db")];
    if let Ok(entries) = std::fs::read_dir(home.join("advisory-dbs")) {
        let mut kept: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        kept.sort();
        folders.extend(kept);
    }
    Ok(folders.into_iter().find(|folder| folder.join("crates").is_dir()))
}

/// Vulnerabilities fail; crates that are unmaintained or unsound are told.
pub(crate) fn compare(
    policy: &Advisories,
    copy: Option<&Path>,
    locks: &[Lock],
    today: Date,
    report: &mut Report,
) -> Result<()> {
    for ignored in policy.ignore.iter().filter(|ignored| today > ignored.until) {
        report.fail(
            "advisories",
            &ignored.id,
            format!(
                "was set aside until {} ({}); hint: decide again in `{FILE}`",
                ignored.until, ignored.reason
            ),
        );
    }
    let Some(folder) = copy else {
        report.not_compared(
            "advisories",
            "known vulnerabilities: there is no copy of the RustSec advisory database on this machine; `cargo audit` or `cargo deny check advisories` gets one, `--advisories DIR` names one",
        );
        return Ok(());
    };
    let database = Database::open(folder)
        .with_context(|| format!("the advisories in `{}` cannot be read", folder.display()))?;
    let about = about(&database, today)?;
    if policy.old_after_days.is_some_and(|days| about.days > days) {
        report.warn(
            "advisories",
            "the copy of the database",
            format!("its newest advisory is {} days old; hint: `git pull` in it", about.days),
        );
    }
    let mut met = BTreeSet::new();
    let mut told = BTreeSet::new();
    for (query, fails) in [(Query::crate_scope(), true), (Query::crate_scope().informational(true), false)] {
        for lock in locks {
            for found in database.query_vulnerabilities(&lock.content, &query) {
                let (id, package) = (&found.advisory.id, &found.package);
                met.insert(id.to_string());
                let aside =
                    policy.ignore.iter().any(|ignored| ignored.id == id.as_str() && today <= ignored.until);
                let subject = format!("{} {}", package.name, package.version);
                // One package of several lock files is one piece of news.
                if aside || !told.insert((subject.clone(), id.to_string())) {
                    continue;
                }
                let patched: Vec<String> = found.versions.patched().iter().map(ToString::to_string).collect();
                let patched = if patched.is_empty() { "no version".to_owned() } else { patched.join(" or ") };
                let subject = format!("{subject} in {}", lock.name);
                if fails {
                    report.fail(
                        "advisories",
                        subject,
                        format!("{id}: {}; patched in {patched}", found.advisory.title),
                    );
                } else {
                    let kind = found.advisory.informational.as_ref().map_or("notice", |kind| kind.as_str());
                    report.warn(
                        "advisories",
                        subject,
                        format!("{id} ({kind}): {}; patched in {patched}", found.advisory.title),
                    );
                }
            }
        }
    }
    for ignored in policy.ignore.iter().filter(|ignored| !met.contains(&ignored.id)) {
        report.warn(
            "advisories",
            &ignored.id,
            format!("is set aside in `{FILE}`, and touches nothing that is locked; hint: strike it"),
        );
    }
    report.checked(
        "advisories",
        format!(
            "{} advisories; the newest is {} of {}, {} days ago",
            about.count, about.newest, about.newest_date, about.days
        ),
    );
    report.advisories = Some(about);
    Ok(())
}

/// How much there is, and how old: without git, the newest date in it is what can be known.
fn about(database: &Database, today: Date) -> Result<Copy> {
    let newest = database
        .iter()
        .max_by(|one, other| (one.date(), one.id().as_str()).cmp(&(other.date(), other.id().as_str())))
        .context("the advisory database is empty")?;
    let date: Date = newest.date().as_str().parse().context("an advisory has no date")?;
    let days = (today - date).get_days();
    Ok(Copy {
        count: database.iter().count(),
        newest: newest.id().to_string(),
        newest_date: date.to_string(),
        days,
    })
}
