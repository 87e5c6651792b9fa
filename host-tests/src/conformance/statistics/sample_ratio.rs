//! `srm_chisq` and `srm_sequential`: are units split as promised?

use flagstone_judge::sample_ratio::{chi_square_p, log_e};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, counts, maybe, near, number, numbers, rows};

pub(super) fn chi_square(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = format!("users {} of {}", row["users"], row["weights"]);
        let weightless = numbers(row, "weights").is_ok_and(|weights| weights.contains(&0.0));
        if weightless && maybe(row, "scipy_chisquare_p").is_none() {
            suite.skipped += 1;
            suite.reasons.push(format!(
                "{name}: the reference keeps a degree of freedom for an arm without a share, we do not"
            ));
            continue;
        }
        suite.row(&name, one_chi_square(row));
    }
}

fn one_chi_square(row: &Value) -> Result<(), String> {
    let p = chi_square_p(&counts(row, "users")?, &numbers(row, "weights")?).ok_or("no p-value")?;
    near("p (gbstats)", p, number(row, "gbstats_p")?, EXACT)?;
    maybe(row, "scipy_chisquare_p").map_or(Ok(()), |want| near("p (scipy)", p, want, EXACT))
}

pub(super) fn sequential(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = format!("counts {} of {}, k {}", row["counts"], row["theta0"], row["k"]);
        suite.row(&name, one_sequential(row, "counts"));
    }
    let published = &file["published"];
    if published.is_object() {
        suite.row("the documented stop", one_sequential(published, "counts_at_stop"));
    }
}

fn one_sequential(row: &Value, key: &str) -> Result<(), String> {
    let seen = log_e(&counts(row, key)?, &numbers(row, "theta0")?, number(row, "k")?).ok_or("no e-value")?;
    for (name, want) in [("log_e", maybe(row, "log_e")), ("log_e_savvi", maybe(row, "log_e_savvi"))] {
        want.map_or(Ok(()), |want| near(name, seen, want, EXACT))?;
    }
    for (name, want) in [("p", maybe(row, "p")), ("p_at_stop", maybe(row, "p_at_stop"))] {
        // p is exp(-log E): as exact as its logarithm is.
        want.map_or(Ok(()), |want| near(&format!("ln {name}"), (-seen).min(0.0), want.ln(), EXACT))?;
    }
    let Some(want) = maybe(row, "chisq_p") else { return Ok(()) };
    let p = chi_square_p(&counts(row, key)?, &numbers(row, "theta0")?).ok_or("no p-value")?;
    near("chisq_p", p, want, EXACT)
}
