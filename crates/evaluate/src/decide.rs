//! The order of checks for one flag; the first that applies decides.
//!
//! 1. unknown or broken flag: error; disabled: the caller's default
//! 2. halted by the pulse: baseline
//! 3. no fresh pulse and `onExpiry: safe`: baseline
//! 4. consent or data domain not given: baseline, before anything is hashed
//! 5. the open stage: allow-lists, then shares: candidate for treatment, baseline for control
//! 6. targeting, then the default variant

use flagstone_snapshot::{Flag, FlagError, OnExpiry, Snapshot};

use crate::context::Context;
use crate::control::Control;
use crate::decision::{Arm, Decision, Detail, ErrorCode, NO_FLAG, Reason};
use crate::item::Item;
use crate::machine::{Fault, Machine, Scene};
use crate::plan;

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
    let Some(flag) = snapshot.flag(flag) else { return Decision::failed(NO_FLAG, ErrorCode::FlagNotFound) };
    let scene = Scene { snapshot: *snapshot, context, flag_key: flag.key(), now };
    let mut machine = Machine::new(scene);
    decide_flag(&mut machine, control, flag)
        .unwrap_or_else(|_| Decision::failed(flag.index(), ErrorCode::General))
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
    match snapshot.find(key) {
        Some(flag) => decide(snapshot, control, context, flag, now),
        None => Decision::failed(NO_FLAG, ErrorCode::FlagNotFound),
    }
}

fn decide_flag<'a>(machine: &mut Machine<'a>, control: &Control, flag: Flag<'a>) -> Result<Decision, Fault> {
    let index = flag.index();
    match flag.broken() {
        Some(FlagError::Parse) => return Ok(Decision::failed(index, ErrorCode::ParseError)),
        Some(FlagError::General) => return Ok(Decision::failed(index, ErrorCode::General)),
        None => {}
    }
    if !flag.enabled() {
        return Ok(Decision::new(index, None, Reason::Disabled));
    }
    let safe = |reason, detail| Decision::new(index, flag.baseline(), reason).detailed(detail);
    if control.halted(index) {
        return Ok(safe(Reason::Default, Detail::Halt));
    }
    if flag.on_expiry() == OnExpiry::Safe && !control.fresh(machine.scene.now) {
        return Ok(safe(Reason::Stale, Detail::Expired));
    }
    let mut stage = None;
    if let Some(plan) = flag.plan() {
        if let Some(refused) = plan::refusal(&machine.scene, &plan) {
            return Ok(safe(Reason::Default, refused));
        }
        stage = control.stage(index);
        let position = plan::unit_position(&machine.scene, &plan);
        if let (Some(open), Some(position)) = (stage, position)
            && let Some(place) = plan::place(machine, &plan, open, position)?
        {
            let (variant, detail) = match place.arm {
                Arm::Treatment => (plan.candidate(), Detail::Stage),
                _ => (plan.baseline(), Detail::Control),
            };
            let reason = if place.listed { Reason::TargetingMatch } else { Reason::Split };
            return Ok(Decision {
                arm: place.arm,
                stage,
                cohort: Some(place.cohort),
                probability: place.probability,
                ..Decision::new(index, Some(variant), reason).detailed(detail)
            });
        }
    }
    let mut decision = target(machine, flag)?;
    decision.stage = stage;
    if flag.plan().is_some() {
        decision.detail = Detail::Closed;
    }
    Ok(decision)
}

/// The targeting rule, then the default variant.
fn target<'a>(machine: &mut Machine<'a>, flag: Flag<'a>) -> Result<Decision, Fault> {
    let index = flag.index();
    let fallback = |reason| match flag.default_variant() {
        Some(variant) => Decision::new(index, Some(variant), reason),
        None => Decision::new(index, None, Reason::Default),
    };
    let Some(rule) = flag.targeting() else { return Ok(fallback(Reason::Static)) };
    let rule = machine.scene.snapshot.rule(rule).ok_or(Fault::Internal)?;
    let answer = machine.run(rule)?;
    let variant = match answer {
        Item::Null => return Ok(fallback(Reason::Default)),
        Item::Bool(value) => flag.find_variant(if value { "true" } else { "false" }),
        other => machine.built.text(other).and_then(|name| flag.find_variant(name)),
    };
    Ok(match variant {
        Some(variant) => Decision::new(index, Some(variant), Reason::TargetingMatch),
        None => Decision::failed(index, ErrorCode::General),
    })
}
