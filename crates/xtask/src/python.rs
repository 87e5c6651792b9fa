//! The Python package as a stranger gets it: built as a wheel, installed in an empty environment, tested from there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::pass;
use crate::places::Places;
use crate::run::{say, succeed, which};

/// PyPI's releases that the package is tested with; what it accepts is in its `pyproject.toml`. `cryptography` signs in tests.
const RELEASES: [&str; 4] =
    ["wasmtime==50.0.1", "openfeature-sdk==0.10.0", "cryptography==50.0.2", "mypy==2.4.1"];
/// Where the package is installed, and the file that says that it is.
const ENVIRONMENT: &str = "target/python";
const MARKER: &str = "target/python/installed";
/// Where the wheel goes.
const WHEELS: &str = "target/wheel";

/// Builds the wheel, installs it in a new environment below `target`, checks its types, runs its tests from there, and the
/// embedder without any code of ours.
pub(crate) fn check(places: &Places, fixtures: &Path) -> Result<()> {
    let component = places.component();
    if !component.is_file() {
        bail!("there is no `{}`\nhint: `cargo xtask build`", component.display());
    }
    let wheel = install(places)?;
    let python = installed(places)?;
    let package = places.below("providers/python");
    let mut types = Command::new(&python);
    types.args(["-m", "mypy", "--config-file"]).arg(package.join("pyproject.toml"));
    types.arg("--cache-dir").arg(places.below("target/mypy")).current_dir(&package);
    succeed(&mut types)?;

    let mut tests = Command::new(&python);
    tests.args(["-m", "unittest", "discover", "--start-directory"]).arg(package.join("tests"));
    // Nothing of the source tree is on the path but the tests themselves.
    tests.current_dir(places.below("target")).env_remove("PYTHONPATH").env("PYTHONDONTWRITEBYTECODE", "1");
    tests
        .env("FIXTURES", fixtures)
        .env("FLAGSTONE_WHEEL", &wheel)
        .env("FLAGSTONE_DOCS", places.below("docs"));
    tests.env("FLAGSTONE", pass::binary_of(places, "flagstone-cli", "flagstone")?);
    tests.env("COMPONENT", &component).env("CORE", places.core());
    tests.env("FLAGSTONE_CACHE", places.below("target/python-cache")).env_remove("FLAGSTONE_COMPONENT");
    let shared =
        std::env::var_os("FLAGSTONE_SHARED").map_or_else(|| places.below("../shared"), PathBuf::from);
    tests.env("OPENFEATURE_SPEC", shared.join("conformance/openfeature-spec"));
    succeed(&mut tests)?;

    let mut embed = Command::new(&python);
    embed.arg(places.below("host-tests/python/embed.py")).arg(&component);
    succeed(embed.arg(fixtures))
}

/// A Python with the wheel installed, made when there is none of the component and the package as they are.
pub(crate) fn installed(places: &Places) -> Result<PathBuf> {
    let modified = |path: PathBuf| path.metadata().and_then(|about| about.modified()).ok();
    let sources = std::fs::read_dir(places.below("providers/python/src/flagstone"))?;
    let sources = sources.filter_map(|entry| Some(entry.ok()?.path())).filter(|path| path.is_file());
    let newest = sources.chain([places.component()]).filter_map(modified).max();
    if modified(places.below(MARKER)) < newest {
        install(places)?;
    }
    Ok(places.below(ENVIRONMENT).join("bin/python"))
}

/// Builds the wheel and installs it, with what its tests need, in a new environment. The wheel's path.
fn install(places: &Places) -> Result<PathBuf> {
    let python = environment(places)?;
    let wheel = wheel(places, &python)?;
    say(&format!(
        "installing `{}` in `{ENVIRONMENT}`",
        wheel.file_name().unwrap_or_default().to_string_lossy()
    ));
    succeed(pip(&python).args(["install", "--quiet"]).args(RELEASES).arg(&wheel))?;
    std::fs::write(places.below(MARKER), "")?;
    Ok(wheel)
}

/// A Python of its own with nothing in it, new each time.
fn environment(places: &Places) -> Result<PathBuf> {
    let Some(system) = which(&["python3"]) else {
        bail!("there is no python3\nhint: install Python 3.10 or newer, with its venv module");
    };
    let folder = places.below(ENVIRONMENT);
    let _ = std::fs::remove_dir_all(&folder);
    succeed(Command::new(system).args(["-m", "venv"]).arg(&folder))
        .context("hint: Debian has the venv module in its package `python3-venv`")?;
    Ok(folder.join("bin/python"))
}

/// Builds the wheel, the only one in its folder.
fn wheel(places: &Places, python: &Path) -> Result<PathBuf> {
    let folder = places.below(WHEELS);
    let _ = std::fs::remove_dir_all(&folder);
    let mut build = pip(python);
    build.args(["wheel", "--quiet", "--no-deps", "--wheel-dir"]).arg(&folder);
    succeed(build.arg(places.below("providers/python")))?;
    let mut files = std::fs::read_dir(&folder)?.filter_map(|entry| Some(entry.ok()?.path()));
    files.next().with_context(|| format!("pip made no wheel in `{}`", folder.display()))
}

fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "--disable-pip-version-check"]);
    command
}
