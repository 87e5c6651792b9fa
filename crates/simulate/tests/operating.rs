//! The simulator against what is known: the design's own simulation, the promised error rates, and itself on other threads.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use flagstone_compile::Source;
use flagstone_simulate::check::{Assumed, check};
use flagstone_simulate::{BaseRates, Own, Rate, Rival, Row, Settings, all, own, run, trials};
use serde_json::Value;

fn row(scenario: &str, rollouts: u64, units: Option<u32>, compare: bool) -> Row {
    let scenarios = all().unwrap();
    let scenario = scenarios.iter().find(|one| one.name == scenario).expect("there is such a scenario");
    run(scenario, &Settings { seed: 7, rollouts, units, compare }, &|| {}).unwrap()
}

/// The design's own simulation, when the shared data is there.
fn designed() -> Option<Value> {
    let folder = std::env::var_os("FLAGSTONE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    let path = folder.join("stat-vectors/simulation.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("no shared data at `{}`, so nothing is compared with it", path.display());
        return None;
    };
    Some(serde_json::from_str(&text).unwrap())
}

/// Two Monte Carlo shares of the same thing differ by no more than four standard errors of their difference.
fn alike(what: &str, have: Rate, want: f64, of: f64) {
    let together = (have.count as f64 + want * of) / (have.of as f64 + of);
    let error = (together * (1.0 - together) * (1.0 / have.of as f64 + 1.0 / of)).sqrt();
    println!("{what}: {} here, {want} in the design", have.rate);
    assert!(
        (have.rate - want).abs() <= 4.0 * error + 1e-9,
        "{what}: {} here, {want} in the design",
        have.rate
    );
}

#[test]
fn the_others_do_what_the_design_measured_of_them() {
    let Some(designed) = designed() else { return };
    let case = &designed["single_stage"][0];
    assert_eq!((&case["split_treatment"], &case["p_treatment"]), (&0.5.into(), &0.02.into()));
    let row = row("same-half", 120, None, true);
    let reps = case["reps"].as_f64().unwrap();
    let names = [
        (Rival::PointThreshold, "point_threshold_rel_+20pct"),
        (Rival::NaiveZ, "naive_z_two_sided_1.96"),
        (Rival::ConstantBound, "statsig_formula_two_sided"),
        (Rival::AsymptoticSequence, "asympCS_one_sided_worse"),
        (Rival::PooledEvidence, "rr_grid_e_one_sided"),
    ];
    for (rival, name) in names {
        let have = row.rivals.iter().find(|one| one.rule == rival).unwrap();
        alike(name, have.stopped, case["results"][name]["reject_rate"].as_f64().unwrap(), reps);
    }
    // The judge is looked at after every bad outcome instead of 200 times: a little more often, and still at most 5 %.
    assert!(row.met, "{row:?}");
}

#[test]
fn harmless_candidates_stay_and_pooled_comparisons_take_them_back() {
    let returning = row("same-returning", 60, Some(5_000), false);
    assert!(returning.met, "{:?}", returning.rolled_back);
    let drifting = row("same-drift", 24, None, true);
    assert!(drifting.met, "{:?}", drifting.rolled_back);
    let pooled = drifting.rivals.iter().find(|one| one.rule == Rival::PooledEvidence).unwrap();
    println!("pooled: {:?}", pooled.stopped);
    assert!(!pooled.stopped.may_be_at_most(0.05), "a drift that catches nobody: {:?}", pooled.stopped);
}

#[test]
fn a_doubling_is_found_with_few_treated_units() {
    let row = row("doubling", 40, None, false);
    println!("{:?} {:?}", row.rolled_back, row.treated);
    assert!(row.met, "{:?} {:?}", row.rolled_back, row.treated);
    // Nobody can be that quick without luck: the design's median is 473.
    assert!(row.treated.median.is_some_and(|median| median.value > 300));
}

#[test]
fn harm_to_a_segment_is_found_and_its_segment_named() {
    let row = row("segment", 20, None, false);
    assert!(row.met, "{:?}", row.rolled_back);
    let named = row.by.iter().find(|by| by.name == "bad-3").map_or(0, |by| by.count);
    assert!(named * 2 > row.rolled_back.count, "{:?}", row.by);
}

#[test]
fn lost_reports_are_noticed_and_never_taken_for_harm() {
    // Five times the loss in a seventeenth of the units; the full size is the command's to run.
    let scenarios = all().unwrap();
    for name in ["loss-units", "loss-outcomes"] {
        let mut scenario = scenarios.iter().find(|one| one.name == name).unwrap().clone();
        scenario.world.loss.as_mut().unwrap().share = 0.05;
        scenario.world.units = 120_000;
        let settings = Settings { seed: 7, rollouts: 6, units: None, compare: false };
        let row = run(&scenario, &settings, &|| {}).unwrap();
        assert!(row.met, "{name}: {:?} {:?}", row.sample_ratio, row.measured);
        assert_eq!(row.rolled_back.count, 0, "{name}");
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let with = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| row("same-bots", 12, Some(2_000), true))
    };
    assert_eq!(with(1), with(5));
}

