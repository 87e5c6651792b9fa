//! A batch: a run of one instance's events with contiguous sequence numbers, an id that follows from its content,
//! and a declaration of what was lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::canonical::canonical_json;
use crate::error::check_text;
use crate::hex::{from_hex, to_hex};
use crate::{EventError, EventId, Exposure, Outcome, Pseudonym, Stream, Withdrawal, limits};

/// The version of the wire format that this code writes and reads.
pub const VERSION: u64 = 1;

/// One event, numbered by the instance that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counted from 1 within the instance, without gaps when it is made.
    pub sequence: u64,
    /// What happened; its members stand beside `sequence` on the wire.
    #[serde(flatten)]
    pub body: Body,
}

/// What happened; `type` on the wire says which.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Body {
    /// A unit was given a variant.
    Exposure(Exposure),
    /// Something was measured about a unit.
    Outcome(Outcome),
    /// A unit takes its consent back.
    Withdrawal(Withdrawal),
}

impl Body {
    /// The event's id.
    #[must_use]
    pub fn id(&self) -> EventId {
        match self {
            Body::Exposure(exposure) => exposure.id,
            Body::Outcome(outcome) => outcome.id,
            Body::Withdrawal(withdrawal) => withdrawal.id,
        }
    }

    /// The event's stream.
    #[must_use]
    pub fn stream(&self) -> Stream {
        match self {
            Body::Exposure(exposure) => exposure.stream,
            Body::Outcome(outcome) => outcome.stream,
            Body::Withdrawal(withdrawal) => withdrawal.stream,
        }
    }

    /// Whom it is about.
    #[must_use]
    pub fn unit(&self) -> Pseudonym {
        match self {
            Body::Exposure(exposure) => exposure.unit,
            Body::Outcome(outcome) => outcome.unit,
            Body::Withdrawal(withdrawal) => withdrawal.unit,
        }
    }

    /// When it happened, in milliseconds since 1970.
    #[must_use]
    pub fn at_ms(&self) -> u64 {
        match self {
            Body::Exposure(exposure) => exposure.at_ms,
            Body::Outcome(outcome) => outcome.at_ms,
            Body::Withdrawal(withdrawal) => withdrawal.at_ms,
        }
    }

    /// Checks names, ranges and sizes.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn check(&self) -> Result<(), EventError> {
        match self {
            Body::Exposure(exposure) => exposure.check(),
            Body::Outcome(outcome) => outcome.check(),
            Body::Withdrawal(withdrawal) => withdrawal.check(),
        }
    }
}

/// Events on their way to the receiver. Field order is the order on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// [`VERSION`].
    pub version: u64,
    /// SHA-256 of the canonical JSON of this batch without the members `id` and `dropped`; 64 hexadecimal digits.
    pub id: String,
    /// Which reporter these events come from: a random name that stays with its spool folder.
    pub instance: String,
    /// The sequence number of the first event.
    pub first_sequence: u64,
    /// How many events.
    pub count: u64,
    /// The id of the instance's batch before this one that the receiver took, none for the first: a chain.
    pub previous: Option<String>,
    /// Events that this instance lost since it exists, by reason. Cumulative; not part of the id, since a batch that is sent
    /// again may declare newer numbers.
    pub dropped: BTreeMap<String, u64>,
    /// The events, in order of sequence.
    pub events: Vec<Event>,
}

impl Batch {
    /// Makes a batch of at least one event with contiguous sequence numbers, and checks it like a received one.
    ///
    /// # Errors
    /// The first thing found wrong.
    pub fn new(
        instance: &str,
        previous: Option<String>,
        dropped: BTreeMap<String, u64>,
        events: Vec<Event>,
    ) -> Result<Self, EventError> {
        let mut batch = Batch {
            version: VERSION,
            id: String::new(),
            instance: instance.to_owned(),
            first_sequence: events.first().map_or(0, |event| event.sequence),
            count: events.len() as u64,
            previous,
            dropped,
            events,
        };
        batch.check_shape()?;
        batch.id = content_id(&to_value(&batch)?)?;
        Ok(batch)
    }

