//! `cargo xtask newcomer rust`: the lines of docs/rust.md in an empty folder, from the packed crates alone. (JavaScript's newcomer is
//! `providers/js/test/newcomer.mjs`, Python's `providers/python/tests/test_newcomer.py`.)

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::check;
use crate::places::Places;
use crate::run::{cargo, output, say, succeed};

/// The crate and what it depends on in this checkout; the last is the one that a newcomer names.
const CRATES: [&str; 6] = [
    "flagstone-snapshot",
    "flagstone-seal",
    "flagstone-evaluate",
    "flagstone-events",
    "flagstone-host",
    "flagstone",
];
/// Those that it needs without a feature.
const NATIVE: [&str; 3] = ["flagstone-snapshot", "flagstone-seal", "flagstone-evaluate"];
/// Lines from installing to a decision, at most.
const LINES: usize = 10;
/// What the reader puts in, and what the fixtures have in its place. (Their snapshot was sealed at a time of its own.)
const OWN: [(&str, &str); 4] = [
    ("\"acme.example/assistant\", \"production\"", "AUDIENCE, ENVIRONMENT"),
    ("\"answers\"", "\"greeting\""),
    ("machine_seconds())", "NOW)"),
    ("flags.now()", "NOW"),
];

/// Packs the crates and tries them; the languages that have their newcomer elsewhere are pointed to.
pub(crate) fn run(places: &Places, language: &str) -> Result<()> {
    match language {
        "rust" => rust(places, &check::fixtures(places)?),
        "js" | "python" => bail!("that one runs within `cargo xtask test --only {}`", step(language)),
        other => bail!("there is no newcomer in `{other}`\nhint: rust, js, python"),
    }
}

fn step(language: &str) -> &str {
    if language == "js" { "javascript" } else { language }
}

/// The check's step.
pub(crate) fn rust(places: &Places, fixtures: &Path) -> Result<()> {
    let crates = packed(places)?;
    let folder = places.below("target/newcomer");
    let project = folder.join("project");
    let _ = std::fs::remove_dir_all(&project);
    std::fs::create_dir_all(project.join("src")).context("cannot make the newcomer's folder")?;
    let page = std::fs::read_to_string(places.below("docs/rust.md"))?;
    let (install, program) = lines(&page)?;
    let readme = std::fs::read_to_string(places.below("README.md"))?;
    ensure!(readme.contains(&program), "the README's lines for Rust are not those of docs/rust.md");

    // `cargo new`, and what `cargo add` writes; until the crates are on crates.io, where they are instead.
    let manifest = "[package]\nname = \"newcomer\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\n";
    std::fs::write(project.join("Cargo.toml"), manifest)?;
    let policy: serde_json::Value =
        serde_json::from_slice(&std::fs::read(fixtures.join("live/policy.json"))?)?;
    std::fs::write(project.join("src/main.rs"), main(&program, &policy)?)?;
    std::fs::create_dir_all(project.join(".cargo"))?;
    std::fs::write(project.join(".cargo/config.toml"), patch(&crates))?;
    // The same versions of other people's crates as here: they are downloaded already.
    std::fs::copy(places.below("Cargo.lock"), project.join("Cargo.lock"))?;
    for (from, to) in [("live/trust.txt", "trust.note"), ("live/1.sealed", "flags.sealed")] {
        std::fs::copy(fixtures.join(from), project.join(to))?;
    }
    let ours = |words: &[&str]| {
        let mut command = cargo(places);
        command.args(words).current_dir(&project).env("CARGO_TARGET_DIR", folder.join("target"));
        command.env_remove("RUSTC_WORKSPACE_WRAPPER");
        command
    };
    let words: Vec<&str> = install.split_whitespace().skip(2).collect();
    succeed(&mut ours(&words))?;
    let told = output(&mut ours(&["run", "--quiet"]))?;
    ensure!(told.trim() == "Some(\"short\") STATIC \"Hi\"", "the newcomer's program said `{}`", told.trim());
    say("the newcomer's lines of docs/rust.md: a decision from the packed crates");
    Ok(())
}

/// The packed crates, unpacked into a folder each.
fn packed(places: &Places) -> Result<Vec<(&'static str, PathBuf)>> {
    let mut pack = cargo(places);
    pack.args(["package", "--quiet", "--no-verify", "--allow-dirty"]);
    pack.args(CRATES.iter().flat_map(|name| ["--package", name]));
    pack.arg("--target-dir").arg(places.below("target/newcomer"));
    succeed(&mut pack)?;
    let folder = places.below("target/newcomer/package");
    let mut crates = Vec::new();
    for name in CRATES {
        let base = format!("{name}-{}", env!("CARGO_PKG_VERSION"));
        let _ = std::fs::remove_dir_all(folder.join(&base));
        let mut unpack = Command::new("tar");
        succeed(unpack.arg("-xzf").arg(format!("{base}.crate")).current_dir(&folder))?;
        crates.push((name, folder.join(base)));
    }
    Ok(crates)
}

/// The line that installs, and the program: the page's first two blocks.
fn lines(page: &str) -> Result<(String, String)> {
    let block = |begin: &str| {
        let rest = page.split_once(begin).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.split_once("```")).map(|(block, _)| block.to_owned())
    };
    let install = block("```console\n").context("docs/rust.md has no commands")?;
    let program = block("```rust,no_run\n").context("docs/rust.md has no program")?;
    let install = install.lines().next().unwrap_or_default().split('#').next().unwrap_or_default().to_owned();
    ensure!(
        install.starts_with("$ cargo add flagstone"),
        "the first command of docs/rust.md does not install: {install}"
    );
    let count = 1 + program.lines().filter(|line| !line.trim().is_empty()).count();
    ensure!(count <= LINES, "{count} lines from installing to a decision are more than {LINES}");
    Ok((install, program))
}

/// The page's program with the fixtures' names and time in place of the reader's own.
fn main(program: &str, policy: &serde_json::Value) -> Result<String> {
    let mut text = program.to_owned();
    for (own, ours) in OWN {
        ensure!(text.contains(own), "the lines of docs/rust.md have something else than {own}");
        text = text.replace(own, ours);
    }
    Ok(format!(
        "#![allow(unused_imports)]\n{text}\nconst AUDIENCE: &str = {};\nconst ENVIRONMENT: &str = {};\nconst NOW: u64 = {};\n",
        policy["audience"], policy["environment"], policy["now"]
    ))
}

/// What says to cargo where the packed crates are that the native library depends on.
fn patch(crates: &[(&str, PathBuf)]) -> String {
    let needed = crates.iter().filter(|(name, _)| NATIVE.contains(name));
    let lines =
        needed.map(|(name, path)| format!("{name} = {{ path = {:?} }}\n", path.display().to_string()));
    format!("[patch.crates-io]\n{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pages_lines_are_found_and_counted() {
        let program = "fn main() {\n    let audience = (\"acme.example/assistant\", \"production\");\n\n}\n";
        let page = format!(
            "# Rust\n```console\n$ cargo add flagstone  # now\n```\n\n```rust,no_run\n{program}```\n"
        );
        let (install, found) = lines(&page).unwrap();
        assert_eq!((install.trim(), found.as_str()), ("$ cargo add flagstone", program));
        let long = page.replace("fn main", &"use a;\n".repeat(9));
        assert!(lines(&long).unwrap_err().to_string().contains("more than 10"));
        assert!(main(program, &serde_json::json!({})).unwrap_err().to_string().contains("answers"));
    }
}
