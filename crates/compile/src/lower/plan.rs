//! A rollout plan to the ladder that the engine climbs.

use flagstone_snapshot::{Advance, DraftPlan, DraftStage, DraftStep, DraftWindow, Op, Program, bucket_salt};

use crate::diagnostic::Diagnostics;
use crate::lower::rule::{Rule, Step};
use crate::lower::scope::Scope;
use crate::model::{self, Admission, Flag, Intake, Rollout, Who};

/// Lowers a plan; none when one of its conditions cannot be used.
pub(super) fn lower(
    flag: &Flag,
    rollout: &Rollout,
    scope: &Scope<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<DraftPlan> {
    let mut stages = Vec::with_capacity(rollout.stages.len());
    for stage in &rollout.stages {
        let name = stage.name.value.clone();
        stages.push(match &stage.admission {
            Admission::Share { treat, control } => {
                DraftStage { name, who: None, treat: *treat, control: *control, ramp: stage.ramp }
            }
            Admission::AllowList { who } => {
                let program = any_of(who, scope, diagnostics)?;
                DraftStage { name, who: Some(program), treat: 0, control: 0, ramp: 0 }
            }
        });
    }
    Some(DraftPlan {
        baseline: flag.variant(&rollout.baseline)?,
        candidate: flag.variant(&rollout.candidate)?,
        unit: rollout.unit.clone(),
        consent: rollout.consent.clone(),
        data_domains: rollout.data_domains.iter().map(|domain| domain.value.clone()).collect(),
        salt: bucket_salt("rollout", &flag.key),
        ceiling: rollout.ceiling,
        stages,
        advance: match rollout.advance {
            model::Advance::Pulse => Advance::Pulse,
            model::Advance::Schedule => Advance::Schedule,
        },
        not_before: rollout.not_before,
        until: rollout.until,
        schedule: rollout
            .schedule
            .iter()
            .map(|step| Some(DraftStep { at: step.at, stage: rollout.stage(&step.stage)? }))
            .collect::<Option<_>>()?,
        pauses: rollout.pauses.iter().map(|pause| (pause.from, pause.to)).collect(),
        window: rollout
            .watch
            .and_then(|watch| Some(DraftWindow { seconds: watch.seconds, share: watch.share? })),
        intake_paused: rollout.intake == Intake::Paused,
    })
}

/// A program that is true for whoever is in one of these.
fn any_of(who: &[Who], scope: &Scope<'_>, diagnostics: &mut Diagnostics) -> Option<Program> {
    Rule::new(scope, diagnostics).program(|rule| {
        let mut ends = Vec::new();
        for (index, entry) in who.iter().enumerate() {
            member(rule, entry)?;
            if index + 1 < who.len() {
                ends.push(rule.jump(Op::OrJump)?);
            }
        }
        for end in ends {
            rule.land(end);
        }
        Ok(())
    })
}

/// A name is a segment's, or else a shared rule's.
fn member(rule: &mut Rule<'_>, who: &Who) -> Step {
    match who {
        Who::Rule(node) => rule.expression(node),
        Who::Named(name) if rule.set.segment(name).is_some() => rule.segment(name, name.span),
        Who::Named(name) => rule.reference(name, name.span),
    }
}
