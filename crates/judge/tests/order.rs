//! The order of evaluation, rule by rule: what fires, and what must not keep it from firing.

use flagstone_judge::limits::{MULTI_EXPOSURE_UNITS, SAMPLE_RATIO_ALARM, SHARE_TOTAL};
use flagstone_judge::{
    Action, CohortCounts, Evidence, ExposedUnits, GuardrailRule, Judgement, Latched, MetricEvidence,
    MetricVerdict, PlanRules, Role, RolloutState, StageRule, judge, rule,
};

const OPENED: u64 = 1_800_000_000;
const NOW: u64 = OPENED + 7_200;
const HALF: u32 = SHARE_TOTAL / 2;

fn guardrail(metric: &str, role: Role, share: f64, not_worse_by: Option<f64>) -> GuardrailRule {
    GuardrailRule { metric: metric.into(), role, share, not_worse_by, ..GuardrailRule::default() }
}

/// allow-list, half and half, everyone; approved up to the second.
fn rules(guardrails: Vec<GuardrailRule>) -> PlanRules {
    let stage = |name: &str, randomised| StageRule {
        name: name.into(),
        bake: 3_600,
        min_units: 100,
        min_bad: 20,
        randomised,
        extend: 3_600,
        ..StageRule::default()
    };
    let stages = vec![stage("internal", false), stage("half", true), stage("everyone", true)];
    PlanRules { guardrails, stages, ceiling: Some(2), ..PlanRules::default() }
}

fn at(stage: u8) -> RolloutState {
    RolloutState { stage: Some(stage), stage_opened: OPENED, ..RolloutState::default() }
}

fn metric(name: &str, treated_bad: u64, control_bad: u64) -> MetricEvidence {
    let cohort = CohortCounts {
        cohort: 1,
        probability: HALF,
        treated_bad,
        control_bad,
        treated_units: 5_000,
        control_units: 5_000,
    };
    let last_outcome = Some(NOW - 5);
    MetricEvidence { metric: name.into(), cohorts: vec![cohort], last_outcome, ..MetricEvidence::default() }
}

fn seen(metrics: Vec<MetricEvidence>) -> Evidence {
    let sample_ratio = vec![ExposedUnits { cohort: 1, probability: HALF, treated: 5_000, control: 5_000 }];
    Evidence { metrics, sample_ratio, last_exposure: Some(NOW - 5), ..Evidence::default() }
}

/// One deterioration metric with a margin of 50 %, so that a few hundred bad units can show that nothing changed.
fn one() -> PlanRules {
    rules(vec![guardrail("wrong", Role::Deterioration, 1.0, Some(0.5))])
}

#[track_caller]
fn expect(judgement: &Judgement, rule: &str, action: Action) {
    assert_eq!((judgement.rule, judgement.action), (rule, action), "{:#?}", judgement);
    assert!(!judgement.reasons.is_empty());
}

fn unmet(judgement: &Judgement) -> Vec<&str> {
    judgement.requirements.iter().filter(|r| !r.met).map(|r| r.text.as_str()).collect()
}

#[test]
fn rule_10_one_stage_up_and_then_complete() {
    let judgement = judge(&one(), &at(1), &seen(vec![metric("wrong", 200, 200)]), NOW);
    expect(&judgement, rule::ADVANCE, Action::Advance { to: 2 });
    assert_eq!(judgement.metrics[0].verdict, MetricVerdict::NonInferior);
    assert_eq!(unmet(&judgement), Vec::<&str>::new());
    let judgement = judge(&one(), &at(2), &seen(vec![metric("wrong", 200, 200)]), NOW);
    expect(&judgement, rule::COMPLETE, Action::Complete);
    let judgement = judge(&one(), &at(2), &seen(vec![metric("wrong", 100, 200)]), NOW);
    assert_eq!(judgement.metrics[0].verdict, MetricVerdict::Improved);
}

