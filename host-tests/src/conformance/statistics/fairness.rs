//! `fairness`: disparity, intervals of shares, ratios and differences, and the four-fifths rule.

use flagstone_judge::fairness::{Bar, Disparity, disparity};
use flagstone_judge::intervals::{Interval, Share, clopper_pearson, jeffreys, katz, newcombe, wilson};
use flagstone_judge::limits::FOUR_FIFTHS;
use serde_json::Value;

use super::super::suite::Suite;
use super::reference::{EXACT, all_near, count, equal, near, number, numbers, rows};

/// Standard deviations to each side of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;
const ALPHA: f64 = 0.05;

pub(super) fn run(file: &Value, suite: &mut Suite) {
    for (at, row) in rows(file, "cases").iter().enumerate() {
        let Some(groups) = row["groups"].as_object() else {
            suite.row(&format!("case {at}"), Err("it has no groups".into()));
            continue;
        };
        let shares: Result<Vec<(&str, Share)>, String> =
            groups.iter().map(|(name, group)| Ok((name.as_str(), share(group)?))).collect();
        let shares = match shares {
            Ok(shares) => shares,
            Err(error) => {
                suite.row(&format!("case {at}"), Err(error));
                continue;
            }
        };
        for (name, group) in groups {
            suite.row(&format!("case {at}, intervals of {name}"), intervals(group));
        }
        let Some(found) = disparity(&shares, Z) else {
            suite.row(&format!("case {at}"), Err("no disparity".into()));
            continue;
        };
        suite.row(&format!("case {at}, disparity"), whole(row, &found, &shares));
        for (name, want) in row["vs_reference"].as_object().into_iter().flatten() {
            suite.row(&format!("case {at}, {name} against the best"), against(name, want, &found, &shares));
        }
    }
}

fn share(group: &Value) -> Result<Share, String> {
    Share::new(count(group, "success")?, count(group, "n")?).ok_or_else(|| format!("{group} is no share"))
}

fn intervals(group: &Value) -> Result<(), String> {
    let share = share(group)?;
    let ends = |interval: Interval| [interval.lower, interval.upper];
    all_near("wilson95", &ends(wilson(share, Z)), &numbers(group, "wilson95")?, EXACT)?;
    let exact = clopper_pearson(share, ALPHA);
    all_near("clopper_pearson95", &ends(exact), &numbers(group, "clopper_pearson95")?, EXACT)?;
    all_near("jeffreys95", &ends(jeffreys(share, ALPHA)), &numbers(group, "jeffreys95")?, EXACT)
}

fn whole(row: &Value, found: &Disparity, shares: &[(&str, Share)]) -> Result<(), String> {
    near("min over max", found.ratio, number(row, "min_over_max_ratio")?, EXACT)?;
    near("max minus min", found.difference, number(row, "max_minus_min")?, EXACT)?;
    for (name, share) in shares {
        near(&format!("rate of {name}"), share.value(), number(&row["rates"], name)?, EXACT)?;
    }
    equal("the reference", &found.reference.as_str(), &row["reference_group"].as_str().unwrap_or_default())
}

fn against(name: &str, want: &Value, found: &Disparity, shares: &[(&str, Share)]) -> Result<(), String> {
    let of = |name: &str| {
        let known = shares.iter().find(|(known, _)| *known == name);
        known.map(|(_, share)| *share).ok_or_else(|| format!("no group {name}"))
    };
    let (own, best) = (of(name)?, of(&found.reference)?);
    let ratio = katz(own, best, Z);
    near("ratio", ratio.ratio, number(want, "ratio")?, EXACT)?;
    let ends = [ratio.interval.lower, ratio.interval.upper];
    all_near("katz_log_ci95", &ends, &numbers(want, "katz_log_ci95")?, EXACT)?;
    let difference = newcombe(own, best, Z);
    let ends = [difference.lower, difference.upper];
    all_near("newcombe_diff_ci95", &ends, &numbers(want, "newcombe_diff_ci95")?, EXACT)?;
    let judged = found.groups.iter().find(|group| group.group == name).ok_or("the group is not judged")?;
    let passes = [judged.ratio.is_some_and(|ratio| ratio >= FOUR_FIFTHS), judged.verdict == Bar::Pass];
    let wanted = ["four_fifths_pass_point", "four_fifths_pass_ci_lower"].map(|key| want[key].as_bool());
    equal("four fifths, by the point and by the interval", &passes.map(Some), &wanted)
}
