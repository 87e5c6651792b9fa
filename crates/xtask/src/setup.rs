//! Installs what a new machine lacks, and says what.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::places::Places;
use crate::run::{output, say, succeed, which};

/// Makes sure that the toolchain has the standard library of `target`.
pub(crate) fn target(places: &Places, target: &str) -> Result<()> {
    let mut rustc = Command::new("rustc");
    rustc.args(["--print", "target-libdir", "--target", target]).current_dir(&places.root);
    if Path::new(output(&mut rustc)?.trim()).is_dir() {
        return Ok(());
    }
    say(&format!("installing the Rust target `{target}` with rustup"));
    let mut rustup = Command::new("rustup");
    succeed(rustup.args(["target", "add", target]).current_dir(&places.root))
        .with_context(|| format!("hint: the toolchain needs the target `{target}`"))
}

/// Makes sure that the toolchain has rustfmt and clippy.
pub(crate) fn components(places: &Places) -> Result<()> {
    for (program, component) in [("cargo-fmt", "rustfmt"), ("cargo-clippy", "clippy")] {
        let works = Command::new(program)
            .arg("--version")
            .current_dir(&places.root)
            .output()
            .is_ok_and(|ran| ran.status.success());
        if !works {
            say(&format!("installing `{component}` with rustup"));
            succeed(Command::new("rustup").args(["component", "add", component]).current_dir(&places.root))?;
        }
    }
    Ok(())
}

/// Chromium's path; installs Debian's packages of it and its driver when one is missing.
pub(crate) fn chromium() -> Result<PathBuf> {
    const NAMES: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];
    if let Some(found) = which(&NAMES)
        && which(&["chromedriver"]).is_some()
    {
        return Ok(found);
    }
    if which(&["apt-get"]).is_none() {
        bail!("chromium or chromedriver is missing\nhint: install both and put them on the search path");
    }
    say("installing Debian's packages `chromium` and `chromium-driver` with apt-get");
    let apt = |arguments: &[&str]| {
        succeed(Command::new("apt-get").args(arguments).env("DEBIAN_FRONTEND", "noninteractive"))
            .context("hint: installing chromium needs root")
    };
    apt(&["update", "--quiet=2"])?;
    apt(&["install", "--yes", "--quiet=2", "--no-install-recommends", "chromium", "chromium-driver"])?;
    which(&NAMES).context("chromium is not there even after its installation")
}

/// Installs a folder's npm packages as its lock file says, unless they are there.
pub(crate) fn npm(folder: &Path) -> Result<()> {
    let modified = |path: PathBuf| path.metadata().and_then(|about| about.modified()).ok();
    let installed = modified(folder.join("node_modules/.package-lock.json"));
    if installed.is_some() && installed >= modified(folder.join("package-lock.json")) {
        return Ok(());
    }
    if which(&["npm"]).is_none() {
        bail!("there is no npm\nhint: install Node.js 20 or newer");
    }
    say(&format!("installing npm packages in `{}`", folder.display()));
    succeed(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder))
}

/// A Python with the package `flagstone` installed in it, from its wheel.
pub(crate) fn python(places: &Places) -> Result<PathBuf> {
    crate::python::installed(places)
}
