//! `ppi_mean`: a judge's mean corrected by people's scores; all scores are 0 or 1.

use flagstone_judge::prediction_powered::{AuditedScores, CorrectedMean, SCORE_TOTAL, Trust, stratum};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, all_near, count, near, number, numbers, rows};

/// Standard deviations to each side of the reference's 95 % intervals.
const Z: f64 = 1.959_963_984_540_054;

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = format!("{} audited, {} not, k {}", row["n_labelled"], row["N_unlabelled"], row["k"]);
        suite.row(&name, check(row));
    }
}

fn check(row: &Value) -> Result<(), String> {
    let scores = scores(row)?;
    let people = stratum(&scores, Trust::Fixed(0.0));
    all_near("classical", &[people.mean, people.standard_error()], &numbers(row, "classical")?, EXACT)?;
    let judge = AuditedScores {
        unaudited: scores.unaudited,
        unaudited_judged: scores.unaudited_judged,
        unaudited_judged_squares: scores.unaudited_judged_squares,
        ..AuditedScores::default()
    };
    near("judge only", stratum(&judge, Trust::Optimal).judge_only, number(row, "naive_judge_only")?, EXACT)?;
    let full = stratum(&scores, Trust::Fixed(1.0));
    all_near("ppi_lambda1", &four(&full), &numbers(row, "ppi_lambda1")?, EXACT)?;
    let best = stratum(&scores, Trust::Optimal);
    near("lambda", best.trust, number(row, "lambda_opt")?, EXACT)?;
    all_near("ppi_plus_plus", &four(&best), &numbers(row, "ppi_plus_plus")?, EXACT)?;
    // ppi-python divides the covariance by n where ours divides by n - 1.
    let n = scores.audited as f64;
    let theirs = stratum(&scores, Trust::Fixed(best.trust * (n - 1.0) / n));
    for (key, ours) in [("ppi_python_lambda1", full), ("ppi_python_auto_lambda", theirs)] {
        if row[key].is_array() {
            let [mean, _, lower, upper] = four(&ours);
            all_near(key, &[mean, lower, upper], &numbers(row, key)?, EXACT)?;
        }
    }
    Ok(())
}

/// Mean, standard error, and the ends of the interval.
fn four(mean: &CorrectedMean) -> [f64; 4] {
    let error = mean.standard_error();
    [mean.mean, error, mean.mean - Z * error, mean.mean + Z * error]
}

fn scores(row: &Value) -> Result<AuditedScores, String> {
    let sum = |key: &str| Ok::<u64, String>(count(row, key)? * SCORE_TOTAL);
    let square = |key: &str| Ok::<u64, String>(count(row, key)? * SCORE_TOTAL * SCORE_TOTAL);
    Ok(AuditedScores {
        audited: count(row, "n_labelled")?,
        human: sum("sum_Y")?,
        human_squares: square("sum_Y")?,
        judged: sum("sum_F")?,
        judged_squares: square("sum_F")?,
        products: square("sum_YF")?,
        unaudited: count(row, "N_unlabelled")?,
        unaudited_judged: sum("sum_FU")?,
        unaudited_judged_squares: square("sum_FU")?,
        ..AuditedScores::default()
    })
}
