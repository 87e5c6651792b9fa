//! What a pulse may do to an instance of the component: replace the one before when it names this snapshot, only
//! halt when it names another, nothing when it is refused.

use flagstone_host::engine::{CallError, Instance, Opening};
use flagstone_host::{ComponentSource, Engine};
use flagstone_seal::Mark;
use flagstone_seal::PulseStage;
use host_tests::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, World, snapshot};

const DEFINITION: &str = include_str!("../browser-page/definition.yaml");
const PLANNED: &str = "answer-behaviour";
/// On the allow-list of the first stage.
const STAFF: &str = r#"{"targetingKey": "ana", "email": "ana@acme.example", "consent": ["trial"]}"#;

/// The detail of a decision; a trap reads as its message.
fn detail(instance: &mut Instance, flag: &str, now: u64) -> Option<String> {
    instance
        .decide(STAFF, flag, now)
        .map_or_else(|error| Some(error.to_string()), |(decision, _)| decision.detail)
}

fn at(flag: &str, stage: u8) -> PulseStage {
    PulseStage { flag: flag.into(), stage, since: 0 }
}

#[test]
fn a_pulse_for_another_snapshot_only_halts() {
    let world = World::new(ISSUED).unwrap();
    let file = world.seal(&snapshot("definition.yaml", DEFINITION).unwrap(), 7).unwrap();
    let engine = Engine::from_source(&ComponentSource::Find).unwrap();
    let opening = Opening {
        trust: std::str::from_utf8(&world.trust).unwrap(),
        file: &file,
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        mark: None,
        now: ISSUED,
    };
    let mut instance = Instance::open(&engine, &opening).unwrap();
    let mine = instance.mark();
    let other = Mark { sequence: mine.sequence + 1, ..mine };
    let later = World::new(ISSUED + 100).unwrap();
    assert_eq!(detail(&mut instance, PLANNED, ISSUED).as_deref(), Some("expired"));

    // Its stages do not open this snapshot's plans, and its lease does not count here.
    instance.pulse(&world.pulse(1, other, &[at(PLANNED, 1)], &[]).unwrap(), ISSUED).unwrap();
    assert_eq!(detail(&mut instance, PLANNED, ISSUED).as_deref(), Some("expired"));

    instance.pulse(&world.pulse(2, mine, &[at(PLANNED, 0)], &["greeting"]).unwrap(), ISSUED).unwrap();
    assert_eq!(detail(&mut instance, PLANNED, ISSUED).as_deref(), Some("stage"));

    // What was open stays open for as long as it was to be, what was halted stays halted, and no longer lease.
    instance.pulse(&later.pulse(3, other, &[], &[]).unwrap(), ISSUED + 100).unwrap();
    assert_eq!(detail(&mut instance, PLANNED, ISSUED + 299).as_deref(), Some("stage"));
    assert_eq!(detail(&mut instance, PLANNED, ISSUED + 300).as_deref(), Some("expired"));
    assert_eq!(detail(&mut instance, "greeting", ISSUED + 100).as_deref(), Some("halt"));

    // Anyone's stop wins.
    instance.pulse(&later.pulse(4, other, &[at(PLANNED, 1)], &[PLANNED]).unwrap(), ISSUED + 100).unwrap();
    assert_eq!(detail(&mut instance, PLANNED, ISSUED + 100).as_deref(), Some("halt"));

    // An older one is refused, and nothing changes; the next for this snapshot lifts the halts.
    match instance.pulse(&world.pulse(3, mine, &[at(PLANNED, 1)], &[]).unwrap(), ISSUED + 100) {
        Err(CallError::Refused { code, .. }) => assert_eq!(code, "rollback"),
        other => panic!("an older pulse was not refused: {other:?}"),
    }
    assert_eq!(detail(&mut instance, PLANNED, ISSUED + 100).as_deref(), Some("halt"));
    instance.pulse(&later.pulse(5, mine, &[at(PLANNED, 0)], &[]).unwrap(), ISSUED + 100).unwrap();
    assert_eq!(detail(&mut instance, PLANNED, ISSUED + 399).as_deref(), Some("stage"));
    assert_eq!(detail(&mut instance, "greeting", ISSUED + 100), None);
}
