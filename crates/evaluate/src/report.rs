//! Decisions as text: one canonical JSON object, byte-identical from every build of the engine.

use alloc::string::String;

use flagstone_snapshot::json_text::{write_number, write_string};
use flagstone_snapshot::{SHARE_TOTAL, Snapshot};

use crate::decision::Decision;
use crate::memory;

/// A decision as compact JSON. `key` is what was asked for (a flag that is not there has no other name).
///
/// ```json
/// {"flag":"answers","variant":"concise","value":{"temperature":0.1},"reason":"SPLIT","errorCode":null,
///  "detail":"stage","arm":"treatment","stage":{"index":2,"name":"1%"},
///  "cohort":{"index":2,"name":"1%","probability":0.1},"metadata":null}
/// ```
/// A sticky flag's decision ends with a member `"remember"`, when there is something to bring back the next time in the
/// context's `remembered`. `value` and `variant` both null mean the caller's own default; `probability` is 0 where the unit is no
/// evidence.
#[must_use]
pub fn decision_json(snapshot: &Snapshot<'_>, decision: &Decision, key: &str) -> String {
    let mut out = String::with_capacity(256);
    write_decision(snapshot, decision, key, &mut out);
    out
}

pub(crate) fn write_decision(snapshot: &Snapshot<'_>, decision: &Decision, key: &str, out: &mut String) {
    let flag = snapshot.flag(decision.flag);
    let variant = flag.zip(decision.variant).and_then(|(flag, variant)| flag.variant(variant));
    out.push_str("{\"flag\":");
    write_string(key, out);
    out.push_str(",\"variant\":");
    text_or_null(variant.map(|variant| variant.name), out);
    out.push_str(",\"value\":");
    out.push_str(variant.map_or("null", |variant| variant.json));
    out.push_str(",\"reason\":");
    write_string(decision.reason.as_str(), out);
    out.push_str(",\"errorCode\":");
    text_or_null(decision.error.map(|error| error.as_str()), out);
    out.push_str(",\"detail\":");
    text_or_null(decision.detail.as_str(), out);
    out.push_str(",\"arm\":");
    text_or_null(decision.arm.as_str(), out);
    let plan = flag.and_then(|flag| flag.plan());
    for (name, index) in [("stage", decision.stage), ("cohort", decision.cohort)] {
        out.push_str(",\"");
        out.push_str(name);
        out.push_str("\":");
        match index.zip(plan).and_then(|(index, plan)| Some((index, plan.stage(index)?))) {
            None => out.push_str("null"),
            Some((index, stage)) => {
                out.push_str("{\"index\":");
                write_number(f64::from(index), out);
                out.push_str(",\"name\":");
                write_string(stage.name, out);
                if name == "cohort" {
                    out.push_str(",\"probability\":");
                    write_number(f64::from(decision.probability) / f64::from(SHARE_TOTAL), out);
                }
                out.push('}');
            }
        }
    }
    out.push_str(",\"metadata\":");
    let metadata = flag.map_or(snapshot.metadata(), |flag| flag.metadata());
    out.push_str(if metadata.is_empty() { "null" } else { metadata });
    let mut token = String::new();
    if flag.is_some_and(|flag| memory::write(decision, &flag, &mut token)) {
        out.push_str(",\"remember\":");
        write_string(&token, out);
    }
    out.push('}');
}

fn text_or_null(text: Option<&str>, out: &mut String) {
    match text {
        Some(text) => write_string(text, out),
        None => out.push_str("null"),
    }
}
