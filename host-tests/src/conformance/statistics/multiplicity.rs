//! `multiplicity`: adjusted p-values, and e-BH of 1/p, which must pick what Benjamini and Hochberg pick.

use flagstone_judge::multiplicity::{benjamini_hochberg, benjamini_yekutieli, bonferroni, e_bh, holm};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, all_near, counts, equal, number, numbers, rows};

type Adjust = fn(&[f64]) -> Vec<f64>;

const RULES: [(&str, Adjust); 4] = [
    ("bonferroni", bonferroni),
    ("holm", holm),
    ("fdr_bh", benjamini_hochberg),
    ("fdr_by", benjamini_yekutieli),
];

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        for (name, adjust) in RULES {
            suite.row(&format!("{name} of {}", row["p"]), adjusted(row, name, adjust));
        }
        suite.row(&format!("e-BH of {}", row["p"]), picked(row));
    }
}

fn adjusted(row: &Value, name: &str, adjust: Adjust) -> Result<(), String> {
    let seen = adjust(&numbers(row, "p")?);
    all_near("adjusted p", &seen, &numbers(&row[name], "p_adj")?, EXACT)?;
    // Values on the threshold are computed in another order there: as near to it is on it.
    let alpha = number(row, "alpha")? * (1.0 + 1e-12);
    equal("rejected", &positions(seen.iter().map(|p| *p <= alpha)), &counts(&row[name], "reject")?)
}

fn picked(row: &Value) -> Result<(), String> {
    let log_e: Vec<f64> = numbers(row, "p")?.iter().map(|p| -p.ln()).collect();
    let seen = e_bh(&log_e, number(row, "alpha")?);
    equal("picked", &positions(seen.into_iter()), &counts(row, "ebh_on_1_over_p")?)
}

fn positions(flags: impl Iterator<Item = bool>) -> Vec<u64> {
    (0..).zip(flags).filter(|(_, flag)| *flag).map(|(at, _)| at).collect()
}
