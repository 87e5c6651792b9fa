//! Writes what the browser page and other embedders test with: every vector file sealed, its pulses signed, the
//! native answers beside them; and the page's own little flag set.
//!
//! `cargo run -p host-tests --bin fixtures -- target/fixtures`. With `--print FILE` it prints the native answer
//! to each case of a vector file, one a line, for somebody to check and put into the file.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use flagstone_seal::Mark;
use flagstone_snapshot::Snapshot;
use host_tests::fixture::{self, AUDIENCE, ENVIRONMENT, World};
use host_tests::questions;
use host_tests::vectors::{ISSUED, LEASE, Pulse, Vectors, seal};

/// Writes sealed test files.
#[derive(Parser)]
struct Arguments {
    /// The folder to fill.
    folder: Option<PathBuf>,
    /// Print the native answers to a vector file instead.
    #[arg(long, value_name = "FILE", conflicts_with = "folder")]
    print: Option<PathBuf>,
}

/// The page's definition: a lively one, so that people see something.
const PAGE: &str = include_str!("../../browser-page/definition.yaml");

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match (arguments.print, arguments.folder) {
        (Some(file), _) => print(&file),
        (None, Some(folder)) => write(&folder),
        (None, None) => bail!("no folder was given\nhint: `fixtures target/fixtures`"),
    }
}

fn print(file: &Path) -> Result<()> {
    let vectors = Vectors::read(file)?;
    let bytes = vectors.snapshot()?;
    let snapshot = Snapshot::load(&bytes)?;
    for case in &vectors.cases {
        println!("{}", case.native(&snapshot).with_context(|| format!("in case `{}`", case.name))?);
    }
    Ok(())
}

fn write(folder: &Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(folder);
    let index = questions::write(folder)?;
    let page = folder.join("page");
    let sealed = seal(&fixture::snapshot("definition.yaml", PAGE)?)?;
    let pulse = |stage: u8, halts: &[&str]| Pulse {
        stages: [("answer-behaviour".to_owned(), stage)].into(),
        since: Default::default(),
        halts: halts.iter().map(|flag| (*flag).to_owned()).collect(),
        expires: ISSUED + LEASE,
    };
    let mut forged = sealed.file.clone();
    if let Some(last) = forged.last_mut() {
        *last ^= 1;
    }
    put(&page.join("trust.txt"), &sealed.trust)?;
    put(&page.join("flags.sealed"), &sealed.file)?;
    put(&page.join("forged.sealed"), &forged)?;
    put(&page.join("pulse.txt"), &sealed.pulse(&pulse(1, &[]), 1)?)?;
    put(&page.join("halt.txt"), &sealed.pulse(&pulse(1, &["answer-behaviour"]), 2)?)?;
    let other = Mark { sequence: sealed.mark.sequence + 1, ..sealed.mark };
    let elsewhere = World::new(ISSUED)?.pulse(3, other, &[], &["greeting"])?;
    put(&page.join("other.txt"), &elsewhere)?;
    let policy = serde_json::json!({ "audience": AUDIENCE, "environment": ENVIRONMENT, "now": ISSUED });
    put(&page.join("policy.json"), policy.to_string().as_bytes())?;
    host_tests::embed::write(folder)?;
    println!("fixtures: {} and the page's, in {}", index.join(", "), folder.display());
    Ok(())
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}
