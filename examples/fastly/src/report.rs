//! What was shown, as events for the control plane: the unit as a pseudonym, numbered by this sandbox, sent again until there is a
//! receipt.

use std::collections::BTreeMap;

use fastly::Error;
use flagstone::{Arm, Decision, InForce};
use flagstone_events::{Batch, Body, Event, Exposure, ExposureFacts, Pepper, SnapshotId, Stream, UnitKey};
use serde_json::Value;

use crate::origin::Origin;

/// Within a day the same unit's exposures count once, milliseconds.
const WINDOW_MS: u64 = 86_400_000;
/// Events that wait at most.
const MOST: usize = flagstone_events::limits::MAX_BATCH_EVENTS;

/// The exposure of a decision; none when no variant was given or no unit is named.
pub fn exposure(
    of: &InForce,
    context: &Value,
    decision: &Decision,
    pepper: &Pepper,
    now_ms: u64,
) -> Option<Exposure> {
    let mark = of.mark();
    let facts = ExposureFacts {
        stream: Stream::Production,
        flag: of.key(decision.flag)?.to_owned(),
        variant: of.variant(decision)?.to_owned(),
        arm: match decision.arm {
            Arm::None => flagstone_events::Arm::None,
            Arm::Treatment => flagstone_events::Arm::Treatment,
            Arm::Control => flagstone_events::Arm::Control,
        },
        stage: decision.stage,
        cohort: decision.cohort,
        probability: decision.probability,
        snapshot: SnapshotId { epoch: mark.epoch, sequence: mark.sequence, digest: mark.digest },
        reason: decision.reason.as_str().to_owned(),
        at_ms: now_ms,
    };
    facts.of_unit(pepper, &unit(context, of.unit(decision.flag))?, WINDOW_MS).ok()
}

/// The unit at a dotted path: a text, or a whole number as its digits.
fn unit(context: &Value, path: &str) -> Option<UnitKey> {
    let text = match path.split('.').try_fold(context, |here, name| here.get(name))? {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_i64() || number.is_u64() => number.to_string(),
        _ => return None,
    };
    UnitKey::new(text).ok()
}

/// Whether something may be told of this unit: a `consent` attribute, where there is one, grants analytics in one of the forms that the
/// engine reads.
pub fn consents(context: &Value) -> bool {
    const PURPOSE: &str = "analytics";
    match context.get("consent") {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text == PURPOSE,
        Some(Value::Array(list)) => list.iter().any(|one| one == PURPOSE),
        Some(other) => other.get(PURPOSE) == Some(&Value::Bool(true)),
    }
}

/// Events on their way to the control plane.
pub struct Reporter {
    instance: String,
    next: u64,
    previous: Option<String>,
    waiting: Vec<Event>,
    dropped: BTreeMap<String, u64>,
}

impl Reporter {
    /// Of a sandbox with a random name.
    pub fn new(instance: &str) -> Self {
        let (waiting, dropped) = (Vec::new(), BTreeMap::new());
        Self { instance: instance.to_owned(), next: 1, previous: None, waiting, dropped }
    }

    /// Takes an event in. When too many wait it is lost, and counted.
    pub fn report(&mut self, exposure: Exposure) {
        if self.waiting.len() >= MOST {
            return self.drop("queue-full");
        }
        self.waiting.push(Event { sequence: self.next, body: Body::Exposure(exposure) });
        self.next += 1;
    }

    /// Counts an event that is not told, with its reason (docs/events.md).
    pub fn drop(&mut self, reason: &str) {
        *self.dropped.entry(reason.to_owned()).or_default() += 1;
    }

    /// Sends what waits; without a receipt it waits for the next request.
    pub fn flush(&mut self, origin: &Origin) {
        if !self.waiting.is_empty()
            && let Err(error) = self.send(origin)
        {
            eprintln!("flagstone: not reported yet: {error}");
        }
    }

    fn send(&mut self, origin: &Origin) -> Result<(), Error> {
        let batch =
            Batch::new(&self.instance, self.previous.clone(), self.dropped.clone(), self.waiting.clone())?;
        let receipt: Value = serde_json::from_str(&origin.post("events", batch.to_json()?)?)?;
        if receipt.get("batch").and_then(Value::as_str) != Some(&batch.id) {
            return Err(Error::msg("the answer is no receipt for this batch"));
        }
        self.previous = Some(batch.id);
        self.waiting.clear();
        Ok(())
    }
}
