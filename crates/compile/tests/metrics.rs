//! Metrics and their roles: what can be said, what it means, and what contradicts itself.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::{options, said, strict, yaml};
use flagstone_compile::model::{Better, DEFAULT_GRACE, Measure, Metric, Role};
use flagstone_compile::{Severity, Source, compile};

fn metric(text: &str) -> Metric {
    let outcome = yaml(&format!("metrics: {{ m: {{ event: answer, {text} }} }}\nflags: {{}}"));
    assert!(outcome.diagnostics.is_empty(), "{text}: {:?}", outcome.diagnostics);
    outcome.definition.expect("a definition").metric("m").expect("the metric").clone()
}

/// The first words about a metric, each finding in a line.
fn found(text: &str) -> Vec<(Severity, String)> {
    let outcome = yaml(&format!("metrics: {{ m: {{ event: answer, {text} }} }}\nflags: {{}}"));
    outcome.diagnostics.iter().map(|one| (one.severity, one.message.clone())).collect()
}

#[test]
fn every_kind_is_read_exactly() {
    let cost =
        metric("mean: cost, better: lower, winsorise: 0.5, adjust: 14d, baseline: 0.02, planned: 9000 units");
    let (winsorise, adjust) = (Some(500_000), Some(14 * 86_400));
    let (of, better) = ("cost".to_owned(), Better::Lower);
    assert_eq!(cost.measure, Measure::Mean { of, better, winsorise, adjust });
    assert_eq!((cost.baseline, cost.planned, cost.grace_in_force()), (Some(20_000), Some(9_000), None));
    let ratio = metric("ratio: { of: cost, per: tokens }, better: higher, window: 24h");
    let (of, per, better) = ("cost".to_owned(), Some("tokens".to_owned()), Better::Higher);
    assert_eq!(ratio.measure, Measure::Ratio { of, per, better });
    assert_eq!((ratio.window, ratio.grace_in_force()), (Some(86_400), Some(DEFAULT_GRACE)));
    let score = metric("score: { of: score, bar: 90% }, window: 6h, grace: 0s");
    assert_eq!(score.measure, Measure::Score { of: "score".into(), bar: 900_000_000, batch: 3_600 });
    assert_eq!(score.grace_in_force(), Some(0));
    let slow = metric("quantile: { of: latency_ms, at: 95% }, better: lower, baseline: 2500ms");
    let (of, better) = ("latency_ms".to_owned(), Better::Lower);
    assert_eq!(slow.measure, Measure::Quantile { of, at: 950_000_000, better });
    assert_eq!(slow.baseline, Some(2_500_000_000), "milliseconds, as the measure's name says");
    assert_eq!(metric("bad: { wrong: true }, window: 1h").grace_in_force(), None, "as it always was");
    // What says nothing new is written as it was, so that attempts go on.
    let json = serde_json::to_value(metric("mean: cost, better: lower")).expect("JSON");
    assert_eq!(
        json,
        serde_json::json!({"name": "m", "event": "answer", "label": null, "window": null, "audit": null,
            "mean": {"of": "cost", "better": "lower", "winsorise": null}})
    );
}

#[test]
fn what_contradicts_itself_is_refused() {
    for (text, message) in [
        ("mean: cost, ratio: { of: cost }, better: lower", "`m` has both `mean` and `ratio`"),
        ("bad: { wrong: true }, score: { of: s, bar: 0.9 }", "`m` has both `bad` and `score`"),
        ("window: 1h", "`m` measures nothing"),
        ("ratio: { of: cost }", "`m` does not say which way is good"),
        ("quantile: { of: latency, at: 95% }", "`m` does not say which way is good"),
        ("ratio: { of: cost, per: cost }, better: lower", "`m` is the ratio of `cost` and itself"),
        ("ratio: { per: cost }, better: lower", "`ratio` has no `of`"),
        ("ratio: { of: cost, pre: tokens }, better: lower", "`ratio` has no key `pre`"),
        ("ratio: cost, better: lower", "`ratio` must be an object, this is a string"),
        ("score: { of: s, bar: 100% }, window: 1h", "`bar` must lie between 0 and 1, neither of them"),
        ("score: { of: s }, window: 1h", "`score` has no `bar`"),
        ("score: { of: s, bar: 0.9, batch: 0s }, window: 1h", "a `batch` takes some time"),
        ("score: { of: s, bar: 0.9 }", "`m` is a score without a `window`"),
        ("quantile: { of: l, at: 0% }, better: lower", "`at` must lie between 0 and 1, neither of them"),
        ("score: { of: s, bar: 0.9 }, window: 1h, better: higher", "`better` means nothing beside `score`"),
        ("ratio: { of: cost }, better: lower, winsorise: 5", "`winsorise` means nothing beside `ratio`"),
        ("ratio: { of: cost }, better: lower, adjust: 14d", "`adjust` means nothing beside `ratio`"),
        ("bad: { wrong: true }, baseline: 0.02", "`baseline` means nothing beside `bad`"),
        ("bad: { wrong: true }, planned: 100", "`planned` means nothing beside `bad`"),
        ("mean: cost, better: lower, adjust: 0s", "`m` is adjusted by nothing"),
        ("mean: cost, better: lower, winsorise: 0", "`winsorise` leaves no value but zero"),
        ("mean: cost, better: lower, grace: 1h", "`m` has `grace` and no `window`"),
        ("mean: cost, better: lower, planned: 5 people", "`planned` is not a number of units"),
    ] {
        assert_eq!(found(text), [(Severity::Error, message.to_owned())], "{text}");
    }
    // Let through when there were only two kinds.
    let warned = found("bad: { wrong: true }, better: lower");
    assert_eq!(warned, [(Severity::Warning, "`better` means nothing beside `bad`".to_owned())]);
}

