//! What is in force: one snapshot in a pool of instances, replaced as a whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Instant;

use flagstone_events::SnapshotId;
use flagstone_seal::{Mark, Statement, inspect};

use crate::engine::{CallError, Decision, Engine, Flag, Owned, Pool};
use crate::limits;
use crate::sync::{Candidate, Gate};

/// The snapshot in force and the way to another.
#[derive(Debug)]
pub(crate) struct Live {
    engine: Arc<Engine>,
    audience: String,
    environment: String,
    /// How many a pool has.
    instances: usize,
    current: RwLock<Option<Arc<Loaded>>>,
    /// What was in force before, to go back to when the current one keeps trapping.
    previous: Mutex<Option<Candidate>>,
    traps: AtomicU64,
    reverts: AtomicU64,
}

/// One snapshot, open.
#[derive(Debug)]
pub(crate) struct Loaded {
    candidate: Candidate,
    pool: Pool,
    /// When it trapped lately.
    traps: Mutex<Vec<Instant>>,
}

impl Loaded {
    /// Its identity.
    pub(crate) fn id(&self) -> SnapshotId {
        let Mark { epoch, sequence, digest } = self.candidate.mark;
        SnapshotId { epoch, sequence, digest }
    }

    /// Path of the attribute that identifies the unit of a flag's plan.
    pub(crate) fn unit(&self, key: &str) -> Option<&str> {
        let flags = self.flags();
        let index = flags.binary_search_by(|flag| flag.key.as_str().cmp(key)).ok()?;
        flags.get(index)?.unit.as_deref()
    }

    /// Its flags, in key order.
    pub(crate) fn flags(&self) -> &[Flag] {
        self.pool.flags()
    }

    /// Notes a trap; whether there were so many lately that the snapshot should be left.
    fn trapped(&self) -> bool {
        let mut traps = self.traps.lock().unwrap_or_else(PoisonError::into_inner);
        traps.retain(|at| at.elapsed() < limits::TRAP_WINDOW);
        traps.push(Instant::now());
        traps.len() >= limits::TRAPS_TO_REVERT
    }
}

impl Live {
    /// `instances` of a snapshot decide side by side.
    pub(crate) fn new(engine: Arc<Engine>, audience: String, environment: String, instances: usize) -> Self {
        let (current, previous) = (RwLock::new(None), Mutex::new(None));
        let (traps, reverts) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { engine, audience, environment, instances, current, previous, traps, reverts }
    }

    /// The snapshot in force. Holding it keeps it alive, so an evaluation ends with what it began with.
    pub(crate) fn current(&self) -> Option<Arc<Loaded>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the pulse in force opens a stage of any flag.
    pub(crate) fn opens_a_stage(&self) -> bool {
        let Some(loaded) = self.current() else { return false };
        let pulses = loaded.pool.pulses();
        let newest = pulses.last().and_then(|note| inspect(note, 0).ok());
        matches!(newest.map(|claim| claim.statement), Some(Statement::Pulse(pulse)) if !pulse.stages.is_empty())
    }

    /// Traps since the start.
    pub(crate) fn traps(&self) -> u64 {
        self.traps.load(Ordering::Relaxed)
    }

    /// Times that trapping made the host go back to an earlier snapshot.
    pub(crate) fn reverts(&self) -> u64 {
        self.reverts.load(Ordering::Relaxed)
    }

    /// Decides a flag. `Err` only when the engine trapped; the instance has then been replaced.
    pub(crate) fn decide(
        &self,
        loaded: &Arc<Loaded>,
        context: &str,
        flag: &str,
        now: u64,
    ) -> Result<(Decision, String), CallError> {
        self.told(loaded, now, loaded.pool.decide(context, flag, now))
    }

    /// As [`Live::decide`] with a trace.
    pub(crate) fn explain(
        &self,
        loaded: &Arc<Loaded>,
        context: &str,
        flag: &str,
        now: u64,
    ) -> Result<String, CallError> {
        self.told(loaded, now, loaded.pool.explain(context, flag, now))
    }

    /// Counts a trap; a snapshot that keeps trapping is left for the one before it.
    fn told<T>(&self, loaded: &Arc<Loaded>, now: u64, answer: Result<T, CallError>) -> Result<T, CallError> {
        if matches!(answer, Err(CallError::Trap(_))) {
            self.traps.fetch_add(1, Ordering::Relaxed);
            if loaded.trapped() {
                self.revert(loaded, now);
            }
        }
        answer
    }

    /// Opens as of when the file was accepted: later its age alone does not keep it out. (The mark was checked
    /// when it was accepted, too; a file that was in force may be opened again under a higher one.)
    fn open(&self, candidate: &Candidate) -> Result<Pool, CallError> {
        let Candidate { trust, file, as_of, .. } = candidate;
        let (audience, environment) = (self.audience.clone(), self.environment.clone());
        let (trust, file) = (Arc::clone(trust), Arc::clone(file));
        let opening = Owned { trust, file, audience, environment, now: *as_of };
        let pool = Pool::over(Arc::clone(&self.engine), opening, None, self.instances)?;
        if pool.mark() != candidate.mark {
            return Err(CallError::Trap("it opened another snapshot than it was given".to_owned()));
        }
        Ok(pool)
    }

    fn revert(&self, loaded: &Arc<Loaded>, now: u64) {
        let previous = self.previous.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(candidate) = previous else { return };
        let Ok(pool) = self.open(&candidate) else { return };
        for note in loaded.pool.pulses() {
            if matches!(pool.pulse(&note, now), Err(CallError::Trap(_))) {
                return;
            }
        }
        let digest = flagstone_events::to_hex(&loaded.candidate.mark.digest);
        tracing::error!(digest, "the snapshot keeps trapping; went back to the one before it");
        self.reverts.fetch_add(1, Ordering::Relaxed);
        let back = loaded_with(candidate, pool);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, loaded)) {
            *current = Some(Arc::new(back));
        }
    }
}

impl Gate for Live {
    fn swap(&self, candidate: &Candidate, pulse: Option<&[u8]>, now: u64) -> Result<(), String> {
        let pool = self.open(candidate).map_err(|error| error.to_string())?;
        if let Some(Err(CallError::Trap(cause))) = pulse.map(|note| pool.pulse(note, now)) {
            return Err(cause);
        }
        let loaded = loaded_with(candidate.clone(), pool);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let before = current.replace(Arc::new(loaded));
        drop(current);
        if let Some(before) = before.filter(|before| before.candidate.mark != candidate.mark) {
            *self.previous.lock().unwrap_or_else(PoisonError::into_inner) = Some(before.candidate.clone());
        }
        Ok(())
    }

    fn pulse(&self, note: &[u8], now: u64) -> Result<(), String> {
        let Some(loaded) = self.current() else { return Ok(()) };
        let named = self.told(&loaded, now, loaded.pool.pulse(note, now));
        named.map(|_| ()).map_err(|error| error.to_string())
    }
}

fn loaded_with(candidate: Candidate, pool: Pool) -> Loaded {
    Loaded { candidate, pool, traps: Mutex::new(Vec::new()) }
}

#[cfg(test)]
mod tests;