#[test]
fn rule_9_never_above_the_ceiling() {
    let evidence = seen(vec![metric("wrong", 200, 200)]);
    for ceiling in [Some(1), Some(0), None] {
        let rules = PlanRules { ceiling, ..one() };
        let judgement = judge(&rules, &at(1), &evidence, NOW);
        expect(&judgement, rule::APPROVAL, Action::AwaitApproval);
        assert_eq!(unmet(&judgement), ["stage `everyone` is approved by a release signature"]);
    }
    // A ceiling that was taken back below the last stage: not complete either.
    let rules = PlanRules { ceiling: Some(1), ..one() };
    expect(&judge(&rules, &at(2), &evidence, NOW), rule::APPROVAL, Action::AwaitApproval);
}

#[test]
fn rule_8_nothing_shown_is_not_good_enough() {
    let evidence = seen(vec![metric("wrong", 40, 40)]);
    let judgement = judge(&one(), &at(1), &evidence, NOW);
    expect(&judgement, rule::INCONCLUSIVE, Action::Hold);
    assert_eq!(judgement.metrics[0].verdict, MetricVerdict::Inconclusive);
    assert_eq!(unmet(&judgement), ["`wrong`: shown to be at most 50 % worse than the control"]);
    // Unless the author said so for this stage.
    let mut rules = one();
    rules.stages[1].ship_if_not_harmful = true;
    expect(&judge(&rules, &at(1), &evidence, NOW), rule::ADVANCE, Action::Advance { to: 2 });
    // A guardrail that got worse never rolls back, and never lets pass, not even then.
    rules.guardrails[0].role = Role::Guardrail;
    let judgement = judge(&rules, &at(1), &seen(vec![metric("wrong", 300, 200)]), NOW);
    expect(&judgement, rule::INCONCLUSIVE, Action::Hold);
    assert_eq!(judgement.metrics[0].verdict, MetricVerdict::Regressed);
}

#[test]
fn success_is_asked_for_before_the_last_stage_only() {
    let mut rules = one();
    rules.guardrails.push(guardrail("solved", Role::Success, 1.0, None));
    rules.stages.insert(1, StageRule { name: "early".into(), ..rules.stages[1].clone() });
    rules.ceiling = Some(3);
    let same = seen(vec![metric("wrong", 200, 200), metric("solved", 200, 200)]);
    expect(&judge(&rules, &at(1), &same, NOW), rule::ADVANCE, Action::Advance { to: 2 });
    expect(&judge(&rules, &at(2), &same, NOW), rule::INCONCLUSIVE, Action::Hold);
    let better = seen(vec![metric("wrong", 200, 200), metric("solved", 100, 200)]);
    expect(&judge(&rules, &at(2), &better, NOW), rule::ADVANCE, Action::Advance { to: 3 });
}

#[test]
fn rule_7_a_signal_holds_and_lets_go() {
    let mut rules = one();
    rules.guardrails.push(guardrail("cost", Role::Signal, 1.0, None));
    let worse = seen(vec![metric("wrong", 200, 200), metric("cost", 300, 200)]);
    let judgement = judge(&rules, &at(1), &worse, NOW);
    expect(&judgement, rule::SIGNAL, Action::Hold);
    assert_eq!(judgement.metrics[1].latched, None);
    // It spends nothing of the shared budget, so all of the attempt's alpha is its own.
    assert!((judgement.metrics[1].log_threshold + judgement.attempt_alpha.ln()).abs() < 1e-12);
    let better = seen(vec![metric("wrong", 200, 200), metric("cost", 210, 200)]);
    expect(&judge(&rules, &at(1), &better, NOW), rule::ADVANCE, Action::Advance { to: 2 });
}

