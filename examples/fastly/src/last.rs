//! What a sandbox leaves to the next in the cache: the newest statements that were accepted, so that nothing older is, and the pulse that
//! named the snapshot. It is as durable as the cache of this point of presence.

use flagstone::{Mark, Memory};
use flagstone_events::{from_hex, to_hex};
use serde_json::{Value, json};

/// What was put in force last.
pub struct Last {
    /// Its name, and what may not be gone behind.
    pub memory: Memory,
    /// Its pulse.
    pub note: Vec<u8>,
}

impl Last {
    /// As JSON text; none before a snapshot and its pulse were accepted.
    pub fn write(&self) -> Option<Vec<u8>> {
        let Memory { mark, pulse_number, latest_issued, trust } = &self.memory;
        let mark = (*mark)?;
        // Notes are texts.
        let text = |note: &[u8]| String::from_utf8(note.to_vec()).ok();
        let trust = trust.iter().map(|(version, note)| Some(json!([version, text(note)?])));
        let kept = json!({
            "epoch": mark.epoch, "sequence": mark.sequence, "digest": to_hex(&mark.digest), "pulse": (*pulse_number)?,
            "issued": latest_issued, "trust": trust.collect::<Option<Vec<Value>>>()?, "note": text(&self.note)?,
        });
        Some(kept.to_string().into_bytes())
    }

    /// What [`Last::write`] wrote; none for anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let kept: Value = serde_json::from_slice(bytes).ok()?;
        let number = |name: &str| kept.get(name)?.as_u64();
        let text = |name: &str| kept.get(name)?.as_str();
        let digest = from_hex(text("digest")?)?;
        let mark = Mark { epoch: number("epoch")?, sequence: number("sequence")?, digest };
        let notes = kept.get("trust")?.as_array()?.iter();
        let trust =
            notes.map(|note| Some((note.get(0)?.as_u64()?, note.get(1)?.as_str()?.as_bytes().to_vec())));
        let memory = Memory {
            mark: Some(mark),
            pulse_number: Some(number("pulse")?),
            latest_issued: number("issued")?,
            trust: trust.collect::<Option<_>>()?,
        };
        Some(Self { memory, note: text("note")?.as_bytes().to_vec() })
    }
}
