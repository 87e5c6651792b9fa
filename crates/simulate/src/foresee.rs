//! How a plan's evidence grows when nothing but the number of units is known: bad units of each cohort and arm, drawn look
//! by look, and the judge's own e-process on them.
//!
//! A stage's units are those that come while it is open: with `units_per_day` visits of different units a day out of
//! `population`, `seen(d)` = P (1 - exp(-U d / P)) of them have come after d days (U d when the population is endless).
//! A cohort's units are its share of those that have come since its stage opened.

use flagstone_judge::CohortCounts;
use flagstone_judge::alpha::clears;
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::rate_ratio::harm_log_e;

use crate::random::Random;
use crate::trial::Trial;

/// Looks at each stage.
const LOOKS: u32 = 50;
/// Bad units after which a search for harm is given up, as a multiple of what is expected to be needed.
const GIVE_UP: f64 = 20.0;
const DAY: f64 = 86_400.0;

/// Units that come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Traffic {
    pub(crate) units_per_day: f64,
    pub(crate) population: Option<f64>,
}

impl Traffic {
    /// Different units that have come after so many days.
    pub(crate) fn seen(&self, days: f64) -> f64 {
        let come = self.units_per_day * days.max(0.0);
        match self.population {
            Some(all) if all > 0.0 => -all * libm::expm1(-come / all),
            _ => come,
        }
    }
}

/// What one stage added, as it grows while a certain stage is open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cohort {
    pub(crate) position: u8,
    pub(crate) probability: u32,
    /// Shares of all units.
    pub(crate) treat: f64,
    pub(crate) control: f64,
    /// Days from the beginning until it opened.
    pub(crate) opened: f64,
}

/// A randomised stage: when it is open, and which cohorts grow meanwhile.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) position: u8,
    pub(crate) from: f64,
    pub(crate) to: f64,
    pub(crate) cohorts: Vec<Cohort>,
}

impl Open {
    /// (treated, control) units of all cohorts after so many days.
    pub(crate) fn units(&self, traffic: &Traffic, days: f64) -> (f64, f64) {
        let mut sum = (0.0, 0.0);
        for cohort in &self.cohorts {
            let seen = traffic.seen(days - cohort.opened);
            sum.0 += cohort.treat * seen;
            sum.1 += cohort.control * seen;
        }
        sum
    }

    /// The share of treated units among those compared, all cohorts together.
    pub(crate) fn share(&self) -> f64 {
        let sums = self.cohorts.iter().fold((0.0, 0.0), |sum, c| (sum.0 + c.treat, sum.1 + c.control));
        if sums.0 + sums.1 > 0.0 { sums.0 / (sums.0 + sums.1) } else { 0.0 }
    }
}

/// The randomised stages in order, each open for its bake time.
pub(crate) fn ladder(trial: &Trial) -> Vec<Open> {
    let part = |parts: u32| f64::from(parts) / f64::from(SHARE_TOTAL);
    let mut opens: Vec<Open> = Vec::new();
    let mut from = 0.0;
    for (position, stage) in trial.stages.iter().enumerate().filter(|(_, stage)| stage.randomised) {
        let to = from + stage.bake as f64 / DAY;
        let mut cohorts = Vec::new();
        let (mut treat_below, mut control_below) = (0.0, 0.0);
        let climbed = opens.iter().map(|open| (open.position, open.from));
        for (below, opened) in climbed.chain([(u8::try_from(position).unwrap_or(u8::MAX), from)]) {
            let Some(rung) = trial.stages.get(usize::from(below)) else { continue };
            let (treat, control) = (part(rung.treat), part(rung.control.min(stage.control)));
            // A cohort whose control was given up, or that never had both arms, is no evidence any more.
            let drawn =
                rung.probability > 0 && rung.probability < SHARE_TOTAL && rung.control <= stage.control;
            if drawn {
                cohorts.push(Cohort {
                    position: below,
                    probability: rung.probability,
                    treat: (treat - treat_below).max(0.0),
                    control: (control - control_below).max(0.0),
                    opened,
                });
            }
            (treat_below, control_below) = (treat_below.max(treat), control_below.max(control));
        }
        opens.push(Open { position: u8::try_from(position).unwrap_or(u8::MAX), from, to, cohorts });
        from = to;
    }
    opens
}

