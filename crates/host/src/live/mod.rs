//! What is in force: one snapshot in one instance, replaced as a whole.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Instant;

use flagstone_events::SnapshotId;
use flagstone_seal::{Mark, Statement, inspect};

use crate::engine::{CallError, Decision, Engine, Flag, Instance, Opening};
use crate::limits;
use crate::sync::{Candidate, Gate};

/// The snapshot in force and the way to another.
#[derive(Debug)]
pub(crate) struct Live {
    engine: Arc<Engine>,
    audience: String,
    environment: String,
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
    flags: Vec<Flag>,
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// None after a trap until it has been rebuilt.
    instance: Option<Instance>,
    /// The pulses to apply again after a rebuild: the last one that names this snapshot, and a later one that names
    /// another (of which only the halts count here).
    pulses: Vec<Vec<u8>>,
    traps: Vec<Instant>,
}

impl Loaded {
    /// Its identity.
    pub(crate) fn id(&self) -> SnapshotId {
        let Mark { epoch, sequence, digest } = self.candidate.mark;
        SnapshotId { epoch, sequence, digest }
    }

    /// Path of the attribute that identifies the unit of a flag's plan.
    pub(crate) fn unit(&self, key: &str) -> Option<&str> {
        let index = self.flags.binary_search_by(|flag| flag.key.as_str().cmp(key)).ok()?;
        self.flags.get(index)?.unit.as_deref()
    }

    /// Its flags, in key order.
    pub(crate) fn flags(&self) -> &[Flag] {
        &self.flags
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    pub(crate) fn new(engine: Arc<Engine>, audience: String, environment: String) -> Self {
        let (current, previous) = (RwLock::new(None), Mutex::new(None));
        let (traps, reverts) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { engine, audience, environment, current, previous, traps, reverts }
    }

    /// The snapshot in force. Holding it keeps it alive, so an evaluation ends with what it began with.
    pub(crate) fn current(&self) -> Option<Arc<Loaded>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the pulse in force opens a stage of any flag.
    pub(crate) fn opens_a_stage(&self) -> bool {
        let Some(loaded) = self.current() else { return false };
        let pulses = loaded.lock().pulses.clone();
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
        self.call(loaded, now, |instance| instance.decide(context, flag, now))
    }

    /// As [`Live::decide`] with a trace.
    pub(crate) fn explain(
        &self,
        loaded: &Arc<Loaded>,
        context: &str,
        flag: &str,
        now: u64,
    ) -> Result<String, CallError> {
        self.call(loaded, now, |instance| instance.explain(context, flag, now))
    }

    fn call<T>(
        &self,
        loaded: &Arc<Loaded>,
        now: u64,
        run: impl FnOnce(&mut Instance) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut inner = loaded.lock();
        let mut instance = match inner.instance.take() {
            Some(instance) => instance,
            None => self.build(&loaded.candidate, &inner.pulses, now)?,
        };
        match run(&mut instance) {
            Err(CallError::Trap(cause)) => {
                drop(instance); // a trapped instance answers nothing right any more
                self.traps.fetch_add(1, Ordering::Relaxed);
                tracing::error!(%cause, "the engine trapped; the instance was discarded");
                inner.traps.retain(|at| at.elapsed() < limits::TRAP_WINDOW);
                inner.traps.push(Instant::now());
                let revert = inner.traps.len() >= limits::TRAPS_TO_REVERT;
                inner.instance = self.build(&loaded.candidate, &inner.pulses, now).ok();
                let pulses = inner.pulses.clone();
                drop(inner);
                if revert {
                    self.revert(loaded, pulses, now);
                }
                Err(CallError::Trap(cause))
            }
            other => {
                inner.instance = Some(instance);
                other
            }
        }
    }

    /// A new instance of a snapshot that has been in force, with its pulses as far as they still hold.
    fn build(&self, candidate: &Candidate, pulses: &[Vec<u8>], now: u64) -> Result<Instance, CallError> {
        let mut instance = self.open(candidate)?;
        for note in pulses {
            match instance.pulse(note, now) {
                Ok(_) | Err(CallError::Refused { .. }) => {} // refused: its lease is over, and plans are closed
                Err(trap) => return Err(trap),
            }
        }
        Ok(instance)
    }

    /// Opens as of when the file was accepted: later its age alone does not keep it out. (The mark was checked
    /// when it was accepted, too; a file that was in force may be opened again under a higher one.)
    fn open(&self, candidate: &Candidate) -> Result<Instance, CallError> {
        let Candidate { trust, file, as_of, .. } = candidate;
        let (audience, environment) = (&self.audience, &self.environment);
        Instance::open(&self.engine, &Opening { trust, file, audience, environment, mark: None, now: *as_of })
    }

    fn revert(&self, loaded: &Arc<Loaded>, pulses: Vec<Vec<u8>>, now: u64) {
        let previous = self.previous.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(candidate) = previous else { return };
        let built =
            self.build(&candidate, &pulses, now).and_then(|mut instance| Ok((instance.flags()?, instance)));
        let Ok((flags, instance)) = built else { return };
        let digest = flagstone_events::to_hex(&loaded.candidate.mark.digest);
        tracing::error!(digest, "the snapshot keeps trapping; went back to the one before it");
        self.reverts.fetch_add(1, Ordering::Relaxed);
        let back = loaded_with(candidate, flags, instance, pulses);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, loaded)) {
            *current = Some(Arc::new(back));
        }
    }
}

impl Gate for Live {
    fn swap(&self, candidate: &Candidate, pulse: Option<&[u8]>, now: u64) -> Result<(), String> {
        let mut instance = self.open(candidate).map_err(|error| error.to_string())?;
        instance.ask_canaries(&candidate.file).map_err(|error| error.to_string())?;
        let flags = instance.probe(candidate.mark, now).map_err(|error| error.to_string())?;
        if let Some(Err(CallError::Trap(cause))) = pulse.map(|note| instance.pulse(note, now)) {
            return Err(cause);
        }
        let loaded =
            loaded_with(candidate.clone(), flags, instance, pulse.map(<[u8]>::to_vec).into_iter().collect());
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
        let named = self.call(&loaded, now, |instance| instance.pulse(note, now));
        let named = named.map_err(|error| error.to_string())?;
        let mut inner = loaded.lock();
        inner.pulses.truncate(if named == loaded.candidate.mark { 0 } else { 1 });
        inner.pulses.push(note.to_vec());
        Ok(())
    }
}

fn loaded_with(candidate: Candidate, flags: Vec<Flag>, instance: Instance, pulses: Vec<Vec<u8>>) -> Loaded {
    let inner = Inner { instance: Some(instance), pulses, traps: Vec::new() };
    Loaded { candidate, flags, inner: Mutex::new(inner) }
}

#[cfg(test)]
mod tests;
