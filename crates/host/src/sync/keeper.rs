//! What has been accepted, and what may be accepted next: the trust root, the marks and the bytes. Pure apart
//! from nothing: time is an argument and saving is the caller's.

use std::sync::Arc;

use flagstone_seal::limits::SERVER_PAYLOAD_BYTES;
use flagstone_seal::{Mark, OpenPolicy, PulsePolicy, PulseStatement, SealError, TrustRoot};

use crate::store::Kept;

/// A sealed file whose signatures, digest and age have been checked.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The trust note to open it with.
    pub trust: Arc<str>,
    /// The whole file.
    pub file: Arc<[u8]>,
    /// Its identity.
    pub mark: Mark,
    /// When it was signed, unix seconds.
    pub issued: u64,
    /// When it expires, unix seconds.
    pub expires: u64,
    /// Who signed it.
    pub signers: Vec<String>,
    /// The time to open it at: now, or for a file that was accepted before, at most its last valid second.
    pub as_of: u64,
}

/// Holds the trust root and everything accepted under it.
#[derive(Debug)]
pub(crate) struct Keeper {
    audience: String,
    environment: String,
    root: TrustRoot,
    note: Arc<str>,
    kept: Kept,
    current: Option<Mark>,
}

impl Keeper {
    /// Starts from the pinned trust note and what the disk kept. The sentences say what of it could not be used.
    pub(crate) fn new(
        pinned: &[u8],
        audience: String,
        environment: String,
        mut kept: Kept,
        now: u64,
    ) -> Result<(Self, Vec<String>), SealError> {
        let mut root = TrustRoot::pin(pinned, now)?;
        let mut note = text(pinned)?;
        let mut damage = Vec::new();
        let steps = std::mem::take(&mut kept.trust);
        for (version, bytes) in steps {
            if version <= root.version() {
                continue; // the pin has been moved on past it
            }
            match root.advance(&bytes, now).and_then(|next| Ok((next, text(&bytes)?))) {
                Ok((next, next_note)) => {
                    (root, note) = (next, next_note);
                    kept.trust.push((version, bytes));
                }
                Err(error) => {
                    damage.push(format!("trust note {version} kept on disk was refused: {error}"));
                    break;
                }
            }
        }
        Ok((Self { audience, environment, root, note, kept, current: None }, damage))
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(crate) fn trust_version(&self) -> u64 {
        self.root.version()
    }

    /// The snapshot in force.
    pub(crate) fn current(&self) -> Option<Mark> {
        self.current
    }

    /// Moves to the next trust root. False when the note is the one in force.
    pub(crate) fn advance(&mut self, note: &[u8], now: u64) -> Result<bool, SealError> {
        if self.note.as_bytes() == note {
            return Ok(false);
        }
        let offered = TrustRoot::pin(note, now)?;
        if offered.digest() == self.root.digest() {
            return Ok(false); // the same statement with signatures added
        }
        let next = self.root.advance(note, now)?;
        if next.epoch() > self.root.epoch() {
            // A stolen pulse key's huge number must not outlive the key. Snapshots order by epoch by themselves.
            self.kept.pulse_number = None;
            self.kept.pulse = None;
        }
        self.note = text(note)?;
        self.kept.trust.push((next.version(), note.into()));
        self.kept.latest_issued = self.kept.latest_issued.max(next.issued());
        self.root = next;
        Ok(true)
    }

    pub(crate) fn check_pulse(&self, note: &[u8], now: u64) -> Result<PulseStatement, SealError> {
        let policy = PulsePolicy {
            audience: &self.audience,
            environment: &self.environment,
            now,
            last_number: self.kept.pulse_number,
        };
        flagstone_seal::open_pulse(note, &self.root, &policy)
    }

    pub(crate) fn keep_pulse(&mut self, note: &[u8], pulse: &PulseStatement) {
        self.kept.pulse = Some(note.into());
        self.kept.pulse_number = Some(pulse.number);
        self.kept.latest_issued = self.kept.latest_issued.max(pulse.issued);
    }

    pub(crate) fn check_snapshot(&self, file: Arc<[u8]>, now: u64) -> Result<Candidate, SealError> {
        let policy = OpenPolicy {
            audience: &self.audience,
            environment: &self.environment,
            now,
            mark: self.kept.mark,
            max_payload: SERVER_PAYLOAD_BYTES,
        };
        let opened = flagstone_seal::open(&file, &self.root, &policy)?;
        let (mark, statement, signers) = (opened.mark, opened.statement, opened.signers);
        let (issued, expires) = (statement.issued, statement.expires);
        Ok(Candidate { trust: Arc::clone(&self.note), file, mark, issued, expires, signers, as_of: now })
    }

    /// The file that the disk kept. It was accepted when it was young, so its age alone does not keep it out: an old one
    /// is opened as of its last valid second, and is in the state Expired from the start.
    pub(crate) fn recheck_kept(&self, now: u64) -> Option<Result<Candidate, SealError>> {
        Some(self.recheck(Arc::clone(self.kept.snapshot.as_ref()?), now))
    }

    /// As [`Keeper::recheck_kept`], for a file that came with the program.
    pub(crate) fn recheck(&self, file: Arc<[u8]>, now: u64) -> Result<Candidate, SealError> {
        let now = now.min(self.root.expires().saturating_sub(1));
        match self.check_snapshot(Arc::clone(&file), now) {
            Err(SealError::Expired { expires }) => self.check_snapshot(file, expires.saturating_sub(1)),
            other => other,
        }
    }

    /// The candidate has been put in force.
    pub(crate) fn keep_snapshot(&mut self, candidate: &Candidate) {
        self.current = Some(candidate.mark);
        self.kept.snapshot = Some(Arc::clone(&candidate.file));
        self.kept.mark = Some(candidate.mark);
        self.kept.latest_issued = self.kept.latest_issued.max(candidate.issued);
    }
}

fn text(note: &[u8]) -> Result<Arc<str>, SealError> {
    std::str::from_utf8(note).map(Arc::from).map_err(|_| SealError::BadNote)
}
