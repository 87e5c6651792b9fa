//! The rollout plan of a flag.

use super::{Snapshot, run, some};
use crate::layout::*;

/// The rollout plan of a flag.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    snapshot: &'a Snapshot<'a>,
    record: &'a PlanRecord,
}

/// One stage of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'a> {
    /// Its name.
    pub name: &'a str,
    /// Program of an allow-list stage, none for a share stage.
    pub who: Option<u32>,
    /// Candidate's share, in parts of [`crate::SHARE_TOTAL`].
    pub treat: u32,
    /// Control's share, in parts of [`crate::SHARE_TOTAL`].
    pub control: u32,
    /// Probability of treatment among the units this stage enrols; 0 where there is no comparison.
    pub probability: u32,
    /// Seconds over which its shares grow, 0 for at once.
    pub ramp: u32,
}

impl<'a> Plan<'a> {
    pub(super) fn new(snapshot: &'a Snapshot<'a>, index: u32) -> Option<Plan<'a>> {
        snapshot.plans.get(index as usize).map(|record| Plan { snapshot, record })
    }

    /// Salt of its bucketing.
    #[must_use]
    pub fn salt(&self) -> u64 {
        self.record.salt.get()
    }

    /// Attribute (position) that identifies the unit.
    #[must_use]
    pub fn unit(&self) -> u32 {
        self.record.unit.get()
    }

    /// Baseline variant.
    #[must_use]
    pub fn baseline(&self) -> u16 {
        self.record.baseline.get()
    }

    /// Candidate variant.
    #[must_use]
    pub fn candidate(&self) -> u16 {
        self.record.candidate.get()
    }

    /// The purpose that consent must grant, with the attribute (position) that grants it.
    #[must_use]
    pub fn consent(&self) -> Option<(&'a str, u32)> {
        let attribute = some(self.record.consent_attribute.get())?;
        Some((self.snapshot.text(self.record.consent), attribute))
    }

    /// The attribute (position) that names the data domain, none when any domain will do.
    #[must_use]
    pub fn domain_attribute(&self) -> Option<u32> {
        if self.record.domain_count.get() == 0 { None } else { some(self.record.domain_attribute.get()) }
    }

    /// The data domains it is open to.
    pub fn domains(self) -> impl Iterator<Item = &'a str> {
        let start = self.record.domains.get() as usize;
        let records = self.snapshot.domains.get(start..start + self.record.domain_count.get() as usize);
        records.unwrap_or_default().iter().map(move |record| self.snapshot.text(record.name))
    }

    /// The highest stage that people approved; none keeps the plan closed.
    #[must_use]
    pub fn ceiling(&self) -> Option<u8> {
        if self.record.ceiling == NONE8 { None } else { Some(self.record.ceiling) }
    }

    /// How many stages.
    #[must_use]
    pub fn stage_count(&self) -> u8 {
        self.record.stage_count
    }

    /// A stage, lowest first.
    #[must_use]
    pub fn stage(&self, index: u8) -> Option<Stage<'a>> {
        if index >= self.stage_count() {
            return None;
        }
        let record = self.snapshot.stages.get(self.record.stages.get() as usize + usize::from(index))?;
        Some(Stage {
            name: self.snapshot.text(record.name),
            who: some(record.who.get()),
            treat: record.treat.get(),
            control: record.control.get(),
            probability: record.probability.get(),
            ramp: record.ramp.get(),
        })
    }

    /// Whether the schedule alone opens stages, without a pulse.
    #[must_use]
    pub fn scheduled(&self) -> bool {
        self.record.scheduled != 0
    }

    /// Whether shares admit nobody new.
    #[must_use]
    pub fn intake_paused(&self) -> bool {
        self.record.paused != 0
    }

    /// The plan is closed before, unix seconds.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.record.not_before.get()
    }

    /// The plan has ended from then on, unix seconds; [`NEVER`] for no such time.
    #[must_use]
    pub fn until(&self) -> u64 {
        self.record.until.get()
    }

    /// The steps of its schedule, in order of time.
    #[must_use]
    pub fn steps(&self) -> &'a [StepRecord] {
        run(self.snapshot.steps, self.record.steps.get(), u32::from(self.record.step_count.get()))
    }

    /// The spans of time in which nothing widens, in order.
    #[must_use]
    pub fn pauses(&self) -> &'a [PauseRecord] {
        run(self.snapshot.pauses, self.record.pauses.get(), u32::from(self.record.pause_count.get()))
    }

    /// The restricted window of each stage: its seconds, and the most that treatment grows in it.
    #[must_use]
    pub fn window(&self) -> (u32, u32) {
        (self.record.window_seconds.get(), self.record.window_share.get())
    }
}
