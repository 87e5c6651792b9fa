//! The order of checks for one flag; the first that applies decides.
//!
//! 1. unknown or broken flag: error; disabled: the caller's default
//! 2. halted by the pulse: baseline
//! 3. no fresh pulse and `onExpiry: safe`: baseline
//! 4. consent or data domain not given: baseline, before anything is hashed
//! 5. the plan's time is over: baseline
//! 6. a prerequisite not met: baseline
//! 7. held out, or outside the flag's part of its layer: baseline
//! 8. an individual override
//! 9. what the context remembers, then the open stage: allow-lists, then shares: candidate for treatment, baseline for
//!    control
//! 10. targeting, then the default variant

use flagstone_snapshot::{Flag, FlagError, OnExpiry, Parts, Plan, SHARE_TOTAL, Snapshot, position};

use crate::context::Context;
use crate::control::Control;
use crate::decision::{Arm, Decision, Detail, ErrorCode, NO_FLAG, Reason};
use crate::item::Item;
use crate::machine::{Answer, Machine};
use crate::memory::{self, Memory};
use crate::plan::{self, Place};
use crate::schedule::{self, Open};
use crate::state::{Fault, Scene, State};
use crate::trace::{Silent, Trace};

/// Decides one flag for one context at one time (`now`, unix seconds). Same arguments, same answer, for
/// ever and in every build of the engine.
#[must_use]
pub fn decide(
    snapshot: &Snapshot<'_>,
    control: &Control,
    context: &Context,
    flag: u32,
    now: u64,
) -> Decision {
    traced(snapshot, control, context, flag, now, Silent).0
}

/// As [`decide`], by the flag's key.
#[must_use]
pub fn decide_key(
    snapshot: &Snapshot<'_>,
    control: &Control,
    context: &Context,
    key: &str,
    now: u64,
) -> Decision {
    decide(snapshot, control, context, snapshot.find(key).unwrap_or(NO_FLAG), now)
}

/// Decides, and returns who listened.
pub(crate) fn traced<T: Trace>(
    snapshot: &Snapshot<'_>,
    control: &Control,
    context: &Context,
    flag: u32,
    now: u64,
    mut trace: T,
) -> (Decision, T) {
    let Some(flag) = snapshot.flag(flag) else {
        trace.check("flag-exists", false);
        return (Decision::failed(NO_FLAG, ErrorCode::FlagNotFound), trace);
    };
    let scene = Scene { snapshot, context, flag_key: flag.key_bytes(), now };
    let mut machine = Machine { state: State::new(scene), trace };
    machine.trace.check("flag-exists", true);
    let decision = machine.decide(control, flag);
    (decision, machine.trace)
}

/// What a plan says of a unit.
enum Placed {
    /// It is in an arm.
    In(Decision),
    /// It is not, and why.
    Out(Detail),
}

impl<'a, T: Trace> Machine<'a, T> {
    pub(crate) fn decide(&mut self, control: &Control, flag: Flag<'a>) -> Decision {
        let decided = self.decide_flag(control, flag);
        decided.unwrap_or_else(|_| Decision::failed(flag.index(), ErrorCode::General))
    }

