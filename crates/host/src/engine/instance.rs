//! One instance of the component, holding one snapshot, within its limits of memory and time.

use flagstone_seal::Mark;
use wasmtime::{ResourceLimiter, Store, StoreLimits, StoreLimitsBuilder, UpdateDeadline};

use super::Engine;
use super::decision::Decision;
use crate::limits;

/// What wasmtime makes of the world.
#[allow(missing_docs, unreachable_pub, clippy::all)]
pub(super) mod bindings {
    wasmtime::component::bindgen!({ path: "wit" });
}

use bindings::Flags;
use bindings::exports::flagstone::flags::evaluator;

/// The host's side of an instance.
pub(super) struct Guest {
    limits: StoreLimits,
    /// Bytes of linear memory.
    memory: usize,
    /// Ticks that the call may still be seen running in.
    ticks: u32,
}

/// The limits, and what of the memory is taken.
impl ResourceLimiter for Guest {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let may = self.limits.memory_growing(current, desired, most)?;
        if may {
            self.memory += desired.saturating_sub(current);
        }
        Ok(may)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        most: Option<usize>,
    ) -> wasmtime::Result<bool> {
        self.limits.table_growing(current, desired, most)
    }

    fn instances(&self) -> usize {
        self.limits.instances()
    }

    fn tables(&self) -> usize {
        self.limits.tables()
    }

    fn memories(&self) -> usize {
        self.limits.memories()
    }
}

/// How a snapshot is opened.
#[derive(Debug, Clone, Copy)]
pub struct Opening<'a> {
    /// The trust note.
    pub trust: &'a str,
    /// The sealed file.
    pub file: &'a [u8],
    /// Who reads it.
    pub audience: &'a str,
    /// Where.
    pub environment: &'a str,
    /// The highest mark accepted before.
    pub mark: Option<Mark>,
    /// Unix seconds.
    pub now: u64,
}

/// A flag of the snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Its key.
    pub key: String,
    /// Whether it has a rollout plan.
    pub planned: bool,
    /// Path of the attribute that identifies the plan's unit; none without a plan.
    pub unit: Option<String>,
}

/// Why a call has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The engine refused what it was given; the instance can be used on.
    #[error("{message}")]
    Refused {
        /// Stable kebab-case code.
        code: String,
        /// Prose.
        message: String,
    },
    /// The engine was stopped or broke a rule of its own: the instance must not be used again.
    #[error("the engine trapped: {0}")]
    Trap(String),
}

/// An instance that has opened its snapshot.
pub struct Instance {
    store: Store<Guest>,
    flags: Flags,
    opened: Mark,
}

impl Instance {
    /// Makes an instance and opens a snapshot in it.
    ///
    /// # Errors
    /// [`CallError::Refused`] with the engine's reason.
    pub fn open(engine: &Engine, opening: &Opening<'_>) -> Result<Self, CallError> {
        Self::open_within(limits::OPEN_TICKS, engine, opening)
    }

    fn open_within(ticks: u32, engine: &Engine, opening: &Opening<'_>) -> Result<Self, CallError> {
        let (mut store, flags) = Self::start(ticks, engine)?;
        let policy = evaluator::Policy {
            audience: opening.audience.to_owned(),
            environment: opening.environment.to_owned(),
            now: opening.now,
            mark: opening.mark.map(mark_out),
        };
        let answer =
            flags.flagstone_flags_evaluator().call_open(&mut store, opening.trust, opening.file, &policy);
        let opened = mark_in(answer.map_err(trap)?.map_err(refused)?.mark)?;
        Ok(Self { store, flags, opened })
    }

    /// An instance without a snapshot, within its limits.
    fn start(ticks: u32, engine: &Engine) -> Result<(Store<Guest>, Flags), CallError> {
        let limits = StoreLimitsBuilder::new()
            .memory_size(limits::MEMORY_BYTES)
            .instances(limits::CORE_INSTANCES)
            .tables(limits::CORE_INSTANCES)
            .memories(limits::CORE_INSTANCES)
            .build();
        let mut store = Store::new(&engine.engine, Guest { limits, memory: 0, ticks: 0 });
        store.limiter(|guest| guest);
        // A thread that the system puts aside for a while sees one tick pass, however long that was.
        store.epoch_deadline_callback(|mut context| {
            let guest = context.data_mut();
            match guest.ticks.checked_sub(1) {
                Some(left) => {
                    guest.ticks = left;
                    Ok(UpdateDeadline::Continue(1))
                }
                None => Err(wasmtime::Error::msg("it ran longer than it may")),
            }
        });
        give_time(&mut store, ticks);
        let flags = engine.ready.instantiate(&mut store).map_err(trap)?;
        Ok((store, flags))
    }

