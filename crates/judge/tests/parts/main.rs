//! Parts of the population: slices, fairness, where a sample-ratio mismatch comes from; other streams; and the laws of
//! choosing among many tests.

mod fair;
mod laws;
mod ratio;
mod slices;
mod streams;

use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{
    Action, CohortCounts, Evidence, ExposedUnits, GuardrailRule, Judgement, MetricEvidence, PlanRules, Role,
    RolloutState, Slice, SliceEvidence, SliceRole, SliceRule, StageRule, judge,
};

const NOW: u64 = 1_800_007_200;
const HALF: u32 = SHARE_TOTAL / 2;

/// Bad and measured units, treated then control, in one cohort of probability one half.
fn cohort(treated: (u64, u64), control: (u64, u64)) -> CohortCounts {
    CohortCounts {
        cohort: 1,
        probability: HALF,
        treated_bad: treated.0,
        control_bad: control.0,
        treated_units: treated.1,
        control_units: control.1,
    }
}

fn slice(value: &str, treated: (u64, u64), control: (u64, u64)) -> SliceEvidence {
    SliceEvidence {
        metric: "wrong".into(),
        slice: Slice::of("language", value),
        cohorts: vec![cohort(treated, control)],
        ..SliceEvidence::default()
    }
}

/// A metric whose total is harmless and shows less than 50 % worse, with these slices.
fn evidence(slices: Vec<SliceEvidence>) -> Evidence {
    let exposed = ExposedUnits { cohort: 1, probability: HALF, treated: 50_000, control: 50_000 };
    Evidence {
        metrics: vec![MetricEvidence {
            metric: "wrong".into(),
            cohorts: vec![cohort((1_000, 50_000), (1_000, 50_000))],
            last_outcome: Some(NOW - 5),
            ..MetricEvidence::default()
        }],
        sample_ratio: vec![exposed],
        last_exposure: Some(NOW - 5),
        slices,
        ..Evidence::default()
    }
}

fn rule(role: SliceRole, values: &[&str]) -> SliceRule {
    SliceRule {
        metric: "wrong".into(),
        by: "language".into(),
        role,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
        share: 0.5,
        ..SliceRule::default()
    }
}

/// One metric that leaves half of the error budget to its slices; two stages, half and everyone.
fn rules(slices: Vec<SliceRule>) -> PlanRules {
    let stage = |name: &str| StageRule {
        name: name.into(),
        bake: 3_600,
        min_units: 100,
        min_bad: 20,
        randomised: true,
        ..StageRule::default()
    };
    let guardrail = GuardrailRule {
        metric: "wrong".into(),
        role: Role::Deterioration,
        share: 0.5,
        not_worse_by: Some(0.5),
        ..GuardrailRule::default()
    };
    PlanRules {
        guardrails: vec![guardrail],
        stages: vec![stage("half"), stage("everyone")],
        ceiling: Some(1),
        slices,
        ..PlanRules::default()
    }
}

fn judged(rules: &PlanRules, evidence: &Evidence) -> Judgement {
    let state = RolloutState { stage: Some(0), stage_opened: NOW - 7_200, ..RolloutState::default() };
    judge(rules, &state, evidence, NOW)
}

#[track_caller]
fn expect(judgement: &Judgement, rule: &str, action: Action) {
    assert_eq!((judgement.rule, judgement.action), (rule, action), "{judgement:#?}");
}

fn unmet(judgement: &Judgement) -> Vec<String> {
    let lines = judgement.requirements.iter().filter(|line| !line.met);
    lines.map(|line| format!("{} (have {})", line.text, line.have)).collect()
}
