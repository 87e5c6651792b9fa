//! How plans move over time, and how segments keep their keys.
#![allow(clippy::expect_used, clippy::panic)]

mod common;

use common::{options, strict};
use flagstone_compile::model::Store;
use flagstone_compile::{Format, Outcome, Source, compile};
use flagstone_snapshot::{Advance, DraftStep, DraftWindow, KeySet, Op, encode};

fn plan(flag: &str, rollout: &str) -> Source {
    let text = format!(
        "metrics: {{ wrong: {{ event: answer, bad: {{ unsupported: true }} }} }}
segments: {{ staff: {{ include: [me] }} }}
flags:
  answers:
    {{ state: ENABLED, owner: o, rationale: r, expectedImpact: e, worstCase: w, rollbackPlan: b,
      variants: {{ old: 1, new: 2 }}, defaultVariant: old, {flag}
      rollout: {{ candidate: new, guardrails: [{{ metric: wrong, role: deterioration }}], {rollout} }} }}
"
    );
    Source::with_format("flags.yaml", text, Format::Yaml)
}

const STAGES: &str = "stages: [{ name: inside, who: staff }, { name: one, treat: 1%, control: 9%, ramp: 6h },
  { name: ten, treat: 10%, control: 40% }]";

fn clean(source: &Source) -> Outcome {
    let outcome = compile(source, &strict());
    assert_eq!(outcome.diagnostics.render(source, false), "");
    outcome
}

#[test]
fn a_plan_of_every_kind_of_time() {
    let source = plan(
        "sticky: true,",
        &format!(
            "advance: schedule, notBefore: 2026-12-01T00:00:00Z, until: 2027-03-01T00:00:00+00:00, intake: paused,
             watch: {{ for: 2h, share: 0.5%, atMost: 500 units }}, ceiling: ten,
             schedule: [{{ at: 2026-12-01T09:00:00Z, stage: one }}, {{ at: 1797000000, stage: ten }}],
             pauses: [{{ from: 2026-12-24T00:00:00Z, to: 2026-12-27T00:00:00Z }},
                      {{ from: 2026-12-27T00:00:00Z, to: 2027-01-02T00:00:00Z }}], {STAGES}"
        ),
    );
    let draft = clean(&source).draft.expect("a draft");
    encode(&draft).expect("it can be laid out");
    let plan = draft.flags[0].plan.as_ref().expect("a plan");
    assert_eq!(plan.advance, Advance::Schedule);
    assert_eq!((plan.not_before, plan.until), (Some(1_796_083_200), Some(1_803_859_200)));
    assert_eq!(
        plan.schedule,
        [DraftStep { at: 1_796_115_600, stage: 1 }, DraftStep { at: 1_797_000_000, stage: 2 }]
    );
    assert_eq!(plan.pauses, [(1_798_070_400, 1_798_848_000)], "two that meet are one");
    assert_eq!(plan.window, Some(DraftWindow { seconds: 7_200, share: 5_000_000 }));
    assert!(plan.intake_paused);
    assert_eq!(plan.stages.iter().map(|stage| stage.ramp).collect::<Vec<_>>(), [0, 21_600, 0]);
    assert_eq!(draft.flags[0].sticky, Some(1));
}

#[test]
fn a_plan_that_says_nothing_of_time() {
    let draft = clean(&plan("", &format!("watch: {{ for: 2h }}, {STAGES}"))).draft.expect("a draft");
    let plan = draft.flags[0].plan.as_ref().expect("a plan");
    assert_eq!((plan.advance, plan.window, plan.intake_paused), (Advance::Pulse, None, false));
    assert_eq!((plan.not_before, plan.until, plan.schedule.len(), plan.pauses.len()), (None, None, 0, 0));
}

