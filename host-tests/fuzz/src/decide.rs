//! Decisions over whatever loads: all flags, with and without an explanation, twice.

use std::sync::LazyLock;

use flagstone_evaluate::{Context, Control, OpenStage, decide, decide_key, decision_json, explain_json};
use flagstone_snapshot::Snapshot;

use super::fixture;

/// Reads everything that rules can read, by every operator.
const DEFINITION: &str = include_str!("context.json");

/// 8 bytes the time, 1 the pulse, 4 the length of the snapshot, the snapshot, the packed context.
pub fn evaluate(data: &[u8]) {
    let Some((now, rest)) = data.split_first_chunk::<8>() else { return };
    let Some((how, rest)) = rest.split_first() else { return };
    let Some((length, rest)) = rest.split_first_chunk::<4>() else { return };
    let Some((bytes, packed)) = rest.split_at_checked(u32::from_le_bytes(*length) as usize) else { return };
    let Ok(snapshot) = Snapshot::load(bytes) else { return };
    let Ok(context) = Context::from_packed(&snapshot, packed.to_vec()) else { return };
    all(&snapshot, &context, u64::from_le_bytes(*now), *how);
}

/// The first byte says whether a packed context or JSON follows; it is asked about a definition that reads all of it.
pub fn context(data: &[u8]) {
    static SNAPSHOT: LazyLock<Vec<u8>> =
        LazyLock::new(|| fixture::snapshot("context.json", DEFINITION).expect("the definition compiles"));
    let snapshot = Snapshot::load(&SNAPSHOT).expect("the snapshot loads");
    let Some((how, rest)) = data.split_first() else { return };
    let context = match how & 1 {
        0 => Context::from_packed(&snapshot, rest.to_vec()),
        _ => match std::str::from_utf8(rest) {
            Ok(text) => Context::from_json(&snapshot, text),
            Err(_) => return,
        },
    };
    if let Ok(context) = context {
        all(&snapshot, &context, 1_800_000_000, *how);
    }
}

fn all(snapshot: &Snapshot<'_>, context: &Context, now: u64, how: u8) {
    let keys: Vec<String> = snapshot.flags().map(|flag| flag.key().to_owned()).collect();
    let stages = keys.iter().map(|flag| OpenStage {
        flag,
        stage: how & 31,
        since: now.saturating_sub(u64::from(how)),
    });
    let halts = keys.iter().skip(1).step_by(2).map(String::as_str).filter(|_| how & 32 != 0);
    let control = match how & 64 {
        0 => Control::new(snapshot, now.saturating_add(1), stages, halts),
        _ => Control::closed(snapshot),
    };
    // A snapshot of ten thousand flags that each run to the limit of steps is slow, not wrong.
    for flag in snapshot.flags().take(64) {
        let decision = decide(snapshot, &control, context, flag.index(), now);
        assert_eq!(decision.flag, flag.index());
        assert_eq!(decision, decide_key(snapshot, &control, context, flag.key(), now));
        assert!(decision.variant.is_none_or(|variant| variant < flag.variant_count()));
        let text = decision_json(snapshot, &decision, flag.key());
        let explained = explain_json(snapshot, &control, context, flag.key(), now);
        assert!(explained.contains(&text), "the explanation is of another decision:\n{text}\n{explained}");
    }
    assert!(decide_key(snapshot, &control, context, "\u{0}no such flag", now).error.is_some());
}