const KINDS: &str = "metrics:
  rate: { event: answer, bad: { unsupported: true } }
  cost: { event: answer, mean: cost, better: lower }
  paid: { event: answer, mean: cost, better: lower, baseline: 0.2, window: 24h }
  each: { event: answer, ratio: { of: cost }, better: lower, baseline: 0.2, window: 24h }
  good: { event: answer, score: { of: score, bar: 0.9 }, window: 6h }
  slow: { event: answer, quantile: { of: latency, at: 95% }, better: lower }
";

fn guarded(guardrails: &str, more: &str) -> String {
    format!(
        "{KINDS}flags:
  answers:
    {{ state: ENABLED, owner: o, rationale: r, expectedImpact: e, worstCase: w, rollbackPlan: b,
      variants: {{ old: 1, new: 2 }}, defaultVariant: old,
      rollout: {{ candidate: new, guardrails: [{guardrails}], {more} stages: [{{ name: 5%, treat: 5%, control: 5% }}] }} }}
"
    )
}

#[test]
fn roles_take_the_metrics_that_can_do_what_they_ask() {
    const GUARD: &str = "{ metric: rate, role: deterioration, promote: { notWorseBy: 10% } }";
    let good = [
        "{ metric: rate, role: guardrail, promote: { notWorseBy: 10% } }",
        "{ metric: paid, role: deterioration, promote: { notWorseBy: 5% } }",
        "{ metric: each, role: guardrail, promote: { notWorseBy: 5% } }",
        "{ metric: slow, role: deterioration }",
        "{ metric: good, role: guardrail }, { metric: good, role: deterioration }",
        "{ metric: cost, role: success }, { metric: cost, role: signal }",
        "{ metric: rate, role: health }, { metric: good, role: observe }",
    ];
    for guardrails in good {
        let source = Source::new("flags.yaml", guarded(&format!("{GUARD}, {guardrails}"), ""));
        assert_eq!(said(&source, &strict()), "", "{guardrails}");
    }
    for (guardrails, message) in [
        ("{ metric: paid, role: tripwire }", "`paid` takes a mean, so its role cannot be `tripwire`"),
        (
            "{ metric: cost, role: deterioration }",
            "`cost` has no `window`, so its role cannot be `deterioration`",
        ),
        ("{ metric: good, role: success }", "`good` is held against a bar, so its role cannot be `success`"),
        ("{ metric: good, role: health }", "`good` is held against a bar, so its role cannot be `health`"),
        ("{ metric: paid, role: guardrail }", "the `guardrail` `paid` has no margin to keep"),
        (
            "{ metric: slow, role: guardrail, promote: { notWorseBy: 10% } }",
            "the margin of `slow` is a share of a `baseline`, and it has none",
        ),
        (
            "{ metric: good, role: guardrail, promote: { notWorseBy: 10% } }",
            "`good` has its bar as its margin",
        ),
        (
            "{ metric: paid, role: observe, promote: { notWorseBy: 10% } }",
            "`promote` means nothing for the role `observe`",
        ),
        (
            "{ metric: paid, role: guardrail, share: 0.5, promote: { notWorseBy: 1% } }",
            "a `guardrail` has no `share`",
        ),
        ("{ metric: rate, role: gaurdrail }", "`role` cannot be `gaurdrail`"),
    ] {
        let source = Source::new("flags.yaml", guarded(&format!("{GUARD}, {guardrails}"), ""));
        let outcome = compile(&source, &options());
        let said: Vec<_> = outcome.diagnostics.iter().map(|one| one.message.as_str()).collect();
        assert_eq!(said, [message], "{guardrails}");
    }
    let twice =
        guarded(&format!("{GUARD}, {{ metric: cost, role: success }}"), "success: [{ metric: cost }],");
    let outcome = yaml(&twice);
    let said: Vec<_> = outcome.diagnostics.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(said, ["`cost` is a `success` twice"]);
}

#[test]
fn a_margin_without_a_baseline_shows_both_places() {
    let guardrail = "{ metric: slow, role: deterioration, promote: { notWorseBy: 10% } }";
    let source = Source::new("flags.yaml", guarded(guardrail, ""));
    let said = said(&source, &options());
    assert!(
        said.contains("error[FS0502]: the margin of `slow` is a share of a `baseline`, and it has none"),
        "{said}"
    );
    assert!(said.contains("\n 7 |   slow: {") && said.contains("---- declared here"), "{said}");
    assert!(said.contains("= hint: add to the metric what it is today, as `baseline: 0.02`"), "{said}");
}

#[test]
fn every_role_has_its_word() {
    let words = Role::ALL.map(Role::as_str);
    assert_eq!(words, ["tripwire", "deterioration", "guardrail", "success", "signal", "health", "observe"]);
}

#[test]
fn the_metrics_of_the_reference_compile() {
    let page = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/definition.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let block =
        page.split("```yaml\n").skip(2).find(|block| block.starts_with("metrics:")).expect("the metrics");
    let text = format!("{}flags: {{}}\n", block.split("```").next().expect("its end"));
    let source = Source::new("definition.yaml", text);
    assert_eq!(said(&source, &strict()), "");
}
