//! `simulation`: how often rules fire, simulated anew with our statistics and held against the design's own simulations:
//! within three standard errors of both together. Seeded, so that the answer is the same on every machine.

use flagstone_judge::alpha::{clears, log_threshold};
use flagstone_judge::boundary::Sides;
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::means::compare::{Difference, absolute};
use flagstone_judge::means::sequence::{DEFAULT_PLANNED, Sequence};
use flagstone_judge::means::{Average, Sample};
use flagstone_judge::{CohortCounts, rate_ratio};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{as_number, count, number, numbers, rows, within};

/// Rollouts simulated for a row; the reference has up to 2,000.
const ROLLOUTS: u64 = 400;
const ALPHA: f64 = 0.05;
/// Looks at each stage of a ramp; the reference does not say how often it looked.
const LOOKS_PER_STAGE: u64 = 20;

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for row in rows(file, "single_stage") {
        let name =
            format!("{} treated, {} to {}", row["split_treatment"], row["p_control"], row["p_treatment"]);
        single_stage(row, &name, suite);
    }
    for row in rows(file, "ramp") {
        ramp(row, row["design"].as_str().unwrap_or_default(), suite);
    }
    for row in rows(&file["asymptotic_cs_small_count_guard"], "cases") {
        guards(row, &format!("guards at {} treated, {}", row["split"], row["p"]), suite);
    }
    for (key, reason) in [
        ("unit_clustering", "how busy its units are is not in the file"),
        (
            "cohort_design",
            "a population that returns: crates/judge/tests/operating.rs and `flagstone simulate` have one",
        ),
    ] {
        let left = rows(&file[key], "cases").len();
        suite.skipped += left;
        if left > 0 {
            suite.reasons.push(format!("{key}: {reason}"));
        }
    }
}

/// Knuth's 64-bit linear congruential generator; the high bits of its state.
struct Random(u64);

impl Random {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    /// How many of `n` have what one has with probability `p`: from one to the next by geometric steps.
    fn of(&mut self, n: u64, p: f64) -> u64 {
        if p <= 0.0 {
            return 0;
        }
        if p > 0.5 {
            return n - self.of(n, 1.0 - p);
        }
        let miss = (-p).ln_1p();
        let (mut at, mut found) = (0.0, 0);
        loop {
            at += (self.unit().ln() / miss).floor() + 1.0;
            if at > n as f64 {
                return found;
            }
            found += 1;
        }
    }
}

/// Units and bad units of both arms.
#[derive(Debug, Clone, Copy, Default)]
struct Arms {
    treated: u64,
    treated_bad: u64,
    control: u64,
    control_bad: u64,
}

impl Arms {
    /// `n` more units, treated with probability `share`, bad with these.
    fn add(&mut self, random: &mut Random, n: u64, share: f64, rates: [f64; 2]) {
        let treated = random.of(n, share);
        let [treated_rate, control_rate] = rates;
        self.treated += treated;
        self.treated_bad += random.of(treated, treated_rate);
        self.control += n - treated;
        self.control_bad += random.of(n - treated, control_rate);
    }

    fn counts(&self, cohort: u8, share: f64) -> CohortCounts {
        CohortCounts {
            cohort,
            probability: (share * f64::from(SHARE_TOTAL)).round() as u32,
            treated_bad: self.treated_bad,
            control_bad: self.control_bad,
            treated_units: self.treated,
            control_units: self.control,
        }
    }

    fn difference(&self) -> Option<Difference> {
        let arm = |units: u64, bad: u64| -> Average {
            Sample { units: units as f64, sum: bad as f64, ..Sample::default() }.proportion()
        };
        if self.treated == 0 || self.control == 0 {
            return None;
        }
        Some(absolute(&arm(self.treated, self.treated_bad), &arm(self.control, self.control_bad)))
            .filter(|difference| difference.error > 0.0)
    }

    fn bad_at_least(&self, least: u64) -> bool {
        self.treated_bad.min(self.control_bad) >= least
    }

    /// Whether a two-sided sequence leaves zero.
    fn left(&self) -> bool {
        let sequence = Sequence::tuned(DEFAULT_PLANNED as f64, ALPHA, Sides::Two);
        sequence.zip(self.difference()).is_some_and(|(sequence, difference)| {
            difference.estimate.abs() > sequence.factor(difference.units, ALPHA) * difference.error
        })
    }

