//! Rows of `cargo xtask embedders` that run the component or its core module in wasmtime:
//! `wasm-embedder component|core|sandbox FIXTURES PACKAGE COMPONENT` prints the row of docs/embedders.md (the package is not looked at);
//! with `cold` as a fifth argument it prints the milliseconds from the start of the process to the first value of W.

mod component;
mod core;
mod sandbox;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use rust_embedders::{Door, Fixtures, Outcome, measure};

fn main() -> ExitCode {
    let start = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    measure::finish(told(&arguments, start))
}

fn told(arguments: &[String], start: Instant) -> Outcome<String> {
    let [door, fixtures, _, component, cold @ ..] = arguments else {
        return Err("usage: wasm-embedder component|core|sandbox FIXTURES PACKAGE COMPONENT [cold]".into());
    };
    let (fixtures, component) = (Fixtures::folder(fixtures), PathBuf::from(component));
    let core = component.with_file_name("flagstone.core.wasm");
    let own = |artefact: &Path| (artefact.to_owned(), !cold.is_empty());
    match door.as_str() {
        "component" => {
            run::<component::Component>(component::maker, &fixtures, own(&component), arguments, start)
        }
        "core" => run::<core::Core>(core::maker, &fixtures, own(&core), arguments, start),
        "sandbox" => run::<sandbox::Sandbox>(sandbox::maker, &fixtures, own(&component), arguments, start),
        other => Err(format!("there is no door `{other}`").into()),
    }
}

fn run<D: Door>(
    maker: fn(&Path) -> Outcome<D::Maker>,
    fixtures: &Fixtures,
    (artefact, cold): (PathBuf, bool),
    arguments: &[String],
    start: Instant,
) -> Outcome<String> {
    let maker = maker(&artefact)?;
    if cold {
        return measure::first::<D>(fixtures, &maker, start);
    }
    let mut again = arguments.to_vec();
    again.push("cold".into());
    measure::row::<D>(fixtures, &maker, &artefact, &again)
}

/// wasmtime's version, from the lock file that this was built with.
fn version() -> String {
    let lock = include_str!("../../../../../../Cargo.lock");
    let found =
        lock.split_once("name = \"wasmtime\"\nversion = \"").and_then(|(_, rest)| rest.split('"').next());
    found.unwrap_or("unknown").to_owned()
}

/// The folder for compiled code beside an artefact: a start does not compile.
fn kept(artefact: &Path) -> PathBuf {
    artefact.with_file_name("compiled")
}

/// wasmtime with its own cache of compiled code.
fn engine(artefact: &Path) -> Outcome<wasmtime::Engine> {
    let folder = kept(artefact);
    std::fs::create_dir_all(&folder)?;
    let mut cache = wasmtime::CacheConfig::new();
    cache.with_directory(folder.canonicalize()?);
    let mut config = wasmtime::Config::new();
    config.cache(Some(wasmtime::Cache::new(cache)?));
    Ok(wasmtime::Engine::new(&config)?)
}

/// The linear memory of one instance, counted with that of all others.
struct Memory {
    all: Arc<AtomicU64>,
    own: u64,
}

impl Memory {
    fn of(all: &Arc<AtomicU64>) -> Self {
        Self { all: Arc::clone(all), own: 0 }
    }
}

impl wasmtime::ResourceLimiter for Memory {
    fn memory_growing(&mut self, current: usize, desired: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        let more = desired.saturating_sub(current) as u64;
        self.own += more;
        self.all.fetch_add(more, Ordering::Relaxed);
        Ok(desired <= 64 << 20)
    }

    fn table_growing(&mut self, _: usize, _: usize, _: Option<usize>) -> wasmtime::Result<bool> {
        Ok(true)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.all.fetch_sub(self.own, Ordering::Relaxed);
    }
}

/// Bits 0 to 15 of a packed decision: the variant; none for the caller's own default.
fn variant(packed: u64) -> Option<u32> {
    let variant = packed as u16;
    (variant != u16::MAX).then_some(u32::from(variant))
}
