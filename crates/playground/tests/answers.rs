//! What the page is answered: findings at their places, decisions as the engine makes them, and faults in words.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use flagstone_playground::answer;
use serde_json::{Value, json};

const GREETING: &str = "flags:\n  greeting:\n    state: ENABLED\n    variants: { short: Hi, long: Good morning }\n    \
    defaultVariant: short\n    targeting: { if: [{ starts_with: [{ var: locale }, en] }, WORD] }\n";

const ROLLOUT: &str = r#"
flags:
  answers:
    state: ENABLED
    owner: a@acme.example
    rationale: It tested better.
    expectedImpact: Better.
    worstCase: Worse.
    rollbackPlan: Halt.
    review: 2027-02-01
    onExpiry: safe
    variants: { today: 1, deeper: 2 }
    defaultVariant: today
    rollout:
      candidate: deeper
      ceiling: half
      guardrails: [{ metric: unsupported, role: deterioration }]
      stages:
        - { name: staff, who: { "==": [{ var: staff }, true] } }
        - { name: half, treat: 50%, control: 50% }
        - { name: everyone, treat: 99%, control: 1% }
metrics: { unsupported: { event: answer, bad: { unsupported: true } } }
"#;

fn ask(question: Value) -> Value {
    serde_json::from_str(&answer(&question.to_string())).unwrap()
}

fn greeting(word: &str) -> String {
    GREETING.replace("WORD", word)
}

#[test]
fn a_finding_has_its_place_and_its_hint() {
    let definition = greeting("lnog");
    let said = ask(json!({ "definition": definition, "flag": "greeting" }));
    assert_eq!(said["errors"], 1);
    let finding = &said["diagnostics"][0];
    assert_eq!((&finding["code"], &finding["line"]), (&json!("FS0306"), &json!(6)));
    let span = |end: &str| usize::try_from(finding["span"][end].as_u64().unwrap()).unwrap();
    assert_eq!(&definition[span("start")..span("end")], "lnog");
    assert_eq!(finding["hint"], "did you mean `long`?");
    assert_eq!(
        said["flags"][0]["key"], "greeting",
        "lenient: the flag is built for those whom the typo does not meet"
    );

    let strict = ask(json!({ "definition": definition, "flag": "greeting", "strict": true }));
    assert_eq!(
        (strict["errors"].clone(), strict.get("flags"), strict.get("explained")),
        (json!(1), None, None)
    );
}

#[test]
fn a_decision_is_explained_for_the_context() {
    let decide = |context: &str| {
        ask(
            json!({ "definition": greeting("long"), "flag": "greeting", "context": context, "now": 1_790_000_000_u64 }),
        )
    };
    let english = decide(r#"{"locale":"en-GB"}"#);
    let explained = &english["explained"];
    assert_eq!(
        (&explained["decision"]["variant"], &explained["now"]),
        (&json!("long"), &json!(1_790_000_000_u64))
    );
    assert_eq!(explained["trace"].as_array().unwrap().last().unwrap()["check"], "targeting");
    assert_eq!(english["flags"][0]["decision"], explained["decision"]);
    assert_eq!(english["attributes"], json!(["targetingKey", "locale"]));
    assert_eq!(decide(r#"{"locale":"fr"}"#)["explained"]["decision"]["variant"], "short");

    let broken = decide("{");
    assert_eq!(broken["contextFault"], "the context is not JSON");
    assert_eq!((broken.get("explained"), broken["flags"][0].get("decision")), (None, None));
}

#[test]
fn a_pulse_opens_stages_beneath_the_ceiling_and_halts() {
    let decide = |pulse: Value| {
        let question = json!({
            "definition": ROLLOUT, "flag": "answers", "context": r#"{"targetingKey":"ana"}"#, "now": 1_790_000_000_u64, "pulse": pulse,
        });
        ask(question)["explained"]["decision"].clone()
    };
    let flag = &ask(json!({ "definition": ROLLOUT }))["flags"][0];
    assert_eq!((&flag["stages"], &flag["ceiling"]), (&json!(["staff", "half", "everyone"]), &json!(1)));
    let above = decide(json!({ "stages": [{ "flag": "answers", "stage": 2 }] }));
    assert_eq!((&above["stage"]["name"], &above["cohort"]["probability"]), (&json!("half"), &json!(0.5)));
    assert_eq!(decide(json!({ "halts": ["answers"] }))["detail"], "halt");
    assert_eq!(decide(Value::Null)["detail"], "expired");
}

#[test]
fn a_canary_that_is_answered_otherwise_is_found() {
    let definition = greeting("long").replace(
        "    targeting",
        "    canaries: [{ context: { locale: en }, variant: short }]\n    targeting",
    );
    let said = ask(json!({ "definition": definition }));
    assert_eq!(said["diagnostics"][0]["code"], "FS0605");
    assert_eq!(said.get("flags"), None, "no host would serve it");
}

#[test]
fn what_is_no_question_is_answered_with_a_fault() {
    for text in ["", "[]", "{\"context\":\"{}\"}", "{\"definition\":\"\",\"clock\":1}"] {
        let said: Value = serde_json::from_str(&answer(text)).unwrap();
        assert!(said["fault"].as_str().unwrap().starts_with("this is no question: "), "{said}");
        assert_eq!(said.as_object().unwrap().len(), 1);
    }
}
