//! The shared vectors, natively and in the component: the same text, byte for byte. (The browser build answers
//! them in `browser-page/test.mjs`.)

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "vectors/composed.rs"]
mod composed;

use flagstone_host::engine::{Instance, Opening};
use flagstone_host::{ComponentSource, Engine};
use flagstone_snapshot::Snapshot;
use host_tests::fixture::{AUDIENCE, ENVIRONMENT};
use host_tests::reference::{self, World, floating};
use host_tests::vectors::{ISSUED, LEASE, Pulse, Sealed, Vectors, files, seal};
use serde_json::Value;

#[test]
fn the_native_engine_answers_every_vector() {
    for file in files().unwrap() {
        let vectors = Vectors::read(&file).unwrap();
        assert!(vectors.cases.len() >= 60, "{} cases are few", vectors.cases.len());
        let bytes = vectors.snapshot().unwrap();
        let snapshot = Snapshot::load(&bytes).unwrap();
        for case in &vectors.cases {
            assert_eq!(case.native(&snapshot).unwrap(), case.expect, "case `{}`", case.name);
        }
    }
}

#[test]
fn the_reference_answers_every_vector() {
    for file in files().unwrap() {
        let vectors = Vectors::read(&file).unwrap();
        let definition: Value = serde_json::from_str(vectors.definition.get()).unwrap();
        for case in &vectors.cases {
            let context: Value = serde_json::from_str(case.context.get()).unwrap();
            let pulse = case.pulse.as_ref().map(|pulse| reference::Pulse {
                stages: pulse.open().map(|open| (open.flag.to_owned(), (open.stage, open.since))).collect(),
                halts: pulse.halts.clone(),
                expires: pulse.expires,
            });
            let world =
                World { definition: &definition, context: &context, pulse: pulse.as_ref(), now: case.now };
            let answer = reference::decide(world, &case.flag).json(&definition, &case.flag);
            let expected: Value = serde_json::from_str(&case.expect).unwrap();
            assert_eq!(answer, floating(&expected), "case `{}`", case.name);
        }
    }
}

/// An instance under one pulse, or none.
fn instance(engine: &Engine, sealed: &Sealed, pulse: Option<&Pulse>) -> Instance {
    let opening = Opening {
        trust: std::str::from_utf8(&sealed.trust).unwrap(),
        file: &sealed.file,
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        mark: None,
        now: ISSUED,
    };
    let mut instance = Instance::open(engine, &opening).unwrap();
    if let Some(pulse) = pulse {
        instance.pulse(&sealed.pulse(pulse, 1).unwrap(), pulse.expires - LEASE).unwrap();
    }
    instance
}

#[test]
fn the_component_answers_every_vector() {
    let engine = Engine::from_source(&ComponentSource::Find).unwrap();
    for file in files().unwrap() {
        let vectors = Vectors::read(&file).unwrap();
        let sealed = seal(&vectors.snapshot().unwrap()).unwrap();
        let mut pulses: Vec<Option<&Pulse>> = vec![None];
        pulses.extend(vectors.pulses().into_iter().map(Some));
        let mut asked = 0;
        for pulse in pulses {
            let mut instance = instance(&engine, &sealed, pulse);
            for case in vectors.cases.iter().filter(|case| case.pulse.as_ref() == pulse) {
                let (_, text) = instance.decide(case.context.get(), &case.flag, case.now).unwrap();
                assert_eq!(text, case.expect, "case `{}`", case.name);
                asked += 1;
            }
        }
        assert_eq!(asked, vectors.cases.len());
    }
}

/// 64 KiB of stack carry the deepest text that the JSON reader takes, and more is refused without a trap.
#[test]
fn the_component_survives_deep_contexts() {
    let engine = Engine::from_source(&ComponentSource::Find).unwrap();
    let vectors = Vectors::read(&files().unwrap()[0]).unwrap();
    let sealed = seal(&vectors.snapshot().unwrap()).unwrap();
    let mut instance = instance(&engine, &sealed, None);
    for depth in [15, 16, 100, 126, 127, 128, 10_000] {
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            let inside = if open == "[" { "" } else { "1" };
            let text = format!("{{\"a\":{}{inside}{}}}", open.repeat(depth), close.repeat(depth));
            let (decision, _) = instance.decide(&text, "static-boolean", ISSUED).unwrap();
            assert_eq!(decision.error_code.is_some(), depth > 15, "depth {depth}");
        }
    }
}
