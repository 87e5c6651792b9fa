//! Rollout plans: ladders that grow, times in order.

use super::{Checker, LoadError, cap, optional, slice};
use crate::layout::*;
use crate::{SHARE_TOTAL, limits};

impl Checker<'_> {
    pub(super) fn stage(&self, index: u32, record: &StageRecord) -> Result<(), LoadError> {
        self.name("stage", index, record.name)?;
        optional(record.who.get(), self.snapshot.programs.len(), "stage", index)?;
        let (treat, control) = (record.treat.get(), record.control.get());
        let fits = treat <= SHARE_TOTAL
            && control <= SHARE_TOTAL / 2
            && control <= SHARE_TOTAL - treat
            && record.probability.get() <= SHARE_TOTAL
            && u64::from(record.ramp.get()) <= limits::MAX_RAMP_SECONDS;
        if fits { Ok(()) } else { Err(LoadError::range("stage", index)) }
    }

    pub(super) fn plan(&self, index: u32, record: &PlanRecord) -> Result<(), LoadError> {
        let missing = LoadError::reference("plan", index);
        let count = usize::from(record.stage_count);
        cap("stages", count, limits::MAX_STAGES)?;
        cap("data domains", record.domain_count.get() as usize, limits::MAX_DATA_DOMAINS)?;
        let stages =
            slice(self.snapshot.stages, record.stages.get(), u32::from(record.stage_count)).ok_or(missing)?;
        let grows = stages
            .windows(2)
            .all(|pair| matches!(pair, [before, after] if before.treat.get() <= after.treat.get()));
        if !grows || (record.ceiling != NONE8 && usize::from(record.ceiling) >= count) {
            return Err(LoadError::range("plan", index));
        }
        let steps = slice(self.snapshot.steps, record.steps.get(), u32::from(record.step_count.get()));
        let pauses = slice(self.snapshot.pauses, record.pauses.get(), u32::from(record.pause_count.get()));
        let (steps, pauses) = steps.zip(pauses).ok_or(missing)?;
        cap("steps of a schedule", steps.len().max(pauses.len()), limits::MAX_SCHEDULE)?;
        let ordered = steps.is_sorted_by(|a, b| a.at.get() < b.at.get() && a.stage <= b.stage)
            && pauses.is_sorted_by(|a, b| a.to.get() <= b.from.get());
        let within = steps.last().is_none_or(|last| usize::from(last.stage) < count)
            && u64::from(record.window_seconds.get()) <= limits::MAX_RAMP_SECONDS
            && record.window_share.get() <= SHARE_TOTAL
            && record.scheduled <= 1
            && record.paused <= 1;
        if !ordered || !within {
            return Err(LoadError::range("plan", index));
        }
        slice(self.snapshot.domains, record.domains.get(), record.domain_count.get()).ok_or(missing)?;
        if record.unit.get() as usize >= self.snapshot.attributes.len() {
            return Err(missing);
        }
        self.name("plan", index, record.consent)?;
        let needs = [
            (record.consent_attribute.get(), record.consent.length.get() > 0),
            (record.domain_attribute.get(), record.domain_count.get() > 0),
        ];
        for (attribute, needed) in needs {
            optional(attribute, self.snapshot.attributes.len(), "plan", index)?;
            if needed && attribute == NONE {
                return Err(missing);
            }
        }
        Ok(())
    }

    pub(super) fn step(&self, index: u32, record: &StepRecord) -> Result<(), LoadError> {
        if record.reserved == [0; 3] { Ok(()) } else { Err(LoadError::range("step", index)) }
    }

    pub(super) fn pause(&self, index: u32, record: &PauseRecord) -> Result<(), LoadError> {
        if record.from.get() < record.to.get() { Ok(()) } else { Err(LoadError::range("pause", index)) }
    }
}
