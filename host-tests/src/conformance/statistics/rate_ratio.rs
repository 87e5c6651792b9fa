//! `rr_grid_eprocess` and `beta_binomial_eprocess`: the primary test for bad units and its conjugate form.

use flagstone_judge::CohortCounts;
use flagstone_judge::beta_binomial::{self, Prior, Sides};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::rate_ratio::{HARM_GRID, harm_log_e};
use flagstone_judge::special::log_sum_exp;
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, count, counts, maybe, near, number, numbers, rows};

pub(super) fn grid(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = format!("{} of {} at {}", row["x_treatment"], row["x_control"], row["pi"]);
        let other = numbers(row, "grid_r_over_r0").is_ok_and(|grid| grid != HARM_GRID);
        if other {
            suite.skipped += 1;
            suite.reasons.push(format!("{name}: another grid than ours, which is fixed"));
            continue;
        }
        suite.row(&name, on_the_grid(row));
    }
}

fn on_the_grid(row: &Value) -> Result<(), String> {
    let (treated, control) = (counts(row, "x_treatment")?, counts(row, "x_control")?);
    let shares = numbers(row, "pi")?;
    let cohorts: Vec<CohortCounts> = (0u8..)
        .zip(shares.iter().zip(treated.iter().zip(&control)))
        .map(|(cohort, (share, (treated_bad, control_bad)))| CohortCounts {
            cohort,
            probability: (share * f64::from(SHARE_TOTAL)).round() as u32,
            treated_bad: *treated_bad,
            control_bad: *control_bad,
            ..CohortCounts::default()
        })
        .collect();
    let seen = harm_log_e(&cohorts, number(row, "r0")?).ok_or("no e-value")?;
    near("log_e", seen, number(row, "log_e")?, EXACT)
}

pub(super) fn beta_binomial(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = format!("{} of {} at {}, one-sided {}", row["x"], row["n"], row["m"], row["one_sided"]);
        suite.row(&name, conjugate(row));
    }
}

fn conjugate(row: &Value) -> Result<(), String> {
    let sides = if row["one_sided"].as_bool() == Some(true) { Sides::One } else { Sides::Two };
    let m = number(row, "m")?;
    let prior = Prior::tuned(m, number(row, "t_opt")?, number(row, "alpha_opt")?, sides).ok_or("no prior")?;
    near("prior, treated", prior.treated, number(row, "prior_beta_success")?, EXACT)?;
    near("prior, control", prior.control, number(row, "prior_beta_failure")?, EXACT)?;
    let (x, n) = (count(row, "x")?, count(row, "n")?);
    let seen = beta_binomial::log_e(prior, m, x, n, sides).ok_or("no e-value")?;
    match maybe(row, "log_e") {
        Some(want) if want.is_finite() => near("log_e", seen, want, EXACT),
        // The reference takes the logarithm of an upper tail that underflowed; ours is computed in log space. What it
        // must be is computed from its definition.
        _ => near("log_e", seen, by_its_definition(prior, m, x, n), 1e-6),
    }
}

/// The one-sided e-value as the integral it is: likelihood ratio of p against m, averaged over the prior cut to p > m.
/// Simpson's rule in log space.
fn by_its_definition(prior: Prior, m: f64, x: u64, n: u64) -> f64 {
    const STEPS: u32 = 400_000;
    let integral = |x: f64, y: f64| {
        let step = (1.0 - m) / f64::from(STEPS);
        let terms: Vec<f64> = (0..STEPS)
            .map(|i| {
                let p = m + f64::from(i) * step;
                let weight: f64 = match (i, i % 2) {
                    (0, _) => 1.0,
                    (_, 1) => 4.0,
                    _ => 2.0,
                };
                let density = (prior.treated - 1.0) * p.ln() + (prior.control - 1.0) * (-p).ln_1p();
                weight.ln() + density + x * (p / m).ln() + y * ((1.0 - p) / (1.0 - m)).ln()
            })
            .collect();
        log_sum_exp(&terms)
    };
    integral(x as f64, (n - x) as f64) - integral(0.0, 0.0)
}
