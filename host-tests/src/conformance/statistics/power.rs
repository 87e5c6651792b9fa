//! `power_noninferiority`, `spotify_noninferiority`, `spotify_sample_size` and `group_sequential`: fixed samples.

use flagstone_judge::boundary::Sides;
use flagstone_judge::group_sequential::bounds;
use flagstone_judge::non_inferiority::{
    Better, ZTest, moving_margin, score_as_statsmodels, wald, wald_lesser,
};
use flagstone_judge::power::{
    Split, one_sided_reach, seen, units_for_means, units_for_shares, units_for_shares_on_arcsine,
    units_in_all,
};
use flagstone_judge::special::normal_quantile;
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, all_near, equal, maybe, near, number, numbers, rows};

/// Sample sizes are found by a root search there, to about this.
const SEARCHED: f64 = 1e-7;

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for row in rows(file, "power") {
        let what = if row["cohen_d"].is_null() {
            format!("{} to {}", row["p1"], row["p2"])
        } else {
            format!("{} standard deviations", row["cohen_d"])
        };
        suite.row(&format!("units for {what}, power {}", row["power"]), sizes(row));
    }
    for row in rows(file, "noninferiority") {
        let name = format!("{} against {}, margin {}", row["treatment"], row["control"], row["margin_abs"]);
        suite.row(&name, margin_tests(row));
    }
}

fn sizes(row: &Value) -> Result<(), String> {
    let (alpha, power) = (number(row, "alpha")?, number(row, "power")?);
    if let Some(effect) = maybe(row, "cohen_d") {
        let units = units_for_means(effect, alpha, power).ok_or("no size")?;
        return near("units", units, number(row, "n_per_arm_t_two_sided")?, SEARCHED);
    }
    let (p1, p2) = (number(row, "p1")?, number(row, "p2")?);
    let arcsine = units_for_shares_on_arcsine(p1, p2, alpha, power).ok_or("no size")?;
    near("units on the arcsine scale", arcsine, number(row, "n_per_arm_cohen_h_two_sided")?, SEARCHED)?;
    let plain = units_for_shares(p1, p2, alpha, power).ok_or("no size")?;
    near("units", plain, number(row, "n_per_arm_unpooled_z_two_sided")?, EXACT)
}

/// Events and units.
fn share(row: &Value, key: &str) -> Result<(u64, u64), String> {
    match numbers(row, key)?.as_slice() {
        [events, units] => Ok((*events as u64, *units as u64)),
        other => Err(format!("`{key}` has {} numbers", other.len())),
    }
}

fn margin_tests(row: &Value) -> Result<(), String> {
    let (treatment, control) = (share(row, "treatment")?, share(row, "control")?);
    let edge = -number(row, "margin_abs")?;
    let same = |name: &str, test: Option<ZTest>, z: &str, p: &str| {
        let test = test.ok_or_else(|| format!("no {name} test"))?;
        near(&format!("{name} z"), test.z, number(row, z)?, EXACT)?;
        near(&format!("{name} p"), test.p, number(row, p)?, EXACT)
    };
    same("Wald", wald(treatment, control, edge), "wald_z", "wald_p")?;
    let z = "score_z(Miettinen-Nurminen/Farrington-Manning)";
    // The package's own, which is not at the likeliest pair of shares.
    same("score", score_as_statsmodels(treatment, control, edge), z, "score_p")
}

pub(super) fn spotify(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let name = format!(
            "{} against {}, margin {}",
            row["treatment"], row["control"], row["nim_relative_to_control"]
        );
        suite.row(&name, relative_margin(row));
    }
}