    fn decide_flag(&mut self, control: &Control, flag: Flag<'a>) -> Result<Decision, Fault> {
        let index = flag.index();
        let now = self.state.scene.now;
        let broken = flag.broken();
        self.trace.check("definition-usable", broken.is_none());
        match broken {
            Some(FlagError::Parse) => return Ok(Decision::failed(index, ErrorCode::ParseError)),
            Some(FlagError::General) => return Ok(Decision::failed(index, ErrorCode::General)),
            None => {}
        }
        self.trace.check("enabled", flag.enabled());
        if !flag.enabled() {
            return Ok(Decision::new(index, None, Reason::Disabled));
        }
        let safe = |reason, detail| Ok(Decision::new(index, flag.baseline(), reason).detailed(detail));
        let halted = control.halted(index);
        self.trace.check("not-halted", !halted);
        if halted {
            return safe(Reason::Default, Detail::Halt);
        }
        let holds = flag.on_expiry() == OnExpiry::Hold || control.fresh(now);
        if T::ON {
            self.trace.check("pulse", holds);
            self.trace.text("onExpiry", if flag.on_expiry() == OnExpiry::Safe { "safe" } else { "hold" });
            self.trace.number("until", control.lease_until() as f64);
        }
        if !holds {
            return safe(Reason::Stale, Detail::Expired);
        }
        let plan = flag.plan();
        if let Some(plan) = &plan
            && let Some(refused) = self.refused(plan)
        {
            return safe(Reason::Default, refused);
        }
        if let Some(parts) = flag.parts()
            && let Some(decision) = self.parts(control, &flag, &parts)?
        {
            return Ok(decision);
        }
        let memory = self.recall(&flag);
        let mut fallback = Detail::None;
        let mut stage = None;
        if let Some(plan) = &plan {
            let open = schedule::open(plan, control.open(index), now);
            stage = open.map(|open| open.stage);
            fallback = Detail::Closed;
            if let Some(open) = open {
                match self.placed(&flag, plan, open, memory)? {
                    Placed::In(decision) => return Ok(decision),
                    Placed::Out(detail) => fallback = detail,
                }
            }
            if T::ON && open.is_none() {
                self.trace.check("stage", false);
                self.tell_stages(plan, None);
            }
        }
        let mut decision = match memory {
            Some(Memory { arm: Arm::None, variant, .. }) if flag.targeting().is_some() => {
                self.trace.check("remembered", true);
                fallback = Detail::Remembered;
                Decision::new(index, Some(variant), Reason::TargetingMatch)
            }
            _ => self.target(flag)?,
        };
        decision.stage = stage;
        decision.detail = fallback;
        Ok(decision)
    }

    /// What keeps a context out of a plan before anything is hashed, or after its time.
    fn refused(&mut self, plan: &Plan<'a>) -> Option<Detail> {
        let refused = plan::refusal(&self.state.scene, plan);
        if T::ON {
            self.trace.check("consent-and-data-domain", refused.is_none());
            if let Some((purpose, _)) = plan.consent() {
                self.trace.text("consent", purpose);
            }
            if let Some(refusal) = refused.and_then(Detail::as_str) {
                self.trace.text("refusal", refusal);
            }
        }
        if refused.is_some() {
            return refused;
        }
        let ended = self.state.scene.now >= plan.until();
        if T::ON && plan.until() != flagstone_snapshot::layout::NEVER {
            self.trace.check("not-ended", !ended);
            self.trace.number("until", plan.until() as f64);
        }
        ended.then_some(Detail::Ended)
    }

    /// Prerequisites, holdouts, layer and overrides; none when nothing of them decides.
    fn parts(
        &mut self,
        control: &Control,
        flag: &Flag<'a>,
        parts: &Parts<'a>,
    ) -> Result<Option<Decision>, Fault> {
        let index = flag.index();
        let safe = |detail| Decision::new(index, flag.baseline(), Reason::Default).detailed(detail);
        if !self.prerequisites_hold(control, parts) {
            return Ok(Some(safe(Detail::Prerequisite)));
        }
        let scene = self.state.scene;
        for holdout in parts.holdouts().filter(|holdout| scene.now < holdout.until.get()) {
            let unit = scene.context.unit(holdout.unit.get());
            let out = unit.is_none_or(|unit| position(unit, holdout.salt.get()) < holdout.share.get());
            if T::ON {
                self.trace.check("not-held-out", !out);
                self.trace.text("holdout", scene.snapshot.name_of(holdout.name));
            }
            if out {
                return Ok(Some(safe(Detail::Holdout)));
            }
        }
        if let Some((layer, ranges)) = parts.layer() {
            let place = scene.context.unit(layer.unit.get()).map(|unit| position(unit, layer.salt.get()));
            let inside = place.is_some_and(|place| {
                ranges.iter().any(|range| range.from.get() <= place && place < range.to.get())
            });
            if T::ON {
                self.trace.check("layer", inside);
                self.trace.text("layer", scene.snapshot.name_of(layer.name));
                if let Some(place) = place {
                    self.trace.number("position", part(place));
                }
            }
            if !inside {
                return Ok(Some(safe(Detail::Layer)));
            }
        }
        let Some(overrides) = parts.overrides() else { return Ok(None) };
        let rule = scene.snapshot.rule(overrides).ok_or(Fault::Internal)?;
        let answer = self.run(rule)?;
        self.trace.check("override", !matches!(answer, Answer::Value(Item::Null)));
        Ok(self.named(flag, answer).map(|named| match named {
            Some(variant) => {
                Decision::new(index, Some(variant), Reason::TargetingMatch).detailed(Detail::Override)
            }
            None => Decision::failed(index, ErrorCode::General),
        }))
    }

