//! Harm in one part of the population: found, named, acted on; and not shown where it would tell of single people.

use flagstone_judge::alpha::attempt_alpha;
use flagstone_judge::{
    Action, Evidence, OTHER_VALUES, PlanRules, SliceCounts, SliceRole, SliceVerdict, rule as rules_of,
};

use crate::{evidence, expect, judged, rule, rules, slice, unmet};

const FINE: (u64, u64) = (500, 25_000);

/// German answers went bad; everybody together looks fine.
fn german_harm() -> Evidence {
    evidence(vec![slice("en", FINE, FINE), slice("de", (90, 2_000), (30, 2_000))])
}

#[test]
fn harm_in_one_slice_rolls_back_and_is_named() {
    let plan = rules(vec![rule(SliceRole::Deterioration, &["de", "en"])]);
    expect(
        &judged(&plan, &evidence(vec![slice("en", FINE, FINE)])),
        rules_of::ADVANCE,
        Action::Advance { to: 1 },
    );
    let judgement = judged(&plan, &german_harm());
    expect(&judgement, rules_of::DETERIORATION, Action::RollBack);
    assert!(
        judgement.reasons[0].contains("`wrong` in language=de: 90 bad units in treatment and 30"),
        "{judgement:#?}"
    );
    assert_eq!(unmet(&judgement).len(), 1);
    // Two named values and the others: three slices share half of the attempt's budget.
    let threshold = (3.0 / (attempt_alpha(0.05, 1) * 0.5)).ln();
    let german = &judgement.slices[0];
    assert!((german.log_threshold - threshold).abs() < 1e-12, "{german:?}");
    assert_eq!((german.slice.to_string().as_str(), german.verdict), ("language=de", SliceVerdict::Harmed));
    assert!(german.latched.is_some() && judgement.slices[1].latched.is_none());
    let english =
        SliceCounts { treated_bad: 500, control_bad: 500, treated_units: 25_000, control_units: 25_000 };
    assert_eq!(judgement.slices[1].counts, Some(english));
}

#[test]
fn what_was_latched_stays() {
    let plan = rules(vec![rule(SliceRole::Deterioration, &["de", "en"])]);
    let latched = judged(&plan, &german_harm()).slices[0].latched;
    // Later data argue it away, and do not.
    let mut later = evidence(vec![slice("de", (90, 9_000), (90, 9_000))]);
    later.slices[0].latched = latched;
    expect(&judged(&plan, &later), rules_of::DETERIORATION, Action::RollBack);
    let merged = later.merged(&evidence(vec![slice("de", (0, 10), (0, 10))]));
    assert_eq!(merged.slices[0].latched, latched);
    expect(&judged(&plan, &merged), rules_of::DETERIORATION, Action::RollBack);
}

#[test]
fn values_that_are_not_named_count_together() {
    let plan = rules(vec![rule(SliceRole::Deterioration, &["en"])]);
    let judgement = judged(
        &plan,
        &evidence(vec![slice("de", (45, 1_000), (15, 1_000)), slice("fr", (45, 1_000), (15, 1_000))]),
    );
    expect(&judgement, rules_of::DETERIORATION, Action::RollBack);
    let names: Vec<String> = judgement.slices.iter().map(|judged| judged.slice.to_string()).collect();
    assert_eq!(names, [format!("language={OTHER_VALUES}"), "language=en".to_owned()]);
    assert_eq!(judgement.slices[0].counts.unwrap().treated_bad, 90);
    // Named, and nothing heard of it: there, and unable to assess.
    assert_eq!(
        (judgement.slices[1].verdict, judgement.slices[1].counts),
        (SliceVerdict::UnableToAssess, None)
    );
}