/// Climbs the whole ladder once and says in which of `opens` harm was found: evidence of all stages adds up.
pub(crate) fn climb(
    opens: &[Open],
    traffic: &Traffic,
    (base_rate, ratio): (f64, f64),
    threshold: f64,
    random: &mut Random,
) -> Option<usize> {
    let mut counts: Vec<CohortCounts> = Vec::new();
    for (stage, open) in opens.iter().enumerate() {
        let mut before = open.from;
        for look in 1..=LOOKS {
            let now = open.from + (open.to - open.from) * f64::from(look) / f64::from(LOOKS);
            for cohort in &open.cohorts {
                let new = traffic.seen(now - cohort.opened) - traffic.seen(before - cohort.opened);
                let treated = random.poisson(cohort.treat * new * (base_rate * ratio).min(1.0));
                let control = random.poisson(cohort.control * new * base_rate);
                add(&mut counts, cohort, treated, control);
            }
            before = now;
            if finds(&counts, threshold) {
                return Some(stage);
            }
        }
    }
    None
}

/// Treated units until harm is found while one stage stays open for as long as it takes; none when it was given up.
pub(crate) fn search(
    open: &Open,
    (base_rate, ratio): (f64, f64),
    (threshold, expected_bad): (f64, f64),
    random: &mut Random,
) -> Option<u64> {
    let treat: f64 = open.cohorts.iter().map(|cohort| cohort.treat).sum();
    let weights: Vec<(f64, f64)> =
        open.cohorts.iter().map(|cohort| (cohort.treat * ratio, cohort.control)).collect();
    let total: f64 = weights.iter().map(|(treated, control)| treated + control).sum();
    if total <= 0.0 || base_rate <= 0.0 {
        return None;
    }
    let mut counts: Vec<CohortCounts> = Vec::new();
    let (mut bad, mut next) = (0_u64, 1_u64);
    while (bad as f64) < GIVE_UP * expected_bad {
        bad += 1;
        let mut left = random.unit() * total;
        for (cohort, (treated, control)) in open.cohorts.iter().zip(&weights) {
            if left < treated + control {
                add(&mut counts, cohort, u64::from(left < *treated), u64::from(left >= *treated));
                break;
            }
            left -= treated + control;
        }
        // Every bad unit up to a hundred, then every hundredth part more: what is found later is found 1 % later at most.
        if bad >= next {
            next = bad + (bad / 100).max(1);
            if finds(&counts, threshold) {
                // Bad units come at `base_rate` of the control's, `ratio` times that of the treated units.
                return Some((bad as f64 * treat / (base_rate * total)) as u64);
            }
        }
    }
    None
}

fn finds(counts: &[CohortCounts], threshold: f64) -> bool {
    harm_log_e(counts, 1.0).is_some_and(|log_e| clears(log_e, threshold))
}

fn add(counts: &mut Vec<CohortCounts>, cohort: &Cohort, treated_bad: u64, control_bad: u64) {
    let found = counts.iter_mut().find(|counts| counts.cohort == cohort.position);
    let counts = match found {
        Some(counts) => counts,
        None => counts.push_mut(CohortCounts {
            cohort: cohort.position,
            probability: cohort.probability,
            ..CohortCounts::default()
        }),
    };
    counts.treated_bad += treated_bad;
    counts.control_bad += control_bad;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_population_runs_out_and_an_endless_one_does_not() {
        let endless = Traffic { units_per_day: 100.0, population: None };
        let few = Traffic { units_per_day: 100.0, population: Some(1_000.0) };
        assert_eq!(endless.seen(30.0), 3_000.0);
        assert!((few.seen(0.1) - 10.0).abs() < 0.1, "at first all are new");
        assert!((few.seen(100.0) - 1_000.0).abs() < 1.0);
        assert_eq!(few.seen(-1.0), 0.0);
    }
}
