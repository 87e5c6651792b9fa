//! Memory does not grow, however often a snapshot is exchanged.

use flagstone_host::engine::{Instance, Opening};
use flagstone_host::{ComponentSource, Engine};
use host_tests::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, World, snapshot};

const ROUNDS: usize = 5;
const SWAPS: usize = 200;
const DECISIONS: usize = 100;
/// What allocators may keep for themselves between the first round and the last, in bytes.
const SLACK: u64 = 6 << 20;

/// Bytes of this process in memory; none where the system does not tell them this way.
fn resident() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    Some(statm.split(' ').nth(1)?.parse::<u64>().ok()? * 4_096)
}

/// Threat 18: a thousand swaps with a hundred decisions between them.
#[test]
fn a_thousand_swaps_leave_the_memory_as_it_was() {
    let engine = Engine::from_source(&ComponentSource::Find).unwrap();
    let world = World::new(ISSUED).unwrap();
    let trust = String::from_utf8(world.trust.clone()).unwrap();
    let filler = "x".repeat(200_000);
    let definition = |number: u64| {
        format!(
            r#"{{"flags": {{"f": {{"state": "ENABLED", "variants": {{"a": "{number}{filler}", "b": ""}}, "defaultVariant": "b"}}}}}}"#
        )
    };
    let files: Vec<_> = (1..=4)
        .map(|number| world.seal(&snapshot("flags.json", &definition(number)).unwrap(), number).unwrap())
        .collect();
    let mut after = Vec::new();
    for round in 0..ROUNDS {
        for swap in 0..SWAPS {
            let opening = Opening {
                trust: &trust,
                file: &files[swap % files.len()],
                audience: AUDIENCE,
                environment: ENVIRONMENT,
                mark: None,
                now: ISSUED + 60,
            };
            let mut instance = Instance::open(&engine, &opening).unwrap();
            for unit in 0..DECISIONS {
                let context = format!(r#"{{"targetingKey":"unit-{unit}"}}"#);
                let (decision, _) = instance.decide(&context, "f", ISSUED + 60).unwrap();
                assert_eq!(decision.variant.as_deref(), Some("b"));
            }
        }
        match resident() {
            Some(bytes) => after.push(bytes),
            None => return println!("this system does not tell a process's memory; {round} rounds ran"),
        }
    }
    println!("resident after each round of {SWAPS} swaps: {after:?}");
    let (first, last) = (after[0], after[ROUNDS - 1]);
    assert!(last < first + SLACK, "it grew from {first} to {last} bytes");
}