fn relative_margin(row: &Value) -> Result<(), String> {
    const ALPHA: f64 = 0.05;
    const POWER: f64 = 0.8;
    let (treatment, control) = (share(row, "treatment")?, share(row, "control")?);
    let want = &row["result"];
    let rate = |(events, units): (u64, u64)| events as f64 / units as f64;
    let (t, c) = (rate(treatment), rate(control));
    near("difference", t - c, number(want, "difference")?, EXACT)?;
    let better = match row["preferred_direction"].as_str() {
        Some("increase") => Some(Better::Higher),
        Some("decrease") => Some(Better::Lower),
        _ => None,
    };
    let margin = maybe(row, "nim_relative_to_control").map(|relative| moving_margin(relative, c));
    let edge = match (better, margin) {
        (Some(Better::Lower), Some(margin)) => margin,
        (_, Some(margin)) => -margin,
        (_, None) => 0.0,
    };
    maybe(want, "null_hypothesis").map_or(Ok(()), |want| near("the edge", edge, want, EXACT))?;
    let upper = wald(treatment, control, edge).ok_or("no test")?;
    let lower = wald_lesser(treatment, control, edge).ok_or("no test")?;
    let p = match better {
        Some(Better::Higher) => upper.p,
        Some(Better::Lower) => lower.p,
        None => (2.0 * upper.p.min(lower.p)).min(1.0),
    };
    near("p", p, number(want, "p-value")?, EXACT)?;
    let level = if better.is_some() { ALPHA } else { ALPHA / 2.0 };
    let error = (t - c - edge) / upper.z;
    let half = if upper.z == 0.0 { f64::NAN } else { normal_quantile(1.0 - level) * error };
    let ends = [("ci_lower", t - c - half, Better::Higher), ("ci_upper", t - c + half, Better::Lower)];
    for (key, seen, side) in ends {
        if better.is_none_or(|better| better == side) && half.is_finite() {
            near(key, seen, number(want, key)?, EXACT)?;
        }
    }
    equal("significant", &(p < ALPHA), &(number(want, "is_significant")? == 1.0))?;
    let z = one_sided_reach(level, POWER).ok_or("no reach")?;
    let units = (treatment.1 + control.1) as f64;
    let split = Split { control_per_treatment: rate((control.1, treatment.1)), ..Split::default() };
    let variance = c * (1.0 - c);
    let effect = number(want, "powered_effect")?;
    if let Some(margin) = margin {
        near("powered effect", seen(units, variance, variance, z, split).ok_or("none")?, effect, EXACT)?;
        let needed = units_in_all(margin, variance, variance, z, split).ok_or("no size")?;
        return near("required units", needed, number(want, "required_sample_size")?, EXACT);
    }
    // Without a margin the package searches an effect until the rounded size is that of the sample.
    let risen = (c + effect) * (1.0 - c - effect);
    let needed = units_in_all(effect, variance, risen, z, split).ok_or("no size")?;
    equal("units for the powered effect", &needed, &units)
}

/// The package's own example: two metrics in arms of 5 : 2 : 3, level 0.01 over four comparisons, power 0.8. The file has
/// its results only.
pub(super) fn spotify_sizes(file: &Value, suite: &mut Suite) {
    let reach = one_sided_reach(0.01 / 4.0, 0.8).unwrap_or(f64::NAN);
    let split = Split { control_per_treatment: 5.0 / 2.0, share_of_all: 0.7 };
    let share = 0.7;
    let rise = share * 0.006_17;
    let risen = (share + rise) * (1.0 - share - rise);
    let sizes = [
        units_in_all(rise, share * (1.0 - share), risen, reach, split),
        units_in_all(4.56 * 0.01, 2.13, 2.13, reach, split),
    ];
    let wanted = numbers(&file["result"], "computed");
    for (at, size) in sizes.into_iter().enumerate() {
        let wanted = wanted.as_ref().map_err(String::clone).and_then(|wanted| {
            let want = wanted.get(at).copied().ok_or("there is no such result")?;
            near("units", size.ok_or("no size")?, want, EXACT)
        });
        suite.row(&format!("units for metric {}", at + 1), wanted);
    }
}

pub(super) fn group_sequential(file: &Value, suite: &mut Suite) {
    for row in rows(file, "cases") {
        let times = row["t"].as_array().map_or(0, Vec::len);
        let name =
            format!("{times} looks, alpha {}, sides {}, phi {}", row["alpha"], row["sides"], row["phi"]);
        suite.row(&name, looks(row));
    }
}

fn looks(row: &Value) -> Result<(), String> {
    let sides = if number(row, "sides")? == 1.0 { Sides::One } else { Sides::Two };
    let seen = bounds(&numbers(row, "t")?, number(row, "alpha")?, number(row, "phi")?, sides);
    all_near("bound", &seen.ok_or("no bounds")?, &numbers(row, "z_bounds")?, EXACT)
}