#[test]
fn rule_6_too_little_data_waits_and_then_holds() {
    let few = |units: u64, bad: u64, maturing_units| {
        let mut metric = metric("wrong", bad, bad);
        metric.cohorts[0].treated_units = units;
        metric.cohorts[0].control_units = units;
        metric.maturing_units = maturing_units;
        metric.last_outcome = Some(OPENED + 14_000);
        seen(vec![metric])
    };
    for (evidence, verdict) in [
        (few(99, 40, 0), MetricVerdict::Insufficient),
        (few(99, 40, 1), MetricVerdict::Immature),
        (few(500, 9, 0), MetricVerdict::Insufficient),
    ] {
        let judgement = judge(&one(), &at(1), &evidence, OPENED + 7_200);
        expect(&judgement, rule::INSUFFICIENT, Action::Wait);
        assert_eq!(judgement.metrics[0].verdict, verdict);
        expect(&judge(&one(), &at(1), &evidence, OPENED + 7_201), rule::INSUFFICIENT, Action::Hold);
    }
}

#[test]
fn no_data_never_counts_as_success() {
    let mut rules = one();
    for stage in &mut rules.stages {
        *stage = StageRule { min_units: 0, min_bad: 0, bake: 0, ship_if_not_harmful: true, ..stage.clone() };
    }
    for stage in [0, 1, 2] {
        let judgement = judge(&rules, &at(stage), &Evidence::default(), OPENED + 1);
        expect(&judgement, rule::INSUFFICIENT, Action::Wait);
        assert_eq!(judgement.metrics[0].verdict, MetricVerdict::NoData);
        expect(&judge(&rules, &at(stage), &Evidence::default(), NOW), rule::STALE, Action::Hold);
    }
    // Outcomes arrive, but not one from the treatment arm.
    let mut silent = metric("wrong", 0, 300);
    silent.cohorts[0].treated_units = 0;
    let judgement = judge(&rules, &at(1), &seen(vec![silent]), NOW);
    expect(&judgement, rule::HEALTH, Action::Hold);
    assert_eq!(judgement.metrics[0].verdict, MetricVerdict::Invalid);
    // The same, too early for the sample-ratio check to be sure: a stage that asks for 0 units still wants one.
    let mut silent = metric("wrong", 0, 3);
    (silent.cohorts[0].treated_units, silent.cohorts[0].control_units) = (0, 8);
    let judgement = judge(&rules, &at(1), &seen(vec![silent]), OPENED + 800);
    expect(&judgement, rule::INSUFFICIENT, Action::Wait);
    assert_eq!(judgement.metrics[0].verdict, MetricVerdict::Insufficient);
    // A tripwire that has never been heard is not a tripwire that is quiet.
    rules.guardrails.push(guardrail("unsafe", Role::Tripwire, 1.0, None));
    let judgement = judge(&rules, &at(1), &seen(vec![metric("wrong", 200, 200)]), OPENED + 800);
    expect(&judgement, rule::INSUFFICIENT, Action::Wait);
    assert_eq!(unmet(&judgement), ["`unsafe`: outcomes are arriving"]);
}

#[test]
fn rule_5_bake() {
    let evidence = seen(vec![metric("wrong", 200, 200)]);
    expect(&judge(&one(), &at(1), &evidence, OPENED + 3_599), rule::BAKE, Action::Wait);
    expect(&judge(&one(), &at(1), &evidence, OPENED + 3_600), rule::ADVANCE, Action::Advance { to: 2 });
}

#[test]
fn rule_4_stale_outcomes_hold() {
    let evidence = seen(vec![metric("wrong", 200, 200)]);
    let judgement = judge(&one(), &at(1), &evidence, NOW - 5 + 901);
    expect(&judgement, rule::STALE, Action::Hold);
    assert_eq!(judgement.metrics[0].verdict, MetricVerdict::Stale);
    expect(&judge(&one(), &at(1), &evidence, NOW - 5 + 900), rule::ADVANCE, Action::Advance { to: 2 });
}

