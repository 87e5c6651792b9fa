//! The stage machine: from what the judge says to where the attempt stands next. Pure and idempotent.
//!
//! ```text
//! closed --start--> open <--> held, awaiting-approval        every one of the three: evidence of harm --> halted
//!                   open --one stage up, beneath the ceiling--> open … --> complete --evidence of harm--> halted
//! ```
//! A ceiling that was lowered takes the stage down with it at once. Halted stays halted for the whole attempt. A
//! person's halt is kept apart from this machine: it freezes it where it is.

use flagstone_judge::{Action, Judgement};

use crate::attempts::{Phase, Standing};
use crate::plan::PlanStage;

/// The rule named when a stage needs something that nothing here can see.
pub(crate) const UNSEEN: &str = "6-unseen";
/// The rule named when reporters sampled the units of one cohort differently.
pub(crate) const MIXED: &str = "6-mixed-sampling";
/// The rule named when the signed ceiling fell below the open stage.
pub(crate) const CEILING: &str = "9-ceiling-lowered";

/// The standing with the stage beneath the ceiling. The bake time starts anew for a lower stage.
pub(crate) fn beneath(standing: &Standing, ceiling: Option<u8>, now_ms: u64) -> Standing {
    let active = !matches!(standing.phase, Phase::Closed | Phase::Halted);
    match (standing.stage, ceiling) {
        (Some(stage), Some(ceiling)) if active && stage > ceiling => Standing {
            phase: Phase::Open,
            stage: Some(ceiling),
            since_ms: now_ms,
            rule: Some(CEILING.to_owned()),
            reasons: vec![format!("the signed ceiling fell from above stage {stage} to stage {ceiling}")],
        },
        (Some(_), None) if active => Standing {
            phase: Phase::Closed,
            stage: None,
            since_ms: now_ms,
            rule: Some(CEILING.to_owned()),
            reasons: vec!["the newest snapshot approves no stage".to_owned()],
        },
        _ => standing.clone(),
    }
}

/// Where the attempt stands after a judgement.
pub(crate) fn next(
    standing: &Standing,
    judgement: &Judgement,
    stages: &[PlanStage],
    ceiling: Option<u8>,
    now_ms: u64,
) -> Standing {
    let said = |phase: Phase, stage: Option<u8>, since_ms: u64| Standing {
        phase,
        stage,
        since_ms,
        rule: Some(judgement.rule.to_owned()),
        reasons: judgement.reasons.clone(),
    };
    let stay = |phase: Phase| said(phase, standing.stage, standing.since_ms);
    match (standing.phase, judgement.action) {
        (Phase::Closed | Phase::Halted, _) => standing.clone(),
        (_, Action::RollBack) => said(Phase::Halted, standing.stage, now_ms),
        (Phase::Complete, _) => standing.clone(),
        (_, Action::Wait) => stay(Phase::Open),
        (_, Action::Hold) => stay(Phase::Held),
        (_, Action::AwaitApproval) => stay(Phase::AwaitingApproval),
        (_, Action::Advance { .. } | Action::Complete) if !unseen(standing, stages).is_empty() => Standing {
            rule: Some(UNSEEN.to_owned()),
            reasons: unseen(standing, stages).iter().map(|need| format!("not seen: {need}")).collect(),
            ..stay(Phase::Held)
        },
        (_, Action::Advance { to }) => {
            let one_up = standing.stage.and_then(|stage| stage.checked_add(1)) == Some(to);
            if one_up && ceiling.is_some_and(|ceiling| to <= ceiling) {
                said(Phase::Open, Some(to), now_ms)
            } else {
                stay(Phase::AwaitingApproval)
            }
        }
        (_, Action::Complete) => stay(Phase::Complete),
    }
}

/// The same, but for cohorts whose units were not sampled alike: nothing is promoted on them. Harm still takes it back, for
/// that is the safe side.
pub(crate) fn unmixed(before: &Standing, next: Standing, judgement: &Judgement, mixed: &[u8]) -> Standing {
    let promotes = matches!(judgement.action, Action::Advance { .. } | Action::Complete);
    let running = matches!(before.phase, Phase::Open | Phase::Held | Phase::AwaitingApproval);
    if mixed.is_empty() || !promotes || !running {
        return next;
    }
    let why = |cohort: &u8| format!("reporters kept units of cohort {cohort} with different probabilities");
    Standing {
        phase: Phase::Held,
        stage: before.stage,
        since_ms: before.since_ms,
        rule: Some(MIXED.to_owned()),
        reasons: mixed.iter().map(why).collect(),
    }
}

fn unseen<'a>(standing: &Standing, stages: &'a [PlanStage]) -> &'a [String] {
    let stage = standing.stage.and_then(|stage| stages.get(usize::from(stage)));
    stage.map_or(&[], |stage| stage.unseen.as_slice())
}

