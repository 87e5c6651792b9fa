//! Events as log records of OpenTelemetry, and back.
//!
//! Names that OpenTelemetry has are used for what they mean there; `flagstone.` attributes carry what it has no name for,
//! and the exact numbers. An event that went out and came back is the same event.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::attributes::{Reader, Writer};
use super::wire::{LogRecord, Value};
use crate::{
    Arm, Body, Event, EventId, Exposure, Inclusion, Outcome, Pseudonym, SnapshotId, Stream, Withdrawal,
    from_hex, micros, to_hex,
};

/// OpenTelemetry's event of a flag evaluation.
pub(super) const EVALUATION: &str = "feature_flag.evaluation";
/// OpenTelemetry's event of a judged answer; also the name of outcomes that come from foreign records of it.
pub(super) const RESULT: &str = "gen_ai.evaluation.result";
/// Ours.
pub(super) const WITHDRAWAL: &str = "flagstone.withdrawal";
const INFO: i32 = 9;
const NANOS: u64 = 1_000_000;
/// Slices and the measure that OpenTelemetry's result event has attributes for.
const NAME: &str = "name";
const LABEL: &str = "label";
const SCORE: &str = "score";
/// OpenFeature's reasons as OpenTelemetry writes them.
const REASONS: [(&str, &str); 9] = [
    ("CACHED", "cached"),
    ("DEFAULT", "default"),
    ("DISABLED", "disabled"),
    ("ERROR", "error"),
    ("SPLIT", "split"),
    ("STALE", "stale"),
    ("STATIC", "static"),
    ("TARGETING_MATCH", "targeting_match"),
    ("UNKNOWN", "unknown"),
];

/// An event as a record. `set` names the flag set, as `feature_flag.set.id`.
pub(super) fn record(event: &Event, set: &str) -> LogRecord {
    let mut to = Writer::default();
    let at_ms = event.body.at_ms();
    let time_unix_nano = at_ms.checked_mul(NANOS);
    if time_unix_nano.is_none() {
        to.number("flagstone.at_ms", at_ms); // after the year 2554
    }
    to.number("flagstone.sequence", event.sequence);
    to.text("flagstone.event.id", event.body.id().to_string());
    to.text("flagstone.stream", event.body.stream().as_str());
    let event_name = match &event.body {
        Body::Exposure(exposure) => write_exposure(&mut to, exposure, set),
        Body::Outcome(outcome) => write_outcome(&mut to, outcome),
        Body::Withdrawal(withdrawal) => {
            to.text("flagstone.unit", withdrawal.unit.to_string());
            WITHDRAWAL
        }
    };
    LogRecord {
        time_unix_nano: time_unix_nano.unwrap_or(0),
        severity_number: INFO,
        attributes: to.0,
        event_name: event_name.to_owned(),
    }
}

fn write_exposure(to: &mut Writer, exposure: &Exposure, set: &str) -> &'static str {
    to.text("feature_flag.key", &exposure.flag);
    to.text("feature_flag.result.variant", &exposure.variant);
    to.text("feature_flag.context.id", exposure.unit.to_string());
    to.text("feature_flag.provider.name", "flagstone");
    to.text("feature_flag.set.id", set);
    to.text("feature_flag.version", format!("{}.{}", exposure.snapshot.epoch, exposure.snapshot.sequence));
    match REASONS.iter().find(|(ours, _)| *ours == exposure.reason) {
        Some((_, theirs)) => to.text("feature_flag.result.reason", *theirs),
        None => {
            to.text("feature_flag.result.reason", "unknown");
            to.text("flagstone.reason", &exposure.reason);
        }
    }
    to.text(
        "flagstone.arm",
        match exposure.arm {
            Arm::None => "none",
            Arm::Treatment => "treatment",
            Arm::Control => "control",
        },
    );
    if let Some(stage) = exposure.stage {
        to.number("flagstone.stage", stage.into());
    }
    if let Some(cohort) = exposure.cohort {
        to.number("flagstone.cohort", cohort.into());
    }
    to.number("flagstone.probability", exposure.probability.into());
    to.number("flagstone.inclusion", exposure.inclusion.parts().into());
    to.number("flagstone.snapshot.epoch", exposure.snapshot.epoch);
    to.number("flagstone.snapshot.sequence", exposure.snapshot.sequence);
    to.text("flagstone.snapshot.digest", to_hex(&exposure.snapshot.digest));
    EVALUATION
}

fn write_outcome(to: &mut Writer, outcome: &Outcome) -> &'static str {
    to.text("gen_ai.evaluation.name", outcome.slices.get(NAME).unwrap_or(&outcome.name));
    if let Some(score) = outcome.measures.get(SCORE) {
        to.double("gen_ai.evaluation.score.value", *score as f64 / 1e6);
    }
    if let Some(label) = outcome.slices.get(LABEL) {
        to.text("gen_ai.evaluation.score.label", label);
    }
    to.text("flagstone.outcome", &outcome.name);
    to.text("flagstone.unit", outcome.unit.to_string());
    to.number("flagstone.inclusion", outcome.inclusion.parts().into());
    for (name, value) in &outcome.measures {
        to.signed(format!("flagstone.measure.{name}"), *value);
    }
    for (name, value) in &outcome.booleans {
        to.flag(format!("flagstone.boolean.{name}"), *value);
    }
    for (name, value) in &outcome.slices {
        to.text(format!("flagstone.slice.{name}"), value);
    }
    RESULT
}