#[test]
fn rule_3_broken_evidence_holds() {
    let good = seen(vec![metric("wrong", 200, 200)]);
    let mut skewed = good.clone();
    skewed.sample_ratio[0].treated = 5_500;
    let judgement = judge(&one(), &at(1), &skewed, NOW);
    expect(&judgement, rule::HEALTH, Action::Hold);
    assert!(judgement.sample_ratio_log_e > SAMPLE_RATIO_ALARM.ln());

    let doubled = |units| Evidence { multi_exposure: units, ..good.clone() };
    expect(&judge(&one(), &at(1), &doubled(102), NOW), rule::HEALTH, Action::Hold);
    expect(&judge(&one(), &at(1), &doubled(101), NOW), rule::ADVANCE, Action::Advance { to: 2 });
    let mut small = Evidence { multi_exposure: MULTI_EXPOSURE_UNITS - 1, ..good.clone() };
    small.sample_ratio = vec![ExposedUnits { cohort: 1, probability: HALF, treated: 20, control: 20 }];
    expect(&judge(&one(), &at(1), &small, NOW), rule::ADVANCE, Action::Advance { to: 2 });

    let mut two_probabilities = good.clone();
    let other = CohortCounts { probability: HALF + 1, ..two_probabilities.metrics[0].cohorts[0] };
    two_probabilities.metrics[0].cohorts.push(other);
    expect(&judge(&one(), &at(1), &two_probabilities, NOW), rule::HEALTH, Action::Hold);
    let mut no_evidence = good.clone();
    let other = CohortCounts { probability: 0, ..no_evidence.metrics[0].cohorts[0] };
    no_evidence.metrics[0].cohorts.push(other);
    expect(&judge(&one(), &at(1), &no_evidence, NOW), rule::ADVANCE, Action::Advance { to: 2 });

    let mut rules = one();
    rules.guardrails.push(guardrail("schema-errors", Role::Health, 1.0, None));
    let differs = seen(vec![metric("wrong", 200, 200), metric("schema-errors", 90, 20)]);
    let judgement = judge(&rules, &at(1), &differs, NOW);
    expect(&judgement, rule::HEALTH, Action::Hold);
    assert_eq!(judgement.metrics[1].verdict, MetricVerdict::Invalid);

    expect(&judge(&one(), &at(7), &good, NOW), rule::HEALTH, Action::Hold);
}

#[test]
fn rules_that_make_no_sense_hold_but_do_not_disarm() {
    let breakages: [fn(&mut PlanRules); 6] = [
        |r| r.alpha = f64::NAN,
        |r| r.alpha = 1.5,
        |r| r.guardrails[0].share = 0.0,
        |r| r.guardrails[0].null_ratio = -1.0,
        |r| r.guardrails[0].not_worse_by = Some(f64::NAN),
        |r| r.guardrails.push(guardrail("more", Role::Deterioration, 0.5, None)),
    ];
    for breakage in breakages {
        let mut rules = one();
        breakage(&mut rules);
        assert!(!rules.problems().is_empty());
        let metrics = |bad| seen(vec![metric("wrong", bad, 200), metric("more", 200, 200)]);
        expect(&judge(&rules, &at(1), &metrics(200), NOW), rule::HEALTH, Action::Hold);
        expect(&judge(&rules, &at(1), &metrics(400), NOW), rule::DETERIORATION, Action::RollBack);
    }
    let rules = rules(vec![guardrail("wrong", Role::Guardrail, 1.0, None)]);
    assert_eq!(rules.problems(), ["guardrail `wrong`: it has no `notWorseBy` to be tested against"]);
    assert_eq!(one().problems(), Vec::<String>::new());
}