    /// Whether every prerequisite is decided for one of its variants. They lead in no circle and are not deep, which
    /// was checked when the snapshot was loaded; their rules share the steps of this evaluation.
    fn prerequisites_hold(&mut self, control: &Control, parts: &Parts<'a>) -> bool {
        let key = self.state.scene.flag_key;
        let mut decided = None; // the decision of the prerequisite that the records are about
        let mut holds = false;
        for (other, variant, last) in parts.prerequisites() {
            let other = other.and_then(|other| self.state.scene.snapshot.flag(other));
            let decision = match (decided, other) {
                (Some(decision), _) => decision,
                (None, Some(other)) => {
                    self.trace.nested(true);
                    self.state.scene.flag_key = other.key_bytes();
                    self.state.stopped = false;
                    let decision = self.decide(control, other);
                    // What a stop serves opens nothing behind it: no halt and no lost lease raises an exposure.
                    let stop = matches!(decision.detail, Detail::Halt | Detail::Expired);
                    self.state.stopped &= decision.detail == Detail::Prerequisite;
                    self.state.stopped |= stop;
                    self.state.scene.flag_key = key;
                    self.trace.nested(false);
                    decision
                }
                (None, None) => return false,
            };
            decided = Some(decision);
            holds |= !self.state.stopped
                && decision.error.is_none()
                && variant.is_some()
                && decision.variant == variant;
            if last {
                if T::ON {
                    self.trace.check("prerequisite", holds);
                    if let Some(other) = other {
                        self.trace.text("flag", other.key());
                        if let Some(variant) = decision.variant.and_then(|variant| other.variant(variant)) {
                            self.trace.text("variant", variant.name);
                        }
                    }
                }
                if !holds {
                    return false;
                }
                (decided, holds) = (None, false);
            }
        }
        true
    }

    fn recall(&mut self, flag: &Flag<'a>) -> Option<Memory> {
        memory::recall(&self.state.scene, flag, flag.parts()?.sticky()?)
    }

    /// The unit's place in the open stage, or the one that it brings as remembered; else whether only paused intake keeps it
    /// out.
    fn placed(
        &mut self,
        flag: &Flag<'a>,
        plan: &Plan<'a>,
        open: Open,
        memory: Option<Memory>,
    ) -> Result<Placed, Fault> {
        let scene = self.state.scene;
        let unit = scene.context.unit(plan.unit()).map(|unit| position(unit, plan.salt()));
        // A unit without a key is in no share, and on no list either: there is nothing to hold an outcome against.
        let listed = match unit {
            Some(_) => plan::listed(self, plan, open)?,
            None => None,
        };
        let place = listed.or_else(|| plan::shared(plan, open, scene.now, unit?));
        let kept = memory.filter(|memory| keeps(memory, plan, open));
        let same = |place: &Place| {
            kept.is_none_or(|kept| (kept.arm, kept.cohort) == (place.arm, Some(place.cohort))) || place.listed
        };
        let admitted = |place: &Place| place.listed || kept.is_some() || !plan.intake_paused();
        let ordinary = place.filter(|place| same(place) && admitted(place));
        if T::ON {
            self.trace.check("stage", ordinary.is_some() || kept.is_some());
            self.tell_stages(plan, Some(open));
            if let Some(unit) = unit {
                self.trace.number("position", part(unit));
            }
            if let Some(place) = place {
                self.trace.text("arm", place.arm.as_str().unwrap_or("none"));
                if let Some(stage) = plan.stage(place.cohort) {
                    self.trace.text("cohort", stage.name);
                }
            }
        }
        let variant = |arm| if arm == Arm::Treatment { plan.candidate() } else { plan.baseline() };
        let (place, detail, reason) = match (ordinary, kept) {
            (Some(place), _) => {
                let detail = if place.arm == Arm::Treatment { Detail::Stage } else { Detail::Control };
                (place, detail, if place.listed { Reason::TargetingMatch } else { Reason::Split })
            }
            (None, Some(Memory { arm, cohort: Some(cohort), .. })) => {
                (Place { arm, cohort, probability: 0, listed: false }, Detail::Remembered, Reason::Split)
            }
            _ => return Ok(Placed::Out(if place.is_some() { Detail::Paused } else { Detail::Closed })),
        };
        Ok(Placed::In(Decision {
            arm: place.arm,
            stage: Some(open.stage),
            cohort: Some(place.cohort),
            probability: place.probability,
            ..Decision::new(flag.index(), Some(variant(place.arm)), reason).detailed(detail)
        }))
    }

