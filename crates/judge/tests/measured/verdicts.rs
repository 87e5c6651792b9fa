//! Measured metrics in the judge: each verdict of the lattice, what opens a gate, and how often a harmless candidate is rolled
//! back or a harmful one found.

use flagstone_judge::kind::{Measured, QuantileRule, ScoreBar};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::means::NotEnough;
use flagstone_judge::moments::{CohortMoments, Moments};
use flagstone_judge::non_inferiority::Better;
use flagstone_judge::quantiles::histogram::{CohortHistograms, Histogram};
use flagstone_judge::{
    Action, Evidence, GuardrailRule, Judgement, MetricEvidence, MetricKind, MetricVerdict, PlanRules, Role,
    RolloutState, ScoreBatch, StageRule, judge, rule,
};

const NOW: u64 = 10_000;

fn measured() -> Measured {
    Measured { baseline: Some(2.0), ..Measured::default() }
}

fn guardrail(kind: MetricKind) -> GuardrailRule {
    GuardrailRule { metric: "m".into(), not_worse_by: Some(0.1), kind, ..GuardrailRule::default() }
}

fn plan(guardrails: Vec<GuardrailRule>, randomised: bool) -> PlanRules {
    let stage =
        |name: &str| StageRule { name: name.into(), min_units: 200, randomised, ..StageRule::default() };
    let stages = vec![stage("some"), stage("all")];
    PlanRules { guardrails, stages, ceiling: Some(1), ..PlanRules::default() }
}

fn answer(rules: &PlanRules, metric: MetricEvidence) -> Judgement {
    let state = RolloutState { stage: Some(0), stage_opened: 1_000, ..RolloutState::default() };
    let metric =
        MetricEvidence { metric: "m".into(), last_outcome: metric.last_outcome.or(Some(NOW - 5)), ..metric };
    judge(rules, &state, &Evidence { metrics: vec![metric], ..Evidence::default() }, NOW)
}

/// `units` values around `mean`, half below and half above by `spread`.
fn moments(units: u64, mean: f64, spread: f64) -> Moments {
    let mut moments = Moments::default();
    for unit in 0..units {
        let side = if unit % 2 == 0 { spread } else { -spread };
        moments.add(((mean + side) * 1e6).round() as i64, 1_000_000);
    }
    moments
}

fn half(treated: Moments, control: Moments) -> MetricEvidence {
    let cohort = CohortMoments { cohort: 0, probability: SHARE_TOTAL / 2, treated, control };
    MetricEvidence { moments: vec![cohort], ..MetricEvidence::default() }
}

fn verdict(judgement: &Judgement) -> (MetricVerdict, &'static str) {
    (judgement.metrics[0].verdict, judgement.rule)
}

#[test]
fn a_mean_takes_every_verdict() {
    let rules = plan(vec![guardrail(MetricKind::Mean(measured()))], true);
    let at = |treated: f64, spread| {
        answer(&rules, half(moments(1_000, treated, spread), moments(1_000, 2.0, spread)))
    };

    assert_eq!(verdict(&at(2.0, 0.5)), (MetricVerdict::NonInferior, rule::ADVANCE));
    assert_eq!(verdict(&at(1.5, 0.5)), (MetricVerdict::Improved, rule::ADVANCE));
    assert_eq!(verdict(&at(2.15, 1.5)), (MetricVerdict::Inconclusive, rule::INCONCLUSIVE));
    let worse = at(2.5, 0.5);
    assert_eq!(verdict(&worse), (MetricVerdict::Regressed, rule::DETERIORATION));
    assert!(
        worse.reasons[0].contains("2.5 in treatment against 2 in control (difference from 0."),
        "{:?}",
        worse.reasons
    );
    assert!(worse.metrics[0].latched.is_some());

    // Without a frozen baseline the margin is a share of the control, whose own error counts too.
    let follows = plan(vec![guardrail(MetricKind::Mean(Measured::default()))], true);
    let seen = |treated: f64, spread| {
        answer(&follows, half(moments(1_000, treated, spread), moments(1_000, 2.0, spread)))
    };
    assert_eq!(verdict(&seen(2.0, 0.5)), (MetricVerdict::NonInferior, rule::ADVANCE));
    assert_eq!(verdict(&seen(2.5, 0.5)), (MetricVerdict::Regressed, rule::DETERIORATION));
    let (fixed, moving) = (at(2.0, 0.5), seen(2.0, 0.5));
    assert!(moving.metrics[0].log_e_non_inferior < fixed.metrics[0].log_e_non_inferior);
    assert_eq!(moving.metrics[0].log_e, fixed.metrics[0].log_e);

    // More is better: the same numbers the other way round.
    let higher =
        plan(vec![guardrail(MetricKind::Mean(Measured { better: Better::Higher, ..measured() }))], true);
    let seen = |treated: f64| answer(&higher, half(moments(1_000, treated, 0.5), moments(1_000, 2.0, 0.5)));
    assert_eq!(verdict(&seen(1.5)).0, MetricVerdict::Regressed);
    assert_eq!(verdict(&seen(2.5)).0, MetricVerdict::Improved);

    // Too little is an answer of its own, and never a number.
    let few = answer(&rules, half(moments(210, 9.0, 0.5), moments(90, 2.0, 0.5)));
    assert_eq!(few.metrics[0].estimate, None);
    assert!(matches!(few.metrics[0].not_enough, Some(NotEnough::Units { have: 90, .. })));
    assert_eq!(few.metrics[0].log_e, 0.0);
    assert_eq!(
        verdict(&answer(&rules, half(moments(250, 2.0, 0.0), moments(250, 2.0, 0.0)))).0,
        MetricVerdict::Insufficient
    );
    let none = answer(&rules, MetricEvidence::default());
    assert_eq!(none.metrics[0].verdict, MetricVerdict::Insufficient);
    let old =
        MetricEvidence { last_outcome: Some(1), ..half(moments(1_000, 2.0, 0.5), moments(1_000, 2.0, 0.5)) };
    assert_eq!(answer(&rules, old).metrics[0].verdict, MetricVerdict::Stale);
    // Harm is seen over staleness.
    let old =
        MetricEvidence { last_outcome: Some(1), ..half(moments(1_000, 3.0, 0.5), moments(1_000, 2.0, 0.5)) };
    assert_eq!(verdict(&answer(&rules, old)), (MetricVerdict::Regressed, rule::DETERIORATION));
    // An arm that lost its outcomes.
    let lost = answer(&rules, half(moments(1_000, 2.0, 0.5), moments(1_500, 2.0, 0.5)));
    assert_eq!(verdict(&lost), (MetricVerdict::Invalid, rule::HEALTH));
    // Sums that cannot be.
    let broken = Moments { sum: 9_000_000_000_000, squares: 1, ..moments(1_000, 2.0, 0.5) };
    assert_eq!(
        verdict(&answer(&rules, half(broken, moments(1_000, 2.0, 0.5)))),
        (MetricVerdict::Invalid, rule::HEALTH)
    );
}