#[test]
fn small_slices_are_not_shown_but_count() {
    let mut few = slice("is", (4, 20), (0, 20));
    few.cohorts[0].probability /= 50;
    let plan = rules(vec![rule(SliceRole::Deterioration, &["en", "is"])]);
    let judgement = judged(&plan, &evidence(vec![slice("en", FINE, FINE), few.clone()]));
    expect(&judgement, rules_of::DETERIORATION, Action::RollBack);
    let icelandic = judgement.slices.iter().find(|judged| judged.slice == few.slice).unwrap();
    assert_eq!(
        (icelandic.verdict, icelandic.counts, icelandic.rate_ratio),
        (SliceVerdict::Harmed, None, None)
    );
    assert!(judgement.reasons[0].contains("a few bad units are evidence"), "{judgement:#?}");
    // Without harm not even the evidence is shown.
    few.cohorts[0].treated_bad = 1;
    let judgement = judged(&plan, &evidence(vec![few]));
    let icelandic = judgement.slices.iter().find(|judged| judged.slice.to_string() == "language=is").unwrap();
    assert_eq!((icelandic.verdict, icelandic.log_e), (SliceVerdict::UnableToAssess, None));
}

#[test]
fn observed_slices_never_act_and_say_where_to_look() {
    let plan = rules(vec![rule(SliceRole::Observe, &[])]);
    let judgement = judged(&plan, &german_harm());
    expect(&judgement, rules_of::ADVANCE, Action::Advance { to: 1 });
    assert_eq!(judgement.slices[0].verdict, SliceVerdict::Harmed);
    assert!(judgement.slices.iter().all(|judged| judged.latched.is_none()));
    // Two slices with the same evidence, not enough for either alone: e-BH picks both.
    let some = |value| slice(value, (66, 2_000), (33, 2_000));
    let judgement = judged(&plan, &evidence(vec![some("de"), some("fr"), some("it")]));
    assert!(
        judgement.slices.iter().all(|judged| judged.verdict == SliceVerdict::Suspect),
        "{:#?}",
        judgement.slices
    );
}

#[test]
fn slices_of_other_metrics_dimensions_and_cells_are_left_alone() {
    let plan = rules(vec![rule(SliceRole::Deterioration, &["de"])]);
    let mut other_metric = slice("de", (90, 2_000), (30, 2_000));
    other_metric.metric = "slow".into();
    let mut cell = slice("de", (90, 2_000), (30, 2_000));
    cell.slice = cell.slice.and("intent", "refund");
    let judgement = judged(&plan, &evidence(vec![other_metric, cell]));
    expect(&judgement, rules_of::ADVANCE, Action::Advance { to: 1 });
}

#[test]
fn rules_that_make_no_sense_hold_and_stay_armed() {
    let problem = |plan: &PlanRules| {
        let judgement = judged(plan, &evidence(vec![slice("en", FINE, FINE)]));
        expect(&judgement, rules_of::HEALTH, Action::Hold);
        judgement.reasons.join("\n")
    };
    let no_values = rules(vec![rule(SliceRole::Deterioration, &[])]);
    assert!(problem(&no_values).contains("slices of `wrong` by `language`: it names no values"));
    expect(&judged(&no_values, &german_harm()), rules_of::DETERIORATION, Action::RollBack);
    let mut greedy = rules(vec![rule(SliceRole::Deterioration, &["de"])]);
    greedy.slices[0].share = 0.6;
    assert!(problem(&greedy).contains("guardrails and slices sum to 1.1"));
    greedy.slices[0].share = f64::NAN;
    assert!(problem(&greedy).contains("its share is NaN"));
    expect(&judged(&greedy, &german_harm()), rules_of::DETERIORATION, Action::RollBack);
    greedy.slices[0].share = 0.5;
    greedy.slices[0].null_ratio = 0.0;
    assert!(problem(&greedy).contains("its null ratio is 0"));
}

/// What was recorded before there were slices reads, judges and writes as it did.
#[test]
fn plans_and_evidence_without_slices_are_written_as_before() {
    let (plan, evidence) = (rules(Vec::new()), evidence(Vec::new()));
    let written = [
        serde_json::to_string(&plan).unwrap(),
        serde_json::to_string(&evidence).unwrap(),
        serde_json::to_string(&judged(&plan, &evidence)).unwrap(),
    ];
    for key in ["slices", "exposedSlices", "otherStreams", "fairness", "sampleRatioSlices"] {
        assert!(written.iter().all(|text| !text.contains(key)), "{key} in {written:?}");
    }
    let read: Evidence = serde_json::from_str(r#"{"metrics":[],"multiExposure":3}"#).unwrap();
    assert_eq!((read.multi_exposure, read.slices.len()), (3, 0));
}
