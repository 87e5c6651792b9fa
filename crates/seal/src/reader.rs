//! A reader of sealed files over time: what it has accepted, and what it may accept next. Time is an argument and keeping is the caller's.

use alloc::string::String;
use alloc::vec::Vec;

use crate::limits::SERVER_PAYLOAD_BYTES;
use crate::{
    Clock, Mark, OpenPolicy, Opened, PulsePolicy, PulseStatement, SealError, TrustRoot, open, open_pulse,
};

/// What a reader has accepted; it must outlive the process, so that nothing older is accepted after it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Seen {
    /// Identity of the newest snapshot accepted.
    pub mark: Option<Mark>,
    /// Number of the newest pulse accepted.
    pub pulse_number: Option<u64>,
    /// When the newest statement accepted was issued, unix seconds: time never runs behind it.
    pub latest_issued: u64,
}

/// Reads for one audience in one environment, under a trust root that moves on. Checks keep nothing: what was checked counts when the
/// caller has put it in force and says so.
#[derive(Debug)]
pub struct Reader {
    audience: String,
    environment: String,
    root: TrustRoot,
    note: Vec<u8>,
    seen: Seen,
}

impl Reader {
    /// Trusts a pinned note. After a restart the trust notes that were accepted since are given to [`Reader::advance`] again, and the rest to
    /// [`Reader::remember`].
    ///
    /// # Errors
    /// The note cannot be trusted.
    pub fn pin(note: &[u8], audience: String, environment: String, now: u64) -> Result<Self, SealError> {
        let root = TrustRoot::pin(note, now)?;
        Ok(Self { audience, environment, root, note: note.to_vec(), seen: Seen::default() })
    }

    /// Takes over what an earlier process accepted, after the trust notes of its time have been given again.
    pub fn remember(&mut self, seen: Seen) {
        self.seen = seen;
    }

    /// What it has accepted.
    #[must_use]
    pub fn seen(&self) -> &Seen {
        &self.seen
    }

    /// The trust root in force.
    #[must_use]
    pub fn root(&self) -> &TrustRoot {
        &self.root
    }

    /// The note of the trust root in force.
    #[must_use]
    pub fn note(&self) -> &[u8] {
        &self.note
    }

    /// Never behind the newest statement accepted.
    #[must_use]
    pub fn now(&self, machine: u64) -> u64 {
        Clock::new(self.seen.latest_issued).now(machine)
    }

    /// Moves to the next trust root. False when the note is the one in force, perhaps with signatures added. Under a new epoch the
    /// number of the newest pulse is forgotten: a stolen pulse key's huge number must not outlive the key. (Snapshots order by epoch by
    /// themselves.)
    ///
    /// # Errors
    /// Why it may not follow; the root in force stays.
    pub fn advance(&mut self, note: &[u8], now: u64) -> Result<bool, SealError> {
        let now = self.now(now);
        if self.note == note || TrustRoot::pin(note, now)?.digest() == self.root.digest() {
            return Ok(false);
        }
        let next = self.root.advance(note, now)?;
        if next.epoch() > self.root.epoch() {
            self.seen.pulse_number = None;
        }
        self.note = note.to_vec();
        self.saw(next.issued());
        self.root = next;
        Ok(true)
    }

    /// Verifies a pulse.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check_pulse(&self, note: &[u8], now: u64) -> Result<PulseStatement, SealError> {
        let policy = PulsePolicy {
            audience: &self.audience,
            environment: &self.environment,
            now: self.now(now),
            last_number: self.seen.pulse_number,
        };
        open_pulse(note, &self.root, &policy)
    }

    /// The pulse counts from here on.
    pub fn keep_pulse(&mut self, pulse: &PulseStatement) {
        self.seen.pulse_number = Some(pulse.number);
        self.saw(pulse.issued);
    }

    /// Verifies a file under the mark. With it comes the time that it was judged by.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn check<'file>(&self, file: &'file [u8], now: u64) -> Result<(Opened<'file>, u64), SealError> {
        let now = self.now(now);
        self.verify(file, now, self.seen.mark).map(|opened| (opened, now))
    }

    /// As [`Reader::check`] for a file that was accepted before, by this reader or whoever built it into a program: it was accepted when it
    /// was young, so its age alone does not keep it out. An old one is judged as of its last valid second.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn recheck<'file>(&self, file: &'file [u8], now: u64) -> Result<(Opened<'file>, u64), SealError> {
        let now = self.now(now).min(self.root.expires().saturating_sub(1));
        let (opened, as_of) = match self.verify(file, now, self.seen.mark) {
            Err(SealError::Expired { expires }) => {
                let last = expires.saturating_sub(1);
                (self.verify(file, last, self.seen.mark)?, last)
            }
            other => (other?, now),
        };
        Ok((opened, as_of))
    }

    /// Whether the trust root in force believes a file that was accepted under an earlier one, judged as of `as_of`.
    #[must_use]
    pub fn believes(&self, file: &[u8], as_of: u64) -> bool {
        self.verify(file, as_of, None).is_ok()
    }

    /// The file counts from here on: its mark, and when it was issued.
    pub fn keep(&mut self, mark: Mark, issued: u64) {
        self.seen.mark = Some(mark);
        self.saw(issued);
    }

    fn verify<'file>(
        &self,
        file: &'file [u8],
        now: u64,
        mark: Option<Mark>,
    ) -> Result<Opened<'file>, SealError> {
        let policy = OpenPolicy {
            audience: &self.audience,
            environment: &self.environment,
            now,
            mark,
            max_payload: SERVER_PAYLOAD_BYTES,
        };
        open(file, &self.root, &policy)
    }

    fn saw(&mut self, issued: u64) {
        self.seen.latest_issued = self.seen.latest_issued.max(issued);
    }
}

#[cfg(test)]
mod tests;
