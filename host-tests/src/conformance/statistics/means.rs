//! `asymptotic_cs` and `gbstats_tests`: means, proportions, ratios and CUPED, read once and read for ever.

use flagstone_judge::boundary::Sides;
use flagstone_judge::means::compare::{Difference, absolute, relative_adjusted, relative_whatever};
use flagstone_judge::means::sequence::{DEFAULT_PLANNED, Sequence};
use flagstone_judge::means::{Average, Sample, pooled_slope, welch};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, maybe, near, number, numbers, rows};

pub(super) fn sequence(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = format!("alpha {}, N* {}, n {}", row["alpha"], row["N_star"], row["n"]);
        suite.row(&name, widths(row));
    }
}

fn widths(row: &Value) -> Result<(), String> {
    let (alpha, n) = (number(row, "alpha")?, number(row, "n")?);
    for (sides, rho, half) in
        [(Sides::Two, "rho_two", "hw_two_unit_sigma"), (Sides::One, "rho_one", "hw_one_unit_sigma")]
    {
        let sequence = Sequence::tuned(number(row, "N_star")?, alpha, sides).ok_or("no sequence")?;
        near(rho, sequence.rho(), number(row, rho)?, EXACT)?;
        near(half, sequence.factor(n, alpha) / n.sqrt(), number(row, half)?, EXACT)?;
    }
    Ok(())
}

pub(super) fn tests(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = row["desc"].as_str().unwrap_or_default();
        let name = name.split(['(', ':']).next().unwrap_or_default().trim();
        for (test, want) in row["results"].as_object().into_iter().flatten() {
            let name = format!("{name}, {test}");
            if want["error"].is_string() {
                suite.skipped += 1;
                suite.reasons.push(format!("{name}: the reference has no result, but an error"));
                continue;
            }
            suite.row(&name, result(file, row, test, want));
        }
    }
}

/// Both arms as averages, treatment first, and their relative difference.
fn arms(row: &Value) -> Result<(Average, Average, Difference), String> {
    let kind = row["kind"].as_str().unwrap_or_default();
    let sample = |arm: &Value, keys: [&str; 5]| {
        let [sum, squares, second_sum, second_squares, products] = keys;
        Ok::<Sample, String>(Sample {
            units: number(arm, "n")?,
            sum: number(arm, sum)?,
            squares: maybe(arm, squares).unwrap_or_default(),
            second_sum: maybe(arm, second_sum).unwrap_or_default(),
            second_squares: maybe(arm, second_squares).unwrap_or_default(),
            products: maybe(arm, products).unwrap_or_default(),
            ..Sample::default()
        })
    };
    let keys = match kind {
        "ratio" => ["m_sum", "m_ss", "d_sum", "d_ss", "md"],
        "cuped" => ["post_sum", "post_ss", "pre_sum", "pre_ss", "post_pre"],
        _ => ["sum", "sum_squares", "", "", ""],
    };
    let (treatment, control) = (sample(&row["treatment"], keys)?, sample(&row["control"], keys)?);
    let (t, c) = match kind {
        "mean" => (treatment.mean(), control.mean()),
        "proportion" => (treatment.proportion(), control.proportion()),
        "ratio" => {
            let of = |sample: &Sample| sample.ratio().ok_or("no ratio");
            (of(&treatment)?, of(&control)?)
        }
        "cuped" => {
            let theta = pooled_slope(&treatment, &control);
            (treatment.adjusted(theta), control.adjusted(theta))
        }
        other => return Err(format!("no kind {other}")),
    };
    let relative =
        if kind == "cuped" { relative_adjusted(&treatment, &control) } else { relative_whatever(&t, &c) };
    Ok((t, c, relative))
}

fn result(file: &Value, row: &Value, test: &str, want: &Value) -> Result<(), String> {
    let (t, c, relative) = arms(row)?;
    let (scale, form) = test.split_once('/').ok_or("the test has no name")?;
    let difference = match scale {
        "absolute" => absolute(&t, &c),
        "relative" => relative,
        other => return Err(format!("no scale {other}")),
    };
    near("estimate", difference.estimate, number(want, "estimate")?, EXACT)?;
    near("se", difference.error, number(want, "se")?, EXACT)?;
    let setting = |key: &str| maybe(&row["config"], key).or_else(|| maybe(&file["defaults"], key));
    let alpha = setting("alpha").unwrap_or(0.05);
    let planned = setting("sequential_tuning_parameter").unwrap_or(DEFAULT_PLANNED as f64);
    let degrees = welch::degrees(&t, &c);
    let (both, greater, lesser) = welch::p_values(&difference, degrees, 0.0);
    let (low, high) = welch::one_sided(&difference, degrees, alpha);
    let (infinite, one_sided) =
        (f64::INFINITY, Sequence::tuned(planned, alpha, Sides::One).ok_or("no sequence")?);
    let (seq_low, seq_high) = one_sided.interval(&difference, alpha);
    let turned = Difference { estimate: -difference.estimate, ..difference };
    let ((lower, upper), p) = match form {
        "two_sided" => (welch::interval(&difference, degrees, alpha), both),
        "greater" => ((low, infinite), greater),
        "lesser" => ((-infinite, high), lesser),
        "seq_two_sided" => {
            let sequence = Sequence::tuned(planned, alpha, Sides::Two).ok_or("no sequence")?;
            (sequence.interval(&difference, alpha), (-sequence.log_evidence(&difference, 0.0)).exp())
        }
        "seq_greater" => ((seq_low, infinite), one_sided.p_by_halving(&difference)),
        "seq_lesser" => ((-infinite, seq_high), one_sided.p_by_halving(&turned)),
        other => return Err(format!("no test {other}")),
    };
    let ends = numbers(want, "ci")?;
    for (what, seen, end) in [("lower", lower, ends.first()), ("upper", upper, ends.last())] {
        near(what, seen, *end.ok_or("the interval has no ends")?, EXACT)?;
    }
    let wanted = number(want, "p")?;
    near("p", p, wanted, EXACT)
}
