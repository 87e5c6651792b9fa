//! Events over OTLP (OpenTelemetry's protocol, logs): as protobuf or JSON, out and back in.
//!
//! Exposures are OpenTelemetry's `feature_flag.evaluation` events, outcomes its `gen_ai.evaluation.result` events, so any
//! collector and backend understands them; `flagstone.` attributes carry the rest, and what goes out and comes back
//! is the same. The mapping, attribute by attribute: `docs/events.md`.
//!
//! A collector may cut and join requests as it likes. So every record stands for itself (`flagstone.sequence`,
//! `flagstone.event.id`), and what belongs to the reporter is on the resource: `service.instance.id` and `flagstone.dropped.*`.

mod attributes;
mod json;
mod map;
mod wire;

use std::collections::BTreeMap;

use prost::Message as _;
use serde_json::{Value as Json, json};

use crate::error::check_text;
use crate::{Batch, Event, EventError, limits};
use attributes::{Reader, Writer};
use wire::{
    ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse, InstrumentationScope,
    Resource, ResourceLogs, ScopeLogs, Status, Value,
};

/// Log records in one request. A receiver keeps a whole request in one database transaction.
pub const MAX_RECORDS: usize = 10_000;

/// How OTLP is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// `application/x-protobuf`.
    Protobuf,
    /// `application/json`.
    Json,
}

impl Encoding {
    /// The content type, of requests and of their answers.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Encoding::Protobuf => "application/x-protobuf",
            Encoding::Json => "application/json",
        }
    }
}

/// What one reporter sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// As in [`Batch`].
    pub instance: String,
    /// As in [`Batch`].
    pub dropped: BTreeMap<String, u64>,
    /// In the order they came; sequence numbers may have gaps and be out of order.
    pub events: Vec<Event>,
}

/// A request, read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Received {
    /// One for each resource that held an event of ours.
    pub reports: Vec<Report>,
    /// Records that are no event, or not a valid one.
    pub rejected: u64,
    /// What was wrong with the first of them.
    pub problem: Option<String>,
}

/// A batch as a request. `set` names the flag set.
#[must_use]
pub fn encode(batch: &Batch, set: &str, encoding: Encoding) -> Vec<u8> {
    let request = request(batch, set);
    match encoding {
        Encoding::Protobuf => request.encode_to_vec(),
        Encoding::Json => json::write(&request).to_string().into_bytes(),
    }
}

fn request(batch: &Batch, set: &str) -> ExportLogsServiceRequest {
    let mut about = Writer::default();
    about.text("service.name", "flagstone-host");
    about.text("service.instance.id", &batch.instance);
    for (reason, count) in &batch.dropped {
        about.number(format!("flagstone.dropped.{reason}"), *count);
    }
    let scope =
        InstrumentationScope { name: "flagstone".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() };
    let log_records = batch.events.iter().map(|event| map::record(event, set)).collect();
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs {
            resource: Some(Resource { attributes: about.0 }),
            scope_logs: vec![ScopeLogs { scope: Some(scope), log_records }],
            schema_url: String::new(),
        }],
    }
}

/// Reads a request. Records that are no events of ours are counted as rejected, the others stand.
///
/// # Errors
/// [`EventError::Malformed`] when the body is not OTLP at all, [`EventError::TooLarge`] above [`MAX_RECORDS`].
pub fn decode(body: &[u8], encoding: Encoding) -> Result<Received, EventError> {
    let request = match encoding {
        Encoding::Protobuf => ExportLogsServiceRequest::decode(body)
            .map_err(|error| EventError::Malformed(format!("not protobuf of OTLP logs: {error}")))?,
        Encoding::Json => {
            let body: Json =
                serde_json::from_slice(body).map_err(|error| EventError::Malformed(error.to_string()))?;
            json::read(&body).ok_or_else(|| EventError::Malformed("not JSON of OTLP logs".to_owned()))?
        }
    };
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    let size: usize = scopes.map(|scope| scope.log_records.len()).sum();
    if size > MAX_RECORDS {
        return Err(EventError::TooLarge { what: "log records", size, limit: MAX_RECORDS });
    }
    let mut received = Received::default();
    for resource in &request.resource_logs {
        read_resource(resource, &mut received);
    }
    Ok(received)
}

