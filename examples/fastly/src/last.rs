//! What a sandbox leaves to the next in the cache: the newest statements that were accepted, so that nothing older is, and the pulse that
//! named the snapshot. It is as durable as the cache of this point of presence.

use flagstone::{Mark, Memory};
use flagstone_events::{from_hex, to_hex};

/// What was put in force last.
pub struct Last {
    /// Its name, and what may not be gone behind.
    pub memory: Memory,
    /// Its pulse.
    pub note: Vec<u8>,
}

impl Last {
    /// One line of numbers and the digest, then the note.
    pub fn write(&self) -> Option<Vec<u8>> {
        let Memory { mark, pulse_number, latest_issued, .. } = &self.memory;
        let (mark, pulse) = ((*mark)?, (*pulse_number)?);
        let digest = to_hex(&mark.digest);
        let line = format!("{} {} {pulse} {latest_issued} {digest}\n", mark.epoch, mark.sequence);
        Some([line.as_bytes(), &self.note].concat())
    }

    /// What [`Last::write`] wrote; none for anything else.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let (line, note) = bytes.split_at_checked(end + 1)?;
        let mut words = std::str::from_utf8(line).ok()?.split_whitespace();
        let mut number = || words.next()?.parse::<u64>().ok();
        let (epoch, sequence, pulse, latest_issued) = (number()?, number()?, number()?, number()?);
        let mark = Mark { epoch, sequence, digest: from_hex(words.next()?)? };
        let trust = Vec::new(); // the pinned note is moved on by whoever owns the secret store
        let memory = Memory { mark: Some(mark), pulse_number: Some(pulse), latest_issued, trust };
        Some(Self { memory, note: note.to_vec() })
    }
}
