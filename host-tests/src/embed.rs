//! What embedders in other languages are tested with, beside the vectors: sealed files good and bad, the workload, the
//! flags of OpenFeature's specification, events and tokens, and a little history of snapshots and pulses.
//!
//! Each part is a folder or file with the native answers in it; a part whose data is not there is left out.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow};
use flagstone_evaluate::Control;
use flagstone_events::token::Tokens;
use flagstone_events::{
    Arm, Batch, Body, Event, ExposureFacts, Pepper, Pseudonym, SnapshotId, Stream, UnitKey,
};
use flagstone_seal::{Mark, OpenPolicy, PulsePolicy, TrustRoot, open, open_pulse};
use flagstone_snapshot::Snapshot;
use serde_json::{Value, json};

use crate::fixture::{self, AUDIENCE, ENVIRONMENT, World};
use crate::vectors::{ISSUED, seal};
use crate::{openfeature, shared};

/// One flag, told apart by its default.
fn tiny(default: &str) -> Result<Vec<u8>> {
    let definition = json!({"flags": {"greeting": {"state": "ENABLED", "defaultVariant": default,
        "variants": {"formal": "Good morning", "short": "Hi"}, "metadata": {"ticket": "AB-1", "level": 2}}}});
    fixture::snapshot("tiny.json", &definition.to_string())
}

/// Writes every part below `folder`.
///
/// # Errors
/// What cannot be read, sealed or written.
pub fn write(folder: &Path) -> Result<()> {
    refused(&folder.join("refused"))?;
    live(&folder.join("live"))?;
    put(&folder.join("events.json"), events()?.to_string().as_bytes())?;
    let Some(shared) = shared::folder() else {
        println!("fixtures: no shared data, so no workload and no flags of OpenFeature's specification");
        return Ok(());
    };
    let read = |path: &str| std::fs::read_to_string(shared.join(path)).ok();
    if let Some(definition) = read("workload/flagd100.json") {
        sealed(&folder.join("w100"), &fixture::snapshot("flagd100.json", &definition)?)?;
    }
    if let Some(flags) = read("conformance/openfeature-spec/test-flags.json") {
        let definition = openfeature::definition(&serde_json::from_str(&flags)?)?;
        sealed(&folder.join("openfeature"), &fixture::snapshot("test-flags.json", &definition.to_string())?)?;
    }
    Ok(())
}

/// A payload sealed, with its trust note and the policy that opens it.
fn sealed(folder: &Path, payload: &[u8]) -> Result<()> {
    let sealed = seal(payload)?;
    put(&folder.join("trust.txt"), &sealed.trust)?;
    put(&folder.join("flags.sealed"), &sealed.file)?;
    put(&folder.join("policy.json"), policy(ISSUED).to_string().as_bytes())
}

fn policy(now: u64) -> Value {
    json!({"audience": AUDIENCE, "environment": ENVIRONMENT, "now": now})
}

/// Sealed files good and bad. `cases.json`: `{name, file, trust, policy, code}`, `code` null where the file opens; `pulses`: notes given one after
/// the other to `good.sealed`, with the code of each.
///
/// # Errors
/// As [`write`].
pub fn refused(folder: &Path) -> Result<()> {
    let world = World::new(ISSUED)?;
    let good = world.seal(&tiny("short")?, 5)?;
    let mark = seal_mark(&world, &good)?;
    let changed = |at: usize| {
        let mut bytes = good.clone();
        if let Some(byte) = bytes.get_mut(at) {
            *byte ^= 1;
        }
        bytes
    };
    let other = changed_trust(&world.trust);
    put(&folder.join("trust.txt"), &world.trust)?;
    put(&folder.join("other-trust.txt"), &other)?;
    let files: [(&str, Vec<u8>); 7] = [
        ("good", good.clone()),
        ("payload-bit", changed(good.len() - 1)),
        ("note-bit", changed(60)),
        ("magic", changed(0)),
        ("short", good.get(..good.len() - 1).unwrap_or_default().to_vec()),
        ("empty", Vec::new()),
        ("no-snapshot", world.seal(b"this is no snapshot", 6)?),
    ];
    for (name, bytes) in &files {
        put(&folder.join(format!("{name}.sealed")), bytes)?;
    }
    let mut cases = Vec::new();
    let mut case = |name: &str, file: &str, trust: &str, policy: Value| -> Result<()> {
        let bytes = files.iter().find(|(known, _)| *known == file).map(|(_, bytes)| bytes.as_slice());
        let note = if trust == "trust.txt" { &world.trust } else { &other };
        let code = opening(bytes.unwrap_or_default(), note, &policy);
        cases.push(json!({"name": name, "file": format!("{file}.sealed"), "trust": trust, "policy": policy, "code": code}));
        Ok(())
    };
    for (name, _) in &files {
        case(name, name, "trust.txt", policy(ISSUED))?;
    }
    let with = |member: &str, value: Value| {
        let mut changed = policy(ISSUED);
        if let Some(members) = changed.as_object_mut() {
            members.insert(member.into(), value);
        }
        changed
    };
    let marked = |sequence: u64| json!({"epoch": mark.epoch, "sequence": sequence, "digest": flagstone_events::to_hex(&mark.digest)});
    case("another audience", "good", "trust.txt", with("audience", "flagstone.example/others".into()))?;
    case("another environment", "good", "trust.txt", with("environment", "production".into()))?;
    case("the same again", "good", "trust.txt", with("mark", marked(5)))?;
    case("older than the mark", "good", "trust.txt", with("mark", marked(6)))?;
    case("after its time", "good", "trust.txt", with("now", (ISSUED + 15 * 86_400).into()))?;
    case("long before its time", "good", "trust.txt", with("now", (ISSUED - 86_400).into()))?;
    case("a damaged trust root", "good", "other-trust.txt", policy(ISSUED))?;
    let pulses = pulses(folder, &world, mark)?;
    put(&folder.join("cases.json"), json!({"cases": cases, "pulses": pulses}).to_string().as_bytes())
}