fn read_resource(resource: &ResourceLogs, received: &mut Received) {
    let pairs = resource.resource.as_ref().map(|about| about.attributes.as_slice()).unwrap_or_default();
    let about = Reader::new(pairs);
    let instance = about.text("service.instance.id").and_then(|name| {
        check_text("service.instance.id", name, limits::MAX_NAME_BYTES).map_err(|error| error.to_string())?;
        Ok(name.to_owned())
    });
    let mut dropped = BTreeMap::new();
    for (reason, value) in about.beneath("flagstone.dropped.").take(limits::MAX_DROP_REASONS) {
        let named = check_text("drop reason", reason, limits::MAX_NAME_BYTES).is_ok();
        if let Value::Int(count) = value
            && named
            && (0..=limits::MAX_INTEGER.cast_signed()).contains(count)
        {
            dropped.insert(reason.to_owned(), count.unsigned_abs());
        }
    }
    let mut events = Vec::new();
    for record in resource.scope_logs.iter().flat_map(|scope| &scope.log_records) {
        let read = instance.as_ref().map_err(Clone::clone).and_then(|_| map::event(record));
        let in_range = |event: &Event| (1..limits::MAX_INTEGER).contains(&event.sequence);
        match read.and_then(|event| {
            if in_range(&event) { Ok(event) } else { Err("`flagstone.sequence` is out of range".to_owned()) }
        }) {
            Ok(event) => events.push(event),
            Err(problem) => {
                received.rejected = received.rejected.saturating_add(1);
                received.problem.get_or_insert(problem);
            }
        }
    }
    if let (Ok(instance), false) = (instance, events.is_empty()) {
        received.reports.push(Report { instance, dropped, events });
    }
}

/// The answer to a request that was taken in: whole, or but for some records.
#[must_use]
pub fn encode_answer(rejected: u64, problem: Option<&str>, encoding: Encoding) -> Vec<u8> {
    let message = problem.unwrap_or_default();
    let rejected = i64::try_from(rejected).unwrap_or(i64::MAX);
    match encoding {
        Encoding::Protobuf => {
            let partial = ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message: message.to_owned(),
            };
            let partial_success = (rejected > 0).then_some(partial);
            ExportLogsServiceResponse { partial_success }.encode_to_vec()
        }
        Encoding::Json if rejected > 0 => {
            let partial = json!({"rejectedLogRecords": rejected.to_string(), "errorMessage": message});
            json!({"partialSuccess": partial}).to_string().into_bytes()
        }
        Encoding::Json => b"{}".to_vec(),
    }
}

/// The body of a refusal: `google.rpc.Status` with the code for a bad argument, or none for other faults.
#[must_use]
pub fn encode_refusal(message: &str, bad_argument: bool, encoding: Encoding) -> Vec<u8> {
    let code = if bad_argument { 3 } else { 2 };
    match encoding {
        Encoding::Protobuf => Status { code, message: message.to_owned() }.encode_to_vec(),
        Encoding::Json => json!({"code": code, "message": message}).to_string().into_bytes(),
    }
}

/// Reads a protobuf answer: how many records were rejected, and what was said about it. What is not readable says nothing.
#[must_use]
pub fn decode_answer(body: &[u8]) -> (u64, String) {
    let partial = ExportLogsServiceResponse::decode(body).ok().and_then(|answer| answer.partial_success);
    let partial = partial.unwrap_or_default();
    (u64::try_from(partial.rejected_log_records).unwrap_or(0), partial.error_message)
}
