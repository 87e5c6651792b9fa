//! The wasmtime half of `cargo xtask bench`: the built artefacts, by the flat core ABI and as a component.

mod component;
mod core;
mod door;
mod start;

use std::hint::black_box;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use flagstone_measure::counting::Counting;
use flagstone_measure::{Case, Fixtures, Pace, Part, Workload, rounds};

use crate::door::{Sealed, Subject};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Checks and times workload W in wasmtime; the last line is JSON.
#[derive(Parser)]
struct Arguments {
    /// Folder of workload W.
    #[arg(long)]
    workload: PathBuf,
    /// Folder of `flagstone.core.wasm` and `flagstone.component.wasm`.
    #[arg(long)]
    guest: PathBuf,
    /// Folder that `flagstone-bench-fixtures` wrote.
    #[arg(long)]
    fixtures: PathBuf,
    /// Few rounds, to see that everything works.
    #[arg(long)]
    quick: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let workload = Workload::read(&arguments.workload)?;
    let sealed = Sealed::new(&workload, Fixtures::read(&arguments.fixtures)?)?;
    let (core, component) =
        (arguments.guest.join("flagstone.core.wasm"), arguments.guest.join("flagstone.component.wasm"));
    let mut part = Part::default();
    eprintln!("bench: compiling the artefacts, checking every answer");
    let by_core = Subject::new("flagstone wasmtime core", core::open(&core)?, &workload, &sealed, &mut part)?;
    let name = "flagstone wasmtime component";
    let by_component =
        Subject::new(name, component::open(&component, false)?, &workload, &sealed, &mut part)?;
    let name = "flagstone wasmtime component, epochs";
    let by_epochs = Subject::new(name, component::open(&component, true)?, &workload, &sealed, &mut part)?;
    let memory = start::memory(&core, &component)?;
    let mut cases = vec![reference()];
    by_core.cases(&sealed, &mut cases);
    by_component.cases(&sealed, &mut cases);
    by_epochs.cases(&sealed, &mut cases);
    start::cases(&core, &component, &mut cases)?;
    let figures = std::mem::take(&mut part.rows);
    part.rows = rounds::run(cases, Pace::new(arguments.quick));
    part.rows.extend(figures);
    part.rows.extend(memory);
    part.print()
}

/// murmur3 of 40 bytes with the crate's reader, as in the native half.
fn reference<'a>() -> Case<'a> {
    let text = "flag-0042-rolloutuser-000000-fdec65fe-5e";
    Case::new("murmur3 crate, reader (wasmtime run)", "reference", move |calls| {
        for _ in 0..calls {
            let _ = black_box(murmur3::murmur3_32(&mut black_box(text).as_bytes(), 0));
        }
    })
}
