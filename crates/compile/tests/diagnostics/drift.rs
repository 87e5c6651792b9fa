//! What authors read when a plan cannot hold a rate of the candidate against a fixed one.

use flagstone_compile::compile;
use flagstone_compile::model::DriftRole;

use super::common::{options, said, strict};
use super::yaml;

const DRIFTING: &str = "metrics:
  wrong: { event: answer, bad: { unsupported: true }, window: 1h }
  always: { event: answer, bad: { unsupported: true } }
  cost: { event: answer, mean: cost, better: lower }
flags:
  answers:
    { state: ENABLED, owner: o, rationale: r, expectedImpact: e, worstCase: w, rollbackPlan: b,
      variants: { old: 1, new: 2 }, defaultVariant: old,
      rollout: { candidate: new, guardrails: [{ metric: wrong, role: deterioration }],
        drift: [DRIFT], stages: [{ name: a, treat: 5%, control: 20% }] } }
";

#[test]
fn drift_that_cannot_be_watched() {
    let entries = [
        "{ metric: wrng, baseline: 2% }",
        "{ metric: always, baseline: 2% }",
        "{ metric: cost, baseline: 2% }",
        "{ metric: wrong }",
        "{ metric: wrong, baseline: 0% }",
        "{ metric: wrong, baseline: 80% }",
        "{ metric: wrong, baseline: 2%, every: 5m }",
        "{ metric: wrong, baseline: 2%, patience: 1 }",
        "{ metric: wrong, baseline: 2%, role: tripwire }",
        "{ metric: wrong, baseline: 2%, evry: 1h }",
        "{ metric: wrong, baseline: 2% }, { metric: wrong, baseline: 3% }",
    ];
    let all: Vec<String> = entries
        .iter()
        .map(|entry| {
            let outcome = compile(&yaml(&DRIFTING.replace("DRIFT", entry)), &options());
            let mut lines = vec![(*entry).to_owned()];
            for diagnostic in &outcome.diagnostics {
                lines.push(format!("  {}: {}", diagnostic.code.as_str(), diagnostic.message));
                lines.extend(diagnostic.hint.iter().map(|hint| format!("    hint: {hint}")));
            }
            assert!(outcome.diagnostics.has_errors(), "{entry}");
            assert!(outcome.draft.is_some_and(|draft| draft.flags[0].broken.is_some()), "{entry}");
            lines.join("\n")
        })
        .collect();
    insta::assert_snapshot!(all.join("\n"), @"");
}

#[test]
fn drift_is_pointed_at_and_read_with_its_defaults() {
    let source = yaml(&DRIFTING.replace("DRIFT", "{ metric: wrong, baseline: 2%, every: 8d }"));
    insta::assert_snapshot!(said(&source, &options()), @"");
    let source = yaml(&DRIFTING.replace("DRIFT", "{ metric: wrong, baseline: 2% }"));
    let outcome = compile(&source, &strict());
    assert_eq!(outcome.diagnostics.render(&source, false), "");
    let definition = outcome.definition.expect("a definition");
    let rollout = definition.flag("answers").and_then(|flag| flag.rollout.clone()).expect("a plan");
    let drift = &rollout.drift[0];
    assert_eq!((drift.baseline, drift.every, drift.patience), (20_000_000, 3_600, None));
    assert_eq!(drift.role, DriftRole::Signal);
}
