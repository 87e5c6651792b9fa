//! `quantile_cs` and `mann_whitney`: quantiles and ranks.

use flagstone_judge::quantiles::compare::equality_p;
use flagstone_judge::quantiles::mann_whitney::mann_whitney;
use flagstone_judge::quantiles::sequence::{Ranks, at_rank, fixed, uniform};
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, count, equal, maybe, near, number, numbers, rows};

/// Radii of the curve over all quantiles stand on a constant that is minimised numerically.
const MINIMISED: f64 = 1e-7;

pub(super) fn sequences(file: &Value, suite: &mut Suite) {
    let stream: Vec<f64> = (1..=5_000u32)
        .map(|i| {
            let u = f64::from(i * 7_919 % 100_003) / 100_003.0;
            (50.0 * (-0.8 * (-0.9999 * u).ln_1p()).exp() * 1e6).round() / 1e6
        })
        .collect();
    for row in rows(file, "single") {
        suite.row(&format!("quantile {} of {}", row["p"], row["t"]), single(row, &stream));
    }
    for row in rows(file, "two_sample") {
        suite.row(&format!("quantile {}, scale {}", row["p"], row["scale_b"]), two_samples(row, &stream));
    }
}

fn single(row: &Value, stream: &[f64]) -> Result<(), String> {
    let (p, alpha, t) = (number(row, "p")?, number(row, "alpha")?, count(row, "t")?);
    let mut sorted = stream.get(..t as usize).ok_or("the stream is shorter")?.to_vec();
    sorted.sort_by(f64::total_cmp);
    let ranks = fixed(p, t, alpha, number(row, "t_opt")?).ok_or("no ranks")?;
    ends(&row["fixed_quantile"], &ranks, &sorted, EXACT)?;
    for (key, want) in row.as_object().into_iter().flatten() {
        let Some(from) = key.strip_prefix("uniform_lil_tmin") else { continue };
        let from = from.parse().map_err(|error| format!("{key}: {error}"))?;
        let ranks = uniform(p, t, alpha, from).ok_or("no ranks")?;
        near("radius", ranks.lower_radius, number(want, "radius")?, MINIMISED)?;
        ends(want, &ranks, &sorted, MINIMISED)?;
    }
    Ok(())
}

fn ends(want: &Value, ranks: &Ranks, sorted: &[f64], relative: f64) -> Result<(), String> {
    let radii = [("lower_radius", ranks.lower_radius), ("upper_radius", ranks.upper_radius)];
    for (key, seen) in radii {
        maybe(want, key).map_or(Ok(()), |want| near(key, seen, want, relative))?;
    }
    for (rank, end, seen) in [("lower_rank", "lower", ranks.lower), ("upper_rank", "upper", ranks.upper)] {
        let wanted = number(want, rank)?;
        equal(rank, &(seen as f64), &wanted)?;
        near(end, at_rank(sorted, seen), number(want, end)?, EXACT)?;
    }
    Ok(())
}

fn two_samples(row: &Value, stream: &[f64]) -> Result<(), String> {
    let (n, scale) = (count(row, "n_each")? as usize, number(row, "scale_b")?);
    let a: Vec<f64> = stream.iter().step_by(2).take(n).copied().collect();
    let b: Vec<f64> = stream.iter().skip(1).step_by(2).take(n).map(|x| scale * x).collect();
    let p = equality_p(&a, &b, number(row, "p")?, number(row, "t_opt")?, 0.05).ok_or("no p-value")?;
    // The far tail is as exact as its logarithm.
    near("ln p", p.ln(), number(row, "p_value")?.ln(), EXACT)
}

pub(super) fn ranks(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        suite.row(&format!("{} and {}", row["x"], row["y"]), rank_test(row));
    }
}

fn rank_test(row: &Value) -> Result<(), String> {
    let found = mann_whitney(&numbers(row, "x")?, &numbers(row, "y")?).ok_or("no test")?;
    near("U", found.u, number(row, "U_x")?, EXACT)?;
    near("p", found.p, number(row, "p_asymptotic_cc")?, EXACT)?;
    near("shift", found.shift, number(row, "hodges_lehmann")?, EXACT)?;
    near("larger", found.larger, number(row, "cles_P(x>y)+.5P(=)")?, EXACT)
}
