//! One attempt: trust when due, then the pulse, then the snapshot it names.

use std::sync::Arc;

use flagstone_events::to_hex;
use flagstone_seal::limits::{
    HEADER_BYTES, MAX_NOTE_BYTES, MAX_PULSE_BYTES, MAX_TRUST_BYTES, SERVER_PAYLOAD_BYTES,
};
use flagstone_seal::{PulseStatement, SealError};

use super::{Candidate, FetchError, Fetched, Item, PulseStatus, SnapshotStatus, Syncer};
use crate::limits;

impl Syncer {
    /// One attempt, from first request to the file in force and on disk.
    pub(super) async fn attempt(&mut self) -> Result<(), FetchError> {
        {
            let mut status = self.lock();
            status.attempts = status.attempts.saturating_add(1);
            status.last_attempt_ms = Some(self.clock.milliseconds());
        }
        if !self.config.source.has_pulse() {
            return self.single_file().await;
        }
        if self.tags.trust_seen.is_none_or(|seen| seen.elapsed() >= self.config.trust_poll) {
            self.trust().await?;
        }
        self.pulse().await?;
        let problem = self.wanted().await?;
        self.lock().last_error = problem;
        Ok(())
    }

    /// Takes in a pulse that came by itself, and the snapshot that it names. False when it is in force already.
    pub(super) async fn take_pushed(
        &mut self,
        note: Vec<u8>,
        tag: Option<String>,
    ) -> Result<bool, FetchError> {
        let known = self.keeper.kept().pulse.as_deref() == Some(note.as_slice());
        if !(known && self.tags.pulse.is_some()) {
            self.take_pulse(&note, tag).await?;
        }
        let problem = self.wanted().await?;
        let mut status = self.lock();
        if status.failures == 0 || problem.is_some() {
            status.last_error = problem;
        }
        Ok(!known)
    }

    /// Fetches what the last pulse names, unless it is in force.
    async fn wanted(&mut self) -> Result<Option<String>, FetchError> {
        match self.tags.wanted {
            Some(wanted) if self.keeper.current() != Some(wanted) => self.snapshot(wanted).await,
            _ => Ok(None),
        }
    }

    async fn fetch(&self, item: Item, known: Option<&str>, largest: u64) -> Result<Fetched, FetchError> {
        self.config.source.fetch(item, known, largest).await
    }

    /// Looks at the trust note and walks to it. A walk that stops on its way counts as far as it came: what root keys have
    /// signed is in force, whatever is wrong with the step after it.
    async fn trust(&mut self) -> Result<(), FetchError> {
        let before = self.keeper.trust_version();
        let walked = self.walk().await;
        if self.keeper.trust_version() != before {
            self.clock.saw(self.keeper.kept().latest_issued);
            self.lock().trust_version = self.keeper.trust_version();
            let saved = self.save().await;
            self.reopen().await;
            saved?;
        }
        walked
    }

    /// To the newest trust note, step by step when rotations were missed.
    async fn walk(&mut self) -> Result<(), FetchError> {
        let fetched = self.fetch(Item::Trust, self.tags.trust.as_deref(), MAX_TRUST_BYTES as u64).await?;
        self.tags.trust_seen = Some(tokio::time::Instant::now());
        let Fetched::Body(newest, tag) = fetched else { return Ok(()) }; // none published: the pin is all there is
        for _ in 0..limits::TRUST_STEPS {
            match self.keeper.advance(&newest, self.clock.seconds()) {
                Ok(_) => {
                    self.tags.trust = tag;
                    break;
                }
                Err(SealError::TrustVersion | SealError::Threshold { .. } | SealError::WrongRole) => {
                    let next = self.keeper.trust_version().saturating_add(1);
                    let step = self.fetch(Item::TrustVersion(next), None, MAX_TRUST_BYTES as u64).await?;
                    let Fetched::Body(note, _) = step else {
                        let have = self.keeper.trust_version();
                        let message = format!(
                            "the trust note offered does not follow version {have}, and {next} is missing"
                        );
                        return Err(message.into());
                    };
                    self.keeper
                        .advance(&note, self.clock.seconds())
                        .map_err(|e| refused("trust note", &e))?;
                }
                Err(error) => return Err(refused("trust note", &error)),
            }
        }
        Ok(())
    }

