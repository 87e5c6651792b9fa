//! A flipped bit anywhere in a sealed file is refused: by the native code for every bit, and by the
//! component, which is the same code, for one bit of every byte.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flagstone_host::engine::{CallError, Instance, Opening};
use flagstone_host::{ComponentSource, Engine};
use flagstone_seal::{OpenPolicy, open};
use host_tests::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, World, snapshot};

const DEFINITION: &str = r#"{"flags": {"new-answers": {
    "state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": "off",
    "targeting": {"if": [{"in": [{"var": "country"}, ["DE", "FR"]]}, "on"]}
}}}"#;

fn file() -> (World, Vec<u8>) {
    let world = World::new(ISSUED).unwrap();
    let file = world.seal(&snapshot("flags.json", DEFINITION).unwrap(), 7).unwrap();
    (world, file)
}

#[test]
fn natively_every_flipped_bit_is_refused() {
    let (world, mut file) = file();
    let trust = world.pinned().unwrap();
    let policy = OpenPolicy {
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        now: ISSUED + 60,
        mark: None,
        max_payload: 1 << 20,
    };
    assert!(open(&file, &trust, &policy).is_ok());
    for bit in 0..file.len() * 8 {
        file[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&file, &trust, &policy).is_err(), "bit {bit} of {} was accepted", file.len() * 8);
        file[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn in_the_component_a_flipped_bit_of_every_byte_is_refused() {
    let (world, mut file) = file();
    let engine = Engine::from_source(&ComponentSource::Find).unwrap();
    let trust = String::from_utf8(world.trust.clone()).unwrap();
    let opened = |file: &[u8]| {
        let opening = Opening {
            trust: &trust,
            file,
            audience: AUDIENCE,
            environment: ENVIRONMENT,
            mark: None,
            now: ISSUED + 60,
        };
        Instance::open(&engine, &opening)
    };
    assert!(opened(&file).is_ok());
    for byte in 0..file.len() {
        let bit = 1 << (byte % 8);
        file[byte] ^= bit;
        match opened(&file) {
            Err(CallError::Refused { code, .. }) => assert!(!code.is_empty()),
            Err(CallError::Trap(reason)) => panic!("byte {byte} trapped: {reason}"),
            Ok(_) => panic!("byte {byte} was accepted"),
        }
        file[byte] ^= bit;
    }
}
