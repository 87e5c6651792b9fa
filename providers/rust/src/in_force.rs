//! What is in force at one moment: one snapshot and what the last pulse said of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flagstone_evaluate::{
    Arm, ContextError, Control, Decision, Detail, ErrorCode, NO_FLAG, OpenStage, Reason, decide, decide_all,
    decide_key, decision_json, explain_json, wrong_canary,
};
use flagstone_seal::{Mark, PulseStatement};
use flagstone_snapshot::Snapshot;

use crate::keeper::Verified;
use crate::{Refusal, Unit};

/// How what is served stands, as docs/host.md has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// No snapshot has been accepted: the caller's own defaults.
    Empty,
    /// The snapshot is valid and the lease of the last pulse runs (or none is expected).
    Fresh,
    /// The snapshot is valid, but there is no pulse or its lease is over: plans do what `onExpiry` says.
    Stale,
    /// The snapshot's own validity is over; plans do the same.
    Expired,
}

impl State {
    /// `empty`, `fresh`, `stale` or `expired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Expired => "expired",
        }
    }
}

self_cell::self_cell!(
    /// The sealed file and the view that reads its payload in place; freed together.
    struct Loaded {
        owner: Vec<u8>,
        #[covariant]
        dependent: Snapshot,
    }
);

/// One snapshot, opened and asked its canaries.
pub(crate) struct Opened {
    loaded: Loaded,
    verified: Verified,
    /// Counts openings in this process, so that contexts are never used with another snapshot.
    number: u64,
}

static OPENINGS: AtomicU64 = AtomicU64::new(1);

impl Opened {
    /// Validates the payload at the end of a verified file, and asks the canaries.
    pub(crate) fn new(file: Vec<u8>, verified: Verified) -> Result<Self, Refusal> {
        let length = verified.payload;
        let loaded = Loaded::try_new(file, |bytes| {
            let start = bytes.len().saturating_sub(length);
            Snapshot::load(bytes.get(start..).unwrap_or_default())
        });
        let loaded = loaded.map_err(Refusal::Snapshot)?;
        let snapshot = loaded.borrow_dependent();
        if let Some((position, canary, answer)) = wrong_canary(snapshot) {
            let flag = snapshot.flag(canary.flag);
            let name = |variant: Option<u16>| {
                let named = flag.and_then(|flag| flag.variant(variant?));
                named.map_or("the caller's own default".to_owned(), |variant| format!("`{}`", variant.name))
            };
            return Err(Refusal::Canary {
                position,
                flag: flag.map_or("", |flag| flag.key()).to_owned(),
                answer: answer.map_or("an error".to_owned(), |answer| name(answer.variant)),
                expected: name(canary.variant),
            });
        }
        let number = OPENINGS.fetch_add(1, Ordering::Relaxed);
        Ok(Self { loaded, verified, number })
    }

    pub(crate) fn file(&self) -> &[u8] {
        self.loaded.borrow_owner()
    }

    pub(crate) fn verified(&self) -> &Verified {
        &self.verified
    }

    fn snapshot(&self) -> &Snapshot<'_> {
        self.loaded.borrow_dependent()
    }
}

/// One snapshot and what the last pulse said of it: immutable, so an evaluation ends with what it began with. Holding it keeps the
/// snapshot in memory.
pub struct InForce {
    opened: Arc<Opened>,
    control: Control,
    /// Whether pulses are expected.
    pulses: bool,
}

impl InForce {
    pub(crate) fn new(opened: Arc<Opened>, pulse: Option<&PulseStatement>, pulses: bool) -> Self {
        let control = Control::closed(opened.snapshot());
        let closed = Self { opened, control, pulses };
        match pulse {
            None => closed,
            Some(pulse) => closed.pulsed(pulse, true),
        }
    }

    /// The same snapshot under a new pulse. One that names another snapshot may only halt here, and so may any once `trusted` is
    /// false: the trust root in force does not believe the snapshot any more.
    pub(crate) fn pulsed(&self, pulse: &PulseStatement, trusted: bool) -> Self {
        let snapshot = self.snapshot();
        let halts = pulse.halts.iter().map(String::as_str);
        let control = if trusted && pulse.snapshot == self.mark() {
            let stages = pulse.stages.iter().map(|line| OpenStage {
                flag: &line.flag,
                stage: line.stage,
                since: line.since,
            });
            Control::new(snapshot, pulse.expires.min(self.expires()), stages, halts)
        } else {
            self.control.also_halting(snapshot, halts)
        };
        Self { opened: Arc::clone(&self.opened), control, pulses: self.pulses }
    }

    pub(crate) fn opened(&self) -> &Opened {
        &self.opened
    }

