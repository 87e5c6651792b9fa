//! Who gets the candidate: the open stage's allow-lists and shares, the control arm, the enrolment cohort.
//!
//! A unit has one position in `0..SHARE_TOTAL` for a plan. With candidate share `c` and control share `k`:
//! treatment is `[0, min(c, ½))` and, once `c` passes one half, also `[1 - (c - ½), 1)` from the top;
//! control is `[½, ½ + k)`. So a step up only adds treated units, a step down gives back the last to come,
//! and nobody goes from treatment to control. The cohort is the lowest stage that holds the unit.

use flagstone_snapshot::{Plan, SHARE_TOTAL, Stage, Value, murmur3_x64_128, position};

use crate::decision::{Arm, Detail};
use crate::machine::{Fault, Machine, Scene};

/// A unit's place in a plan at an open stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) arm: Arm,
    pub(crate) cohort: u8,
    pub(crate) probability: u32,
    /// Whether an allow-list put it there.
    pub(crate) listed: bool,
}

const HALF: u32 = SHARE_TOTAL / 2;

/// The arm of a position at one share stage.
fn arm(position: u32, stage: &Stage<'_>) -> Arm {
    let from_top = SHARE_TOTAL - stage.treat.saturating_sub(HALF);
    if position < stage.treat.min(HALF) || position >= from_top {
        Arm::Treatment
    } else if position >= HALF && position - HALF < stage.control {
        Arm::Control
    } else {
        Arm::None
    }
}

/// What keeps a context out of a plan before anything is hashed.
pub(crate) fn refusal(scene: &Scene<'_>, plan: &Plan<'_>) -> Option<Detail> {
    if let Some((purpose, attribute)) = plan.consent()
        && !grants(scene.context.attribute(attribute), purpose)
    {
        return Some(Detail::Consent);
    }
    if let Some(attribute) = plan.domain_attribute() {
        let named = match scene.context.attribute(attribute) {
            Value::Text(named) => plan.domains().any(|domain| domain == named),
            _ => false,
        };
        if !named {
            return Some(Detail::DataDomain);
        }
    }
    None
}

/// Whether a `consent` attribute grants a purpose: a list with it, an object with `true` for it, or itself.
fn grants(consent: Value<'_>, purpose: &str) -> bool {
    match consent {
        Value::Text(text) => text == purpose,
        Value::List(list) => list.iter().any(|element| element == Value::Text(purpose)),
        Value::Object(object) => object.get(purpose) == Some(Value::Bool(true)),
        _ => false,
    }
}

/// The position of the context's unit, none when it has no usable key: the plan is closed to it.
pub(crate) fn unit_position(scene: &Scene<'_>, plan: &Plan<'_>) -> Option<u32> {
    let unit = match scene.context.attribute(plan.unit()) {
        Value::Text("") => return None,
        Value::Text(key) => murmur3_x64_128(key.as_bytes(), 0),
        Value::Integer(number) => {
            let mut written = alloc::string::String::new();
            flagstone_snapshot::json_text::write_number(number as f64, &mut written);
            if number.unsigned_abs() >> 53 != 0 {
                written = alloc::format!("{number}");
            }
            murmur3_x64_128(written.as_bytes(), 0)
        }
        _ => return None,
    };
    Some(position(unit, plan.salt()))
}

/// Where a unit stands while stage `open` is open; none when it stands nowhere.
pub(crate) fn place<'a>(
    machine: &mut Machine<'a>,
    plan: &Plan<'a>,
    open: u8,
    position: u32,
) -> Result<Option<Place>, Fault> {
    // Allow-lists first: whoever is on one is treated and is not evidence.
    for index in 0..=open {
        let Some(who) = plan.stage(index).and_then(|stage| stage.who) else { continue };
        let rule = machine.scene.snapshot.rule(who).ok_or(Fault::Internal)?;
        let answer = machine.run(rule)?;
        if machine.built.truthy(answer) {
            return Ok(Some(Place { arm: Arm::Treatment, cohort: index, probability: 0, listed: true }));
        }
    }
    let Some(arm_now) = share_stage(plan, open).map(|stage| arm(position, &stage)) else { return Ok(None) };
    if arm_now == Arm::None {
        return Ok(None);
    }
    // The lowest stage that held the unit, and whether its arms are still what they were.
    let mut control_now = 0;
    if let Some(stage) = share_stage(plan, open) {
        control_now = stage.control;
    }
    for index in 0..=open {
        let Some(stage) = plan.stage(index).filter(|stage| stage.who.is_none()) else { continue };
        let arm_then = arm(position, &stage);
        if arm_then == Arm::None {
            continue;
        }
        let intact = arm_then == arm_now && stage.control <= control_now;
        let probability = if intact && stage.probability < SHARE_TOTAL { stage.probability } else { 0 };
        return Ok(Some(Place { arm: arm_now, cohort: index, probability, listed: false }));
    }
    Ok(None)
}

/// The share stage in force while `open` is open: itself, or the last share stage below it.
fn share_stage<'a>(plan: &Plan<'a>, open: u8) -> Option<Stage<'a>> {
    (0..=open).rev().filter_map(|index| plan.stage(index)).find(|stage| stage.who.is_none())
}
