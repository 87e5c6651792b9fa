//! Sealed files, pulses and trust notes: any bytes, and good ones with changes.

use std::sync::LazyLock;

use flagstone_seal::{Mark, OpenPolicy, PulsePolicy, PulseStage, TrustRoot, open as open_file, open_pulse};

use super::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, World};

struct Good {
    world: World,
    trust: TrustRoot,
    file: Vec<u8>,
    pulse: Vec<u8>,
}

const PAYLOAD: &[u8] = b"any payload, a few lines\nlong\n";

static GOOD: LazyLock<Good> = LazyLock::new(|| {
    let world = World::new(ISSUED).expect("fixed keys");
    let trust = world.pinned().expect("a fixed trust root");
    let file = world.seal(PAYLOAD, 7).expect("a fixed file");
    let mark = Mark { epoch: 1, sequence: 7, digest: [5; 32] };
    let stages = [PulseStage { flag: "answers".into(), stage: 2, since: ISSUED - 50 }];
    let pulse = world.pulse(9, mark, &stages, &["banner"]).expect("a fixed pulse");
    Good { world, trust, file, pulse }
});

/// The first byte says what the rest is: a file, a pulse or a trust note, or changes to a good one.
///
/// A change is 4 bytes: 2 the place, 1 what to do (replace, insert, delete, cut off), 1 the byte.
pub fn open(data: &[u8]) {
    let Some((what, rest)) = data.split_first() else { return };
    let good = &*GOOD;
    match what % 6 {
        0 => file(rest),
        1 => pulse(rest),
        2 => trust(rest),
        3 => file(&changed(&good.file, rest)),
        4 => pulse(&changed(&good.pulse, rest)),
        _ => trust(&changed(&good.world.trust, rest)),
    }
}

fn changed(good: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for [low, high, what, byte] in changes.as_chunks::<4>().0 {
        let place = usize::from(u16::from_le_bytes([*low, *high])) % (bytes.len() + 1);
        match what % 4 {
            0 if place < bytes.len() => bytes[place] = *byte,
            1 => bytes.insert(place, *byte),
            2 if place < bytes.len() => drop(bytes.remove(place)),
            3 => bytes.truncate(place),
            _ => {}
        }
    }
    bytes
}

/// Whatever opens is the payload that was signed.
fn file(bytes: &[u8]) {
    let policy = OpenPolicy {
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        now: ISSUED + 10,
        mark: None,
        max_payload: 1 << 20,
    };
    if let Ok(opened) = open_file(bytes, &GOOD.trust, &policy) {
        assert_eq!(opened.payload, PAYLOAD, "a forgery opened");
        assert_eq!(opened.mark.sequence, 7);
    }
}

fn pulse(bytes: &[u8]) {
    let policy =
        PulsePolicy { audience: AUDIENCE, environment: ENVIRONMENT, now: ISSUED + 10, last_number: None };
    if let Ok(pulse) = open_pulse(bytes, &GOOD.trust, &policy) {
        assert_eq!((pulse.number, pulse.stages.len(), pulse.halts.len()), (9, 1, 1), "a forgery opened");
        assert_eq!((pulse.stages[0].stage, pulse.stages[0].since), (2, ISSUED - 50));
    }
}

fn trust(bytes: &[u8]) {
    if let Ok(next) = GOOD.trust.advance(bytes, ISSUED + 10) {
        assert_eq!(next.statement().version, 1, "a forgery was trusted");
    }
    // A pinned note is trusted for what it says; it must only not panic.
    let _ = TrustRoot::pin(bytes, ISSUED + 10);
}
