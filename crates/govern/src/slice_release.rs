//! What may be told of slices: the judge sees every unit, and what leaves tells of no fewer than k.
//!
//! Units are released as [`crate::slices`] does it, by arm: in whole multiples of k, with a large cell held back where a
//! small one could be found by subtraction. Bad units of a slice are not told; evidence, ratios and intervals are
//! rounded, so that counts cannot be read off them, and left out where the slice is too small. A pure function: the record of
//! a decision holds its result, and a replay comes to the same.

use std::collections::BTreeMap;

use flagstone_judge::fairness::Fairness;
use flagstone_judge::interaction::interaction;
use flagstone_judge::limits::DISPLAY_UNITS;
use flagstone_judge::{
    Evidence, Judgement, OTHER_VALUES, Slice, SliceJudgement, SliceRatio, SliceRule, SliceVerdict,
};
use serde_json::{Value, json};

use crate::decision::Inputs;
use crate::slice_plan::SlicePlan;
use crate::slices::released;

/// The released parts of a judgement.
#[derive(Debug, Default)]
pub(crate) struct Released {
    pub(crate) slices: Vec<Value>,
    pub(crate) fairness: Vec<Value>,
    pub(crate) ratios: Vec<Value>,
}

/// Units of each value by arm, as they may be told.
type Shown = BTreeMap<String, [u64; 2]>;

impl Released {
    /// The parts of this judgement on these inputs.
    pub(crate) fn of(judgement: &Judgement, inputs: &Inputs, k: u64) -> Self {
        let mut judged = judgement.slices.iter().peekable();
        let mut slices = Vec::new();
        for rule in &inputs.rules.slices {
            let shown = units_of(rule, &inputs.evidence, k);
            let same = |next: &&SliceJudgement| {
                next.metric == rule.metric
                    && next.role == rule.role
                    && next.slice.value_of(&rule.by).is_some()
            };
            while let Some(next) = judged.next_if(same) {
                slices.push(slice(next, &rule.by, &shown));
            }
        }
        Self {
            slices,
            fairness: judgement.fairness.iter().map(fairness).collect(),
            ratios: ratios(&judgement.sample_ratio_slices, &inputs.evidence, k),
        }
    }
}

/// A judgement as it goes into the record: all of it but for the numbers of slices.
pub(crate) fn judgement(judgement: &Judgement, inputs: &Inputs, k: u64) -> Value {
    let mut told = serde_json::to_value(judgement).unwrap_or_default();
    if let Value::Object(members) = &mut told {
        let Released { slices, fairness, ratios } = Released::of(judgement, inputs, k);
        for (name, list) in [("slices", slices), ("fairness", fairness), ("sampleRatioSlices", ratios)] {
            if members.contains_key(name) {
                members.insert(name.to_owned(), Value::Array(list));
            }
        }
    }
    told
}

/// The part of the status: all of it, or only what was found.
pub(crate) fn status(
    plan: &SlicePlan,
    judgement: &Judgement,
    inputs: &Inputs,
    (k, whole): (u64, bool),
) -> Value {
    let found = |verdict| matches!(verdict, SliceVerdict::Harmed | SliceVerdict::Suspect);
    let any = judgement.slices.iter().any(|judged| found(judged.verdict))
        || judgement.sample_ratio_slices.iter().any(|ratio| ratio.suspect);
    if !whole && !any {
        let left_out = judgement.slices.len();
        return json!({"slices": [], "fairness": [], "sampleRatioSlices": [], "crossings": [], "slicesLeftOut": left_out});
    }
    let Released { mut slices, fairness, mut ratios } = Released::of(judgement, inputs, k);
    let before = slices.len();
    if !whole {
        slices.retain(|one| one["verdict"] == "harmed" || one["verdict"] == "suspect");
        ratios.retain(|one| one["suspect"] == true);
    }
    json!({
        "slicesLeftOut": before.saturating_sub(slices.len()),
        "slices": slices,
        "fairness": fairness,
        "sampleRatioSlices": ratios,
        "crossings": if whole { crossings(plan, &inputs.evidence, k) } else { Vec::new() },
    })
}

/// Cross tables: the cells that are large enough in both arms.
fn crossings(plan: &SlicePlan, evidence: &Evidence, k: u64) -> Vec<Value> {
    let tables = plan.crossings().map(|(metric, rows, columns)| {
        let table = interaction(evidence, metric, rows, columns);
        let large = |row: &str, column: &str| {
            let slice = Slice::of(rows, row).and(columns, column);
            let found = evidence.slices.iter().filter(|entry| entry.metric == metric && entry.slice == slice);
            let (treated, control) = found.flat_map(|entry| &entry.cohorts).fold((0_u64, 0_u64), |sum, one| {
                (sum.0.saturating_add(one.treated_units), sum.1.saturating_add(one.control_units))
            });
            treated.min(control) >= k
        };
        let (mut cells, mut too_small) = (Vec::new(), table.too_small);
        for cell in &table.cells {
            if large(&cell.row, &cell.column) {
                cells.push(json!({
                    "row": cell.row, "column": cell.column, "rateRatio": rounded(cell.rate_ratio, 0.05),
                    "expected": rounded(cell.expected, 0.05), "surprise": rounded(cell.surprise, 0.1),
                }));
            } else {
                too_small = too_small.saturating_add(1);
            }
        }
        json!({
            "metric": metric, "rows": rows, "columns": columns, "cells": cells, "tooSmall": too_small,
            "association": table.association.and_then(|v| rounded(v, 0.01)), "p": table.p.and_then(|p| rounded(p, 0.01)),
        })
    });
    tables.collect()
}

