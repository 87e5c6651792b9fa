//! The worst snapshots and contexts in the component: the instance that refuses survives and goes on deciding, nothing traps.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use flagstone_host::engine::{CallError, Instance, Opening};
use flagstone_host::{ComponentSource, Engine};
use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_snapshot::encode;
use host_tests::fixture::{AUDIENCE, ENVIRONMENT};
use host_tests::vectors::{ISSUED, Sealed};
use host_tests::worst::{flag, limits, of, rule, slow};

fn open(engine: &Engine, sealed: &Sealed) -> Result<Instance, CallError> {
    let opening = Opening {
        trust: std::str::from_utf8(&sealed.trust).unwrap(),
        file: &sealed.file,
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        mark: None,
        now: ISSUED,
    };
    Instance::open(engine, &opening)
}

fn seal(payload: &[u8]) -> Sealed {
    let world = host_tests::fixture::World::new(ISSUED).unwrap();
    let file = world.seal(payload, 1).unwrap();
    let mark = flagstone_seal::Mark { epoch: 1, sequence: 1, digest: [0; 32] };
    Sealed { trust: world.trust, file, mark }
}

fn decides(instance: &mut Instance) {
    let (decision, text) = instance.decide(r#"{"targetingKey":"user-1"}"#, "small", ISSUED).unwrap();
    assert!(decision.error_code.is_none(), "{text}");
}

/// The engine as a component, none where it was not built.
fn engine() -> Option<Engine> {
    let engine = Engine::from_source(&ComponentSource::Find);
    if let Err(error) = &engine {
        println!("no component to try: {error}");
    }
    engine.ok()
}

#[test]
fn what_is_at_a_limit_opens_and_decides() {
    let Some(engine) = engine() else { return };
    let mut small = open(&engine, &seal(&encode(&of(vec![flag("small")])).unwrap())).unwrap();
    for (name, limit, make) in limits() {
        let draft = make(limit);
        let key = draft.flags.iter().map(|flag| flag.key.clone()).max().unwrap();
        let bytes = encode(&draft).unwrap();
        match open(&engine, &seal(&bytes)) {
            Ok(mut instance) => {
                let (_, text) =
                    instance.decide(r#"{"targetingKey":"user-1","a":"x"}"#, &key, ISSUED).unwrap();
                assert!(text.starts_with("{\"flag\":") && text.ends_with('}'), "{name}: {text}");
            }
            // The seal has a limit of its own for payloads.
            Err(error) => {
                assert!(bytes.len() as u64 > SERVER_PAYLOAD_BYTES, "{name}: {error}");
                assert!(matches!(error, CallError::Refused { .. }), "{name}: {error}");
            }
        }
        decides(&mut small);
    }
}

#[test]
fn what_is_no_snapshot_is_refused_by_name() {
    let Some(engine) = engine() else { return };
    let good = encode(&of(vec![flag("small")])).unwrap();
    let mut small = open(&engine, &seal(&good)).unwrap();
    let mut longer = good.clone();
    longer.push(0);
    let mut version = good.clone();
    version[4] = 99;
    let mut count = good.clone();
    count[12..16].copy_from_slice(&u32::MAX.to_le_bytes());
    for (bytes, code) in [
        (Vec::new(), "snapshot-magic"),
        (b"FSNP".to_vec(), "snapshot-magic"),
        (longer, "snapshot-length"),
        (version, "snapshot-version"),
        (count, "snapshot-length"),
    ] {
        match open(&engine, &seal(&bytes)) {
            Err(CallError::Refused { code: found, .. }) => assert_eq!(found, code),
            Err(error) => panic!("{code}: {error}"),
            Ok(_) => panic!("{code} opened"),
        }
        decides(&mut small);
    }
}

#[test]
fn the_slowest_rules_end_without_a_trap() {
    let Some(engine) = engine() else { return };
    let context = format!(r#"{{"long":"{}","list":["{}"]}}"#, "x".repeat(30_000), "y".repeat(20_000));
    for (name, program) in slow() {
        let mut draft = rule(program);
        draft.flags.push(flag("small"));
        let mut instance = open(&engine, &seal(&encode(&draft).unwrap())).unwrap();
        let (decision, text) =
            instance.decide(&context, "f", ISSUED).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(decision.error_code.is_some() && text.contains("\"GENERAL\""), "{name}: {text}");
        decides(&mut instance);
    }
}
