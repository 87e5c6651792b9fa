//! What has been accepted, and what may be accepted next: the trust root, the marks, the time. No clock, no files.

use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{Clock, Mark, OpenPolicy, PulsePolicy, PulseStatement, SealError, TrustRoot};

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
    audience: String,
    environment: String,
    root: TrustRoot,
    note: Vec<u8>,
    memory: Memory,
    pulse: Option<PulseStatement>,
    /// Whether the trust root still believes the snapshot in force.
    pub(crate) believed: bool,
}

impl Keeper {
    /// Starts from the pinned note, moved on by the notes that were accepted after it. One of them that does not follow is an error:
    /// to go on under an older root would be to forget a rotation.
    pub(crate) fn new(pinned: &[u8], settings: Settings, now: u64) -> Result<Self, SealError> {
        let Settings { audience, environment, mut memory, .. } = settings;
        let now = Clock::new(memory.latest_issued).now(now);
        let mut root = TrustRoot::pin(pinned, now)?;
        let mut note = pinned.to_vec();
        memory.trust.retain(|(version, _)| *version > root.version()); // the pin has been moved on past the others
        for (_, bytes) in &memory.trust {
            root = root.advance(bytes, now)?;
            note.clone_from(bytes);
        }
        Ok(Self { audience, environment, root, note, memory, pulse: None, believed: true })
    }

    pub(crate) fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The newest pulse accepted in this process.
    pub(crate) fn pulse(&self) -> Option<&PulseStatement> {
        self.pulse.as_ref()
    }

    pub(crate) fn trust_version(&self) -> u64 {
        self.root.version()
    }

    /// Never behind the newest statement accepted.
    pub(crate) fn now(&self, machine: u64) -> u64 {
        Clock::new(self.memory.latest_issued).now(machine)
    }

    /// Moves to the next trust root. False when the note is the one in force.
    pub(crate) fn advance(&mut self, note: &[u8], now: u64) -> Result<bool, SealError> {
        let now = self.now(now);
        if self.note == note || TrustRoot::pin(note, now)?.digest() == self.root.digest() {
            return Ok(false); // the same statement, perhaps with signatures added
        }
        let next = self.root.advance(note, now)?;
        if next.epoch() > self.root.epoch() {
            // A stolen pulse key's huge number must not outlive the key. Snapshots order by epoch by themselves.
            self.memory.pulse_number = None;
            self.pulse = None;
        }
        self.note = note.to_vec();
        self.memory.trust.push((next.version(), note.to_vec()));
        self.saw(next.issued());
        self.root = next;
        Ok(true)
    }

    /// Verifies a pulse; nothing is kept yet.
    pub(crate) fn check_pulse(&self, note: &[u8], now: u64) -> Result<PulseStatement, SealError> {
        let policy = PulsePolicy {
            audience: &self.audience,
            environment: &self.environment,
            now: self.now(now),
            last_number: self.memory.pulse_number,
        };
        flagstone_seal::open_pulse(note, &self.root, &policy)
    }

    pub(crate) fn keep_pulse(&mut self, pulse: PulseStatement) {
        self.memory.pulse_number = Some(pulse.number);
        self.saw(pulse.issued);
        self.pulse = Some(pulse);
    }

    /// Verifies a file under the mark; nothing is kept yet.
    pub(crate) fn check_file(&self, file: &[u8], now: u64) -> Result<Verified, SealError> {
        self.verify(file, self.now(now), self.memory.mark)
    }

    /// As [`Keeper::check_file`] for a file that was accepted before: its age alone does not keep it out.
    pub(crate) fn recheck(&self, file: &[u8], now: u64) -> Result<Verified, SealError> {
        let now = self.now(now).min(self.root.expires().saturating_sub(1));
        match self.verify(file, now, self.memory.mark) {
            Err(SealError::Expired { expires }) => {
                self.verify(file, expires.saturating_sub(1), self.memory.mark)
            }
            other => other,
        }
    }

    /// Whether the trust root in force believes a file that was accepted under an earlier one.
    pub(crate) fn believes(&self, file: &[u8], verified: &Verified) -> bool {
        self.verify(file, verified.as_of, None).is_ok()
    }

    fn verify(&self, file: &[u8], now: u64, mark: Option<Mark>) -> Result<Verified, SealError> {
        let policy = OpenPolicy {
            audience: &self.audience,
            environment: &self.environment,
            now,
            mark,
            max_payload: SERVER_PAYLOAD_BYTES,
        };
        let opened = flagstone_seal::open(file, &self.root, &policy)?;
        let (issued, expires) = (opened.statement.issued, opened.statement.expires);
        let (mark, signers, payload) = (opened.mark, opened.signers, opened.payload.len());
        Ok(Verified { mark, issued, expires, signers, payload, as_of: now })
    }

    /// The file has been put in force.
    pub(crate) fn keep_file(&mut self, verified: &Verified) {
        self.memory.mark = Some(verified.mark);
        self.believed = true;
        self.saw(verified.issued);
    }

    fn saw(&mut self, issued: u64) {
        self.memory.latest_issued = self.memory.latest_issued.max(issued);
    }
}
