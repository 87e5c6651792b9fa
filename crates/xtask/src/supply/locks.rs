//! Lock files: that every package in them has one known origin and a checksum.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustsec::Lockfile;
use serde::Deserialize;

use super::report::Report;
use crate::places::Places;

/// A `Cargo.lock` of the checkout: the root's, or that of a workspace of its own below it.
pub(crate) struct Lock {
    /// From the checkout's root, with slashes.
    pub(crate) name: String,
    /// The folder it lies in.
    pub(crate) folder: PathBuf,
    pub(crate) content: Lockfile,
}

impl Lock {
    /// Whether it is the workspace of what ships.
    pub(crate) fn is_root(&self) -> bool {
        self.name == "Cargo.lock"
    }
}

/// All `Cargo.lock` of the checkout, the root's first.
pub(crate) fn find(places: &Places) -> Result<Vec<Lock>> {
    let mut locks = Vec::new();
    for path in files(&places.root, "Cargo.lock")? {
        let content =
            Lockfile::load(&path).with_context(|| format!("`{}` is no lock file", path.display()))?;
        let folder = path.parent().unwrap_or(&places.root).to_path_buf();
        locks.push(Lock { name: shown(places, &path), folder, content });
    }
    locks.sort_by_key(|lock| (!lock.is_root(), lock.name.clone()));
    anyhow::ensure!(
        locks.first().is_some_and(Lock::is_root),
        "there is no `Cargo.lock` in `{}`",
        places.root.display()
    );
    Ok(locks)
}

/// Every package comes from the one registry, with a checksum, or lies in a folder beside the lock file. Whether that folder is
/// one of the checkout is compared where cargo can say it.
pub(crate) fn sources(locks: &[Lock], report: &mut Report) {
    let mut registry = 0;
    for lock in locks {
        for package in &lock.content.packages {
            let subject = format!("{} {} in {}", package.name, package.version, lock.name);
            match &package.source {
                None => {}
                Some(source) if !source.is_default_registry() => {
                    report.fail(
                        "sources",
                        subject,
                        format!("comes from {source}, which is not the registry"),
                    );
                }
                Some(_) if package.checksum.is_none() => {
                    report.fail(
                        "sources",
                        subject,
                        "has no checksum, so the registry could serve other bytes",
                    );
                }
                Some(_) => registry += 1,
            }
        }
    }
    let names: Vec<&str> = locks.iter().map(|lock| lock.name.as_str()).collect();
    let summary = format!("{registry} entries of {} from the registry, with checksums", names.join(", "));
    report.checked("sources", summary);
}

/// A `package-lock.json`, as far as it matters here.
#[derive(Deserialize)]
pub(crate) struct NpmLock {
    pub(crate) packages: std::collections::BTreeMap<String, NpmPackage>,
}

/// One package of npm's lock file; the key is where it lies.
#[derive(Deserialize)]
pub(crate) struct NpmPackage {
    pub(crate) version: Option<String>,
    pub(crate) integrity: Option<String>,
    pub(crate) license: Option<String>,
    #[serde(default)]
    pub(crate) dev: bool,
    #[serde(default)]
    pub(crate) link: bool,
}

impl NpmLock {
    /// Reads one.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("`{}` is no lock file of npm", path.display()))
    }

    /// What was installed: names with their packages.
    pub(crate) fn installed(&self) -> impl Iterator<Item = (&str, &NpmPackage)> {
        const FOLDER: &str = "node_modules/";
        self.packages.iter().filter_map(|(place, package)| {
            let start = place.rfind(FOLDER)? + FOLDER.len();
            (!package.link).then_some((place.get(start..)?, package))
        })
    }
}

/// Every npm package is locked by a checksum.
pub(crate) fn npm(places: &Places, report: &mut Report) -> Result<()> {
    let (mut counted, mut names) = (0, Vec::new());
    for path in files(&places.root, "package-lock.json")? {
        let name = shown(places, &path);
        for (package, entry) in NpmLock::read(&path)?.installed() {
            counted += 1;
            if !entry.integrity.as_deref().is_some_and(|text| text.starts_with("sha512-")) {
                let version = entry.version.as_deref().unwrap_or("?");
                report.fail("npm", format!("{package} {version} in {name}"), "has no SHA-512 checksum");
            }
        }
        names.push(name);
    }
    if !names.is_empty() {
        names.sort();
        report.checked("npm", format!("{counted} packages of {}, with checksums", names.join(", ")));
    }
    Ok(())
}

/// A path from the checkout's root, with slashes.
pub(crate) fn shown(places: &Places, path: &Path) -> String {
    let relative = path.strip_prefix(&places.root).unwrap_or(path);
    let parts: Vec<_> = relative.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    parts.join("/")
}

/// Files of this name below a folder, without what tools put there.
fn files(folder: &Path, name: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let entries = std::fs::read_dir(folder).with_context(|| format!("cannot read `{}`", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (kind, called) = (entry.file_type()?, entry.file_name());
        if kind.is_dir() {
            let called = called.to_string_lossy();
            if !called.starts_with('.') && !matches!(&*called, "target" | "node_modules") {
                found.extend(files(&entry.path(), name)?);
            }
        } else if called == name {
            found.push(entry.path());
        }
    }
    Ok(found)
}
