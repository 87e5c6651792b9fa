//! Persists one snapshot after another for ever, to be killed: the other half of the test that a kill at any moment leaves
//! the old state or the new one.
//!
//! ```text
//! persist_loop DIR          checks what DIR holds, prints `found N` (or `found nothing`), then saves N+1, N+2, ...,
//!                           printing `saved N` after each
//! persist_loop DIR --check  checks, prints and ends
//! ```
//! It ends with code 1 and a sentence when what it finds is torn: damaged, unverifiable, or not what its mark says.

#[path = "../tests/common/mod.rs"]
mod common;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use common::{AUDIENCE, ENVIRONMENT, NOW, World, mark};
use flagstone_host::store::{Kept, Store};
use flagstone_seal::{OpenPolicy, PulsePolicy, TrustRoot, open, open_pulse};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(folder) = arguments.next() else {
        eprintln!("usage: persist_loop DIR [--check]");
        return ExitCode::from(2);
    };
    match run(Path::new(&folder), arguments.next().is_some()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(torn) => {
            println!("torn: {torn}");
            ExitCode::FAILURE
        }
    }
}

fn run(folder: &Path, only_check: bool) -> Result<(), String> {
    let (store, kept, damage) = Store::open(folder).map_err(|error| error.to_string())?;
    if let Some(sentence) = damage.first() {
        return Err(sentence.clone());
    }
    let found = check(&kept)?;
    match found {
        0 => println!("found nothing"),
        sequence => println!("found {sequence}"),
    }
    if only_check {
        return Ok(());
    }
    for sequence in found + 1.. {
        store.save(&state(sequence)).map_err(|error| error.to_string())?;
        println!("saved {sequence}");
        std::io::stdout().flush().map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// What belongs together under a sequence number: sizes differ so that files of different lengths follow each other.
fn state(sequence: u64) -> Kept {
    let world = World::new();
    let file = world.snapshot(sequence, &vec![sequence as u8; 1_000 + (sequence as usize * 7_919) % 200_000]);
    let named = mark(&file);
    Kept {
        trust: vec![],
        pulse: Some(world.pulse(sequence, named, &[], &[]).into()),
        pulse_number: Some(sequence),
        snapshot: Some(Arc::from(file)),
        mark: Some(named),
        latest_issued: NOW + sequence,
    }
}

fn check(kept: &Kept) -> Result<u64, String> {
    let (Some(file), Some(note), Some(stored)) = (&kept.snapshot, &kept.pulse, kept.mark) else {
        return if *kept == Kept::default() {
            Ok(0)
        } else {
            Err("something, but not everything, is there".to_owned())
        };
    };
    let trust = TrustRoot::pin(&World::new().trust(), NOW).map_err(|error| error.to_string())?;
    let (audience, environment, now) = (AUDIENCE, ENVIRONMENT, NOW);
    let policy = OpenPolicy { audience, environment, now, mark: Some(stored), max_payload: 1 << 22 };
    let opened = open(file, &trust, &policy).map_err(|error| error.to_string())?;
    let policy = PulsePolicy { audience, environment, now, last_number: kept.pulse_number };
    let pulse = open_pulse(note, &trust, &policy).map_err(|error| error.to_string())?;
    let sequence = opened.mark.sequence;
    if opened.mark != stored || pulse.snapshot != stored || *kept != state(sequence) {
        return Err(format!("parts of different states at {sequence}"));
    }
    Ok(sequence)
}