fn slice(judged: &SliceJudgement, by: &str, shown: &Shown) -> Value {
    let value = judged.slice.value_of(by).unwrap_or_default();
    let units = shown.get(value).filter(|_| judged.counts.is_some());
    json!({
        "metric": judged.metric,
        "slice": judged.slice,
        "role": judged.role,
        "verdict": judged.verdict,
        "logE": judged.log_e.and_then(|log_e| rounded(log_e, 0.1)),
        "logThreshold": judged.log_threshold,
        "rateRatio": units.and(judged.rate_ratio).and_then(|ratio| rounded(ratio, 0.05)),
        "units": units.map(|[treatment, control]| json!({"treatment": treatment, "control": control})),
        "latched": judged.latched.map(|latched| json!({"logE": rounded(latched.log_e, 0.1), "at": latched.at})),
    })
}

fn fairness(audit: &Fairness) -> Value {
    let number = |value: Option<f64>| value.and_then(|value| rounded(value, 0.01));
    let changes: Vec<Value> = audit
        .changes
        .iter()
        .map(|change| {
            json!({
                "group": change.group, "ratio": number(change.ratio), "lower": number(change.lower),
                "upper": number(change.upper), "verdict": change.verdict,
            })
        })
        .collect();
    let arm = |disparity: &Option<flagstone_judge::fairness::Disparity>| {
        disparity.as_ref().map(|arm| {
            json!({"reference": arm.reference, "ratio": number(Some(arm.ratio)), "verdict": arm.verdict()})
        })
    };
    json!({
        "metric": audit.metric, "by": audit.by, "verdict": audit.verdict(), "changes": changes,
        "treatment": arm(&audit.treatment), "control": arm(&audit.control),
    })
}

/// The sample ratio of every slice of one dimension, most evidence first.
fn ratios(judged: &[SliceRatio], evidence: &Evidence, k: u64) -> Vec<Value> {
    let mut cells: BTreeMap<&str, BTreeMap<&str, [u64; 2]>> = BTreeMap::new();
    for entry in &evidence.exposed_slices {
        let Some((by, value)) = entry.slice.0.first_key_value() else { continue };
        let sum = cells.entry(by).or_default().entry(value).or_default();
        for units in &entry.exposed {
            sum[0] = sum[0].saturating_add(units.treated);
            sum[1] = sum[1].saturating_add(units.control);
        }
    }
    let shown: BTreeMap<&str, Shown> = cells.into_iter().map(|(by, cells)| (by, by_arm(cells, k))).collect();
    let one = |ratio: &SliceRatio| {
        let (by, value) = ratio.slice.0.first_key_value()?;
        let units = shown.get(by.as_str()).and_then(|shown| shown.get(value));
        let units =
            units.filter(|_| ratio.units.is_some_and(|[a, b]| a.saturating_add(b) >= k.max(DISPLAY_UNITS)));
        Some(json!({
            "slice": ratio.slice,
            "suspect": ratio.suspect,
            "logE": units.and_then(|_| rounded(ratio.log_e, 0.1)),
            "units": units.map(|[treatment, control]| json!({"treatment": treatment, "control": control})),
        }))
    };
    judged.iter().filter_map(one).collect()
}

/// Units that the rule's metric measured in each of its slices.
fn units_of(rule: &SliceRule, evidence: &Evidence, k: u64) -> Shown {
    let mut cells: BTreeMap<&str, [u64; 2]> = BTreeMap::new();
    for entry in evidence.slices.iter().filter(|entry| entry.metric == rule.metric) {
        let Some(value) = entry.slice.value_of(&rule.by) else { continue };
        let named = rule.values.is_empty() || rule.values.contains(value);
        let sum = cells.entry(if named { value } else { OTHER_VALUES }).or_default();
        for cohort in &entry.cohorts {
            sum[0] = sum[0].saturating_add(cohort.treated_units);
            sum[1] = sum[1].saturating_add(cohort.control_units);
        }
    }
    by_arm(cells, k)
}

