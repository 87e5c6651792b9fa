//! One question answered: compiled, laid out, asked its canaries, decided and explained, as `flagstone evaluate` does it.

use flagstone_compile::{Outcome, Source, compile};
use flagstone_evaluate::{Context, Control, OpenStage, decide, decision_json, explain_json};
use flagstone_snapshot::json_text::write_string;
use flagstone_snapshot::{Snapshot, encode};

use crate::canaries;
use crate::question::Question;

/// How long the pulse that the question describes would hold, seconds.
const LEASE: u64 = 300;

/// Answers one question, both JSON text; `docs/playground.md` has their members. A question that cannot be read is
/// answered with a `fault` and nothing else.
#[must_use]
pub fn answer(question: &str) -> String {
    let question: Question = match serde_json::from_str(question) {
        Ok(question) => question,
        Err(error) => {
            let mut out = String::from("{");
            text("fault", &format!("this is no question: {error}"), &mut out);
            out.push('}');
            return out;
        }
    };
    let source = Source::new(question.name.as_str(), question.definition.as_str());
    let mut outcome = compile(&source, &question.options());
    canaries::ask(&mut outcome);
    let mut out = told(&source, &outcome);
    match outcome.draft.as_ref().map(encode) {
        None => {}
        Some(Err(error)) => {
            text("refused", &format!("this definition cannot be laid out: {error}"), &mut out);
        }
        Some(Ok(bytes)) => match Snapshot::load(&bytes) {
            Err(error) => text("refused", &format!("the snapshot is refused: {error}"), &mut out),
            Ok(snapshot) => {
                member("bytes", &bytes.len().to_string(), &mut out);
                decided(&snapshot, &question, &mut out);
            }
        },
    }
    out.push('}');
    out
}

/// What the compiler has to say; the object stays open.
fn told(source: &Source, outcome: &Outcome) -> String {
    let diagnostics = &outcome.diagnostics;
    // Text and numbers only: this cannot fail.
    let list = serde_json::to_string(&diagnostics.to_json(source)).unwrap_or_else(|_| "[]".into());
    let mut out = String::from("{");
    member("diagnostics", &list, &mut out);
    member("leftOut", &diagnostics.left_out().to_string(), &mut out);
    member("errors", &diagnostics.errors().to_string(), &mut out);
    out
}

/// Every flag's decision, the attributes that rules read, and the explanation that was asked for.
fn decided(snapshot: &Snapshot<'_>, question: &Question, out: &mut String) {
    let paths = (0..snapshot.attribute_count()).filter_map(|index| snapshot.attribute(index));
    list("attributes", paths.map(quoted), out);
    let context = Context::from_json(snapshot, &question.context);
    if let Err(error) = &context {
        text("contextFault", &error.to_string(), out);
    }
    let control = control(snapshot, question);
    let flags = (0..).zip(snapshot.flags()).map(|(index, flag)| {
        let mut one = String::from("{");
        text("key", flag.key(), &mut one);
        let variants = (0..flag.variant_count()).filter_map(|index| flag.variant(index));
        list("variants", variants.map(|variant| quoted(variant.name)), &mut one);
        if let Some(plan) = flag.plan() {
            let stages = (0..plan.stage_count()).filter_map(|index| plan.stage(index));
            list("stages", stages.map(|stage| quoted(stage.name)), &mut one);
            if let Some(ceiling) = plan.ceiling() {
                member("ceiling", &ceiling.to_string(), &mut one);
            }
            member("scheduled", if plan.scheduled() { "true" } else { "false" }, &mut one);
        }
        if let Ok(context) = &context {
            let decision = decide(snapshot, &control, context, index, question.now);
            member("decision", &decision_json(snapshot, &decision, flag.key()), &mut one);
        }
        one.push('}');
        one
    });
    list("flags", flags, out);
    if let (Ok(context), Some(key)) = (&context, &question.flag) {
        member("explained", &explain_json(snapshot, &control, context, key, question.now), out);
    }
}

fn control(snapshot: &Snapshot<'_>, question: &Question) -> Control {
    let Some(pulse) = &question.pulse else { return Control::closed(snapshot) };
    let stages =
        pulse.stages.iter().map(|one| OpenStage { flag: &one.flag, stage: one.stage, since: one.since });
    let until = question.now.saturating_add(LEASE);
    Control::new(snapshot, until, stages, pulse.halts.iter().map(String::as_str))
}

/// Adds a member whose value is JSON text already.
fn member(name: &str, json: &str, out: &mut String) {
    if !out.ends_with('{') {
        out.push(',');
    }
    write_string(name, out);
    out.push(':');
    out.push_str(json);
}

fn text(name: &str, value: &str, out: &mut String) {
    member(name, &quoted(value), out);
}

fn list(name: &str, values: impl Iterator<Item = String>, out: &mut String) {
    let values: Vec<String> = values.collect();
    member(name, &format!("[{}]", values.join(",")), out);
}

fn quoted(value: &str) -> String {
    let mut out = String::new();
    write_string(value, &mut out);
    out
}
