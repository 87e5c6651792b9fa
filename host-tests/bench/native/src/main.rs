//! The native half of `cargo xtask bench`: Flagstone and its peers in one process, in rotation.

mod flagstone;
mod peers;

use std::hint::black_box;
use std::path::PathBuf;

use anyhow::Result;
use clap::Parser;
use flagstone_measure::counting::Counting;
use flagstone_measure::{Case, Fixtures, Pace, Part, Workload, rounds};

use crate::flagstone::Flagstone;
use crate::peers::{Datalogic, Eppo, LaunchDarkly, Unleash};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Checks and times workload W natively; the last line is JSON.
#[derive(Parser)]
struct Arguments {
    /// Folder of workload W.
    #[arg(long)]
    workload: PathBuf,
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
    let mut part = Part::default();
    eprintln!("bench: checking every answer");
    let flagstone = Flagstone::new(&workload, &Fixtures::read(&arguments.fixtures)?, &mut part)?;
    let datalogic = peers::load::<Datalogic>(&workload, &mut part)?;
    let eppo = peers::load::<Eppo>(&workload, &mut part)?;
    let launchdarkly = peers::load::<LaunchDarkly>(&workload, &mut part)?;
    let unleash = peers::load::<Unleash>(&workload, &mut part)?;

    let mut cases = references();
    flagstone.cases(&mut cases);
    if let Some(peer) = &datalogic {
        peer.cases(&mut cases);
    }
    if let Some(peer) = &eppo {
        peer.cases(&mut cases);
    }
    if let Some(peer) = &launchdarkly {
        peer.cases(&mut cases);
    }
    if let Some(peer) = &unleash {
        peer.cases(&mut cases);
    }
    let memory = std::mem::take(&mut part.rows);
    part.rows = rounds::run(cases, Pace::new(arguments.quick));
    part.rows.extend(memory);
    part.print()
}

/// murmur3 of 40 bytes: with the crate's reader, which is the reference, and with ours over a slice.
fn references<'a>() -> Vec<Case<'a>> {
    let text = "flag-0042-rolloutuser-000000-fdec65fe-5e";
    let reader = Case::new("murmur3 crate, reader", "reference", move |calls| {
        for _ in 0..calls {
            let _ = black_box(murmur3::murmur3_32(&mut black_box(text).as_bytes(), 0));
        }
    });
    let slice = Case::new("flagstone murmur3, slice", "reference-slice", move |calls| {
        for _ in 0..calls {
            black_box(flagstone_snapshot::murmur3_x86_32(black_box(text).as_bytes(), 0));
        }
    });
    vec![reader, slice]
}

/// The version of a crate in this workspace's lock file.
fn version_of(name: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let entry = lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
    entry.and_then(|entry| entry.split("version = \"").nth(1)?.split('"').next()).unwrap_or("?")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_reference_hashes_forty_bytes_and_versions_are_found() {
        assert_eq!("flag-0042-rolloutuser-000000-fdec65fe-5e".len(), 40);
        assert!(super::version_of("datalogic-rs").starts_with("5."));
        assert_eq!(super::version_of("no-such-crate"), "?");
    }
}