#[test]
fn rule_2_harm_rolls_back_whatever_else_is_wrong() {
    // Just opened, stale, skewed, doubly exposed, too few units, nothing approved.
    let mut evidence = seen(vec![metric("wrong", 60, 20)]);
    evidence.sample_ratio[0].treated = 9_000;
    evidence.multi_exposure = 5_000;
    evidence.metrics[0].cohorts[0].treated_units = 1;
    evidence.metrics[0].last_outcome = Some(OPENED - 90_000);
    let rules = PlanRules { ceiling: None, ..one() };
    for stage in [0, 1, 2] {
        let judgement = judge(&rules, &at(stage), &evidence, OPENED);
        expect(&judgement, rule::DETERIORATION, Action::RollBack);
        assert_eq!(judgement.metrics[0].verdict, MetricVerdict::Regressed);
    }
}

#[test]
fn harm_is_latched() {
    let judgement = judge(&one(), &at(1), &seen(vec![metric("wrong", 60, 20)]), NOW);
    let latched = judgement.metrics[0].latched.expect("crossed");
    assert_eq!(latched, Latched { log_e: judgement.metrics[0].log_e, at: NOW });
    // Later data cannot talk it away.
    let mut calm = metric("wrong", 200, 200);
    calm.latched = Some(latched);
    let judgement = judge(&one(), &at(1), &seen(vec![calm]), NOW + 60);
    expect(&judgement, rule::DETERIORATION, Action::RollBack);
    assert_eq!(judgement.metrics[0].latched, Some(latched));
    assert!(judgement.reasons[0].ends_with("first seen 1m ago"), "{:?}", judgement.reasons);
}

#[test]
fn shares_and_attempts_raise_the_bar() {
    let evidence = seen(vec![metric("wrong", 46, 18), metric("slow", 20, 20)]);
    let rules = |share, attempt| {
        let slow = guardrail("slow", Role::Deterioration, 1.0 - share, None);
        let guardrails = vec![guardrail("wrong", Role::Deterioration, share, None), slow];
        PlanRules { attempt, ..rules(guardrails) }
    };
    expect(&judge(&rules(0.9, 1), &at(1), &evidence, NOW), rule::DETERIORATION, Action::RollBack);
    for (share, attempt) in [(0.05, 1), (0.9, 5)] {
        let judgement = judge(&rules(share, attempt), &at(1), &evidence, NOW);
        assert_ne!(judgement.action, Action::RollBack, "{share} {attempt}");
    }
    // A dry run sees the same and does nothing.
    let mut dry = rules(0.9, 1);
    dry.guardrails[0].role = Role::Observe;
    let judgement = judge(&dry, &at(1), &evidence, NOW);
    assert_eq!(judgement.metrics[0].verdict, MetricVerdict::Regressed);
    expect(&judgement, rule::ADVANCE, Action::Advance { to: 2 });
}

#[test]
fn ties_hold() {
    let evidence = seen(vec![metric("wrong", 60, 20)]);
    let log_e = judge(&one(), &at(1), &evidence, NOW).metrics[0].log_e;
    // alpha chosen so that the threshold is what the evidence is, give or take less than the slack.
    let tie = |nudge: f64| {
        let alpha = (-(log_e + nudge)).exp() * std::f64::consts::PI.powi(2) / 6.0;
        judge(&PlanRules { alpha, ..one() }, &at(1), &evidence, NOW).action
    };
    assert_ne!(tie(0.0), Action::RollBack);
    assert_ne!(tie(-0.5e-9), Action::RollBack);
    assert_eq!(tie(-2e-9), Action::RollBack);
}