    fn tell_stages(&mut self, plan: &Plan<'a>, open: Option<Open>) {
        for (name, index) in [("open", open.map(|open| open.stage)), ("ceiling", plan.ceiling())] {
            if let Some(stage) = index.and_then(|index| plan.stage(index)) {
                self.trace.text(name, stage.name);
            }
        }
        if let Some(open) = open {
            self.trace.number("since", open.since as f64);
            if let Some(shares) = schedule::shares(plan, open, self.state.scene.now) {
                self.trace.number("treat", part(shares.treat));
                self.trace.number("control", part(shares.control));
            }
        }
        if let Some(path) = self.state.scene.snapshot.attribute(plan.unit()) {
            self.trace.text("unit", path);
        }
    }

    /// The targeting rule, then the default variant.
    fn target(&mut self, flag: Flag<'a>) -> Result<Decision, Fault> {
        let index = flag.index();
        let mut reason = Reason::Static;
        if let Some(rule) = flag.targeting() {
            let rule = self.state.scene.snapshot.rule(rule).ok_or(Fault::Internal)?;
            let answer = self.run(rule)?;
            if T::ON {
                self.trace.check("targeting", !matches!(answer, Answer::Value(Item::Null)));
                match answer {
                    Answer::Value(item) => self.trace.value("answer", &self.state.built, item),
                    Answer::Variant(variant, _) => {
                        let name = flag.variant(variant).map_or("", |variant| variant.name);
                        self.trace.text("answer", name);
                    }
                }
            }
            match self.named(&flag, answer) {
                None => reason = Reason::Default,
                Some(None) => return Ok(Decision::failed(index, ErrorCode::General)),
                Some(variant) => return Ok(Decision::new(index, variant, Reason::TargetingMatch)),
            }
        }
        let default = flag.default_variant();
        if T::ON {
            self.trace.check("default", default.is_some());
            if let Some(variant) = default.and_then(|variant| flag.variant(variant)) {
                self.trace.text("variant", variant.name);
            }
        }
        Ok(Decision::new(index, default, if default.is_none() { Reason::Default } else { reason }))
    }

    /// The variant that an answer names: none for no answer, none inside when there is no such variant.
    #[inline]
    fn named(&self, flag: &Flag<'a>, answer: Answer<'a>) -> Option<Option<u16>> {
        Some(match answer {
            Answer::Value(Item::Null) => return None,
            Answer::Variant(variant, _) => Some(variant).filter(|variant| *variant < flag.variant_count()),
            Answer::Value(Item::Bool(value)) => flag.find_variant(if value { "true" } else { "false" }),
            Answer::Value(other) => self.state.built.text(other).and_then(|name| flag.find_variant(name)),
        })
    }
}

/// Whether what is remembered still stands at the open stage: a step back takes back the cohorts above it, and control
/// ends when its share is given up.
fn keeps(memory: &Memory, plan: &Plan<'_>, open: Open) -> bool {
    let within = memory.cohort.is_some_and(|cohort| cohort <= open.stage);
    within
        && match memory.arm {
            Arm::Treatment => memory.variant == plan.candidate(),
            Arm::Control => {
                let in_force = schedule::share_stage(plan, open.stage);
                memory.variant == plan.baseline() && in_force.is_some_and(|(_, stage)| stage.control > 0)
            }
            Arm::None => false,
        }
}

/// A position or share as a part of one.
fn part(parts: u32) -> f64 {
    f64::from(parts) / f64::from(SHARE_TOTAL)
}