    /// Whether a one-sided sequence says "worse".
    fn worse(&self) -> bool {
        let sequence = Sequence::tuned(DEFAULT_PLANNED as f64, ALPHA, Sides::One);
        sequence
            .zip(self.difference())
            .is_some_and(|(sequence, difference)| sequence.interval(&difference, ALPHA).0 > 0.0)
    }

    /// Whether the difference is beyond 1.96 standard errors, as if this were the only look.
    fn beyond_two_errors(&self) -> bool {
        self.difference().is_some_and(|difference| difference.estimate.abs() > 1.96 * difference.error)
    }

    /// Whether the treatment's rate is more than a fifth above the control's, from 100 units on.
    fn fifth_above(&self) -> bool {
        let rate = |bad: u64, units: u64| bad as f64 / units.max(1) as f64;
        self.treated.min(self.control) >= 100
            && rate(self.treated_bad, self.treated) > 1.2 * rate(self.control_bad, self.control)
    }
}

fn harm(cohorts: &[CohortCounts]) -> bool {
    rate_ratio::harm_log_e(cohorts, 1.0).is_some_and(|log_e| clears(log_e, log_threshold(ALPHA, 1.0)))
}

/// Whether `seen` of [`ROLLOUTS`] is what the reference found in `repetitions`.
fn agrees(seen: u64, want: f64, repetitions: f64) -> Result<(), String> {
    let rollouts = ROLLOUTS as f64;
    let share = seen as f64 / rollouts;
    // With both near 0 or 1 the error of their common share; never less than that of one rollout.
    let common = (share * rollouts + want * repetitions) / (rollouts + repetitions);
    let error = (common * (1.0 - common) * (1.0 / rollouts + 1.0 / repetitions)).sqrt();
    within("the share of rollouts that fire", share, want, (3.0 * error).max(1.0 / rollouts))
}

/// Simulates one set-up under several rules at once: counts in how many rollouts each has fired. `step` makes one look.
fn fired<const N: usize>(
    seed: u64,
    looks: u64,
    mut roll: impl FnMut(&mut Random) -> Box<dyn FnMut(u64, &mut Random) -> [bool; N]>,
) -> [u64; N] {
    let mut random = Random(seed);
    let mut totals = [0; N];
    for _ in 0..ROLLOUTS {
        let mut step = roll(&mut random);
        let mut ever = [false; N];
        for look in 0..looks {
            let now = step(look, &mut random);
            ever.iter_mut().zip(now).for_each(|(ever, now)| *ever |= now);
            if ever.iter().all(|ever| *ever) {
                break;
            }
        }
        totals.iter_mut().zip(ever).for_each(|(total, ever)| *total += u64::from(ever));
    }
    totals
}

fn single_stage(row: &Value, name: &str, suite: &mut Suite) {
    const RULES: [&str; 5] = [
        "rr_grid_e_one_sided",
        "asympCS_two_sided",
        "asympCS_one_sided_worse",
        "naive_z_two_sided_1.96",
        "point_threshold_rel_+20pct",
    ];
    let setting = || -> Result<(f64, [f64; 2], u64, u64, f64), String> {
        let rates = [number(row, "p_treatment")?, number(row, "p_control")?];
        Ok((
            number(row, "split_treatment")?,
            rates,
            count(row, "total_n")?,
            count(row, "looks")?.max(1),
            number(row, "reps")?,
        ))
    };
    let (share, rates, total, looks, repetitions) = match setting() {
        Ok(setting) => setting,
        Err(error) => return suite.row(name, Err(error)),
    };
    let seen = fired(1, looks, |_| {
        let mut arms = Arms::default();
        Box::new(move |_, random| {
            arms.add(random, total / looks, share, rates);
            let enough = arms.bad_at_least(5);
            [
                harm(&[arms.counts(0, share)]),
                enough && arms.left(),
                enough && arms.worse(),
                enough && arms.beyond_two_errors(),
                arms.fifth_above(),
            ]
        })
    });
    for (rule, result) in row["results"].as_object().into_iter().flatten() {
        let position = RULES.iter().position(|known| known == rule);
        let Some(seen) = position.and_then(|at| seen.get(at)) else {
            suite.skipped += 1;
            suite.reasons.push(format!("{name}, {rule}: its settings are not in the file"));
            continue;
        };
        let result = number(result, "reject_rate").and_then(|want| agrees(*seen, want, repetitions));
        suite.row(&format!("{name}, {rule}"), result);
    }
}

