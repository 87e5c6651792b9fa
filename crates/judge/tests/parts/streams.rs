//! Evidence of evaluation and training is refused for production, wherever it comes in.

use flagstone_judge::{
    Action, Evidence, Latched, OtherStream, SliceRole, interaction::interaction, rule as rules_of,
};

use crate::{cohort, evidence, expect, judged, rule, rules, slice};

#[test]
fn counts_of_other_streams_are_no_evidence() {
    let plan = rules(vec![rule(SliceRole::Deterioration, &["de"])]);
    let good = evidence(vec![slice("de", (50, 5_000), (50, 5_000))]);
    expect(&judged(&plan, &good), rules_of::ADVANCE, Action::Advance { to: 1 });
    for stream in [OtherStream::Evaluation, OtherStream::Training] {
        let judgement = judged(&plan, &good.clone().from_stream(stream));
        expect(&judgement, rules_of::HEALTH, Action::Hold);
        let name = stream.as_str();
        assert!(judgement.reasons[0].contains(&format!("the stream `{name}`")), "{:?}", judgement.reasons);
        // Not read: neither good nor bad.
        assert_eq!(judgement.metrics[0].treated_units, 0);
        assert!(judgement.slices.iter().all(|judged| judged.counts.is_none()));
    }
    let mut bad = good.clone();
    bad.metrics[0].cohorts = vec![cohort((5_000, 50_000), (1_000, 50_000))];
    expect(&judged(&plan, &bad), rules_of::DETERIORATION, Action::RollBack);
    expect(&judged(&plan, &bad.from_stream(OtherStream::Evaluation)), rules_of::HEALTH, Action::Hold);
}

#[test]
fn one_drop_spoils_the_whole() {
    let plan = rules(Vec::new());
    let production = evidence(Vec::new());
    let drop = Evidence::default().from_stream(OtherStream::Training);
    for merged in [production.merged(&drop), drop.merged(&production)] {
        expect(&judged(&plan, &merged), rules_of::HEALTH, Action::Hold);
    }
    let text = serde_json::to_string(&drop.from_stream(OtherStream::Evaluation)).unwrap();
    assert!(text.contains(r#""otherStreams":["evaluation","training"]"#), "{text}");
    let read: Evidence = serde_json::from_str(&text).unwrap();
    assert!(read.refusal().unwrap().contains("`evaluation` and `training`"));
    // Production cannot be named as another stream, so nothing can be passed off as it.
    assert!(serde_json::from_str::<Evidence>(r#"{"otherStreams":["production"]}"#).is_err());
}

#[test]
fn a_rollback_that_was_latched_is_not_undone_by_refused_counts() {
    let plan = rules(Vec::new());
    let mut refused = evidence(Vec::new()).from_stream(OtherStream::Evaluation);
    refused.metrics[0].latched = Some(Latched { log_e: 9.0, at: 1 });
    expect(&judged(&plan, &refused), rules_of::DETERIORATION, Action::RollBack);
}

#[test]
fn cross_tables_refuse_it_too() {
    let mut cell = slice("de", (90, 2_000), (30, 2_000));
    cell.slice = cell.slice.and("intent", "refund");
    let seen = evidence(vec![cell]);
    assert_eq!(interaction(&seen, "wrong", "intent", "language").cells.len(), 1);
    let refused = seen.from_stream(OtherStream::Training);
    assert_eq!(interaction(&refused, "wrong", "intent", "language").cells.len(), 0);
}