/// A record as an event.
///
/// # Errors
/// In words: what is missing or out of range, or that the record is no event of ours.
pub(super) fn event(record: &LogRecord) -> Result<Event, String> {
    let from = Reader::new(&record.attributes);
    let at_ms = match from.small("flagstone.at_ms")? {
        Some(at_ms) => at_ms,
        None => record.time_unix_nano.checked_div(NANOS).unwrap_or(0),
    };
    let read = match record.event_name.as_str() {
        EVALUATION => read_exposure,
        RESULT => read_outcome,
        WITHDRAWAL => read_withdrawal,
        other => return Err(format!("`{other}` is no event that is evidence")),
    };
    let common = Common {
        id: parsed(&from, "flagstone.event.id")?,
        stream: match from.text("flagstone.stream")? {
            "production" => Stream::Production,
            "evaluation" => Stream::Evaluation,
            "training" => Stream::Training,
            other => return Err(format!("`{other}` is no stream")),
        },
        at_ms,
    };
    let body = read(&from, common)?;
    body.check().map_err(|error| error.to_string())?;
    Ok(Event { sequence: from.number("flagstone.sequence")?, body })
}

struct Common {
    id: EventId,
    stream: Stream,
    at_ms: u64,
}

fn parsed<T: FromStr>(from: &Reader<'_>, key: &str) -> Result<T, String> {
    from.text(key)?.parse().map_err(|_| format!("attribute `{key}` is not 32 lower-case hexadecimal digits"))
}

fn inclusion(from: &Reader<'_>) -> Result<Inclusion, String> {
    let parts = from.small("flagstone.inclusion")?;
    parts.map_or(Ok(Inclusion::CERTAIN), |parts| Inclusion::new(parts).map_err(|error| error.to_string()))
}

fn read_exposure(from: &Reader<'_>, common: Common) -> Result<Body, String> {
    let reason = if from.has("flagstone.reason") {
        from.text("flagstone.reason")?
    } else {
        let theirs = from.text("feature_flag.result.reason")?;
        let known = REASONS.iter().find(|(_, known)| *known == theirs);
        known.map_or(theirs, |(ours, _)| *ours)
    };
    let digest = from_hex::<32>(from.text("flagstone.snapshot.digest")?);
    Ok(Body::Exposure(Exposure {
        id: common.id,
        stream: common.stream,
        flag: from.text("feature_flag.key")?.to_owned(),
        variant: from.text("feature_flag.result.variant")?.to_owned(),
        arm: match from.text("flagstone.arm")? {
            "none" => Arm::None,
            "treatment" => Arm::Treatment,
            "control" => Arm::Control,
            other => return Err(format!("`{other}` is no arm")),
        },
        stage: from.small("flagstone.stage")?,
        cohort: from.small("flagstone.cohort")?,
        probability: from
            .small("flagstone.probability")?
            .ok_or("attribute `flagstone.probability` is missing")?,
        unit: parsed::<Pseudonym>(from, "feature_flag.context.id")?,
        snapshot: SnapshotId {
            epoch: from.number("flagstone.snapshot.epoch")?,
            sequence: from.number("flagstone.snapshot.sequence")?,
            digest: digest.ok_or("attribute `flagstone.snapshot.digest` is not 64 hexadecimal digits")?,
        },
        reason: reason.to_owned(),
        at_ms: common.at_ms,
        inclusion: inclusion(from)?,
    }))
}

fn read_outcome(from: &Reader<'_>, common: Common) -> Result<Body, String> {
    let (mut measures, mut booleans, mut slices) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    let wrong = |name: &str| format!("the attribute of `{name}` has the wrong type");
    for (name, value) in from.beneath("flagstone.measure.") {
        let Value::Int(number) = value else { return Err(wrong(name)) };
        measures.insert(name.to_owned(), *number);
    }
    for (name, value) in from.beneath("flagstone.boolean.") {
        let Value::Bool(flag) = value else { return Err(wrong(name)) };
        booleans.insert(name.to_owned(), *flag);
    }
    for (name, value) in from.beneath("flagstone.slice.") {
        let Value::Text(text) = value else { return Err(wrong(name)) };
        slices.insert(name.to_owned(), text.clone());
    }
    let name = if from.has("flagstone.outcome") {
        from.text("flagstone.outcome")?.to_owned()
    } else {
        // Another program's result of an evaluation: what OpenTelemetry has names for.
        slices.insert(NAME.to_owned(), from.text("gen_ai.evaluation.name")?.to_owned());
        if let Some(score) = from.double("gen_ai.evaluation.score.value") {
            let score = micros(score).ok_or("`gen_ai.evaluation.score.value` is out of range")?;
            measures.insert(SCORE.to_owned(), score);
        }
        if from.has("gen_ai.evaluation.score.label") {
            slices.insert(LABEL.to_owned(), from.text("gen_ai.evaluation.score.label")?.to_owned());
        }
        RESULT.to_owned()
    };
    Ok(Body::Outcome(Outcome {
        id: common.id,
        stream: common.stream,
        name,
        unit: parsed(from, "flagstone.unit")?,
        measures,
        booleans,
        slices,
        at_ms: common.at_ms,
        inclusion: inclusion(from)?,
    }))
}

fn read_withdrawal(from: &Reader<'_>, common: Common) -> Result<Body, String> {
    let unit = parsed(from, "flagstone.unit")?;
    Ok(Body::Withdrawal(Withdrawal { id: common.id, stream: common.stream, unit, at_ms: common.at_ms }))
}