    /// Bytes of its linear memory.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.store.data().memory
    }

    /// The identity of the snapshot, as the engine computed it.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.opened
    }

    /// Applies a pulse, and gives back the snapshot that it names. Of one that names another than this instance's only
    /// the halts count.
    ///
    /// # Errors
    /// [`CallError::Refused`]: the pulse before stays.
    pub fn pulse(&mut self, note: &[u8], now: u64) -> Result<Mark, CallError> {
        give_time(&mut self.store, limits::OPEN_TICKS);
        let answer = self.flags.flagstone_flags_evaluator().call_pulse(&mut self.store, note, now);
        mark_in(answer.map_err(trap)?.map_err(refused)?.snapshot)
    }

    /// The flags, in index order.
    ///
    /// # Errors
    /// [`CallError::Trap`].
    pub fn flags(&mut self) -> Result<Vec<Flag>, CallError> {
        give_time(&mut self.store, limits::OPEN_TICKS);
        let flags = self.flags.flagstone_flags_evaluator().call_flags(&mut self.store).map_err(trap)?;
        Ok(flags
            .into_iter()
            .map(|flag| Flag { key: flag.key, planned: flag.planned, unit: flag.unit })
            .collect())
    }

    /// Decides a flag. `context` is the JSON text of an object; the text that comes back is the canonical one.
    ///
    /// # Errors
    /// [`CallError::Trap`]; everything else that can be wrong is in the decision.
    pub fn decide(&mut self, context: &str, flag: &str, now: u64) -> Result<(Decision, String), CallError> {
        give_time(&mut self.store, limits::EVALUATION_TICKS);
        let answer =
            self.flags.flagstone_flags_evaluator().call_decision(&mut self.store, context, flag, now);
        let text = answer.map_err(trap)?;
        let decision = Decision::from_canonical(&text).map_err(CallError::Trap)?;
        Ok((decision, text))
    }

    /// As [`Instance::decide`], with a trace; JSON text.
    ///
    /// # Errors
    /// [`CallError::Trap`].
    pub fn explain(&mut self, context: &str, flag: &str, now: u64) -> Result<String, CallError> {
        give_time(&mut self.store, limits::OPEN_TICKS);
        let answer = self.flags.flagstone_flags_evaluator().call_explain(&mut self.store, context, flag, now);
        answer.map_err(trap)
    }

    /// Tries out a freshly opened instance before it is put in force: that it opened what it was meant to open, and
    /// decides every flag for a unit with well-formed answers.
    ///
    /// # Errors
    /// What went wrong.
    pub fn probe(&mut self, expected: Mark, now: u64) -> Result<Vec<Flag>, CallError> {
        if self.opened != expected {
            return Err(CallError::Trap("it opened another snapshot than it was given".to_owned()));
        }
        let flags = self.flags()?;
        for context in [r#"{"targetingKey":"flagstone-probe"}"#, "{}"] {
            for flag in &flags {
                let (decision, _) = self.decide(context, &flag.key, now)?;
                if decision.flag != flag.key {
                    return Err(CallError::Trap(format!(
                        "flag `{}` answers as `{}`",
                        flag.key, decision.flag
                    )));
                }
            }
        }
        Ok(flags)
    }
}

/// Gives the coming call its time. The first tick only says that the call has begun.
fn give_time(store: &mut Store<Guest>, ticks: u32) {
    store.data_mut().ticks = ticks;
    store.set_epoch_deadline(1);
}

fn trap(error: wasmtime::Error) -> CallError {
    CallError::Trap(format!("{:#}", error.root_cause()))
}

fn refused(fault: evaluator::Fault) -> CallError {
    CallError::Refused { code: fault.code, message: fault.message }
}

fn mark_in(mark: evaluator::Mark) -> Result<Mark, CallError> {
    let digest = mark.digest.try_into();
    let digest = digest.map_err(|_| CallError::Trap("a digest of the wrong length".to_owned()))?;
    Ok(Mark { epoch: mark.epoch, sequence: mark.sequence, digest })
}

fn mark_out(mark: Mark) -> evaluator::Mark {
    evaluator::Mark { epoch: mark.epoch, sequence: mark.sequence, digest: mark.digest.to_vec() }
}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("opened", &self.opened).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