    /// Opens what is in force again under a new trust root. When the new root refuses it, the old instance stays, but no
    /// pulse under the new root opens anything in it: its leases run out and every plan goes to its safe side.
    async fn reopen(&mut self) {
        let now = self.clock.seconds();
        let problem = match self.keeper.recheck_kept(now) {
            None => None,
            Some(Err(error)) => Some(error.to_string()),
            Some(Ok(candidate)) => self.put_in_force(candidate, None).await.err(),
        };
        self.tags.pulse = None; // the next pulse is to be read again, by the new instance
        if let Some(problem) = problem {
            self.lock().last_error =
                Some(format!("the snapshot in force is refused by the new trust root: {problem}"));
        }
    }

    async fn pulse(&mut self) -> Result<(), FetchError> {
        let fetched = self.fetch(Item::Pulse, self.tags.pulse.as_deref(), MAX_PULSE_BYTES as u64).await?;
        let (note, tag) = match fetched {
            Fetched::NotModified => return Ok(()),
            Fetched::Missing => return Err("the source has no pulse".to_owned().into()),
            Fetched::Body(note, tag) => (note, tag),
        };
        self.take_pulse(&note, tag).await
    }

    async fn take_pulse(&mut self, note: &[u8], tag: Option<String>) -> Result<(), FetchError> {
        let now = self.clock.seconds();
        let pulse = match self.keeper.check_pulse(note, now) {
            Ok(pulse) => pulse,
            Err(first) => {
                // Perhaps its key is newer than our trust root.
                self.trust().await?;
                self.keeper.check_pulse(note, now).map_err(|_| refused("pulse", &first))?
            }
        };
        // Halts count at once, even when the snapshot that comes with them cannot be had.
        self.apply(note, &pulse).await?;
        self.tags.wanted = Some(pulse.snapshot);
        self.tags.pulse = tag;
        Ok(())
    }

    pub(super) async fn apply(&mut self, note: &[u8], pulse: &PulseStatement) -> Result<(), FetchError> {
        if self.keeper.current().is_some() {
            let (gate, bytes, now) = (Arc::clone(&self.gate), note.to_vec(), self.clock.seconds());
            let applied = blocking(move || gate.pulse(&bytes, now)).await;
            if let Err(problem) = applied {
                let problem = format!("the engine refused the pulse: {problem}");
                // What is in force may have been opened under an older trust root, which knows neither a newer epoch nor
                // a newer key. The pulse has been verified under the newest one, and names what takes its place.
                if self.keeper.current() == Some(pulse.snapshot) {
                    return Err(problem.into());
                }
                tracing::warn!(%problem, "on to the snapshot that the pulse names");
            }
        }
        self.keeper.keep_pulse(note, pulse);
        self.clock.saw(pulse.issued);
        let (number, issued, expires, halts) = (pulse.number, pulse.issued, pulse.expires, pulse.halts.len());
        {
            let mut status = self.lock();
            status.replaced_at(self.clock.seconds());
            status.pulse = Some(PulseStatus { number, issued, expires, halts });
            self.tell(&status);
        }
        self.save().await
    }

