//! Who gets the candidate: the open stage's allow-lists and shares, the control arm, the enrolment cohort.
//!
//! A unit has one position in `0..SHARE_TOTAL` for a plan. With candidate share `c` and control share `k`:
//! treatment is `[0, min(c, ½))` and, once `c` passes one half, also `[1 - (c - ½), 1)` from the top;
//! control is `[½, ½ + k)`. So a step up only adds treated units, a step down gives back the last to come,
//! and nobody goes from treatment to control. The cohort is the lowest stage that holds the unit.

use flagstone_snapshot::{Plan, SHARE_TOTAL};

use crate::decision::{Arm, Detail};
use crate::item::Item;
use crate::machine::Machine;
use crate::schedule::{Open, Shares, share_stage, shares};
use crate::state::{Fault, Scene};
use crate::trace::Trace;

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

/// The arm of a position under these shares.
fn arm(position: u32, shares: Shares) -> Arm {
    let from_top = SHARE_TOTAL - shares.treat.saturating_sub(HALF);
    if position < shares.treat.min(HALF) || position >= from_top {
        Arm::Treatment
    } else if position >= HALF && position - HALF < shares.control {
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
            Item::Text(named) => plan.domains().any(|domain| domain.as_bytes() == named),
            _ => false,
        };
        if !named {
            return Some(Detail::DataDomain);
        }
    }
    None
}

/// Whether a `consent` attribute grants a purpose: a list with it, an object with `true` for it, or itself.
fn grants(consent: Item<'_>, purpose: &str) -> bool {
    let purpose = purpose.as_bytes();
    match consent {
        Item::Text(text) => text == purpose,
        Item::List(list) => (0..list.len()).any(|index| {
            let element = list.bytes_at(index).map(Item::read);
            matches!(element, Some(Item::Text(text)) if text == purpose)
        }),
        Item::Object(object) => {
            matches!(object.bytes_of(purpose).map(Item::read), Some(Item::Bool(true)))
        }
        _ => false,
    }
}

/// The allow-list at or below the open stage that a unit is on, none when it is on none.
pub(crate) fn listed<'a, T: Trace>(
    machine: &mut Machine<'a, T>,
    plan: &Plan<'a>,
    open: Open,
) -> Result<Option<Place>, Fault> {
    for index in 0..=open.stage {
        let Some(who) = plan.stage(index).and_then(|stage| stage.who) else { continue };
        let rule = machine.state.scene.snapshot.rule(who).ok_or(Fault::Internal)?;
        if machine.holds(rule)? {
            return Ok(Some(Place { arm: Arm::Treatment, cohort: index, probability: 0, listed: true }));
        }
    }
    Ok(None)
}

/// Where a position stands by the shares that are open at `now`; none when it stands nowhere.
pub(crate) fn shared(plan: &Plan<'_>, open: Open, now: u64, position: u32) -> Option<Place> {
    let arm_now = arm(position, shares(plan, open, now)?);
    if arm_now == Arm::None {
        return None;
    }
    let control_now = share_stage(plan, open.stage).map_or(0, |(_, stage)| stage.control);
    // The lowest stage that held the unit, and whether its arms are still what they were.
    (0..=open.stage).find_map(|index| {
        let stage = plan.stage(index).filter(|stage| stage.who.is_none())?;
        let then = arm(position, Shares { treat: stage.treat, control: stage.control });
        if then == Arm::None {
            return None;
        }
        let intact = then == arm_now && stage.control <= control_now;
        let probability = if intact && stage.probability < SHARE_TOTAL { stage.probability } else { 0 };
        Some(Place { arm: arm_now, cohort: index, probability, listed: false })
    })
}
