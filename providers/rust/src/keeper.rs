//! What has been accepted: the rules are [`Reader`]'s, which the host keeps too; here is what outlives the process. No clock, no files.

use flagstone_seal::{Clock, Mark, Opened, PulseStatement, Reader, SealError, Seen};

use crate::settings::{Memory, Settings};

/// What verification told of a file.
#[derive(Debug, Clone)]
pub(crate) struct Verified {
    pub(crate) mark: Mark,
    pub(crate) issued: u64,
    pub(crate) expires: u64,
    pub(crate) signers: Vec<String>,
    /// Length of the payload, which ends the file.
    pub(crate) payload: usize,
    /// The time that it was judged by.
    pub(crate) as_of: u64,
}

/// Holds the trust root and everything accepted under it.
pub(crate) struct Keeper {
    reader: Reader,
    /// The trust notes accepted since the pinned one: version and bytes, in order.
    trust: Vec<(u64, Vec<u8>)>,
    pulse: Option<PulseStatement>,
    /// Whether the trust root still believes the snapshot in force.
    pub(crate) believed: bool,
}

impl Keeper {
    /// Starts from the pinned note, moved on by the notes that were accepted after it. One of them that does not follow is an error:
    /// to go on under an older root would be to forget a rotation.
    pub(crate) fn new(pinned: &[u8], settings: Settings, now: u64) -> Result<Self, SealError> {
        let Settings { audience, environment, memory, .. } = settings;
        let Memory { mark, pulse_number, latest_issued, mut trust } = memory;
        let now = Clock::new(latest_issued).now(now);
        let mut reader = Reader::pin(pinned, audience, environment, now)?;
        trust.retain(|(version, _)| *version > reader.root().version()); // the pin has been moved on past the others
        for (_, note) in &trust {
            reader.advance(note, now)?;
        }
        reader.remember(Seen { mark, pulse_number, latest_issued });
        Ok(Self { reader, trust, pulse: None, believed: true })
    }

    /// What must outlive the process.
    pub(crate) fn memory(&self) -> Memory {
        let Seen { mark, pulse_number, latest_issued } = *self.reader.seen();
        Memory { mark, pulse_number, latest_issued, trust: self.trust.clone() }
    }

    pub(crate) fn latest_issued(&self) -> u64 {
        self.reader.seen().latest_issued
    }

    /// The newest pulse accepted in this process.
    pub(crate) fn pulse(&self) -> Option<&PulseStatement> {
        self.pulse.as_ref()
    }

    pub(crate) fn trust_version(&self) -> u64 {
        self.reader.root().version()
    }

    /// Moves to the next trust root. False when the note is the one in force.
    pub(crate) fn advance(&mut self, note: &[u8], now: u64) -> Result<bool, SealError> {
        let moved = self.reader.advance(note, now)?;
        if moved {
            self.trust.push((self.trust_version(), note.to_vec()));
            self.pulse = self.pulse.take().filter(|_| self.reader.seen().pulse_number.is_some());
        }
        Ok(moved)
    }

    /// Verifies a pulse; nothing is kept yet.
    pub(crate) fn check_pulse(&self, note: &[u8], now: u64) -> Result<PulseStatement, SealError> {
        self.reader.check_pulse(note, now)
    }

    pub(crate) fn keep_pulse(&mut self, pulse: PulseStatement) {
        self.reader.keep_pulse(&pulse);
        self.pulse = Some(pulse);
    }

    /// Verifies a file under the mark; nothing is kept yet.
    pub(crate) fn check_file(&self, file: &[u8], now: u64) -> Result<Verified, SealError> {
        self.reader.check(file, now).map(verified)
    }

    /// As [`Keeper::check_file`] for a file that was accepted before: its age alone does not keep it out.
    pub(crate) fn recheck(&self, file: &[u8], now: u64) -> Result<Verified, SealError> {
        self.reader.recheck(file, now).map(verified)
    }

    /// Whether the trust root in force believes a file that was accepted under an earlier one.
    pub(crate) fn believes(&self, file: &[u8], verified: &Verified) -> bool {
        self.reader.believes(file, verified.as_of)
    }

    /// The file has been put in force.
    pub(crate) fn keep_file(&mut self, verified: &Verified) {
        self.reader.keep(verified.mark, verified.issued);
        self.believed = true;
    }
}

fn verified((opened, as_of): (Opened<'_>, u64)) -> Verified {
    let Opened { statement, payload, mark, signers } = opened;
    let (issued, expires) = (statement.issued, statement.expires);
    Verified { mark, issued, expires, signers, payload: payload.len(), as_of }
}
