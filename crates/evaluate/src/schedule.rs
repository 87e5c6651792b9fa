//! How a plan moves over time: which stage is open, since when, and how far its shares have grown.
//!
//! Everything is a function of the plan, what the pulse says, and `now`: schedule, pauses, ramps and windows are data of
//! the snapshot. While the same pulse holds, nothing ever shrinks.

use flagstone_snapshot::layout::{PauseRecord, StepRecord};
use flagstone_snapshot::{Plan, Stage};

/// An open stage and since when it is open (unix seconds, 0: long ago).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) stage: u8,
    pub(crate) since: u64,
}

/// Shares of treatment and control, in parts of `SHARE_TOTAL`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shares {
    pub(crate) treat: u32,
    pub(crate) control: u32,
}

/// The stage of `plan` that is open at `now`, none while it is closed. `pulse` is what the pulse opened, clamped to the
/// ceiling.
pub(crate) fn open(plan: &Plan<'_>, pulse: Option<Open>, now: u64) -> Option<Open> {
    let ceiling = plan.ceiling()?;
    if now < plan.not_before() {
        return None;
    }
    let (steps, pauses) = (plan.steps(), plan.pauses());
    if steps.is_empty() {
        return if plan.scheduled() { None } else { pulse };
    }
    let come = |step: &&StepRecord| comes(step, pauses) <= now;
    let scheduled = steps.iter().take_while(come).last()?.stage.min(ceiling);
    // Since the first step that opened this stage or one above it.
    let since = |stage: u8| {
        let first = steps.iter().find(|step| step.stage.min(ceiling) >= stage);
        first.map_or(0, |step| comes(step, pauses))
    };
    if plan.scheduled() {
        return Some(Open { stage: scheduled, since: since(scheduled) });
    }
    let pulse = pulse?;
    Some(match pulse.stage.cmp(&scheduled) {
        core::cmp::Ordering::Less => pulse,
        core::cmp::Ordering::Equal => Open { stage: scheduled, since: pulse.since.max(since(scheduled)) },
        core::cmp::Ordering::Greater => Open { stage: scheduled, since: since(scheduled) },
    })
}

/// When a step comes: at its time, or at the end of the pause that its time falls in.
fn comes(step: &StepRecord, pauses: &[PauseRecord]) -> u64 {
    let at = step.at.get();
    let after = pauses.partition_point(|pause| pause.to.get() <= at);
    match pauses.get(after) {
        Some(pause) if pause.from.get() <= at => pause.to.get(),
        _ => at,
    }
}

/// Seconds from `since` to `now`, without the pauses between.
fn elapsed(pauses: &[PauseRecord], since: u64, now: u64) -> u64 {
    let paused: u64 = pauses
        .iter()
        .map(|pause| pause.to.get().min(now).saturating_sub(pause.from.get().max(since)))
        .fold(0, u64::saturating_add);
    now.saturating_sub(since).saturating_sub(paused)
}

/// The share stage in force while `open` is open, with its position: itself, or the last share stage below it.
pub(crate) fn share_stage<'a>(plan: &Plan<'a>, open: u8) -> Option<(u8, Stage<'a>)> {
    (0..=open).rev().find_map(|index| Some((index, plan.stage(index).filter(|stage| stage.who.is_none())?)))
}

/// The shares in force at `now`.
pub(crate) fn shares(plan: &Plan<'_>, open: Open, now: u64) -> Option<Shares> {
    let (index, stage) = share_stage(plan, open.stage)?;
    let whole = Shares { treat: stage.treat, control: stage.control };
    let (window, cap) = plan.window();
    if index != open.stage || (stage.ramp == 0 && window == 0) {
        return Some(whole); // a stage below the open one has grown up
    }
    let below = index.checked_sub(1).and_then(|below| share_stage(plan, below));
    let below = below.map_or(Shares { treat: 0, control: 0 }, |(_, stage)| Shares {
        treat: stage.treat,
        control: stage.control,
    });
    let gone = elapsed(plan.pauses(), open.since, now);
    let ramped = |growth: u32| match u64::from(stage.ramp) {
        ramp if gone < ramp => (u64::from(growth) * gone / ramp) as u32,
        _ => growth,
    };
    let full = stage.treat.saturating_sub(below.treat);
    let mut grown = ramped(full);
    if gone < u64::from(window) {
        grown = grown.min(cap);
    }
    let more = stage.control.saturating_sub(below.control);
    let control_grown = match full {
        0 => ramped(more),
        full => (u64::from(more) * u64::from(grown) / u64::from(full)) as u32,
    };
    let control = if more == 0 { stage.control } else { below.control + control_grown };
    Some(Shares { treat: below.treat + grown, control })
}
