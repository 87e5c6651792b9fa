//! `bounded_mean_cs`: sequences for scores between 0 and 1.

use flagstone_judge::scores::interval::{
    betting, conjugate_empirical_bernstein, conjugate_hoeffding, empirical_bernstein, hoeffding,
};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, all_near, count, near, number, numbers, within};

const ALPHA: f64 = 0.05;
/// Scores at which the conjugate Hoeffding form is tightest.
const TUNED_AT: f64 = 200.0;

pub(super) fn run(file: &Value, suite: &mut Suite) {
    let stream: Vec<f64> = (1..=400u32)
        .map(|i| {
            let share = f64::from(i * 7_919 % 1_000) / 999.0;
            (share * share * 1e6).round() / 1e6
        })
        .collect();
    suite.row("the stream", same_stream(file, &stream));
    for (method, rows) in file["results"].as_object().into_iter().flatten() {
        for row in rows.as_array().into_iter().flatten() {
            suite.row(&format!("{method} at {}", row["t"]), check(file, method, row, &stream));
        }
    }
}

fn same_stream(file: &Value, stream: &[f64]) -> Result<(), String> {
    let first = numbers(file, "x_first5")?;
    all_near("x", stream.get(..first.len()).unwrap_or_default(), &first, EXACT)?;
    near("mean", stream.iter().sum::<f64>() / stream.len() as f64, number(file, "mean")?, EXACT)
}

fn check(file: &Value, method: &str, row: &Value, stream: &[f64]) -> Result<(), String> {
    let scores = stream.get(..count(row, "t")? as usize).ok_or("the stream is shorter")?;
    let steps = count(file, "betting_breaks")?;
    let mut allowed = None;
    let (lower, upper) = match method {
        "betting_cs" | "hedged_cs" => {
            // Searched on a grid of 1/steps.
            allowed = Some(1.0 / steps as f64 + 1e-9);
            betting(scores, ALPHA, steps as u32)
        }
        "predmix_empbern_twosided_cs" => empirical_bernstein(scores, ALPHA),
        "predmix_hoeffding_cs" => hoeffding(scores, ALPHA),
        "conjmix_hoeffding_twosided_cs" => conjugate_hoeffding(scores, ALPHA, TUNED_AT),
        // The package halves alpha twice.
        "conjmix_empbern_twosided_cs" => {
            conjugate_empirical_bernstein(scores, ALPHA / 4.0, number(file, "v_opt_empbern")?)
        }
        other => return Err(format!("no method {other}")),
    };
    for (what, seen) in [("lower", lower), ("upper", upper)] {
        let want = number(row, what)?;
        within(what, seen, want, allowed.unwrap_or((want.abs() * EXACT).max(1e-12)))?;
    }
    Ok(())
}