    /// Fetches the snapshot that the pulse names. The sentence that may come back is a trouble that asking again will not cure.
    async fn snapshot(&mut self, wanted: flagstone_seal::Mark) -> Result<Option<String>, FetchError> {
        let digest = to_hex(&wanted.digest);
        if self.lock().is_quarantined(&wanted) {
            return Ok(Some(format!("snapshot `{digest}` was refused by the engine and is not tried again")));
        }
        if let Some(mark) = self
            .keeper
            .kept()
            .mark
            .filter(|mark| (wanted.epoch, wanted.sequence) < (mark.epoch, mark.sequence))
        {
            let (sequence, have) = (wanted.sequence, mark.sequence);
            return Ok(Some(format!(
                "the pulse names snapshot {sequence}, older than {have}, which was accepted before"
            )));
        }
        let largest = (HEADER_BYTES as u64 + MAX_NOTE_BYTES as u64).saturating_add(SERVER_PAYLOAD_BYTES);
        let Fetched::Body(file, _) = self.fetch(Item::Snapshot(wanted.digest), None, largest).await? else {
            return Err(format!("the source does not have snapshot `{digest}`, which the pulse names").into());
        };
        let candidate = self
            .keeper
            .check_snapshot(file.into(), self.clock.seconds())
            .map_err(|e| refused("snapshot", &e))?;
        if candidate.mark != wanted {
            return Err(format!("asked for snapshot `{digest}`, got another one").into());
        }
        let problem = self.put_in_force(candidate, self.keeper.kept().pulse.clone()).await.err();
        self.save().await?;
        Ok(problem.map(|problem| format!("snapshot `{digest}` is refused by the engine: {problem}")))
    }

    async fn single_file(&mut self) -> Result<(), FetchError> {
        let largest = (HEADER_BYTES as u64 + MAX_NOTE_BYTES as u64).saturating_add(SERVER_PAYLOAD_BYTES);
        let (file, tag) =
            match self.fetch(Item::Snapshot([0; 32]), self.tags.file.as_deref(), largest).await? {
                Fetched::NotModified => return Ok(()),
                Fetched::Missing => return Err("the sealed file is not there".to_owned().into()),
                Fetched::Body(file, tag) => (file, tag),
            };
        let candidate = self
            .keeper
            .check_snapshot(file.into(), self.clock.seconds())
            .map_err(|e| refused("snapshot", &e))?;
        let problem = match self.keeper.current() {
            Some(current) if current == candidate.mark => None,
            _ => self.put_in_force(candidate, None).await.err(),
        };
        self.save().await?;
        self.tags.file = tag;
        self.lock().last_error = problem;
        Ok(())
    }

    /// Hands a candidate to the gate; a refused one is quarantined and what was in force stays.
    pub(super) async fn put_in_force(
        &mut self,
        candidate: Candidate,
        pulse: Option<Arc<[u8]>>,
    ) -> Result<(), String> {
        let (gate, given, now) = (Arc::clone(&self.gate), candidate.clone(), self.clock.seconds());
        let swapped = blocking(move || gate.swap(&given, pulse.as_deref(), now)).await;
        if let Err(problem) = swapped {
            tracing::error!(digest = to_hex(&candidate.mark.digest), %problem, "a verified snapshot cannot be used");
            self.lock().quarantine(&candidate.mark);
            return Err(problem);
        }
        self.keeper.keep_snapshot(&candidate);
        self.clock.saw(candidate.issued);
        let mut status = self.lock();
        status.swaps = status.swaps.saturating_add(1);
        status.snapshot = Some(SnapshotStatus {
            epoch: candidate.mark.epoch,
            sequence: candidate.mark.sequence,
            digest: to_hex(&candidate.mark.digest),
            issued: candidate.issued,
            expires: candidate.expires,
            signers: candidate.signers,
        });
        self.tell(&status);
        Ok(())
    }

    pub(super) async fn save(&self) -> Result<(), FetchError> {
        let (store, mut kept) = (Arc::clone(&self.store), self.keeper.kept().clone());
        kept.latest_issued = kept.latest_issued.max(self.clock.latest_issued());
        let saved = blocking(move || store.save(&kept).map_err(|error| error.to_string())).await;
        saved.map_err(|error| FetchError::from(format!("the data folder could not be written: {error}")))
    }

    pub(super) fn damaged(&self, sentence: String) {
        tracing::warn!("{sentence}");
        self.lock().damage.push(sentence);
    }
}

fn refused(what: &str, error: &SealError) -> FetchError {
    format!("{what} refused ({}): {error}", error.code()).into()
}

async fn blocking<T: Send + 'static>(
    run: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    match tokio::task::spawn_blocking(run).await {
        Ok(result) => result,
        Err(error) => Err(format!("stopped before its end: {error}")),
    }
}
