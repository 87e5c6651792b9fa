//! Operating characteristics: what the judge does over many simulated rollouts. Seeded, so the same on every machine.
//!
//! Every rollout climbs 1/9, 5/20, 25/40 and 50/50 (treated / control in parts of a hundred) and is looked at after every
//! batch, 40 times in all. Units are a fixed population that returns at every look, with a few fragile ones (a tenth of the
//! units is bad eight times as readily), and the base rate doubles over the rollout: the setting in which a pooled or
//! calendar-stratified comparison rolls back nearly every harmless candidate.

use flagstone_judge::alpha::{clears, log_threshold};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{
    Action, CohortCounts, Evidence, ExposedUnits, GuardrailRule, MetricEvidence, PlanRules, RolloutState,
    StageRule, judge, rate_ratio,
};

const ALPHA: f64 = 0.05;
const LOOKS_PER_STAGE: u64 = 10;
/// Treated and control units that each stage adds, of 12,000.
const GROWTH: [(u32, u32); 4] = [(120, 1_080), (480, 1_320), (2_400, 2_400), (3_000, 1_200)];

/// Knuth's 64-bit linear congruential generator; the high bits of its state.
struct Lcg(u64);

impl Lcg {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

struct Unit {
    cohort: usize,
    treated: bool,
    fragility: f64,
    bad: bool,
}

fn probability(cohort: usize) -> u32 {
    let (treated, control) = GROWTH[cohort];
    (u64::from(treated) * u64::from(SHARE_TOTAL) / u64::from(treated + control)) as u32
}

/// One rollout; `look` gets the open stage, the time and the counts after each batch and says whether to go on.
fn roll_out(seed: u64, ratio: f64, mut look: impl FnMut(u8, u64, &[CohortCounts]) -> bool) {
    let mut random = Lcg(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut units: Vec<Unit> = Vec::new();
    let mut counts: Vec<CohortCounts> = Vec::new();
    for (stage, (treated, control)) in GROWTH.into_iter().enumerate() {
        let share = f64::from(probability(stage)) / f64::from(SHARE_TOTAL);
        let cohort = stage as u8;
        counts.push(CohortCounts { cohort, probability: probability(stage), ..CohortCounts::default() });
        for _ in 0..treated + control {
            let treated = random.unit() < share;
            let fragility = if random.unit() < 0.1 { 8.0 } else { 1.0 };
            units.push(Unit { cohort: stage, treated, fragility, bad: false });
            let counts = &mut counts[stage];
            *(if treated { &mut counts.treated_units } else { &mut counts.control_units }) += 1;
        }
        for step in 0..LOOKS_PER_STAGE {
            let now = stage as u64 * LOOKS_PER_STAGE + step;
            let base = 0.001 * (1.0 + now as f64 / (4 * LOOKS_PER_STAGE) as f64);
            for unit in units.iter_mut().filter(|unit| !unit.bad) {
                let rate = base * unit.fragility * if unit.treated { ratio } else { 1.0 };
                if random.unit() < rate {
                    unit.bad = true;
                    let counts = &mut counts[unit.cohort];
                    *(if unit.treated { &mut counts.treated_bad } else { &mut counts.control_bad }) += 1;
                }
            }
            if !look(cohort, now, &counts) {
                return;
            }
        }
    }
}

fn rules() -> PlanRules {
    let stage = |name: &str| StageRule { name: name.into(), randomised: true, ..StageRule::default() };
    PlanRules {
        alpha: ALPHA,
        guardrails: vec![GuardrailRule {
            metric: "wrong".into(),
            not_worse_by: Some(0.5),
            ..GuardrailRule::default()
        }],
        stages: ["1%", "5%", "25%", "50%"].map(stage).to_vec(),
        ceiling: Some(3),
        ..PlanRules::default()
    }
}

/// The stage in which the judge rolled back, for each of `runs` rollouts.
fn rolled_back(runs: u64, ratio: f64) -> Vec<Option<u8>> {
    let rules = rules();
    let run = |seed| {
        let mut fired = None;
        roll_out(seed, ratio, |stage, now, counts| {
            let exposed = |c: &CohortCounts| ExposedUnits {
                cohort: c.cohort,
                probability: c.probability,
                treated: c.treated_units,
                control: c.control_units,
            };
            let evidence = Evidence {
                metrics: vec![MetricEvidence {
                    metric: "wrong".into(),
                    cohorts: counts.to_vec(),
                    last_outcome: Some(now),
                    ..MetricEvidence::default()
                }],
                sample_ratio: counts.iter().map(exposed).collect(),
                ..Evidence::default()
            };
            let state = RolloutState { stage: Some(stage), stage_opened: 0, ..RolloutState::default() };
            let judgement = judge(&rules, &state, &evidence, now);
            if judgement.action == Action::RollBack {
                fired = Some(stage);
            }
            fired.is_none()
        });
        fired
    };
    (1..=runs).map(run).collect()
}

/// Share of rollouts in which `margin` was ever shown to be kept.
fn shown_not_worse(runs: u64, ratio: f64, margin: f64) -> f64 {
    let run = |seed: &u64| {
        let mut shown = false;
        roll_out(*seed, ratio, |_, _, counts| {
            let log_e = rate_ratio::not_worse_log_e(counts, margin);
            shown = log_e.is_some_and(|log_e| clears(log_e, log_threshold(ALPHA, 1.0)));
            !shown
        });
        shown
    };
    (1..=runs).filter(run).count() as f64 / runs as f64
}

#[test]
fn harmless_candidates_are_rarely_taken_back() {
    let runs = 400;
    let back = rolled_back(runs, 1.0).iter().flatten().count();
    println!("ratio 1: {back} of {runs} rolled back");
    assert!(back as f64 <= ALPHA * runs as f64, "{back} of {runs} false rollbacks");
}

/// The same rollouts under the rule that is not one: "halt when z exceeds 1.96", looked at every time.
#[test]
fn the_simulation_would_catch_a_test_that_minds_being_looked_at() {
    let (runs, mut halted) = (200, 0u64);
    for seed in 1..=runs {
        roll_out(seed, 1.0, |_, _, counts| {
            // Expectation and variance of the treated bad units, given the bad units of each cohort.
            let (mut excess, mut variance) = (0.0, 0.0);
            for c in counts {
                let (p, n) = (
                    f64::from(c.probability) / f64::from(SHARE_TOTAL),
                    (c.treated_bad + c.control_bad) as f64,
                );
                excess += c.treated_bad as f64 - n * p;
                variance += n * p * (1.0 - p);
            }
            let naive = excess > 1.96 * variance.sqrt();
            halted += u64::from(naive);
            !naive
        });
    }
    println!("ratio 1, z > 1.96: {halted} of {runs} rolled back");
    assert!(halted as f64 > 3.0 * ALPHA * runs as f64, "{halted} of {runs}");
}

#[test]
fn better_candidates_are_never_taken_back() {
    assert_eq!(rolled_back(200, 0.5).iter().flatten().count(), 0);
}

#[test]
fn a_doubling_is_found_before_everybody_has_it() {
    let stages = rolled_back(200, 2.0);
    let by = |last: u8| stages.iter().flatten().filter(|stage| **stage <= last).count();
    println!("ratio 2: rolled back by stage {:?} of {}", [by(0), by(1), by(2), by(3)], stages.len());
    assert!(by(3) >= 198, "{} of 200 found", by(3));
    assert!(by(2) >= 180, "{} of 200 found before the last stage", by(2));
}

#[test]
fn a_quintupling_is_found_in_the_first_stages() {
    let stages = rolled_back(200, 5.0);
    let by = |last: u8| stages.iter().flatten().filter(|stage| **stage <= last).count();
    println!("ratio 5: rolled back by stage {:?} of {}", [by(0), by(1), by(2), by(3)], stages.len());
    assert_eq!(by(2), 200);
    assert!(by(1) >= 160, "{} of 200 found by the second stage", by(1));
}

#[test]
fn a_candidate_at_the_margin_is_rarely_passed() {
    let shown = shown_not_worse(400, 1.5, 0.5);
    println!("ratio 1.5: shown less than 50 % worse in {shown}");
    assert!(shown <= ALPHA, "{shown} of the rollouts passed");
}

#[test]
fn a_candidate_that_is_as_good_or_better_passes() {
    let (same, better) = (shown_not_worse(200, 1.0, 0.5), shown_not_worse(200, 0.7, 0.5));
    println!("shown less than 50 % worse: ratio 1 in {same}, ratio 0.7 in {better}");
    assert!(same >= 0.8, "{same}");
    assert!(better >= 0.99, "{better}");
}