fn ramp(row: &Value, design: &str, suite: &mut Suite) {
    let setting = || -> Result<(Vec<f64>, Vec<f64>, u64, f64), String> {
        let (stages, base) = (numbers(row, "stages")?, numbers(row, "base_rate_by_stage")?);
        Ok((stages, base, count(row, "n_per_stage")?, number(row, "reps")?))
    };
    let (stages, base, units, repetitions) = match setting() {
        Ok(setting) => setting,
        Err(error) => return suite.row(design, Err(error)),
    };
    let equal_arms = design.starts_with("equal");
    let looks = LOOKS_PER_STAGE * stages.len() as u64;
    let seen = fired(2, looks, |_| {
        let (stages, base) = (stages.clone(), base.clone());
        let mut cohorts: Vec<(f64, Arms)> = Vec::new();
        let mut pooled = Arms::default();
        Box::new(move |look, random| {
            let stage = (look / LOOKS_PER_STAGE) as usize;
            let (treated, rate) = (
                stages.get(stage).copied().unwrap_or_default(),
                base.get(stage).copied().unwrap_or_default(),
            );
            let taking_part = if equal_arms { 2.0 * treated } else { 1.0 };
            let share = treated / taking_part;
            if cohorts.len() == stage {
                cohorts.push((share, Arms::default()));
            }
            let n = random.of(units / LOOKS_PER_STAGE, taking_part.min(1.0));
            let mut more = Arms::default();
            more.add(random, n, share, [rate, rate]);
            for arms in [Some(&mut pooled), cohorts.last_mut().map(|(_, arms)| arms)].into_iter().flatten() {
                arms.treated += more.treated;
                arms.treated_bad += more.treated_bad;
                arms.control += more.control;
                arms.control_bad += more.control_bad;
            }
            let strata: Vec<CohortCounts> =
                (0u8..).zip(&cohorts).map(|(cohort, (share, arms))| arms.counts(cohort, *share)).collect();
            let average = pooled.treated as f64 / (pooled.treated + pooled.control).max(1) as f64;
            [pooled.bad_at_least(5) && pooled.worse(), harm(&strata), harm(&[pooled.counts(0, average)])]
        })
    });
    let names =
        ["pooled_asympCS_one_sided", "epoch_stratified_rr_grid_e", "pooled_rr_grid_e_with_average_pi"];
    for (rule, want) in row["false_rollback_rate"].as_object().into_iter().flatten() {
        let Some(want) = as_number(want) else { continue };
        let seen = names.iter().position(|known| known == rule).and_then(|at| seen.get(at));
        let result = seen.ok_or_else(|| "no such rule".to_owned());
        suite.row(
            &format!("ramp, {design}, {rule}"),
            result.and_then(|seen| agrees(*seen, want, repetitions)),
        );
    }
}

fn guards(row: &Value, name: &str, suite: &mut Suite) {
    let setting = || -> Result<(f64, f64, u64, u64, f64), String> {
        Ok((
            number(row, "split")?,
            number(row, "p")?,
            count(row, "total")?,
            count(row, "looks")?.max(1),
            number(row, "reps")?,
        ))
    };
    let (share, rate, total, looks, repetitions) = match setting() {
        Ok(setting) => setting,
        Err(error) => return suite.row(name, Err(error)),
    };
    let seen = fired(3, looks, |_| {
        let mut arms = Arms::default();
        Box::new(move |_, random| {
            arms.add(random, total / looks, share, [rate, rate]);
            let left = arms.left();
            [left, left && arms.treated >= 100, left && arms.bad_at_least(5), left && arms.bad_at_least(20)]
        })
    });
    let names = ["none", "n_t>=100", "events>=5 each arm", "events>=20 each arm"];
    for (guard, want) in row["false_reject_rate_by_guard"].as_object().into_iter().flatten() {
        let seen = names.iter().position(|known| known == guard).and_then(|at| seen.get(at));
        let pair = seen.zip(as_number(want)).ok_or_else(|| "no such guard".to_owned());
        let result = pair.and_then(|(seen, want)| agrees(*seen, want, repetitions));
        suite.row(&format!("{name}, {guard}"), result);
    }
}
