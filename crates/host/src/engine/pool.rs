//! The instances of one snapshot: as many as threads may decide with at once, each replaced by a new one after a trap.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use flagstone_seal::Mark;

use super::{CallError, Decision, Engine, Flag, Instance, Opening};
use crate::limits;

/// A snapshot, open in one or more instances. They are all opened before the first decision, so that none is opened, let alone
/// compiled, while somebody waits for an answer. Shared between threads in an [`Arc`].
pub struct Pool {
    engine: Arc<Engine>,
    opening: Owned,
    opened: Mark,
    flags: Vec<Flag>,
    first: Slot,
    more: Vec<Slot>,
    /// Whose turn it is to be waited for when all are busy.
    turn: AtomicUsize,
    /// The pulses to apply again after a trap: the last one that names this snapshot, and a later one that names
    /// another (of which only the halts count here).
    pulses: Mutex<Vec<Vec<u8>>>,
}

/// None after a trap, when a new one could not be made at once.
type Slot = Mutex<Option<Instance>>;

/// What an [`Opening`] says, kept to open it again.
pub(crate) struct Owned {
    pub(crate) trust: Arc<str>,
    pub(crate) file: Arc<[u8]>,
    pub(crate) audience: String,
    pub(crate) environment: String,
    pub(crate) now: u64,
}

impl Owned {
    /// Without the mark: it was checked when the snapshot was opened first, and one that was in force may be opened again under
    /// a higher one.
    fn again(&self) -> Opening<'_> {
        let Self { trust, file, audience, environment, now } = self;
        Opening { trust, file, audience, environment, mark: None, now: *now }
    }
}

impl Pool {
    /// Opens a snapshot in `instances` instances, at least one and at most [`limits::POOL_INSTANCES`]. The first has answered the
    /// snapshot's canaries and decided every flag once before the others are opened.
    ///
    /// # Errors
    /// [`CallError`]: it does not open, answers a canary otherwise, or breaks a rule of its own.
    pub fn open(engine: Arc<Engine>, opening: &Opening<'_>, instances: usize) -> Result<Self, CallError> {
        let Opening { trust, file, audience, environment, mark, now } = *opening;
        let (audience, environment) = (audience.to_owned(), environment.to_owned());
        let owned = Owned { trust: trust.into(), file: file.into(), audience, environment, now };
        Self::over(engine, owned, mark, instances)
    }

    /// As [`Pool::open`], without a copy of the file.
    pub(crate) fn over(
        engine: Arc<Engine>,
        opening: Owned,
        mark: Option<Mark>,
        instances: usize,
    ) -> Result<Self, CallError> {
        let mut instance = Instance::open(&engine, &Opening { mark, ..opening.again() })?;
        instance.ask_canaries(&opening.file)?;
        let opened = instance.mark();
        let flags = instance.probe(opened, opening.now)?;
        let more = (1..instances.min(limits::POOL_INSTANCES))
            .map(|_| Ok(Mutex::new(Some(Instance::open(&engine, &opening.again())?))))
            .collect::<Result<_, CallError>>()?;
        let (first, turn, pulses) = (Mutex::new(Some(instance)), AtomicUsize::new(0), Mutex::new(Vec::new()));
        Ok(Self { engine, opening, opened, flags, first, more, turn, pulses })
    }

    /// The identity of the snapshot.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.opened
    }

    /// Its flags, in key order.
    #[must_use]
    pub fn flags(&self) -> &[Flag] {
        &self.flags
    }

    /// Bytes of linear memory of its instances.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.slots().filter_map(|slot| lock(slot).as_ref().map(Instance::memory_bytes)).sum()
    }

    /// The pulses in force, the newest last.
    pub(crate) fn pulses(&self) -> Vec<Vec<u8>> {
        lock(&self.pulses).clone()
    }

    fn slots(&self) -> impl Iterator<Item = &Slot> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// Applies a pulse to all instances: no decision is made under it before none is made under the one before. Gives back the
    /// snapshot that it names.
    ///
    /// # Errors
    /// [`CallError`]: the pulse before stays.
    pub fn pulse(&self, note: &[u8], now: u64) -> Result<Mark, CallError> {
        let mut slots: Vec<_> = self.slots().map(lock).collect();
        let mut named = None;
        for slot in &mut slots {
            match self.run(slot, now, |instance| instance.pulse(note, now)) {
                Ok(mark) => named = Some(mark),
                Err(error) if named.is_none() => return Err(error),
                // The others took it. This one is made anew with it when it is asked next.
                Err(_) => **slot = None,
            }
        }
        let Some(named) = named else { return Ok(self.opened) };
        let mut pulses = lock(&self.pulses);
        pulses.truncate(usize::from(named != self.opened));
        pulses.push(note.to_vec());
        Ok(named)
    }

    /// Decides a flag with an instance that is free, or the next that will be. `context` is the JSON text of an object; the text that
    /// comes back is the canonical one.
    ///
    /// # Errors
    /// [`CallError::Trap`]; the instance has then been replaced.
    pub fn decide(&self, context: &str, flag: &str, now: u64) -> Result<(Decision, String), CallError> {
        self.run(&mut self.free(), now, |instance| instance.decide(context, flag, now))
    }

    /// As [`Pool::decide`], with a trace; JSON text.
    ///
    /// # Errors
    /// As [`Pool::decide`].
    pub fn explain(&self, context: &str, flag: &str, now: u64) -> Result<String, CallError> {
        self.run(&mut self.free(), now, |instance| instance.explain(context, flag, now))
    }

    /// An instance that nobody uses: the first of them, so that few are warm when few are needed.
    fn free(&self) -> MutexGuard<'_, Option<Instance>> {
        for slot in self.slots() {
            match slot.try_lock() {
                Ok(free) => return free,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % (self.more.len() + 1);
        lock(self.slots().nth(turn).unwrap_or(&self.first))
    }

    fn run<T>(
        &self,
        slot: &mut Option<Instance>,
        now: u64,
        call: impl FnOnce(&mut Instance) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let mut instance = match slot.take() {
            Some(instance) => instance,
            None => self.build(now)?,
        };
        let answer = call(&mut instance);
        if let Err(CallError::Trap(cause)) = &answer {
            drop(instance); // a trapped instance answers nothing right any more
            tracing::error!(%cause, "the engine trapped; the instance was discarded");
            *slot = self.build(now).ok();
        } else {
            *slot = Some(instance);
        }
        answer
    }

    /// A new instance with the pulses as far as they still hold.
    fn build(&self, now: u64) -> Result<Instance, CallError> {
        let mut instance = Instance::open(&self.engine, &self.opening.again())?;
        for note in lock(&self.pulses).iter() {
            match instance.pulse(note, now) {
                Ok(_) | Err(CallError::Refused { .. }) => {} // refused: its lease is over, and plans are closed
                Err(trap) => return Err(trap),
            }
        }
        Ok(instance)
    }
}

fn lock<T>(slot: &Mutex<T>) -> MutexGuard<'_, T> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let instances = self.more.len() + 1;
        f.debug_struct("Pool")
            .field("opened", &self.opened)
            .field("instances", &instances)
            .finish_non_exhaustive()
    }
}
