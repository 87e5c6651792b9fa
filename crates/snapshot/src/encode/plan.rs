//! One rollout plan: its ladder, and how it moves over time.

use alloc::string::ToString;

use super::writer::Writer;
use super::{EncodeError, limit};
use crate::layout::*;
use crate::{Advance, DraftFlag, DraftPlan, SHARE_TOTAL, limits};

impl Writer {
    pub(super) fn plan(&mut self, flag: &DraftFlag, plan: &DraftPlan) -> Result<u32, EncodeError> {
        let key = flag.key.as_str();
        let wrong = |what| EncodeError::Reference { flag: key.to_string(), what };
        limit("stages", key, plan.stages.len(), limits::MAX_STAGES)?;
        limit("data domains", key, plan.data_domains.len(), limits::MAX_DATA_DOMAINS)?;
        if usize::from(plan.baseline) >= flag.variants.len() {
            return Err(wrong("baseline variant"));
        }
        if usize::from(plan.candidate) >= flag.variants.len() {
            return Err(wrong("candidate variant"));
        }
        if plan.ceiling.is_some_and(|ceiling| usize::from(ceiling) >= plan.stages.len()) {
            return Err(wrong("ceiling stage"));
        }
        let stages = self.stages.len() as u32;
        let (mut treat, mut control) = (0, 0);
        for stage in &plan.stages {
            let name = self.name(key, &stage.name)?;
            let record = match &stage.who {
                Some(program) => StageRecord {
                    name,
                    who: self.program(key, program, None)?.into(),
                    treat: treat.into(),
                    control: control.into(),
                    probability: 0.into(),
                    ramp: 0.into(),
                },
                None => {
                    let probability =
                        enrolment_probability((treat, control), (stage.treat, stage.control)).ok_or_else(
                            || EncodeError::Shares { flag: key.to_string(), stage: stage.name.clone() },
                        )?;
                    (treat, control) = (stage.treat, stage.control);
                    StageRecord {
                        name,
                        who: NONE.into(),
                        treat: treat.into(),
                        control: control.into(),
                        probability: probability.into(),
                        ramp: seconds(key, stage.ramp)?.into(),
                    }
                }
            };
            self.stages.push(record);
        }
        let domains = self.domains.len() as u32;
        for domain in &plan.data_domains {
            let record = DomainRecord { name: self.name(key, domain)? };
            self.domains.push(record);
        }
        let (steps, pauses) = self.schedule(key, plan)?;
        if plan.window.is_some_and(|window| window.share > SHARE_TOTAL) {
            return Err(wrong("window"));
        }
        let record = PlanRecord {
            salt: plan.salt.into(),
            unit: self.attribute(key, &plan.unit)?.into(),
            domains: domains.into(),
            domain_count: (plan.data_domains.len() as u32).into(),
            stages: stages.into(),
            consent: self.name(key, plan.consent.as_deref().unwrap_or_default())?,
            baseline: plan.baseline.into(),
            candidate: plan.candidate.into(),
            stage_count: plan.stages.len() as u8,
            ceiling: plan.ceiling.unwrap_or(NONE8),
            scheduled: u8::from(plan.advance == Advance::Schedule),
            paused: u8::from(plan.intake_paused),
            consent_attribute: match plan.consent {
                Some(_) => self.attribute(key, "consent")?.into(),
                None => NONE.into(),
            },
            domain_attribute: match plan.data_domains.is_empty() {
                false => self.attribute(key, "dataDomain")?.into(),
                true => NONE.into(),
            },
            not_before: plan.not_before.unwrap_or_default().into(),
            until: plan.until.unwrap_or(NEVER).into(),
            steps: steps.into(),
            pauses: pauses.into(),
            step_count: (plan.schedule.len() as u16).into(),
            pause_count: (plan.pauses.len() as u16).into(),
            window_seconds: seconds(key, plan.window.map_or(0, |window| window.seconds))?.into(),
            window_share: plan.window.map_or(0, |window| window.share).into(),
        };
        let index = self.plans.len() as u32;
        self.plans.push(record);
        Ok(index)
    }

    /// The schedule and the pauses; where each begins in its table.
    fn schedule(&mut self, key: &str, plan: &DraftPlan) -> Result<(u32, u32), EncodeError> {
        let wrong = |what| EncodeError::Reference { flag: key.to_string(), what };
        limit("steps of the schedule", key, plan.schedule.len(), limits::MAX_SCHEDULE)?;
        limit("pauses", key, plan.pauses.len(), limits::MAX_SCHEDULE)?;
        let (steps, pauses) = (self.steps.len() as u32, self.pauses.len() as u32);
        let ordered = plan.schedule.is_sorted_by(|a, b| a.at < b.at && a.stage <= b.stage);
        if !ordered || plan.schedule.iter().any(|step| usize::from(step.stage) >= plan.stages.len()) {
            return Err(wrong("step of the schedule"));
        }
        let apart = plan.pauses.is_sorted_by(|a, b| a.1 <= b.0);
        if !apart || plan.pauses.iter().any(|(from, to)| from >= to) {
            return Err(wrong("pause"));
        }
        self.steps.extend(plan.schedule.iter().map(|step| StepRecord {
            at: step.at.into(),
            stage: step.stage,
            reserved: [0; 3],
        }));
        let record = |&(from, to): &(u64, u64)| PauseRecord { from: from.into(), to: to.into() };
        self.pauses.extend(plan.pauses.iter().map(record));
        Ok((steps, pauses))
    }
}

/// A number of seconds within the limit.
fn seconds(flag: &str, seconds: u64) -> Result<u32, EncodeError> {
    let limit = limits::MAX_RAMP_SECONDS;
    super::limit("seconds", flag, seconds.min(limit + 1) as usize, limit as usize)?;
    Ok(seconds as u32)
}

/// The probability of treatment among the units that a share stage enrols, none when the shares do not
/// continue the stage before: treatment grows, control grows until treatment passes one half, and the two
/// never meet.
fn enrolment_probability(before: (u32, u32), now: (u32, u32)) -> Option<u32> {
    let half = SHARE_TOTAL / 2;
    let (treat, control) = now;
    let fits = treat >= before.0 && treat <= SHARE_TOTAL && control <= half && control <= SHARE_TOTAL - treat;
    let lowered = control < before.1;
    if !fits || (lowered && treat <= half) {
        return None;
    }
    let grown = (u64::from(treat - before.0), u64::from(control.saturating_sub(before.1)));
    // Where control is given up, or treatment grows out of control's half, there is no fair comparison.
    if lowered || treat > half || grown.0 + grown.1 == 0 {
        return Some(0);
    }
    Some((grown.0 * u64::from(SHARE_TOTAL) / (grown.0 + grown.1)) as u32)
}
