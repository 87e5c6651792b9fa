//! Licences: every package may be taken under one that is allowed.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, anyhow};
use spdx::{Expression, Licensee, ParseMode};

use super::policy::{FILE, Licences};
use super::report::Report;
use super::workspace::Workspace;

/// Compares the licence expressions of all packages that are known, ours too.
pub(crate) fn compare(policy: &Licences, workspaces: &[Workspace], report: &mut Report) -> Result<()> {
    let allowed = policy
        .allow
        .iter()
        .map(|text| {
            Licensee::parse(text)
                .map_err(|error| anyhow!("{}", error.reason))
                .with_context(|| format!("`{FILE}`: `{text}` is no licence of the SPDX list"))
        })
        .collect::<Result<Vec<_>>>()?;
    // A package stands in several lock files, and is told once.
    let mut packages: BTreeMap<(String, String), Option<String>> = BTreeMap::new();
    for metadata in workspaces.iter().filter_map(Workspace::metadata) {
        for package in &metadata.packages {
            let key = (package.name.to_string(), package.version.to_string());
            packages.insert(key, package.license.clone());
        }
    }
    for ((name, version), licence) in &packages {
        if let Err(message) = satisfied(licence.as_deref(), &allowed) {
            report.fail("licences", format!("{name} {version}"), message);
        }
    }
    let different: BTreeSet<&String> = packages.values().flatten().collect();
    report.checked(
        "licences",
        format!(
            "{} packages under {} expressions, with {} licences allowed",
            packages.len(),
            different.len(),
            allowed.len()
        ),
    );
    Ok(())
}

/// Whether an expression can be satisfied by the licences allowed; if not, in words.
fn satisfied(licence: Option<&str>, allowed: &[Licensee]) -> Result<(), String> {
    let Some(text) = licence else {
        return Err(
            "has no licence expression; hint: look at its files, and do without it if they do not say one"
                .into(),
        );
    };
    // The older form `MIT/Apache-2.0` is still about.
    let expression = Expression::parse_mode(text, ParseMode::LAX)
        .map_err(|error| format!("`{text}` is no licence expression: {}", error.reason))?;
    let missing = expression
        .evaluate_with_failures(|requirement| allowed.iter().any(|licence| licence.satisfies(requirement)));
    missing.map_err(|missing| {
        let mut names: Vec<String> = missing.iter().map(|missing| missing.req.to_string()).collect();
        names.dedup();
        format!("`{text}` needs {}, which `{FILE}` does not allow", names.join(", "))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_or_needs_one_and_both_need_both() {
        let allowed: Vec<Licensee> = ["MIT", "Apache-2.0 WITH LLVM-exception"]
            .iter()
            .map(|text| Licensee::parse(text).unwrap())
            .collect();
        for fine in ["MIT", "MIT OR GPL-3.0-only", "GPL-2.0/MIT", "Apache-2.0 WITH LLVM-exception AND MIT"] {
            assert_eq!(satisfied(Some(fine), &allowed), Ok(()), "{fine}");
        }
        for refused in
            [None, Some("MIT AND GPL-3.0-only"), Some("Apache-2.0"), Some("LGPL-2.1"), Some("Mine")]
        {
            assert!(satisfied(refused, &allowed).is_err(), "{refused:?}");
        }
    }
}
