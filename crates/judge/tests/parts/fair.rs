//! The fairness role: no group may lose ground, and what cannot be assessed does not pass.

use flagstone_judge::fairness::Bar;
use flagstone_judge::{Action, SliceRole, rule as rules_of};

use crate::{evidence, expect, judged, rule, rules, slice, unmet};

/// As many good units in both arms.
const KEPT: (u64, u64) = (1_000, 5_000);

#[test]
fn groups_that_kept_their_ground_pass() {
    let plan = rules(vec![rule(SliceRole::Fairness, &["de", "en"])]);
    // German is served worse than English in both arms: shown, and no reason to hold.
    let worse = (2_500, 5_000);
    let judgement = judged(&plan, &evidence(vec![slice("en", KEPT, KEPT), slice("de", worse, worse)]));
    expect(&judgement, rules_of::ADVANCE, Action::Advance { to: 1 });
    let fairness = &judgement.fairness[0];
    assert_eq!(fairness.treatment.as_ref().unwrap().verdict(), Bar::Fail);
    assert_eq!(fairness.verdict(), Bar::Pass);
}

#[test]
fn lost_ground_holds() {
    // Harm in a group shows first as a signal: rule 7. It never rolls back.
    let plan = rules(vec![rule(SliceRole::Fairness, &["de", "en"])]);
    let lost = evidence(vec![slice("en", KEPT, KEPT), slice("de", (2_500, 5_000), KEPT)]);
    let judgement = judged(&plan, &lost);
    expect(&judgement, rules_of::SIGNAL, Action::Hold);
    assert_eq!(judgement.fairness[0].verdict(), Bar::Fail);
    assert_eq!(unmet(&judgement).len(), 2, "{:#?}", unmet(&judgement));
    // Lost to a group that gained, unharmed itself: rule 8.
    let gained =
        evidence(vec![slice("en", (0, 5_000), (2_000, 5_000)), slice("de", (2_000, 5_000), (2_000, 5_000))]);
    let judgement = judged(&plan, &gained);
    expect(&judgement, rules_of::INCONCLUSIVE, Action::Hold);
    let verdicts: Vec<Bar> = judgement.fairness[0].changes.iter().map(|change| change.verdict).collect();
    assert_eq!(verdicts, [Bar::Fail, Bar::Pass], "de, en");
    assert!(unmet(&judgement)[0].contains("kept at least 80 % of its ratio"), "{:#?}", unmet(&judgement));
}

#[test]
fn what_cannot_be_assessed_does_not_pass() {
    let few = (1, 30);
    let named = rules(vec![rule(SliceRole::Fairness, &["de", "en", "is"])]);
    let seen = evidence(vec![slice("en", KEPT, KEPT), slice("de", KEPT, KEPT), slice("is", few, few)]);
    let judgement = judged(&named, &seen);
    expect(&judgement, rules_of::INCONCLUSIVE, Action::Hold);
    assert!(unmet(&judgement)[0].contains("unable to assess is"), "{:#?}", unmet(&judgement));
    // A stage that asks for no more than no harm shown lets it pass, and so does a plan that does not name the group.
    let mut early = named;
    early.stages[0].ship_if_not_harmful = true;
    expect(&judged(&early, &seen), rules_of::ADVANCE, Action::Advance { to: 1 });
    let open = rules(vec![rule(SliceRole::Fairness, &[])]);
    expect(&judged(&open, &seen), rules_of::ADVANCE, Action::Advance { to: 1 });
    // One group alone has nobody to be compared with.
    let alone = judged(&open, &evidence(vec![slice("en", KEPT, KEPT)]));
    expect(&alone, rules_of::INCONCLUSIVE, Action::Hold);
    assert!(unmet(&alone)[0].contains("(have unable to assess)"), "{:#?}", unmet(&alone));
}