    pub(crate) fn snapshot(&self) -> &Snapshot<'_> {
        self.opened.snapshot()
    }

    pub(crate) fn number(&self) -> u64 {
        self.opened.number
    }

    /// The snapshot's identity.
    #[must_use]
    pub fn mark(&self) -> Mark {
        self.opened.verified.mark
    }

    /// When its validity ends, unix seconds.
    #[must_use]
    pub fn expires(&self) -> u64 {
        self.opened.verified.expires
    }

    /// Who signed it.
    #[must_use]
    pub fn signers(&self) -> &[String] {
        &self.opened.verified.signers
    }

    /// How it stands at `now`, unix seconds.
    #[must_use]
    pub fn state(&self, now: u64) -> State {
        if self.expires() <= now {
            State::Expired
        } else if !self.pulses || self.control.fresh(now) {
            State::Fresh
        } else {
            State::Stale
        }
    }

    /// Keys of the flags, in index order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        (0..self.flag_count()).filter_map(|index| Some(self.snapshot().flag(index)?.key()))
    }

    /// How many flags there are; indices are below.
    #[must_use]
    pub fn flag_count(&self) -> u32 {
        self.snapshot().flag_count()
    }

    /// A flag's index; it holds for this snapshot only.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<u32> {
        self.snapshot().find(key)
    }

    /// Prepares a unit's attributes now instead of at the first decision.
    ///
    /// # Errors
    /// Why they are no context.
    pub fn prepare(&self, unit: &mut Unit) -> Result<(), ContextError> {
        unit.context(self).map(drop)
    }

    /// Decides a flag by index. Allocates nothing for a prepared unit.
    #[must_use]
    pub fn decide(&self, unit: &mut Unit, flag: u32, now: u64) -> Decision {
        match unit.context(self) {
            Ok(context) => decide(self.snapshot(), &self.control, context, flag, now),
            Err(_) => FAILED,
        }
    }

    /// Decides a flag by key. Allocates nothing for a prepared unit.
    #[must_use]
    pub fn decide_key(&self, unit: &mut Unit, key: &str, now: u64) -> Decision {
        match unit.context(self) {
            Ok(context) => decide_key(self.snapshot(), &self.control, context, key, now),
            Err(_) => FAILED,
        }
    }

    /// Decides every flag, in index order, into `out`, which is emptied first.
    pub fn decide_all(&self, unit: &mut Unit, now: u64, out: &mut Vec<Decision>) {
        out.clear();
        match unit.context(self) {
            Ok(context) => out.extend(decide_all(self.snapshot(), &self.control, context, now)),
            Err(_) => out.extend((0..self.flag_count()).map(|_| FAILED)),
        }
    }

    /// The name of the variant that was decided; none: the caller's own default.
    #[must_use]
    pub fn variant(&self, decision: &Decision) -> Option<&str> {
        Some(self.snapshot().flag(decision.flag)?.variant(decision.variant?)?.name)
    }

    /// The value that was decided, as compact JSON text; none: the caller's own default.
    #[must_use]
    pub fn value(&self, decision: &Decision) -> Option<&str> {
        Some(self.snapshot().flag(decision.flag)?.variant(decision.variant?)?.json)
    }

    /// A flag's metadata as the JSON text of an object; empty when it has none.
    #[must_use]
    pub fn metadata(&self, flag: u32) -> &str {
        self.snapshot().flag(flag).map_or("", |flag| flag.metadata())
    }

    /// A flag's key.
    #[must_use]
    pub fn key(&self, flag: u32) -> Option<&str> {
        Some(self.snapshot().flag(flag)?.key())
    }

    /// Dotted path of the attribute that names a flag's unit: its plan's, else `targetingKey`. Exposures are told about that unit.
    #[must_use]
    pub fn unit(&self, flag: u32) -> &str {
        self.snapshot().flag(flag).and_then(|flag| flag.unit()).unwrap_or("targetingKey")
    }

    /// The name of a stage of a flag's plan.
    #[must_use]
    pub fn stage(&self, flag: u32, stage: u8) -> Option<&str> {
        Some(self.snapshot().flag(flag)?.plan()?.stage(stage)?.name)
    }

    /// The canonical decision text (docs/engine.md), byte-identical from every build of the engine.
    #[must_use]
    pub fn decision_text(&self, unit: &mut Unit, key: &str, now: u64) -> String {
        let decision = self.decide_key(unit, key, now);
        decision_json(self.snapshot(), &decision, key)
    }

    /// The decision with every check that led to it, as JSON text (docs/engine.md).
    #[must_use]
    pub fn explain(&self, unit: &mut Unit, key: &str, now: u64) -> String {
        match unit.context(self) {
            Ok(context) => explain_json(self.snapshot(), &self.control, context, key, now),
            Err(_) => decision_json(self.snapshot(), &FAILED, key),
        }
    }
}

impl std::fmt::Debug for InForce {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("InForce").field("mark", &self.mark()).finish_non_exhaustive()
    }
}

/// For attributes that are no context.
pub(crate) const FAILED: Decision = Decision {
    flag: NO_FLAG,
    variant: None,
    reason: Reason::Error,
    error: Some(ErrorCode::General),
    detail: Detail::None,
    arm: Arm::None,
    stage: None,
    cohort: None,
    probability: 0,
};
