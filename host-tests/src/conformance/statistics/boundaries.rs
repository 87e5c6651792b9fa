//! `confseq_boundaries`: the curves that sums stay under.

use flagstone_judge::boundary::{Sides, bernoulli, distribution, gamma, normal, spread, stitching};
use flagstone_judge::quantiles::compare::equality_p;
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, all_near, as_number, count, equal, number, rows, within};

/// The package's own tests print six decimals or seven digits, some of them cut off instead of rounded.
const PRINTED: f64 = 2e-6;
/// The empirical-process curve's constant is minimised numerically there.
const MINIMISED: f64 = 1e-7;
/// Spacing of the quantile grid that the package takes when it is not told one.
const USUAL_SPACING: f64 = 0.5;

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for row in rows(file, "published").iter().chain(rows(file, "grid")) {
        let name = format!("{} {}", row["fn"].as_str().unwrap_or_default(), row["args"]);
        suite.row(&name, check(row));
    }
}

fn check(row: &Value) -> Result<(), String> {
    let name = row["fn"].as_str().unwrap_or_default();
    let seen = value(name, &row["args"])?;
    let list = |value: &Value| -> Vec<f64> {
        match value {
            Value::Array(list) => list.iter().filter_map(as_number).collect(),
            other => as_number(other).into_iter().collect(),
        }
    };
    let exact = if name == "empirical_process_lil_bound" { MINIMISED } else { EXACT };
    let mut checked = false;
    for (key, relative) in [("value", exact), ("computed", exact), ("published", PRINTED)] {
        if !row[key].is_null() {
            let want = list(&row[key]);
            if key == "published" {
                equal("the number of values", &seen.len(), &want.len())?;
                for (seen, want) in seen.iter().zip(&want) {
                    within(key, *seen, *want, PRINTED * want.abs().max(1.0))?;
                }
            } else {
                all_near(key, &seen, &want, relative)?;
            }
            checked = true;
        }
    }
    if checked { Ok(()) } else { Err("the row has no value".into()) }
}

fn value(name: &str, args: &Value) -> Result<Vec<f64>, String> {
    let get = |key: &str| number(args, key);
    let tuned = || get("alpha_opt");
    let sides = || if args["is_one_sided"].as_bool() == Some(true) { Sides::One } else { Sides::Two };
    let seen = match name {
        "two_sided_normal_best_rho" => spread(get("v_opt")?, tuned()?, Sides::Two),
        "one_sided_normal_best_rho" => spread(get("v_opt")?, tuned()?, Sides::One),
        "normal_log_mixture" => normal::log_mixture(get("s")?, get("v")?, get("v_opt")?, tuned()?, sides()),
        "normal_mixture_bound" => normal::bound(get("v")?, get("alpha")?, get("v_opt")?, tuned()?, sides()),
        "gamma_exponential_log_mixture" => {
            gamma::exponential_log_mixture(get("s")?, get("v")?, get("v_opt")?, get("c")?, tuned()?)
        }
        "gamma_exponential_mixture_bound" => {
            gamma::exponential_bound(get("v")?, get("alpha")?, get("v_opt")?, get("c")?, tuned()?)
        }
        "gamma_poisson_log_mixture" => {
            gamma::poisson_log_mixture(get("s")?, get("v")?, get("v_opt")?, get("c")?, tuned()?)
        }
        "gamma_poisson_mixture_bound" => {
            gamma::poisson_bound(get("v")?, get("alpha")?, get("v_opt")?, get("c")?, tuned()?)
        }
        "beta_binomial_log_mixture" => {
            let steps = (get("g")?, get("h")?);
            bernoulli::log_mixture(get("s")?, get("v")?, get("v_opt")?, steps, tuned()?, sides())
        }
        "beta_binomial_mixture_bound" => {
            let steps = (get("g")?, get("h")?);
            bernoulli::bound(get("v")?, get("alpha")?, get("v_opt")?, steps, tuned()?, sides())
        }
        "poly_stitching_bound" => {
            let epochs = stitching::Epochs { power: get("s")?, growth: get("eta")? };
            stitching::bound(get("v")?, get("alpha")?, get("v_min")?, get("c")?, epochs)
        }
        "empirical_process_lil_bound" => {
            distribution::radius(get("t")?, get("alpha")?, get("t_min")?, get("A")?)
        }
        "double_stitching_bound" => {
            let spacing = get("delta").unwrap_or(USUAL_SPACING);
            let epochs = stitching::Epochs::default();
            stitching::quantile_bound(
                get("quantile_p")?,
                get("t")?,
                get("alpha")?,
                get("t_opt")?,
                spacing,
                epochs,
            )
        }
        "quantile_ab_p_value" => {
            let (a, b) = (range(&args["a"])?, range(&args["b"])?);
            equality_p(&a, &b, get("quantile_p")?, get("t_opt")?, tuned()?).ok_or("no p-value")?
        }
        "bernoulli_confidence_interval" => {
            let (events, trials) = (count(args, "num_successes")?, count(args, "num_trials")?);
            let tuned = tuned().unwrap_or(0.05);
            let (low, high) = bernoulli::share_interval(events, trials, get("alpha")?, get("t_opt")?, tuned);
            return Ok(vec![low, high]);
        }
        other => return Err(format!("no function {other}")),
    };
    Ok(vec![seen])
}

/// `"1..1000"`, both ends included; or a list.
fn range(value: &Value) -> Result<Vec<f64>, String> {
    if let Some(list) = value.as_array() {
        return Ok(list.iter().filter_map(as_number).collect());
    }
    let (from, to) = value.as_str().and_then(|text| text.split_once("..")).ok_or("no range")?;
    let end = |text: &str| text.parse::<i64>().map_err(|error| format!("{text}: {error}"));
    Ok((end(from)?..=end(to)?).map(|i| i as f64).collect())
}