#[test]
fn seeds_differ() {
    let scenarios = all().unwrap();
    let scenario = scenarios.iter().find(|one| one.name == "fivefold").unwrap();
    let with =
        |seed| run(scenario, &Settings { seed, rollouts: 4, units: None, compare: false }, &|| {}).unwrap();
    assert_eq!(with(1), with(1));
    assert_ne!(with(1).treated, with(2).treated);
}

const OWN: &str = "
metadata: { flagSetId: tests, environment: test }
segments: { staff: { when: { ends_with: [{ var: email }, '@acme.example'] } } }
metrics:
  unsupported: { event: answer, bad: { unsupported: true }, window: 24h }
  unsafe: { event: answer, bad: { unsafe: true } }
flags:
  answers:
    state: ENABLED
    owner: answers@acme.example
    rationale: r
    expectedImpact: e
    worstCase: w
    rollbackPlan: r
    variants: { today: 1, tomorrow: 2 }
    defaultVariant: today
    rollout:
      candidate: tomorrow
      consent: evaluation
      dataDomains: [docs]
      guardrails:
        - { metric: unsafe, role: tripwire }
        - { metric: unsupported, role: deterioration }
      stages:
        - { name: staff, who: staff, bake: 1h }
        - { name: 1%, treat: 1%, control: 9%, bake: 24h }
        - { name: 50%, treat: 50%, control: 50%, bake: 48h }
dataDomains: [docs]
";

fn own_trial(rates: &BaseRates) -> flagstone_simulate::Trial {
    trials(&Source::new("own.yaml", OWN), rates, 86_400).unwrap().pop().unwrap()
}

#[test]
fn ones_own_plan_is_climbed_and_harm_takes_it_back() {
    let trial = own_trial(&BaseRates { general: 0.05, ..BaseRates::default() });
    assert_eq!(trial.first, 1);
    let scenarios = own(&trial, &Own { units: 6_000, visits: 4.0, days: None });
    let settings = Settings { seed: 7, rollouts: 12, units: None, compare: false };
    let rows: Vec<Row> = scenarios.iter().map(|scenario| run(scenario, &settings, &|| {}).unwrap()).collect();
    assert_eq!(
        rows.iter().map(|row| row.scenario.as_str()).collect::<Vec<_>>(),
        ["answers/same", "answers/unsupported-doubled", "answers/unsupported-fivefold"]
    );
    assert!(rows[0].met && rows[0].completed.rate > 0.8, "{:?}", rows[0]);
    assert_eq!(rows[2].rolled_back.count, 12, "{:?}", rows[2]);
}

#[test]
fn one_unit_of_a_tripwire_is_enough() {
    let rates = BaseRates { general: 0.0, named: [("unsafe".to_owned(), 0.01)].into() };
    let scenarios = own(&own_trial(&rates), &Own { units: 6_000, visits: 4.0, days: None });
    let settings = Settings { seed: 7, rollouts: 4, units: None, compare: false };
    let row = run(&scenarios[0], &settings, &|| {}).unwrap();
    assert_eq!(row.rolled_back.count, 4);
    assert_eq!(row.by[0].name, "unsafe");
    assert!(!row.met, "a candidate that does no harm was taken back in every rollout, and that must be said");
}

fn assumed(units_per_day: f64) -> Assumed {
    Assumed { units_per_day, population: None, seed: 7, rollouts: 200 }
}

#[test]
fn a_stage_that_cannot_see_says_so() {
    let trial = own_trial(&BaseRates::default());
    let few = check(&trial, &assumed(2_000.0));
    let first = &few.stages[0];
    assert!(!few.sees_doubling && !first.metrics[0].sees_doubling);
    assert_eq!((first.treated_units, first.control_units), (20.0, 180.0));
    assert!(first.metrics[0].words.contains("cannot see a doubling"), "{}", first.metrics[0].words);
    let many = check(&trial, &assumed(400_000.0));
    assert!(many.sees_doubling, "{:?}", many.stages);
    assert!(many.stages[0].metrics[0].smallest_effect.is_some_and(|ratio| ratio <= 2.0));
    assert!(many.false_rollbacks.may_be_at_most(many.false_rollbacks_at_most), "{:?}", many.false_rollbacks);
    assert_eq!(many.not_randomised, ["staff"]);
}

/// What a doubling takes at 1 % lies in the bracket of the closed form (393 to 648 treated units at alpha 0.05).
#[test]
fn the_units_that_a_doubling_takes_are_those_of_the_closed_form() {
    let scenarios = all().unwrap();
    let doubling = scenarios.iter().find(|one| one.name == "doubling").unwrap();
    let checked = check(&doubling.trial, &assumed(400_000.0));
    let median = checked.stages[0].metrics[0].doubling_median.unwrap().value;
    assert!((393..648).contains(&median), "{median}");
}

/// A daily population that comes back is seen once: more days bring less and less.
#[test]
fn a_population_is_not_counted_twice() {
    let trial = own_trial(&BaseRates::default());
    let checked = check(&trial, &Assumed { population: Some(10_000.0), ..assumed(10_000.0) });
    let units: Vec<f64> = checked.stages.iter().map(|stage| stage.treated_units).collect();
    assert!(units[1] < 5_000.0, "half of all units at most: {units:?}");
    assert!(units[1] > 4_000.0, "{units:?}");
}
