//! One version of each crate, but for those that are listed; and crates that must not come in.
//!
//! Only the root's lock file is compared: the other workspaces ship nothing, and bring what the engines they measure bring.

use std::collections::{BTreeMap, BTreeSet};

use rustsec::Version;

use super::locks::Lock;
use super::policy::{FILE, Policy};
use super::report::Report;

/// The part of a version that cargo will not have twice: `2` of 2.0.119, `0.10` of 0.10.9, `0.0.3` of 0.0.3.
fn line(version: &Version) -> String {
    match (version.major, version.minor, version.patch) {
        (0, 0, patch) => format!("0.0.{patch}"),
        (0, minor, _) => format!("0.{minor}"),
        (major, _, _) => major.to_string(),
    }
}

/// Every version beside a crate's newest is listed with a reason, and what is listed is there.
pub(crate) fn compare(policy: &Policy, locks: &[Lock], report: &mut Report) {
    let Some(lock) = locks.iter().find(|lock| lock.is_root()) else { return };
    let mut versions: BTreeMap<&str, BTreeSet<&Version>> = BTreeMap::new();
    for package in &lock.content.packages {
        versions.entry(package.name.as_str()).or_default().insert(&package.version);
    }
    let listed: BTreeSet<&str> =
        policy.duplicates.iter().flat_map(|listed| &listed.crates).map(String::as_str).collect();
    let mut there = BTreeSet::new();
    for (name, versions) in &versions {
        let Some((newest, older)) =
            versions.iter().rev().collect::<Vec<_>>().split_first().map(|(a, b)| (*a, b.to_vec()))
        else {
            continue;
        };
        for version in older {
            let entry = format!("{name} {}", line(version));
            if !listed.contains(entry.as_str()) {
                report.fail(
                    "duplicates",
                    format!("{name} {version}"),
                    format!("{newest} is locked too; hint: `cargo tree -i {name}@{version}` says who asks for it; list `{entry}` in `{FILE}` with the reason if it cannot be helped"),
                );
            }
            there.insert(entry);
        }
    }
    for entry in listed.iter().filter(|entry| !there.contains(**entry)) {
        report.fail(
            "duplicates",
            *entry,
            format!("is listed in `{FILE}`, and is no duplicate any more; hint: strike it"),
        );
    }
    report.checked(
        "duplicates",
        format!("{} crates, {} versions beside a newer one", versions.len(), there.len()),
    );
    for listed in &policy.refused {
        for name in listed.crates.iter().filter(|name| versions.contains_key(name.as_str())) {
            report.fail("refused", name, format!("is locked, and `{FILE}` refuses it: {}", listed.reason));
        }
    }
    if !policy.refused.is_empty() {
        let names: Vec<&str> =
            policy.refused.iter().flat_map(|listed| &listed.crates).map(String::as_str).collect();
        report.checked("refused", format!("{} must not come in", names.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_version_is_what_cargo_takes_for_compatible() {
        for (version, expected) in
            [("2.0.119", "2"), ("0.10.9", "0.10"), ("0.0.3", "0.0.3"), ("1.2.1+spec-1.1.0", "1")]
        {
            assert_eq!(line(&version.parse().unwrap()), expected);
        }
    }
}