#[test]
fn times_that_contradict_each_other() {
    let step = |at: &str, stage: &str| format!("{{ at: 2026-12-{at}T00:00:00Z, stage: {stage} }}");
    let plans = [
        "notBefore: 2026-12-02T00:00:00Z, until: 2026-12-01T00:00:00Z".to_owned(),
        "until: tomorrow".to_owned(),
        "until: 1796115600000".to_owned(),
        "notBefore: 1969-01-01T00:00:00Z".to_owned(),
        "advance: schedule".to_owned(),
        "advance: clock".to_owned(),
        "schedule: []".to_owned(),
        format!("schedule: [{}, {}]", step("02", "inside"), step("01", "one")),
        format!(
            "ceiling: ten, schedule: [{}, {}, {}]",
            step("01", "one"),
            step("02", "inside"),
            step("03", "ten")
        ),
        format!("schedule: [{}]", step("01", "onee")),
        format!("schedule: [{}, {}]", step("01", "inside"), step("02", "ten")),
        format!("ceiling: ten, schedule: [{}]", step("01", "one")),
        format!("ceiling: ten, until: 2026-12-05T00:00:00Z, schedule: [{}]", step("06", "ten")),
        "pauses: [{ from: 5, to: 5 }]".to_owned(),
        "pauses: [{ from: 5, to: 9 }, { from: 8, to: 12 }]".to_owned(),
        "pauses: [{ from: 5 }]".to_owned(),
        "intake: paused".to_owned(),
        "watch: { for: 9999d, share: 1% }".to_owned(),
    ];
    let mut lines = Vec::new();
    for timing in &plans {
        let outcome = compile(&plan("", &format!("{timing}, {STAGES}")), &options());
        lines.push(timing.clone());
        for said in &outcome.diagnostics {
            lines.push(format!("  {} {:?}: {}", said.code.as_str(), said.severity, said.message));
            lines.extend(said.hint.iter().map(|hint| format!("    hint: {hint}")));
        }
        let broken = outcome.draft.expect("a draft").flags[0].broken.is_some();
        assert_eq!(broken, outcome.diagnostics.has_errors(), "{timing}");
    }
    let ramp = compile(&plan("", "stages: [{ name: a, who: staff, ramp: 6h }]"), &options());
    lines.extend(ramp.diagnostics.iter().map(|said| said.message.clone()));
    insta::assert_snapshot!(lines.join("\n"), @r"
    notBefore: 2026-12-02T00:00:00Z, until: 2026-12-01T00:00:00Z
      FS0407 Error: the plan ends before it begins
        hint: `until` comes after `notBefore`
    until: tomorrow
      FS0204 Error: `until` is not a time
        hint: write it as `2026-12-01T09:00:00Z`, or as unix seconds
    until: 1796115600000
      FS0204 Error: `until` is not a time
        hint: unix time is in seconds, this looks like milliseconds
    notBefore: 1969-01-01T00:00:00Z
      FS0204 Error: `notBefore` is not a time
        hint: times begin with 1970
    advance: schedule
      FS0407 Error: `advance: schedule` without a `schedule` opens nothing
        hint: add `schedule: [{ at: 2026-12-01T09:00:00Z, stage: … }]`
    advance: clock
      FS0204 Error: `advance` cannot be `clock`
        hint: there are `pulse`, `schedule`
    schedule: []
      FS0407 Error: `schedule` is empty, or far too long
        hint: 1 to 256 entries, or leave it out
    schedule: [{ at: 2026-12-02T00:00:00Z, stage: inside }, { at: 2026-12-01T00:00:00Z, stage: one }]
      FS0407 Error: this step is not after the one before it
        hint: steps stand in the order of their times
      FS0407 Warning: `one` is above the ceiling, so this step opens nothing more
        hint: raise `ceiling` once people have approved it
    ceiling: ten, schedule: [{ at: 2026-12-01T00:00:00Z, stage: one }, { at: 2026-12-02T00:00:00Z, stage: inside }, { at: 2026-12-03T00:00:00Z, stage: ten }]
      FS0407 Error: the schedule goes back from `one` to `inside`
        hint: a schedule only widens; halting and lowering are for the pulse
    schedule: [{ at: 2026-12-01T00:00:00Z, stage: onee }]
      FS0205 Error: there is no stage `onee`
        hint: did you mean `one`?
    schedule: [{ at: 2026-12-01T00:00:00Z, stage: inside }, { at: 2026-12-02T00:00:00Z, stage: ten }]
      FS0407 Warning: `ten` is above the ceiling, so this step opens nothing more
        hint: raise `ceiling` once people have approved it
    ceiling: ten, schedule: [{ at: 2026-12-01T00:00:00Z, stage: one }]
      FS0404 Warning: no step of the schedule opens `ten`
        hint: a stage without a step stays closed; add one, or leave the schedule out
    ceiling: ten, until: 2026-12-05T00:00:00Z, schedule: [{ at: 2026-12-06T00:00:00Z, stage: ten }]
      FS0407 Warning: `ten` comes when the plan has ended
    pauses: [{ from: 5, to: 5 }]
      FS0407 Error: the pause ends before it begins
    pauses: [{ from: 5, to: 9 }, { from: 8, to: 12 }]
      FS0407 Error: the pause begins before the last one ends
        hint: pauses stand in the order of their times and do not overlap
    pauses: [{ from: 5 }]
      FS0203 Error: a pause has no `to`
    intake: paused
      FS0408 Error: `intake: paused` would throw everybody out of the plan
        hint: who is in stays in by what is remembered: give the flag `sticky: true`
    watch: { for: 9999d, share: 1% }
      FS0204 Error: `for` is far too long
        hint: ten years at most
    an allow-list has no `ramp`
    ");
}

/// A segment of so many keys.
fn segment(count: usize, more: &str) -> Source {
    let keys: Vec<String> = (0..count).map(|at| format!("tenant-{at}")).collect();
    let text = format!(
        "segments: {{ s: {{ include: [{}], {more} }} }}
flags: {{ f: {{ state: ENABLED, variants: {{ 'true': 1, 'false': 2 }}, targeting: {{ segment: s }} }} }}",
        keys.join(", ")
    );
    Source::with_format("flags.yaml", text, Format::Yaml)
}

#[test]
fn segments_keep_their_keys_as_told() {
    let kept = |source: &Source| {
        let outcome = clean(source);
        let draft = outcome.draft.expect("a draft");
        encode(&draft).expect("it can be laid out");
        let set = draft.flags[0].targeting.as_ref().expect("a program").0.iter().find_map(|op| match op {
            Op::InKeys(set) => Some(set.clone()),
            _ => None,
        });
        (set, outcome.definition.expect("a definition").segments[0].include.store)
    };
    assert_eq!(kept(&segment(1_000, "")), (None, Store::List));
    let (set, store) = kept(&segment(1_001, ""));
    assert!(matches!(set, Some(KeySet::Hashes(hashes)) if hashes.len() == 1_001));
    assert_eq!(store, Store::Hashes);
    assert_eq!(kept(&segment(1_001, "store: list")).1, Store::List);
    assert_eq!(kept(&segment(3, "store: hashes")).1, Store::Hashes);
    let (set, store) = kept(&segment(2_000, "store: bloom, errorRate: 1%"));
    let Store::Bloom { bytes, probes, error_rate } = store else { panic!("{store:?}") };
    assert!(
        matches!(&set, Some(KeySet::Bloom { bits, probes: 7 }) if bits.len() == bytes as usize),
        "{store:?}"
    );
    assert_eq!(probes, 7);
    assert!((0.009..0.0105).contains(&error_rate), "{error_rate}");
    // What is declared is what is seen: 40,000 strangers, five standard deviations.
    let bytes = set.and_then(|set| set.write()).expect("a set");
    let taken = (0..40_000)
        .filter(|at| flagstone_snapshot::blob::key_set::contains(&bytes, format!("other-{at}").as_bytes()))
        .count();
    assert!((taken as f64 - 40_000.0 * error_rate).abs() < 100.0, "{taken}");
    let json = serde_json::to_value(store).expect("JSON");
    assert_eq!((json["kind"].as_str(), json["probes"].as_u64()), (Some("bloom"), Some(7)));
    assert!(json["errorRate"].is_f64());
}

#[test]
fn stores_that_cannot_be() {
    let said = |source: &Source| -> Vec<String> {
        compile(source, &options()).diagnostics.iter().map(|said| said.message.clone()).collect()
    };
    assert_eq!(said(&segment(1, "store: set")), ["`store` cannot be `set`"]);
    assert_eq!(said(&segment(1, "errorRate: 1%")), ["`errorRate` is about `store: bloom` only"]);
    assert_eq!(said(&segment(1, "store: bloom, errorRate: 20%")), ["`errorRate` is out of reach"]);
    assert_eq!(said(&segment(1, "store: bloom, errorRate: 0.000001%")), ["`errorRate` is out of reach"]);
    assert_eq!(said(&segment(10_001, "store: list")), ["`include` has 10001 keys"]);
}
