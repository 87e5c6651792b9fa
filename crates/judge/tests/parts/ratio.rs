//! Where a sample-ratio mismatch comes from.

use flagstone_judge::attribution::attribute;
use flagstone_judge::sample_ratio::{chi_square_p, cohorts_chi_square_p};
use flagstone_judge::{Action, ExposedSlice, ExposedUnits, Slice, rule as rules_of};

use crate::{HALF, evidence, expect, judged, rules};

fn exposed(sdk: &str, treated: u64, control: u64) -> ExposedSlice {
    let units = ExposedUnits { cohort: 1, probability: HALF, treated, control };
    ExposedSlice { slice: Slice::of("sdk", sdk), exposed: vec![units] }
}

#[test]
fn one_sdk_that_loses_units_is_named_and_holds() {
    let plan = rules(Vec::new());
    let mut seen = evidence(Vec::new());
    seen.exposed_slices =
        vec![exposed("js", 40_000, 40_000), exposed("swift", 900, 1_300), exposed("go", 20, 9)];
    let judgement = judged(&plan, &seen);
    expect(&judgement, rules_of::HEALTH, Action::Hold);
    assert!(judgement.reasons[0].contains("not in sdk=swift"), "{judgement:#?}");
    let names: Vec<(String, bool)> =
        judgement.sample_ratio_slices.iter().map(|ratio| (ratio.slice.to_string(), ratio.suspect)).collect();
    let expected = [("sdk=swift", true), ("sdk=go", false), ("sdk=js", false)];
    assert_eq!(names, expected.map(|(name, suspect)| (name.to_owned(), suspect)));
    assert_eq!(judgement.sample_ratio_slices[1].units, None, "29 units are not shown");
    // Nothing wrong: nothing held, and everything listed.
    seen.exposed_slices.remove(1);
    let judgement = judged(&plan, &seen);
    expect(&judgement, rules_of::ADVANCE, Action::Advance { to: 1 });
    assert_eq!(judgement.sample_ratio_slices.len(), 2);
}

#[test]
fn entries_of_a_slice_add_up_in_any_order() {
    let parts = [exposed("js", 300, 200), exposed("js", 250, 420), exposed("go", 70, 60)];
    let mut turned = parts.clone();
    turned.reverse();
    assert_eq!(attribute(&parts), attribute(&turned));
    let whole = attribute(&[exposed("go", 70, 60), exposed("js", 550, 620)]);
    assert_eq!(attribute(&parts), whole);
    assert!(
        (whole.iter().map(|ratio| ratio.p).fold(1.0, f64::min)
            - chi_square_p(&[550, 620], &[1.0, 1.0]).unwrap())
        .abs()
            < 1e-12
    );
}

/// Over cohorts, chi-square statistics and their degrees of freedom add up: two times one degree is two.
#[test]
fn the_p_value_over_cohorts() {
    let cohort =
        |cohort: u8, treated: u64, control: u64| ExposedUnits { cohort, probability: HALF, treated, control };
    // (60 - 40)²/100 = 4 in each: 8 with two degrees of freedom has p = exp(-4).
    let p = cohorts_chi_square_p(&[cohort(1, 60, 40), cohort(2, 40, 60)]);
    assert!((p - (-4.0f64).exp()).abs() < 1e-15, "{p}");
    // Cohorts without units or without chance say nothing.
    let whole = ExposedUnits { probability: 0, ..cohort(3, 500, 0) };
    assert_eq!(cohorts_chi_square_p(&[cohort(1, 60, 40), cohort(4, 0, 0), cohort(2, 40, 60), whole]), p);
    assert_eq!(cohorts_chi_square_p(&[]), 1.0);
}
