//! The sandbox: the shared vectors byte for byte, memory under swaps, traps, threads.

use std::path::Path;
use std::sync::Arc;

use flagstone::sandbox::ComponentSource;
use flagstone::sandbox::engine::{CallError, Engine, Opening, Pool};

use host_tests::fixture::{AUDIENCE, ENVIRONMENT};
use host_tests::vectors::{ISSUED, LEASE, Pulse, Vectors, files, seal};

use crate::world::{NOW, sealed, world};

/// The engine; its code is kept, so that one test compiles for all of them.
fn engine() -> Arc<Engine> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("compiled");
    let engine = Engine::from_source_kept_in(&folder, &ComponentSource::Find);
    Arc::new(engine.unwrap_or_else(|error| panic!("{error}")))
}

fn pool(engine: &Arc<Engine>, trust: &[u8], file: &[u8], now: u64, instances: usize) -> Pool {
    let trust = std::str::from_utf8(trust).unwrap();
    let opening = Opening { trust, file, audience: AUDIENCE, environment: ENVIRONMENT, mark: None, now };
    Pool::open(Arc::clone(engine), &opening, instances).unwrap()
}

/// Its answer to one question.
fn word(pool: &Pool) -> String {
    pool.decide("{}", "word", NOW).unwrap().0.value.as_str().unwrap().to_owned()
}

/// More text than an instance may take.
fn trap(pool: &Pool) {
    let told = pool.decide(&"x".repeat(40 << 20), "word", NOW);
    assert!(matches!(told, Err(CallError::Trap(_))), "{told:?}");
}

#[test]
fn the_sandbox_answers_every_vector() {
    let engine = engine();
    for file in files().unwrap() {
        let vectors = Vectors::read(&file).unwrap();
        let sealed = seal(&vectors.snapshot().unwrap()).unwrap();
        let mut pulses: Vec<Option<&Pulse>> = vec![None];
        pulses.extend(vectors.pulses().into_iter().map(Some));
        let mut asked = 0;
        for pulse in pulses {
            let pool = pool(&engine, &sealed.trust, &sealed.file, ISSUED, 1);
            if let Some(pulse) = pulse {
                let named = pool.pulse(&sealed.pulse(pulse, 1).unwrap(), pulse.expires - LEASE).unwrap();
                assert_eq!(named, sealed.mark);
            }
            for case in vectors.cases.iter().filter(|case| case.pulse.as_ref() == pulse) {
                let (_, text) = pool.decide(case.context.get(), &case.flag, case.now).unwrap();
                assert_eq!(text, case.expect, "case `{}`", case.name);
                asked += 1;
            }
        }
        assert_eq!(asked, vectors.cases.len());
    }
}

#[test]
fn fifty_thousand_decisions_with_swaps_leave_the_sandbox_flat() {
    let engine = engine();
    let trust = world().trust;
    let file = sealed("steady", 1);
    let (mut held, mut sizes) = (None, Vec::new());
    for _ in 0..100 {
        // The next is open before the one in force goes.
        let next = pool(&engine, &trust, &file, NOW, 1);
        let in_force = held.insert(next);
        for decision in 0..500 {
            let key = ["word", "switch", "amount", "parts"][decision % 4];
            let (told, _) = in_force.decide(r#"{"targetingKey":"ana","country":"fr"}"#, key, NOW).unwrap();
            assert!(told.error_code.is_none() && told.variant.is_some(), "{told:?}");
        }
        sizes.push((in_force.memory_bytes(), engine.alive()));
    }
    sizes.dedup();
    assert_eq!(sizes.len(), 1, "memory, and instances alive: {sizes:?}");
    assert_eq!(sizes[0].1, Some(1), "the instances of a swap's loser are gone");
}

#[test]
fn a_trap_costs_one_instance_and_nothing_else() {
    let engine = engine();
    let pool = pool(&engine, &world().trust, &sealed("first", 1), NOW, 3);
    let halt = world().pulse(1, pool.mark(), &[], &["switch"]).unwrap();
    pool.pulse(&halt, NOW).unwrap();
    let halted = pool.decide("{}", "switch", NOW).unwrap().1;
    assert!(halted.contains(r#""detail":"halt""#), "{halted}");
    for _ in 0..5 {
        trap(&pool);
        assert_eq!(word(&pool), "first");
        assert_eq!(pool.decide("{}", "switch", NOW).unwrap().1, halted, "with its pulse");
        assert_eq!(engine.alive(), Some(3));
    }
    // A pulse that is refused leaves the one before.
    assert!(matches!(pool.pulse(b"no note", NOW), Err(CallError::Refused { .. })));
    assert_eq!(pool.decide("{}", "switch", NOW).unwrap().1, halted);
}

#[test]
fn threads_decide_side_by_side_and_see_a_pulse_at_once() {
    let engine = engine();
    let pool = pool(&engine, &world().trust, &sealed("first", 1), NOW, 4);
    let halted = |pool: &Pool| pool.decide("{}", "switch", NOW).unwrap().1.contains(r#""detail":"halt""#);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !halted(&pool) {
                    assert_eq!(word(&pool), "first");
                }
                // Whichever instance is asked from here on has taken the pulse.
                for _ in 0..200 {
                    assert!(halted(&pool), "an instance without the pulse");
                }
            });
        }
        pool.pulse(&world().pulse(1, pool.mark(), &[], &["switch"]).unwrap(), NOW).unwrap();
    });
}
