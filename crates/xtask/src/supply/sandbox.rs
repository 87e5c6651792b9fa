//! The runtime around the component: a version that is supported for years, with the features that are needed and no more.

use std::collections::BTreeSet;

use cargo_metadata::PackageId;
use jiff::civil::Date;

use super::locks::Lock;
use super::policy::{FILE, Sandbox};
use super::report::Report;
use super::workspace::Workspace;

/// The runtime's versions in all lock files, and its features in the root's workspace, with all of ours on.
pub(crate) fn compare(
    policy: &Sandbox,
    locks: &[Lock],
    workspaces: &[Workspace],
    today: Date,
    report: &mut Report,
) {
    let mut versions = BTreeSet::new();
    for lock in locks {
        for package in lock.content.packages.iter().filter(|package| package.name.as_str() == policy.name) {
            versions.insert(package.version.to_string());
            if policy.long_term_every == 0 || package.version.major % policy.long_term_every != 0 {
                report.fail(
                    "sandbox",
                    format!("{} {} in {}", policy.name, package.version, lock.name),
                    format!(
                        "is no version with long-term support: those are divisible by {}",
                        policy.long_term_every
                    ),
                );
            }
        }
    }
    if today > policy.supported_until {
        report.fail(
            "sandbox",
            &policy.name,
            format!("its support ended on {}; hint: take the next long-term version, and say in `{FILE}` until when", policy.supported_until),
        );
    }
    let root = workspaces.iter().find(|workspace| workspace.root).and_then(Workspace::metadata);
    let listed: BTreeSet<&str> = policy.features.iter().map(String::as_str).collect();
    let on: BTreeSet<String> = root
        .and_then(|metadata| {
            let of = |id: &PackageId| {
                metadata.packages.iter().any(|package| &package.id == id && *package.name == policy.name)
            };
            let node = metadata.resolve.as_ref()?.nodes.iter().find(|node| of(&node.id))?;
            Some(node.features.iter().map(ToString::to_string).collect())
        })
        .unwrap_or_default();
    for feature in on.iter().filter(|feature| !listed.contains(feature.as_str())) {
        report.fail(
            "sandbox",
            &policy.name,
            format!("its feature `{feature}` is on, and `{FILE}` does not list it"),
        );
    }
    for feature in listed.iter().filter(|feature| root.is_some() && !on.contains(**feature)) {
        report.fail(
            "sandbox",
            &policy.name,
            format!("its feature `{feature}` is listed in `{FILE}`, and is not on; hint: strike it"),
        );
    }
    let versions =
        if versions.is_empty() { "not locked".to_owned() } else { Vec::from_iter(versions).join(", ") };
    let features = if root.is_some() { format!(", {} features", on.len()) } else { String::new() };
    report.checked(
        "sandbox",
        format!("{} {versions}, supported until {}{features}", policy.name, policy.supported_until),
    );
    if root.is_none() {
        report.not_compared("sandbox", format!("the features of {}", policy.name));
    }
}
