//! Running other programs, and saying so.

use std::ffi::OsStr;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

use crate::places::Places;

/// A cargo command in the checkout, with the toolchain that runs this one.
pub(crate) fn cargo(places: &Places) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(&places.root);
    // What `cargo run` tells about this package is none of the child's business.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name == "CARGO_MANIFEST_DIR") {
            command.env_remove(name);
        }
    }
    command
}

/// Whether our own crates are compiled by clippy, for [`ours`].
static LINTING: OnceLock<PathBuf> = OnceLock::new();

/// From here on [`ours`] compiles with clippy, which is the compiler with more to say: lints and artefacts in one pass over our
/// crates, and one build of the libraries instead of a checked and a built one. Warnings are errors.
pub(crate) fn lint_while_building(places: &Places) -> Result<()> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = output(Command::new(rustc).args(["--print", "sysroot"]).current_dir(&places.root))?;
    let driver =
        Path::new(sysroot.trim()).join("bin/clippy-driver").with_extension(std::env::consts::EXE_EXTENSION);
    if !driver.is_file() {
        bail!("there is no `{}`\nhint: `rustup component add clippy`", driver.display());
    }
    LINTING.get_or_init(|| driver);
    Ok(())
}

/// A cargo command for native builds of our own crates.
pub(crate) fn ours(places: &Places) -> Command {
    let mut command = cargo(places);
    if let Some(driver) = LINTING.get() {
        // What `cargo clippy -- --deny warnings` sets, with a build in place of a check.
        command.env("RUSTC_WORKSPACE_WRAPPER", driver);
        command.env("CLIPPY_ARGS", "--deny__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
        // These builds are for the check alone: what serves debuggers and the next build would only cost it time.
        command.env("CARGO_PROFILE_DEV_DEBUG", "none").env("CARGO_INCREMENTAL", "0");
    }
    command
}

/// A program of ours that the check has built with everything else. Building it by itself would give the libraries other
/// features, and so build most of them once more.
pub(crate) fn built(places: &Places, program: &str) -> Option<PathBuf> {
    LINTING.get()?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| places.below("target"), PathBuf::from);
    let path = target.join("debug").join(program).with_extension(std::env::consts::EXE_EXTENSION);
    path.is_file().then_some(path)
}

/// Runs to the end with our own input and output; anything but success is an error naming the command.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = status(command)?;
    if !status.success() {
        bail!("`{}` failed ({status})", text(command));
    }
    Ok(())
}

/// Runs to the end with our own input and output.
pub(crate) fn status(command: &mut Command) -> Result<ExitStatus> {
    command.status().with_context(|| format!("cannot start `{}`", text(command)))
}

/// Runs to the end and returns what it wrote to standard output; standard error passes through.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let described = text(command);
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{described}`"))?;
    let mut read = String::new();
    if let Some(mut out) = child.stdout.take() {
        out.read_to_string(&mut read).with_context(|| format!("cannot read from `{described}`"))?;
    }
    let status = child.wait()?;
    if !status.success() {
        bail!("`{described}` failed ({status})");
    }
    Ok(read)
}

/// The first program of these names on the search path.
pub(crate) fn which(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    names.iter().find_map(|name| folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()))
}

/// Writes a file unless it holds exactly these bytes already; says whether it wrote.
pub(crate) fn write_if_new(path: &Path, bytes: &[u8]) -> Result<bool> {
    if std::fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(true)
}

/// A line of progress.
pub(crate) fn say(line: &str) {
    eprintln!("xtask: {line}");
}

fn text(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_stem().unwrap_or_else(|| OsStr::new("?"));
    let mut words = vec![program.to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}