#[test]
fn rules_that_make_no_sense_hold() {
    let hold = |guardrail: GuardrailRule, words: &str| {
        let judgement =
            answer(&plan(vec![guardrail], true), half(moments(1_000, 2.0, 0.5), moments(1_000, 2.0, 0.5)));
        assert_eq!(judgement.rule, rule::HEALTH);
        assert!(judgement.reasons.join(" ").contains(words), "{:?}", judgement.reasons);
    };
    let free = Measured { adjusted: true, ..Measured::default() };
    hold(guardrail(MetricKind::Mean(free)), "baseline");
    hold(guardrail(MetricKind::Ratio(Measured { baseline: Some(0.0), ..Measured::default() })), "baseline");
    hold(guardrail(MetricKind::Ratio(Measured { adjusted: true, ..measured() })), "adjusted");
    hold(guardrail(MetricKind::Score(ScoreBar { bar: 1.5 })), "bar is 1.5");
    hold(
        GuardrailRule { role: Role::Success, ..guardrail(MetricKind::Score(ScoreBar { bar: 0.5 })) },
        "no control",
    );
}

#[test]
fn a_tripwire_must_count() {
    let rules =
        plan(vec![GuardrailRule { role: Role::Tripwire, ..guardrail(MetricKind::Mean(measured())) }], true);
    let judgement = answer(&rules, half(moments(1_000, 2.0, 0.5), moments(1_000, 2.0, 0.5)));
    assert_eq!(verdict(&judgement), (MetricVerdict::Invalid, rule::HEALTH));
}

#[test]
fn a_score_is_held_against_its_bar() {
    let scored = |good: u64, bad: u64| {
        let batch = |batch| ScoreBatch { batch, scores: [(1_000_000, good), (0, bad)].into() };
        MetricEvidence { scores: (0..10).map(batch).collect(), ..MetricEvidence::default() }
    };
    let rule_of = |randomised| {
        let score =
            GuardrailRule { not_worse_by: None, ..guardrail(MetricKind::Score(ScoreBar { bar: 0.9 })) };
        plan(vec![score], randomised)
    };
    for randomised in [true, false] {
        let rules = rule_of(randomised);
        assert_eq!(verdict(&answer(&rules, scored(97, 3))), (MetricVerdict::NonInferior, rule::ADVANCE));
        assert_eq!(
            verdict(&answer(&rules, scored(90, 10))),
            (MetricVerdict::Inconclusive, rule::INCONCLUSIVE)
        );
        let below = answer(&rules, scored(80, 20));
        assert_eq!(verdict(&below), (MetricVerdict::Regressed, rule::DETERIORATION));
        assert!(below.reasons[0].contains("0.8 in treatment against a bar of 0.9"), "{:?}", below.reasons);
        assert_eq!(verdict(&answer(&rules, scored(9, 1))), (MetricVerdict::Insufficient, rule::INSUFFICIENT));
    }
    let too_much = MetricEvidence {
        scores: vec![ScoreBatch { batch: 0, scores: [(1_000_001, 500)].into() }],
        ..MetricEvidence::default()
    };
    assert_eq!(verdict(&answer(&rule_of(true), too_much)), (MetricVerdict::Invalid, rule::HEALTH));
}

