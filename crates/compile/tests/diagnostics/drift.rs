//! What authors read when a plan cannot hold a rate of the candidate against a fixed one.

use flagstone_compile::compile;
use flagstone_compile::model::DriftRole;

use super::common::{options, said, strict};
use super::{listed, yaml};

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
    let all = listed(&entries, |entry| DRIFTING.replace("DRIFT", entry));
    insta::assert_snapshot!(all, @r"
    { metric: wrng, baseline: 2% }
      FS0205: there is no metric `wrng`
        hint: did you mean `wrong`?
    { metric: always, baseline: 2% }
      FS0502: `always` has no `window`, so no batch of its units is ever complete
        hint: add `window: 1h` to the metric: how long after a unit was given the candidate its outcomes count
    { metric: cost, baseline: 2% }
      FS0502: `cost` takes a mean, and drift is that of bad outcomes
        hint: say in the metric what is `bad`
    { metric: wrong }
      FS0203: an entry of `drift` has no `baseline`
    { metric: wrong, baseline: 0% }
      FS0204: a `baseline` is above 0 % and below 80 %
        hint: a rise by a quarter above it is looked for: name the highest rate that is accepted
    { metric: wrong, baseline: 80% }
      FS0204: a `baseline` is above 0 % and below 80 %
        hint: a rise by a quarter above it is looked for: name the highest rate that is accepted
    { metric: wrong, baseline: 2%, every: 5m }
      FS0204: `every` is from 10m to 7d
        hint: every batch is kept and judged again at each look; `1h` is the default
    { metric: wrong, baseline: 2%, patience: 1 }
      FS0204: a `patience` is from 2 to 1000000 batches
        hint: it is how many pass on average before a false alarm; `1000` is the default
    { metric: wrong, baseline: 2%, role: tripwire }
      FS0204: `role` cannot be `tripwire`
        hint: there are `signal`, `observe`
    { metric: wrong, baseline: 2%, evry: 1h }
      FS0202: an entry of `drift` has no key `evry`
        hint: did you mean `every`?
    { metric: wrong, baseline: 2% }, { metric: wrong, baseline: 3% }
      FS0502: the drift of `wrong` stands here twice
    ");
}

#[test]
fn drift_is_pointed_at_and_read_with_its_defaults() {
    let source = yaml(&DRIFTING.replace("DRIFT", "{ metric: wrong, baseline: 2%, every: 8d }"));
    insta::assert_snapshot!(said(&source, &options()), @r"
    error[FS0204]: `every` is from 10m to 7d
      --> flags.yaml:10:55
       |
    10 |         drift: [{ metric: wrong, baseline: 2%, every: 8d }], stages: [{ name: a, treat: 5%, control: 20% }] } }
       |                                                       ^^
       |
       = hint: every batch is kept and judged again at each look; `1h` is the default
    ");
    let source = yaml(&DRIFTING.replace("DRIFT", "{ metric: wrong, baseline: 2% }"));
    let outcome = compile(&source, &strict());
    assert_eq!(outcome.diagnostics.render(&source, false), "");
    let definition = outcome.definition.expect("a definition");
    let rollout = definition.flag("answers").and_then(|flag| flag.rollout.clone()).expect("a plan");
    let drift = &rollout.drift[0];
    assert_eq!((drift.baseline, drift.every, drift.patience), (20_000_000, 3_600, None));
    assert_eq!(drift.role, DriftRole::Signal);
}
