//! What cargo knows of the packages behind a lock file, without the network.

use std::process::Stdio;

use anyhow::{Context, Result, bail};
use cargo_metadata::{Metadata, MetadataCommand};

use super::locks::{Lock, shown};
use super::report::Report;
use crate::places::Places;
use crate::run::{cargo, output};

/// A workspace with as much as this machine has of it.
pub(crate) struct Workspace {
    /// Its lock file, from the checkout's root.
    pub(crate) lock: String,
    pub(crate) root: bool,
    pub(crate) known: Known,
}

/// How much cargo could tell.
pub(crate) enum Known {
    /// All packages.
    All(Box<Metadata>),
    /// Those that this machine's platform builds without more features: the others were never downloaded.
    Here(Box<Metadata>),
    /// Nothing: its packages were never downloaded. Cargo's words.
    Nothing(String),
    /// Nothing: the manifests ask for something else than what is locked.
    Outdated,
}

impl Workspace {
    /// The packages that are known.
    pub(crate) fn metadata(&self) -> Option<&Metadata> {
        match &self.known {
            Known::All(metadata) | Known::Here(metadata) => Some(metadata),
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
    let refusal = match ask(places, lock, None)? {
        Ok(metadata) => return Ok(Known::All(Box::new(metadata))),
        Err(words) => words,
    };
    // Cargo says so by naming its argument; any other refusal is for want of packages.
    if refusal.contains("because --locked was passed") {
        return Ok(Known::Outdated);
    }
    Ok(match ask(places, lock, Some(&platform()?))? {
        Ok(metadata) => Known::Here(Box::new(metadata)),
        Err(_) => Known::Nothing(refusal.lines().next().unwrap_or_default().to_owned()),
    })
}

/// `cargo metadata`, with all features for all platforms, or what is on by itself for one; the inner error is what cargo said.
fn ask(places: &Places, lock: &Lock, platform: Option<&str>) -> Result<Result<Metadata, String>> {
    let mut command = cargo(places);
    command.args(["metadata", "--format-version", "1", "--offline", "--locked", "--manifest-path"]);
    command.arg(lock.folder.join("Cargo.toml"));
    match platform {
        Some(platform) => command.args(["--filter-platform", platform]),
        // What a feature can bring in is in.
        None => command.arg("--all-features"),
    };
    let answer = command.stdin(Stdio::null()).output().context("cannot start `cargo metadata`")?;
    if !answer.status.success() {
        return Ok(Err(String::from_utf8_lossy(&answer.stderr).into_owned()));
    }
    let text = String::from_utf8(answer.stdout).context("`cargo metadata` did not answer in UTF-8")?;
    Ok(Ok(MetadataCommand::parse(text).context("`cargo metadata` answered something else than it should")?))
}

/// The platform that this machine builds for.
fn platform() -> Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let told = output(std::process::Command::new(rustc).arg("-vV"))?;
    match told.lines().find_map(|line| line.strip_prefix("host: ")) {
        Some(host) => Ok(host.to_owned()),
        None => bail!("`rustc -vV` names no host"),
    }
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
            Known::Nothing(words) if workspace.root => {
                report.fail("manifests", &workspace.lock, format!("cargo cannot read it: {words}"));
            }
            Known::Nothing(_) => report.not_compared(
                "manifests",
                format!("folders and licences of {}: its packages are not on this machine; `cargo fetch --locked` in its folder gets them", workspace.lock),
            ),
            Known::Here(_) => report.not_compared(
                "manifests",
                format!("folders and licences of {} for other platforms and features: those packages are not on this machine; `cargo fetch --locked` gets them", workspace.lock),
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
