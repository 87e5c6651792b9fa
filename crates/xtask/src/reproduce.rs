//! `cargo xtask reproduce`: the same source gives the same bytes, wherever it lies.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};
use sha2::{Digest as _, Sha256};

use crate::artefacts;
use crate::places::Places;
use crate::run::{output, say};

/// Folders of different names and depths, below `target/reproduce`.
const FOLDERS: [&str; 2] = ["a", "another/place with a space"];

/// Copies the checkout's files into two folders, builds the engine in each from nothing, and compares.
pub(crate) fn run(places: &Places, json: bool) -> Result<ExitCode> {
    let base = places.below("target/reproduce");
    if base.exists() {
        std::fs::remove_dir_all(&base).with_context(|| format!("cannot clear `{}`", base.display()))?;
    }
    let files = tracked(&places.root)?;
    let mut built = Vec::new();
    for folder in FOLDERS {
        let root = base.join(folder);
        copy(&places.root, &root, &files)?;
        say(&format!("building in `target/reproduce/{folder}`"));
        let copied = Places { guest: root.join("target").join("guest"), root };
        artefacts::component(&copied)?;
        built.push([digest(&copied.component())?, digest(&copied.core())?]);
    }
    std::fs::remove_dir_all(&base).with_context(|| format!("cannot clear `{}`", base.display()))?;
    let names = ["flagstone.component.wasm", "flagstone.core.wasm"];
    let rows: Vec<(&str, Vec<&str>)> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (*name, built.iter().filter_map(|two| two.get(at)).map(String::as_str).collect()))
        .collect();
    let same = |digests: &[&str]| digests.windows(2).all(|pair| matches!(pair, [a, b] if a == b));
    let identical = rows.iter().all(|(_, digests)| same(digests));
    if json {
        let artefacts: Vec<_> = rows
            .iter()
            .map(|(name, digests)| serde_json::json!({ "file": name, "sha256": digests, "identical": same(digests) }))
            .collect();
        println!("{}", serde_json::json!({ "artefacts": artefacts, "identical": identical }));
    } else {
        for (name, digests) in &rows {
            println!("{}  {name}  {}", if same(digests) { "same" } else { "DIFFERS" }, digests.join("  "));
        }
    }
    Ok(if identical { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The files that git knows of, as they lie in the checkout now.
fn tracked(root: &Path) -> Result<Vec<PathBuf>> {
    let mut git = Command::new("git");
    let listed = output(git.args(["ls-files", "-z"]).current_dir(root))
        .context("hint: this needs git and a checkout, since it builds what is under version control")?;
    let files: Vec<PathBuf> = listed.split('\0').filter(|name| !name.is_empty()).map(PathBuf::from).collect();
    if files.is_empty() {
        bail!("git knows of no file in `{}`", root.display());
    }
    Ok(files)
}

fn copy(from: &Path, to: &Path, files: &[PathBuf]) -> Result<()> {
    for file in files {
        let (source, copied) = (from.join(file), to.join(file));
        if let Some(folder) = copied.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
        }
        // A file that was deleted but not yet committed is not there.
        if source.is_file() {
            std::fs::copy(&source, &copied).with_context(|| format!("cannot copy `{}`", source.display()))?;
        }
    }
    Ok(())
}

fn digest(path: &Path) -> Result<String> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    Ok(Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
}
