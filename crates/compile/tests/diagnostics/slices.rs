//! What authors read when a plan cannot watch a metric by a part of the population.

use flagstone_compile::compile;

use super::common::{options, said, strict};
use super::{listed, yaml};

const SLICED: &str = "slices: { language: [en, de], intent: [ask, tell], surface: [] }
metrics:
  wrong: { event: answer, bad: { unsupported: true } }
  cost: { event: answer, mean: cost, better: lower }
flags:
  answers:
    { state: ENABLED, owner: o, rationale: r, expectedImpact: e, worstCase: w, rollbackPlan: b,
      variants: { old: 1, new: 2 }, defaultVariant: old,
      rollout: { candidate: new, guardrails: [{ metric: wrong, role: deterioration }],
        slices: [SLICES], stages: [{ name: a, treat: 5%, control: 20% }] } }
";

#[test]
fn slices_that_cannot_be_watched() {
    let entries = [
        "{ metric: wrng, by: language }",
        "{ metric: wrong, by: langauge }",
        "{ metric: cost, by: language }",
        "{ metric: wrong, by: surface }",
        "{ metric: wrong, by: language, values: [en, fr] }",
        "{ metric: wrong, by: language, values: [en, en] }",
        "{ metric: wrong, by: surface, values: [web, (other)] }",
        "{ metric: wrong, by: [language, intent], role: deterioration }",
        "{ metric: wrong, by: [language, language] }",
        "{ metric: wrong, by: [language, intent], values: [en] }",
        "{ metric: wrong, by: [language, intent, surface] }",
        "{ metric: wrong, by: language, share: 10% }",
        "{ metric: wrong, by: language, role: detrioration }",
        "{ metric: wrong, by: language, valeus: [en] }",
        "{ metric: wrong, by: language }, { metric: wrong, by: language }",
        "{ metric: wrong, by: language, role: deterioration, share: 100% }",
        "{ by: language }",
    ];
    let all = listed(&entries, |entry| SLICED.replace("SLICES", entry));
    insta::assert_snapshot!(all, @r"
    { metric: wrng, by: language }
      FS0205: there is no metric `wrng`
        hint: did you mean `wrong`?
    { metric: wrong, by: langauge }
      FS0205: there is no slice `langauge`
        hint: did you mean `language`?
    { metric: cost, by: language }
      FS0502: `cost` takes a mean, and slices are compared by their bad outcomes
        hint: say in the metric what is `bad`
    { metric: wrong, by: surface }
      FS0503: `surface` is watched by no value
        hint: name the `values` there or here: how many there are must be known beforehand
    { metric: wrong, by: language, values: [en, fr] }
      FS0205: there is no value of `language` `fr`
        hint: there are `en`, `de`
    { metric: wrong, by: language, values: [en, en] }
      FS0503: `en` is named twice
    { metric: wrong, by: surface, values: [web, (other)] }
      FS0503: `(other)` is what values that are not named are counted as
    { metric: wrong, by: [language, intent], role: deterioration }
      FS0503: two slices together cannot be a `deterioration`
        hint: they are for observation only; watch each by itself as well
    { metric: wrong, by: [language, language] }
      FS0503: `language` cannot be looked at together with itself
    { metric: wrong, by: [language, intent], values: [en] }
      FS0503: two slices together have no `values`
        hint: they are looked at by all values that they declare
    { metric: wrong, by: [language, intent, surface] }
      FS0503: `by` names one slice, or two that are looked at together
        hint: write `by: language` or `by: [intent, language]`
    { metric: wrong, by: language, share: 10% }
      FS0503: slices with the role `observe` have no `share`
        hint: only what may take a flag back divides the error budget: `role: deterioration`
    { metric: wrong, by: language, role: detrioration }
      FS0204: `role` cannot be `detrioration`
        hint: did you mean `deterioration`?
    { metric: wrong, by: language, valeus: [en] }
      FS0202: an entry of `slices` has no key `valeus`
        hint: did you mean `values`?
    { metric: wrong, by: language }, { metric: wrong, by: language }
      FS0503: `wrong` by `language` stands here twice
    { metric: wrong, by: language, role: deterioration, share: 100% }
      FS0405: the shares of the deterioration guardrails and slices do not add up to the whole error budget
        hint: they add up to 100 %, those without a `share` get what is left
    { by: language }
      FS0203: an entry of `slices` has no `metric`
    ");
}

#[test]
fn a_slice_is_pointed_at_and_shares_one_budget_with_the_guardrails() {
    let source = yaml(&SLICED.replace("SLICES", "{ metric: wrong, by: language, values: [en, fr] }"));
    insta::assert_snapshot!(said(&source, &options()), @r"
    error[FS0205]: there is no value of `language` `fr`
      --> flags.yaml:10:62
       |
    10 |         slices: [{ metric: wrong, by: language, values: [en, fr] }], stages: [{ name: a, treat: 5%, control: 20% }] } }
       |                                                              ^^
       |
       = hint: there are `en`, `de`
    ");
    let entries = "{ metric: wrong, by: language, role: deterioration, share: 30% }, { metric: wrong, by: intent, role: deterioration, values: [ask] },
        { metric: wrong, by: language, role: fairness }, { metric: wrong, by: [intent, language] }";
    let source = yaml(&SLICED.replace("SLICES", entries));
    let outcome = compile(&source, &strict());
    assert_eq!(outcome.diagnostics.render(&source, false), "");
    let definition = outcome.definition.expect("a definition");
    let rollout = definition.flag("answers").and_then(|flag| flag.rollout.clone()).expect("a plan");
    let shares: Vec<u32> = rollout.slices.iter().map(|watch| watch.share).collect();
    assert_eq!((rollout.guardrails[0].share, shares), (350_000_000, vec![300_000_000, 350_000_000, 0, 0]));
    let values: Vec<&[String]> = rollout.slices.iter().map(|watch| watch.values.as_slice()).collect();
    assert_eq!(
        values,
        [
            ["en", "de"].map(str::to_owned).as_slice(),
            &["ask".to_owned()],
            &["en", "de"].map(str::to_owned),
            &[]
        ]
    );
}
