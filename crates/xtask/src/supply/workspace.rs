//! What cargo knows of the packages behind a lock file, without the network.

use std::process::Stdio;

use anyhow::{Context, Result};
use cargo_metadata::{Metadata, MetadataCommand};

use super::locks::{self, Lock, shown};
use super::report::Report;
use crate::places::Places;
use crate::run::{cargo, say, succeed};

/// A workspace with as much as this machine has of it.
pub(crate) struct Workspace {
    /// Its lock file, from the checkout's root.
    pub(crate) lock: String,
    pub(crate) root: bool,
    pub(crate) known: Known,
}

/// How much cargo could tell.
pub(crate) enum Known {
    /// All packages, for all platforms and features.
    All(Box<Metadata>),
    /// Nothing: some of its packages were never downloaded, be it for a platform or a feature that is not built here. Cargo's
    /// words.
    Nothing(String),
    /// Nothing: the manifests ask for something else than what is locked.
    Outdated,
}

impl Workspace {
    /// The packages that are known.
    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        match &self.known {
            Known::All(metadata) => Some(metadata),
            Known::Nothing(_) | Known::Outdated => None,
        }
    }
}

/// Asks cargo about the workspace of every lock file.
pub(crate) fn read(places: &Places, locks: &[Lock]) -> Result<Vec<Workspace>> {
    let one = |lock: &Lock| {
        let (lock, root, known) = (lock.name.clone(), lock.is_root(), known(places, lock)?);
        Ok(Workspace { lock, root, known })
    };
    locks.iter().map(one).collect()
}

fn known(places: &Places, lock: &Lock) -> Result<Known> {
    let mut command = cargo(places);
    // What a feature can bring in is in.
    command.args(["metadata", "--format-version", "1", "--all-features", "--offline", "--locked"]);
    command.arg("--manifest-path").arg(lock.folder.join("Cargo.toml"));
    let answer = command.stdin(Stdio::null()).output().context("cannot start `cargo metadata`")?;
    if answer.status.success() {
        let text = String::from_utf8(answer.stdout).context("`cargo metadata` did not answer in UTF-8")?;
        let metadata = MetadataCommand::parse(text)
            .context("`cargo metadata` answered something else than it should")?;
        return Ok(Known::All(Box::new(metadata)));
    }
    let refusal = String::from_utf8_lossy(&answer.stderr);
    // Cargo says so by naming its argument; any other refusal is for want of packages.
    if refusal.contains("because --locked was passed") {
        return Ok(Known::Outdated);
    }
    let words = refusal.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or(&refusal);
    Ok(Known::Nothing(words.trim().to_owned()))
}

/// Gets the packages of the root's workspace that were never needed here, when there are any and the network is there.
pub(crate) fn fetch(places: &Places) -> Result<()> {
    let locks = locks::find(places)?;
    let root = locks.first().map(|lock| known(places, lock)).transpose()?;
    if matches!(root, Some(Known::Nothing(_))) {
        say("getting the packages of other platforms and features: cargo fetch --locked");
        // Without them it is told what could not be compared.
        if let Err(error) = succeed(cargo(places).args(["fetch", "--locked"])) {
            say(&format!("{error:#}"));
        }
    }
    Ok(())
}

/// Lock files are what the manifests ask for, and packages without a registry lie in the checkout.
pub(crate) fn compare(places: &Places, workspaces: &[Workspace], report: &mut Report) {
    let (mut own, real) =
        (0, |path: &std::path::Path| path.canonicalize().unwrap_or_else(|_| path.to_path_buf()));
    let root = real(&places.root);
    for workspace in workspaces {
        match &workspace.known {
            Known::Outdated => report.fail(
                "manifests",
                &workspace.lock,
                "its manifests ask for something else than it locks; hint: `cargo update --workspace` in its folder, and read the difference",
            ),
            Known::Nothing(words) if workspace.root => report.fail(
                "manifests",
                &workspace.lock,
                format!("cargo knows not all of its packages ({words}); hint: `cargo fetch --locked` gets them once"),
            ),
            Known::Nothing(_) => report.not_compared(
                "manifests",
                format!(
                    "folders and licences of {}: its packages are not on this machine; `cargo fetch --locked` in its folder gets them",
                    workspace.lock
                ),
            ),
            Known::All(_) => {}
        }
        let packages = workspace.metadata().map_or(&[] as &[_], |metadata| &metadata.packages);
        for package in packages.iter().filter(|package| package.source.is_none()) {
            own += 1;
            if !real(package.manifest_path.as_std_path()).starts_with(&root) {
                let place = shown(places, package.manifest_path.as_std_path());
                report.fail(
                    "manifests",
                    format!("{} {}", package.name, package.version),
                    format!("lies outside of the checkout, in {place}"),
                );
            }
        }
    }
    report.checked(
        "manifests",
        format!("{own} entries from folders of this checkout; lock files are what the manifests ask for"),
    );
}
