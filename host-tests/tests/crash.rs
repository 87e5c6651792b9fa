//! kill -9 of a host while it persists, a hundred times: the next start finds the old state or the new one,
//! never a torn one, and never an older one than was known to be kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flagstone_host::store::{Kept, Store};
use flagstone_seal::{OpenPolicy, open};
use host_tests::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, World, snapshot};

const KILLS: usize = 100;
/// Tells the child process what it is and which folder it works in.
const CHILD: &str = "FLAGSTONE_CRASH_FOLDER";

/// Verifies a kept file as a start would.
fn verified(world: &World, file: &[u8]) -> flagstone_seal::Mark {
    let trust = world.pinned().unwrap();
    let policy = OpenPolicy {
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        now: ISSUED + 60,
        mark: None,
        max_payload: 1 << 20,
    };
    open(file, &trust, &policy).expect("what is kept opens").mark
}

/// The child: keeps one snapshot after another until it is killed, and says each sequence once it is kept.
#[test]
fn child() {
    let Some(folder) = std::env::var_os(CHILD) else { return };
    let world = World::new(ISSUED).unwrap();
    let (store, kept, damage) = Store::open(folder.as_ref()).unwrap();
    assert!(damage.is_empty(), "{damage:?}");
    let mut sequence = kept.mark.map_or(0, |mark| mark.sequence);
    loop {
        sequence += 1;
        // Sizes vary, so that a kill meets files of one page and of many.
        let filler = "x".repeat((sequence as usize % 7) * 3_000);
        let definition = format!(
            r#"{{"flags": {{"f": {{"state": "ENABLED", "variants": {{"a": "{sequence}{filler}"}}, "defaultVariant": "a"}}}}}}"#
        );
        let file = world.seal(&snapshot("flags.json", &definition).unwrap(), sequence).unwrap();
        let mark = verified(&world, &file);
        let pulse = world.pulse(sequence, mark, &[], &[]).unwrap();
        let kept = Kept {
            snapshot: Some(Arc::from(file)),
            pulse: Some(Arc::from(pulse)),
            mark: Some(mark),
            pulse_number: Some(sequence),
            latest_issued: ISSUED,
            ..Kept::default()
        };
        store.save(&kept).unwrap();
        let mut out = std::io::stdout();
        writeln!(out, "kept {sequence}").unwrap();
        out.flush().unwrap();
    }
}

#[test]
fn a_host_killed_while_it_persists_never_leaves_a_torn_state() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(ISSUED).unwrap();
    let mut highest = 0;
    let mut advanced = 0;
    for kill in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture", "--test-threads=1"])
            .env(CHILD, folder.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Let it work for a while that differs each time, down to a few microseconds after a save.
        let until = Instant::now() + Duration::from_micros((kill as u64 * 7_919) % 20_000);
        let mut told = 0;
        for line in lines.by_ref() {
            let line = line.unwrap();
            if let Some(sequence) =
                line.rsplit_once("kept ").and_then(|(_, number)| number.trim().parse().ok())
            {
                told = sequence;
                if Instant::now() >= until {
                    break;
                }
            }
        }
        std::thread::sleep(Duration::from_micros((kill as u64 * 104_729) % 3_000));
        child.kill().unwrap();
        child.wait().unwrap();

        let (store, kept, damage) = Store::open(folder.path()).unwrap();
        assert!(damage.is_empty(), "after kill {kill}: {damage:?}");
        let file = kept.snapshot.expect("a snapshot is kept");
        let mark = verified(&world, &file);
        assert_eq!(Some(mark), kept.mark, "the mark is that of the file");
        assert_eq!(Some(mark.sequence), kept.pulse_number, "the pulse belongs to it");
        assert!(mark.sequence >= told, "it said that {told} was kept, but {} is there", mark.sequence);
        assert!(mark.sequence >= highest);
        advanced += usize::from(mark.sequence > highest);
        highest = mark.sequence;
        drop(store);
    }
    assert!(advanced > KILLS / 2, "the child hardly ever got to work: {advanced} of {KILLS}");
}