/// The values whose units may be told in both arms.
fn by_arm(cells: BTreeMap<&str, [u64; 2]>, k: u64) -> Shown {
    // Values are marked, so that one called like the heap of small cells is no part of it.
    let arm = |pick: fn(&[u64; 2]) -> u64| -> BTreeMap<String, u64> {
        released(&cells.iter().map(|(value, units)| (format!("={value}"), pick(units))).collect(), k)
    };
    let (treated, control) = (arm(|units| units[0]), arm(|units| units[1]));
    let both = treated.into_iter().filter_map(|(value, units)| {
        Some((value.strip_prefix('=')?.to_owned(), [units, *control.get(&value)?]))
    });
    both.collect()
}

/// To a whole number of steps; none for what is no number.
fn rounded(value: f64, step: f64) -> Option<f64> {
    let steps = (value / step).round();
    // Through the reciprocal, so that 0.1 steps print as 2.3 and not as 2.3000000000000003.
    steps.is_finite().then(|| steps / (1.0 / step).round())
}

#[cfg(test)]
mod tests {
    use flagstone_judge::{
        CohortCounts, ExposedSlice, ExposedUnits, PlanRules, RolloutState, SliceEvidence, SliceRole,
    };

    use super::*;

    fn inputs(cells: &[(&str, u64, u64)]) -> Inputs {
        let mut evidence = Evidence::default();
        for (value, treated, control) in cells {
            evidence.slices.push(SliceEvidence {
                metric: "wrong".to_owned(),
                slice: Slice::of("language", value),
                cohorts: vec![CohortCounts {
                    cohort: 0,
                    probability: SHARE / 2,
                    treated_bad: treated / 4,
                    control_bad: control / 4,
                    treated_units: *treated,
                    control_units: *control,
                }],
                latched: None,
            });
            evidence.exposed_slices.push(ExposedSlice {
                slice: Slice::of("language", value),
                exposed: vec![ExposedUnits {
                    cohort: 0,
                    probability: SHARE / 2,
                    treated: *treated,
                    control: *control,
                }],
            });
        }
        let rule = SliceRule {
            metric: "wrong".to_owned(),
            by: "language".to_owned(),
            role: SliceRole::Observe,
            values: ["de", "en", "fr"].map(str::to_owned).into(),
            ..SliceRule::default()
        };
        let rules = PlanRules { slices: vec![rule], ..PlanRules::default() };
        Inputs { rules, state: RolloutState::default(), evidence, now: 1 }
    }

    const SHARE: u32 = flagstone_judge::limits::SHARE_TOTAL;

    fn shown(inputs: &Inputs, k: u64) -> Vec<(String, Value, Value)> {
        let released = Released::of(&inputs.judge(), inputs, k);
        let line = |one: &Value| {
            (
                one["slice"]["language"].as_str().unwrap_or("?").to_owned(),
                one["units"].clone(),
                one["verdict"].clone(),
            )
        };
        released.slices.iter().map(line).collect()
    }

    #[test]
    fn units_leave_in_multiples_of_k_and_no_small_cell_can_be_subtracted() {
        let large = inputs(&[("de", 83, 120), ("en", 421, 399), ("fr", 61, 70)]);
        let de = json!({"treatment": 80, "control": 120});
        let of = |value: &str, units: Value| (value.to_owned(), units, json!("nothing-shown"));
        let fr = json!({"treatment": 60, "control": 60});
        let en = json!({"treatment": 420, "control": 380});
        assert_eq!(shown(&large, 20), [of("de", de), of("en", en.clone()), of("fr", fr)]);
        // Three units of Danish among the others: French goes with them, or the total would tell of three.
        let small = inputs(&[("de", 83, 120), ("en", 421, 399), ("fr", 61, 70), ("da", 3, 2)]);
        let told = shown(&small, 20);
        let other = ("(other)".to_owned(), Value::Null, json!("unable-to-assess"));
        assert_eq!(told[0], other);
        assert_eq!((&told[2].1, &told[3].1), (&en, &Value::Null));
        let released = Released::of(&small.judge(), &small, 20);
        let hidden = released.ratios.iter().filter(|ratio| ratio["units"].is_null()).count();
        assert_eq!((released.ratios.len(), hidden), (4, 2));
        assert!(released.ratios.iter().all(|ratio| ratio["units"].is_null() == ratio["logE"].is_null()));
    }

    #[test]
    fn the_record_holds_no_bad_units_of_slices_and_is_the_same_again() {
        let inputs = inputs(&[("de", 83, 120), ("en", 421, 399), ("it", 9, 8)]);
        let (judged, again) = (inputs.judge(), inputs.judge());
        let told = judgement(&judged, &inputs, 20);
        assert_eq!(told, judgement(&again, &inputs, 20));
        let text = told["slices"].to_string();
        assert!(!text.contains("Bad") && !text.contains("counts"), "{text}");
        assert_eq!(rounded(2.3000000000000003, 0.1), Some(2.3));
        assert_eq!(rounded(f64::NAN, 0.1), None);
    }
}
