//! What has been accepted: the rules are [`Reader`]'s, which the native library keeps too; here are the bytes for the disk. Pure: time is an
//! argument and saving is the caller's.

use std::sync::Arc;

use flagstone_seal::{Mark, Opened, PulseStatement, Reader, SealError, Seen};

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
    reader: Reader,
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
        let mut reader = Reader::pin(pinned, audience, environment, now)?;
        let mut damage = Vec::new();
        let steps = std::mem::take(&mut kept.trust);
        for (version, bytes) in steps {
            if version <= reader.root().version() {
                continue; // the pin has been moved on past it
            }
            match reader.advance(&bytes, now) {
                Ok(_) => kept.trust.push((version, bytes)),
                Err(error) => {
                    damage.push(format!("trust note {version} kept on disk was refused: {error}"));
                    break;
                }
            }
        }
        let Kept { mark, pulse_number, latest_issued, .. } = kept;
        reader.remember(Seen { mark, pulse_number, latest_issued });
        let note = text(reader.note())?;
        Ok((Self { reader, note, kept, current: None }, damage))
    }

    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    pub(crate) fn trust_version(&self) -> u64 {
        self.reader.root().version()
    }

    /// The snapshot in force.
    pub(crate) fn current(&self) -> Option<Mark> {
        self.current
    }

    /// Moves to the next trust root. False when the note is the one in force.
    pub(crate) fn advance(&mut self, note: &[u8], now: u64) -> Result<bool, SealError> {
        let next = text(note)?;
        if !self.reader.advance(note, now)? {
            return Ok(false);
        }
        self.note = next;
        self.kept.trust.push((self.trust_version(), note.into()));
        self.saw();
        Ok(true)
    }

    pub(crate) fn check_pulse(&self, note: &[u8], now: u64) -> Result<PulseStatement, SealError> {
        self.reader.check_pulse(note, now)
    }

    pub(crate) fn keep_pulse(&mut self, note: &[u8], pulse: &PulseStatement) {
        self.reader.keep_pulse(pulse);
        self.kept.pulse = Some(note.into());
        self.saw();
    }

    pub(crate) fn check_snapshot(&self, file: Arc<[u8]>, now: u64) -> Result<Candidate, SealError> {
        let told = self.reader.check(&file, now)?;
        Ok(self.candidate(&file, told))
    }

    /// The file that the disk kept: its age alone does not keep it out.
    pub(crate) fn recheck_kept(&self, now: u64) -> Option<Result<Candidate, SealError>> {
        Some(self.recheck(Arc::clone(self.kept.snapshot.as_ref()?), now))
    }

    /// As [`Keeper::recheck_kept`], for a file that came with the program. An old one is in the state Expired from the start.
    pub(crate) fn recheck(&self, file: Arc<[u8]>, now: u64) -> Result<Candidate, SealError> {
        let told = self.reader.recheck(&file, now)?;
        Ok(self.candidate(&file, told))
    }

    fn candidate(&self, file: &Arc<[u8]>, (opened, as_of): (Opened<'_>, u64)) -> Candidate {
        let Opened { statement, mark, signers, .. } = opened;
        let (issued, expires) = (statement.issued, statement.expires);
        let (trust, file) = (Arc::clone(&self.note), Arc::clone(file));
        Candidate { trust, file, mark, issued, expires, signers, as_of }
    }

    /// The candidate has been put in force.
    pub(crate) fn keep_snapshot(&mut self, candidate: &Candidate) {
        self.reader.keep(candidate.mark, candidate.issued);
        self.current = Some(candidate.mark);
        self.kept.snapshot = Some(Arc::clone(&candidate.file));
        self.saw();
    }

    /// What the reader has accepted, for the disk.
    fn saw(&mut self) {
        let Seen { mark, pulse_number, latest_issued } = *self.reader.seen();
        if pulse_number.is_none() {
            self.kept.pulse = None; // its number counts no more: a new epoch
        }
        (self.kept.mark, self.kept.pulse_number, self.kept.latest_issued) =
            (mark, pulse_number, latest_issued);
    }
}

fn text(note: &[u8]) -> Result<Arc<str>, SealError> {
    std::str::from_utf8(note).map(Arc::from).map_err(|_| SealError::BadNote)
}