fn changed_trust(trust: &[u8]) -> Vec<u8> {
    let mut trust = trust.to_vec();
    if let Some(byte) = trust.get_mut(40) {
        *byte ^= 1;
    }
    trust
}

fn seal_mark(world: &World, file: &[u8]) -> Result<Mark> {
    let policy = OpenPolicy {
        audience: AUDIENCE,
        environment: ENVIRONMENT,
        now: ISSUED,
        mark: None,
        max_payload: flagstone_seal::limits::BROWSER_PAYLOAD_BYTES,
    };
    Ok(open(file, &world.pinned()?, &policy).map_err(|error| anyhow!("{error}"))?.mark)
}

/// The code with which opening is refused, none when it is not.
fn opening(file: &[u8], trust: &[u8], policy: &Value) -> Option<String> {
    let now = policy["now"].as_u64().unwrap_or_default();
    let trust = match TrustRoot::pin(trust, now) {
        Ok(trust) => trust,
        Err(error) => return Some(error.code().to_owned()),
    };
    let mark = policy.get("mark").map(|mark| Mark {
        epoch: mark["epoch"].as_u64().unwrap_or_default(),
        sequence: mark["sequence"].as_u64().unwrap_or_default(),
        digest: flagstone_events::from_hex(mark["digest"].as_str().unwrap_or_default()).unwrap_or_default(),
    });
    let policy = OpenPolicy {
        audience: policy["audience"].as_str().unwrap_or_default(),
        environment: policy["environment"].as_str().unwrap_or_default(),
        now,
        mark,
        max_payload: flagstone_seal::limits::BROWSER_PAYLOAD_BYTES,
    };
    match open(file, &trust, &policy) {
        Err(error) => Some(error.code().to_owned()),
        Ok(opened) => Snapshot::load(opened.payload).err().map(|error| error.code().to_owned()),
    }
}

/// Notes in the order in which they come: good ones, a repeated one, an older one, forged, expired, and no note.
fn pulses(folder: &Path, world: &World, mark: Mark) -> Result<Vec<Value>> {
    let second = world.pulse(2, mark, &[], &["greeting"])?;
    let mut forged = world.pulse(4, mark, &[], &[])?;
    if let Some(byte) = forged.get_mut(70) {
        *byte ^= 1;
    }
    let notes = [
        ("first", second.clone(), ISSUED),
        ("again", second, ISSUED),
        ("older", world.pulse(1, mark, &[], &[])?, ISSUED),
        ("forged", forged, ISSUED),
        ("expired", world.pulse(5, mark, &[], &[])?, ISSUED + 3_600),
        ("no-note", b"pulse".to_vec(), ISSUED),
        ("next", world.pulse(6, mark, &[], &[])?, ISSUED + 10),
    ];
    let (trust, mut last, mut told) = (world.pinned()?, None, Vec::new());
    for (name, note, now) in notes {
        let policy = PulsePolicy { audience: AUDIENCE, environment: ENVIRONMENT, now, last_number: last };
        let code = match open_pulse(&note, &trust, &policy) {
            Ok(pulse) => {
                last = Some(pulse.number);
                None
            }
            Err(error) => Some(error.code()),
        };
        put(&folder.join(format!("pulse-{name}.txt")), &note)?;
        told.push(json!({"file": format!("pulse-{name}.txt"), "now": now, "code": code}));
    }
    Ok(told)
}