/// Whether two standings differ in what anybody would act on: words that only restate the time do not count.
pub(crate) fn differs(old: &Standing, new: &Standing) -> bool {
    old.phase != new.phase || old.stage != new.stage
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(phase: Phase, stage: Option<u8>) -> Standing {
        Standing { phase, stage, since_ms: 5, rule: None, reasons: Vec::new() }
    }

    fn judgement(action: Action) -> Judgement {
        Judgement {
            action,
            rule: "10-advance",
            reasons: vec!["because".to_owned()],
            requirements: Vec::new(),
            metrics: Vec::new(),
            sample_ratio_log_e: 0.0,
            sample_ratio_log_threshold: 1.0,
            attempt_alpha: 0.03,
            slices: Vec::new(),
            fairness: Vec::new(),
            sample_ratio_slices: Vec::new(),
            drift: Vec::new(),
        }
    }

    fn stages(unseen: &[&str]) -> Vec<PlanStage> {
        let stage = |name: &str, unseen: &[&str]| PlanStage {
            name: name.to_owned(),
            treat: 1,
            control: 1,
            allow_list: false,
            compared: true,
            bake: 0,
            approve: Vec::new(),
            unseen: unseen.iter().map(|need| (*need).to_owned()).collect(),
        };
        vec![stage("1%", unseen), stage("5%", &[]), stage("25%", &[])]
    }

    fn after(
        phase: Phase,
        stage: Option<u8>,
        action: Action,
        ceiling: Option<u8>,
    ) -> (Phase, Option<u8>, u64) {
        let new = next(&standing(phase, stage), &judgement(action), &stages(&[]), ceiling, 9);
        (new.phase, new.stage, new.since_ms)
    }

    #[test]
    fn one_stage_up_and_never_above_the_ceiling() {
        use Phase::*;
        assert_eq!(after(Open, Some(0), Action::Advance { to: 1 }, Some(2)), (Open, Some(1), 9));
        assert_eq!(after(Held, Some(0), Action::Advance { to: 1 }, Some(1)), (Open, Some(1), 9));
        assert_eq!(after(Open, Some(0), Action::Advance { to: 2 }, Some(2)), (AwaitingApproval, Some(0), 5));
        assert_eq!(after(Open, Some(1), Action::Advance { to: 2 }, Some(1)), (AwaitingApproval, Some(1), 5));
        assert_eq!(after(Open, Some(1), Action::Advance { to: 2 }, None), (AwaitingApproval, Some(1), 5));
    }

    #[test]
    fn closed_and_halted_do_not_move_by_themselves() {
        for action in [Action::RollBack, Action::Advance { to: 1 }, Action::Complete, Action::Wait] {
            assert_eq!(after(Phase::Closed, None, action, Some(2)), (Phase::Closed, None, 5));
            assert_eq!(after(Phase::Halted, Some(1), action, Some(2)), (Phase::Halted, Some(1), 5));
        }
    }

    #[test]
    fn harm_halts_from_every_running_phase() {
        for phase in [Phase::Open, Phase::Held, Phase::AwaitingApproval, Phase::Complete] {
            assert_eq!(after(phase, Some(2), Action::RollBack, Some(2)), (Phase::Halted, Some(2), 9));
        }
        assert_eq!(after(Phase::Complete, Some(2), Action::Hold, Some(2)), (Phase::Complete, Some(2), 5));
    }

    #[test]
    fn a_need_that_nothing_can_see_holds() {
        let needs = stages(&["suite `red-team@7` passed"]);
        let new =
            next(&standing(Phase::Open, Some(0)), &judgement(Action::Advance { to: 1 }), &needs, Some(2), 9);
        assert_eq!((new.phase, new.stage, new.rule.as_deref()), (Phase::Held, Some(0), Some(UNSEEN)));
        assert_eq!(new.reasons, vec!["not seen: suite `red-team@7` passed"]);
    }

    #[test]
    fn unequal_sampling_holds_a_promotion_and_no_rollback() {
        let before = standing(Phase::Open, Some(0));
        let moved = |action, mixed: &[u8]| {
            let judgement = judgement(action);
            let new = next(&before, &judgement, &stages(&[]), Some(2), 9);
            unmixed(&before, new, &judgement, mixed)
        };
        assert_eq!(moved(Action::Advance { to: 1 }, &[]).stage, Some(1));
        let held = moved(Action::Advance { to: 1 }, &[0]);
        assert_eq!((held.phase, held.stage, held.rule.as_deref()), (Phase::Held, Some(0), Some(MIXED)));
        assert_eq!(moved(Action::Complete, &[0]).phase, Phase::Held);
        assert_eq!(moved(Action::RollBack, &[0]).phase, Phase::Halted);
        assert_eq!(moved(Action::Wait, &[0]).phase, Phase::Open);
    }

    #[test]
    fn a_lowered_ceiling_takes_the_stage_down() {
        let down = beneath(&standing(Phase::Complete, Some(2)), Some(1), 9);
        assert_eq!((down.phase, down.stage, down.since_ms), (Phase::Open, Some(1), 9));
        let shut = beneath(&standing(Phase::Open, Some(0)), None, 9);
        assert_eq!((shut.phase, shut.stage), (Phase::Closed, None));
        let same = standing(Phase::Open, Some(1));
        assert_eq!(beneath(&same, Some(1), 9), same);
        let halted = standing(Phase::Halted, Some(2));
        assert_eq!(beneath(&halted, Some(0), 9), halted);
    }
}