#[test]
fn rule_1_tripwire_lease_and_halt() {
    let mut rules = one();
    rules.guardrails.push(guardrail("unsafe", Role::Tripwire, 1.0, None));
    // One bad unit, on the allow-list, which is no statistical evidence.
    let mut tripped = metric("unsafe", 1, 0);
    tripped.cohorts[0].probability = 0;
    let judgement = judge(&rules, &at(0), &seen(vec![tripped]), OPENED);
    expect(&judgement, rule::TRIPWIRE, Action::RollBack);
    assert!(judgement.metrics[1].latched.is_some());
    // What the baseline does wrong is no reason to keep to the baseline.
    let judgement =
        judge(&rules, &at(1), &seen(vec![metric("wrong", 200, 200), metric("unsafe", 0, 3)]), NOW);
    expect(&judgement, rule::ADVANCE, Action::Advance { to: 2 });

    let evidence = seen(vec![metric("wrong", 200, 200)]);
    let leased = |until| RolloutState { lease_until: Some(until), ..at(1) };
    expect(&judge(&one(), &leased(NOW), &evidence, NOW), rule::ADVANCE, Action::Advance { to: 2 });
    expect(&judge(&one(), &leased(NOW - 1), &evidence, NOW), rule::LEASE, Action::RollBack);
    let halted = RolloutState { halted: true, ..at(1) };
    expect(&judge(&one(), &halted, &evidence, NOW), rule::HALTED, Action::RollBack);
    let not_started = RolloutState::default();
    expect(&judge(&one(), &not_started, &evidence, NOW), rule::NOT_STARTED, Action::Wait);
}

#[test]
fn allow_lists_are_judged_without_statistics() {
    // Everybody is treated: twice the usual bad rate is invisible here, and says nothing.
    let mut internal = metric("wrong", 400, 0);
    internal.cohorts[0] = CohortCounts { probability: 0, control_units: 0, ..internal.cohorts[0] };
    let judgement = judge(&one(), &at(0), &seen(vec![internal.clone()]), NOW);
    expect(&judgement, rule::ADVANCE, Action::Advance { to: 1 });
    assert_eq!(judgement.metrics[0].log_e, 0.0);
    // Units still count.
    internal.cohorts[0].treated_units = 99;
    expect(&judge(&one(), &at(0), &seen(vec![internal.clone()]), NOW), rule::INSUFFICIENT, Action::Wait);
    // And do not count for a randomised stage.
    internal.cohorts[0].treated_units = 5_000;
    expect(&judge(&one(), &at(1), &seen(vec![internal]), NOW), rule::INSUFFICIENT, Action::Wait);
}

#[test]
fn a_plan_without_guardrails_still_needs_exposures() {
    let rules = rules(Vec::new());
    expect(&judge(&rules, &at(1), &seen(Vec::new()), NOW), rule::ADVANCE, Action::Advance { to: 2 });
    expect(&judge(&rules, &at(1), &Evidence::default(), NOW), rule::STALE, Action::Hold);
}

#[test]
fn saturated_metrics_are_pointed_out() {
    let judgement = judge(&one(), &at(1), &seen(vec![metric("wrong", 1_300, 1_300)]), NOW);
    assert!(
        judgement.reasons.iter().any(|r| r.starts_with("note on `wrong`: 26 %")),
        "{:?}",
        judgement.reasons
    );
    let judgement = judge(&one(), &at(1), &seen(vec![metric("wrong", 1_250, 1_250)]), NOW);
    assert!(!judgement.reasons.iter().any(|r| r.starts_with("note")), "{:?}", judgement.reasons);
}

#[test]
fn the_answer_is_json_that_a_ledger_can_keep() {
    let judgement = judge(&one(), &at(1), &seen(vec![metric("wrong", 200, 200)]), NOW);
    let json = serde_json::to_value(&judgement).expect("serialises");
    assert_eq!(json["action"], serde_json::json!({ "do": "advance", "to": 2 }));
    assert_eq!(json["rule"], "10-advance");
    assert_eq!(json["metrics"][0]["verdict"], "non-inferior");
    assert_eq!(json["metrics"][0]["treatedBad"], 200);
    let evidence = seen(vec![metric("wrong", 200, 200)]);
    let text = serde_json::to_string(&evidence).expect("serialises");
    assert_eq!(serde_json::from_str::<Evidence>(&text).expect("reads back"), evidence);
    let text = serde_json::to_string(&one()).expect("serialises");
    assert_eq!(serde_json::from_str::<PlanRules>(&text).expect("reads back"), one());
}