/// A history: snapshots 1 and 2 with a pulse each; pulse 3 names a snapshot whose bytes are damaged, pulse 4 one that verifies and is
/// no snapshot. `index.json` has their digests.
fn live(folder: &Path) -> Result<()> {
    let world = World::new(ISSUED)?;
    let payloads = [tiny("short")?, tiny("formal")?, tiny("short")?, b"this is no snapshot".to_vec()];
    let mut digests = Vec::new();
    for (number, payload) in (1..).zip(payloads) {
        let mut file = world.seal(&payload, number)?;
        let mark = seal_mark(&world, &file)?;
        put(&folder.join(format!("pulse-{number}.txt")), &world.pulse(number, mark, &[], &[])?)?;
        digests.push(flagstone_events::to_hex(&mark.digest));
        if number == 3
            && let Some(last) = file.last_mut()
        {
            *last ^= 1;
        }
        put(&folder.join(format!("{number}.sealed")), &file)?;
    }
    put(&folder.join("trust.txt"), &world.trust)?;
    put(&folder.join("policy.json"), policy(ISSUED).to_string().as_bytes())?;
    put(&folder.join("index.json"), json!({ "digests": digests }).to_string().as_bytes())
}

/// Exposures as the native host makes them: facts, event, token, and all of them in one batch.
fn events() -> Result<Value> {
    let pepper = Pepper::from_bytes([7; 32]);
    let tokens = Tokens::new(&pepper, AUDIENCE, ENVIRONMENT);
    let (window_ms, at_ms) = (86_400_000, ISSUED * 1_000);
    let mut cases = Vec::new();
    let mut events = Vec::new();
    let units = ["ana", "Świętopełk \u{1f600}", "42"];
    let kinds = [
        (Stream::Production, Arm::None, None),
        (Stream::Evaluation, Arm::Treatment, Some(2)),
        (Stream::Training, Arm::Control, Some(0)),
    ];
    for (number, (unit, (stream, arm, stage))) in units.into_iter().zip(kinds).enumerate() {
        let facts = ExposureFacts {
            stream,
            flag: format!("flag-{number} \"ü\""),
            variant: "careful".into(),
            arm,
            stage,
            cohort: stage,
            probability: stage.map_or(0, |_| 123_456_789),
            snapshot: SnapshotId { epoch: 1, sequence: 7, digest: [0xab; 32] },
            reason: "SPLIT".into(),
            at_ms: at_ms + number as u64,
        };
        let key = UnitKey::new(unit).map_err(|error| anyhow!("{error}"))?;
        let exposure = facts.of_unit(&pepper, &key, window_ms).map_err(|error| anyhow!("{error}"))?;
        let token = tokens.seal(&exposure, at_ms + 3_600_000).context("it cannot be sealed")?;
        let outcome =
            flagstone_events::EventId::outcome(&pepper, Pseudonym::of(&pepper, stream, &key), "answer", "r1");
        cases.push(json!({"unit": unit, "event": exposure, "token": token, "outcomeId": outcome}));
        events.push(Event { sequence: 41 + number as u64, body: Body::Exposure(exposure) });
    }
    let batch = Batch::new("edge-1", Some("77".repeat(32)), [("queue-full".to_owned(), 3)].into(), events);
    Ok(json!({
        "pepper": "07".repeat(32), "audience": AUDIENCE, "environment": ENVIRONMENT, "windowMs": window_ms,
        "expiresMs": at_ms + 3_600_000, "cases": cases, "batch": batch.map_err(|error| anyhow!("{error}"))?,
    }))
}

/// The native packed decision of a case, as 16 hexadecimal digits; none for a flag that is not there.
///
/// # Errors
/// When the context is none.
pub fn packed(
    snapshot: &Snapshot<'_>,
    control: &Control,
    context: &str,
    key: &str,
    now: u64,
) -> Result<Option<String>> {
    let Some(flag) = snapshot.find(key) else { return Ok(None) };
    let context = flagstone_evaluate::Context::from_json(snapshot, context)?;
    let decision = flagstone_evaluate::decide(snapshot, control, &context, flag, now);
    Ok(Some(format!("{:016x}", decision.pack())))
}

pub(crate) fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, bytes).with_context(|| format!("cannot write `{}`", path.display()))
}
