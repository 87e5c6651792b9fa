//! `special_functions`: what everything stands on, against sixty digits of mpmath.

use flagstone_judge::special;
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, as_number};

type Function = fn(&[f64]) -> Option<f64>;

fn one(arguments: &[f64], function: fn(f64) -> f64) -> Option<f64> {
    arguments.first().map(|x| function(*x))
}

fn two(arguments: &[f64], function: fn(f64, f64) -> f64) -> Option<f64> {
    let [a, b] = arguments else { return None };
    Some(function(*a, *b))
}

fn three(arguments: &[f64], function: fn(f64, f64, f64) -> f64) -> Option<f64> {
    let [a, b, x] = arguments else { return None };
    Some(function(*a, *b, *x))
}

const FUNCTIONS: [(&str, Function); 12] = [
    ("lgamma", |a| one(a, special::ln_gamma)),
    ("betaln", |a| two(a, special::ln_beta)),
    ("norm_cdf", |a| one(a, special::normal_lower)),
    ("norm_logcdf", |a| one(a, special::ln_normal_lower)),
    ("norm_ppf", |a| one(a, special::normal_quantile)),
    ("gamma_p", |a| two(a, special::gamma_lower)),
    ("gamma_q", |a| two(a, special::gamma_upper)),
    ("beta_inc", |a| three(a, special::beta_lower)),
    ("log_beta_sf", |a| three(a, special::ln_beta_upper)),
    ("chi2_sf", |a| two(a, |x, degrees| special::chi_square_upper(x, degrees as u32))),
    ("t_cdf", |a| two(a, special::t_lower)),
    ("t_ppf", |a| two(a, special::t_quantile)),
];

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for (name, rows) in file["values"].as_object().into_iter().flatten() {
        let function = FUNCTIONS.iter().find(|(known, _)| known == name).map(|(_, function)| function);
        for row in rows.as_array().into_iter().flatten() {
            let result = match function {
                Some(function) => check(row, *function),
                None => Err("no function of this name".into()),
            };
            suite.row(&format!("{name} {row}"), result);
        }
    }
}

fn check(row: &Value, function: Function) -> Result<(), String> {
    let numbers: Vec<f64> = row.as_array().into_iter().flatten().filter_map(as_number).collect();
    let (want, arguments) = numbers.split_last().ok_or("the row is empty")?;
    let seen = function(arguments).ok_or("another number of arguments is needed")?;
    // Relative in the far tails as well: only what underflows, and what is nothing but rounding around 0, is let go.
    let allowed = want.abs() * EXACT + 1e-305 + if *want == 0.0 { 1e-15 } else { 0.0 };
    if (seen - want).abs() <= allowed { Ok(()) } else { Err(format!("it is {seen:e}, expected {want:e}")) }
}