#[test]
fn a_quantile_is_compared_within_cohorts() {
    let kind = QuantileRule { quantile: 0.5, baseline: Some(0.1), ..QuantileRule::default() };
    let rules =
        plan(vec![GuardrailRule { not_worse_by: Some(0.5), ..guardrail(MetricKind::Quantile(kind)) }], true);
    let histogram = |factor: u64| {
        let mut histogram = Histogram::default();
        (0..2_000u64).for_each(|unit| histogram.add((50_000 + unit * 50) * factor / 100));
        histogram
    };
    let at = |factor| {
        let cohort = CohortHistograms {
            probability: SHARE_TOTAL / 2,
            treated: histogram(factor),
            control: histogram(100),
            cohort: 0,
        };
        answer(&rules, MetricEvidence { histograms: vec![cohort], ..MetricEvidence::default() })
    };
    assert_eq!(verdict(&at(100)), (MetricVerdict::NonInferior, rule::ADVANCE));
    assert_eq!(verdict(&at(50)), (MetricVerdict::Improved, rule::ADVANCE));
    let slow = at(170);
    assert_eq!(verdict(&slow), (MetricVerdict::Regressed, rule::DETERIORATION));
    let estimate = slow.metrics[0].estimate.unwrap();
    assert!(estimate.treatment > 0.16 && estimate.treatment < 0.2, "{estimate:?}");
    assert!(estimate.lower.unwrap() > 0.0 && estimate.upper.unwrap() < 0.15, "{estimate:?}");
}

/// What was written before there were other kinds than rates is written the same.
#[test]
fn rates_are_written_as_before() {
    let text = serde_json::to_string(&GuardrailRule::default()).unwrap();
    assert_eq!(text, r#"{"metric":"","role":"deterioration","share":1.0,"nullRatio":1.0,"notWorseBy":null}"#);
    let text = serde_json::to_string(&MetricEvidence::default()).unwrap();
    assert_eq!(text, r#"{"metric":"","cohorts":[],"maturingUnits":0,"lastOutcome":null,"latched":null}"#);
    let judgement = answer(
        &plan(vec![GuardrailRule { kind: MetricKind::Rate, ..guardrail(MetricKind::Rate) }], true),
        MetricEvidence::default(),
    );
    let text = serde_json::to_string(&judgement.metrics[0]).unwrap();
    assert!(text.ends_with(r#""latched":null}"#), "{text}");
    let kind = MetricKind::Quantile(QuantileRule { quantile: 0.95, ..QuantileRule::default() });
    let text = serde_json::to_string(&guardrail(kind)).unwrap();
    assert_eq!(serde_json::from_str::<GuardrailRule>(&text).unwrap(), guardrail(kind), "{text}");
}

/// Knuth's 64-bit linear congruential generator; the high bits of its state.
struct Lcg(u64);

impl Lcg {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// One ramp: four cohorts at 10, 27, 50 and 71 %, looked at 20 times each; values skewed (exponential), the mean rising by
/// half on the way. Where it is rolled back, as a share of the whole.
fn ramp(seed: u64, effect: f64) -> Option<f64> {
    let rules = PlanRules { attempt: 1, ..plan(vec![guardrail(MetricKind::Mean(measured()))], true) };
    let mut random = Lcg(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut cohorts: Vec<CohortMoments> = Vec::new();
    for (stage, (units, share)) in
        [(1_200, 0.1), (1_800, 0.267), (3_000, 0.5), (3_000, 0.714)].into_iter().enumerate()
    {
        let probability = (share * f64::from(SHARE_TOTAL)) as u32;
        cohorts.push(CohortMoments { cohort: stage as u8, probability, ..CohortMoments::default() });
        for look in 0..20 {
            let passed = (stage as f64 + f64::from(look) / 20.0) / 4.0;
            for _ in 0..units / 20 {
                let treated = random.unit() < share;
                let mean = (2.0 + passed) * if treated { 1.0 + effect } else { 1.0 };
                let value = (-(1.0 - random.unit()).ln() * mean * 1e6) as i64;
                let cohort = &mut cohorts[stage];
                (if treated { &mut cohort.treated } else { &mut cohort.control }).add(value, 0);
            }
            let evidence = MetricEvidence { moments: cohorts.clone(), ..MetricEvidence::default() };
            if answer(&rules, evidence).action == Action::RollBack {
                return Some(passed);
            }
        }
    }
    None
}

#[test]
fn a_harmless_ramp_is_seldom_rolled_back_and_a_harmful_one_is() {
    let harmless = (0..400).filter(|seed| ramp(*seed, 0.0).is_some()).count();
    let harmful: Vec<f64> = (0..100).filter_map(|seed| ramp(1_000 + seed, 0.2)).collect();
    println!("{harmless} of 400 harmless ramps rolled back, {} of 100 that cost 20 % more", harmful.len());
    // The first attempt may spend 3 %: 12 of 400, and two standard errors.
    assert!(harmless <= 19, "{harmless} of 400");
    assert!(harmful.len() >= 95, "{} of 100", harmful.len());
}