    /// Reads and verifies a received batch: size, version, shape, ranges, sequence numbers, and that the id is the hash of the
    /// content. Members it does not know are allowed and covered by the id.
    ///
    /// # Errors
    /// The first thing found wrong; none of them can be cured by sending the same bytes again.
    pub fn from_json(bytes: &[u8]) -> Result<Self, EventError> {
        if bytes.len() > limits::MAX_BATCH_BYTES {
            let limit = limits::MAX_BATCH_BYTES;
            return Err(EventError::TooLarge { what: "batch", size: bytes.len(), limit });
        }
        let malformed = |error: serde_json::Error| EventError::Malformed(error.to_string());
        let value: Value = serde_json::from_slice(bytes).map_err(malformed)?;
        let version = value.get("version").and_then(Value::as_u64);
        match version {
            Some(VERSION) => {}
            Some(other) => return Err(EventError::Version(other)),
            None => return Err(EventError::Malformed("member `version` is missing".to_owned())),
        }
        let computed = content_id(&value)?;
        let batch: Batch = serde_json::from_value(value).map_err(malformed)?;
        batch.check_shape()?;
        batch.check_id(computed)?;
        Ok(batch)
    }

    /// Verifies a batch that is already typed.
    ///
    /// # Errors
    /// As [`Batch::from_json`].
    pub fn verify(&self) -> Result<(), EventError> {
        if self.version != VERSION {
            return Err(EventError::Version(self.version));
        }
        self.check_shape()?;
        self.check_id(content_id(&to_value(self)?)?)
    }

    /// The text to send.
    ///
    /// # Errors
    /// [`EventError::TooLarge`] above [`limits::MAX_BATCH_BYTES`].
    pub fn to_json(&self) -> Result<String, EventError> {
        let text = serde_json::to_string(self).map_err(|error| EventError::Malformed(error.to_string()))?;
        if text.len() > limits::MAX_BATCH_BYTES {
            let limit = limits::MAX_BATCH_BYTES;
            return Err(EventError::TooLarge { what: "batch", size: text.len(), limit });
        }
        Ok(text)
    }

    fn check_id(&self, computed: String) -> Result<(), EventError> {
        if self.id == computed {
            return Ok(());
        }
        Err(EventError::WrongId { stated: self.id.clone(), computed })
    }

    fn check_shape(&self) -> Result<(), EventError> {
        check_text("instance", &self.instance, limits::MAX_NAME_BYTES)?;
        if self.previous.as_deref().is_some_and(|id| from_hex::<32>(id).is_none()) {
            return Err(EventError::OutOfRange { what: "previous" });
        }
        let (size, limit) = (self.dropped.len(), limits::MAX_DROP_REASONS);
        if size > limit {
            return Err(EventError::TooLarge { what: "dropped", size, limit });
        }
        for (reason, count) in &self.dropped {
            check_text("drop reason", reason, limits::MAX_NAME_BYTES)?;
            if *count > limits::MAX_INTEGER {
                return Err(EventError::OutOfRange { what: "dropped" });
            }
        }
        let (size, limit) = (self.events.len(), limits::MAX_BATCH_EVENTS);
        if size > limit {
            return Err(EventError::TooLarge { what: "events", size, limit });
        }
        self.check_sequences()?;
        self.events.iter().try_for_each(|event| event.body.check())
    }

    fn check_sequences(&self) -> Result<(), EventError> {
        if self.events.is_empty() {
            return Err(EventError::Sequence("a batch holds at least one event".to_owned()));
        }
        if self.count != self.events.len() as u64 {
            let held = self.events.len();
            return Err(EventError::Sequence(format!("count says {}, the batch holds {held}", self.count)));
        }
        if self.first_sequence == 0
            || self.first_sequence > limits::MAX_INTEGER - self.count.min(limits::MAX_INTEGER)
        {
            return Err(EventError::OutOfRange { what: "first_sequence" });
        }
        for (expected, event) in (self.first_sequence..).zip(&self.events) {
            if event.sequence != expected {
                return Err(EventError::Sequence(format!(
                    "{} stands where {expected} belongs",
                    event.sequence
                )));
            }
        }
        Ok(())
    }
}

fn to_value(batch: &Batch) -> Result<Value, EventError> {
    serde_json::to_value(batch).map_err(|error| EventError::Malformed(error.to_string()))
}

/// SHA-256, in hexadecimal, of the canonical JSON of a batch without its members `id` and `dropped`.
fn content_id(batch: &Value) -> Result<String, EventError> {
    let Value::Object(members) = batch else {
        return Err(EventError::Malformed("a batch is a JSON object".to_owned()));
    };
    let mut covered = members.clone();
    covered.remove("id");
    covered.remove("dropped");
    Ok(to_hex(&Sha256::digest(canonical_json(&Value::Object(covered))?)))
}
