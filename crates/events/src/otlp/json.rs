//! OTLP's JSON encoding: the same messages, members in lower camel case, 64-bit numbers as text (numbers are read too).

use serde_json::{Map, Value as Json, json};

use super::wire::{
    AnyValue, ExportLogsServiceRequest, KeyValue, LogRecord, Resource, ResourceLogs, ScopeLogs, Value,
};

/// Reads a request. None when it is not of that shape; unknown members are passed over.
pub(super) fn read(body: &Json) -> Option<ExportLogsServiceRequest> {
    let resource_logs =
        list(body.as_object()?, "resourceLogs")?.iter().map(resource).collect::<Option<_>>()?;
    Some(ExportLogsServiceRequest { resource_logs })
}

/// A list member; absent and null mean empty.
fn list<'a>(members: &'a Map<String, Json>, name: &str) -> Option<&'a [Json]> {
    match members.get(name) {
        None | Some(Json::Null) => Some(&[]),
        Some(Json::Array(items)) => Some(items),
        Some(_) => None,
    }
}

fn resource(one: &Json) -> Option<ResourceLogs> {
    let members = one.as_object()?;
    let attributes = match members.get("resource") {
        None | Some(Json::Null) => Vec::new(),
        Some(resource) => attributes(resource.as_object()?)?,
    };
    Some(ResourceLogs {
        resource: Some(Resource { attributes }),
        scope_logs: list(members, "scopeLogs")?.iter().map(scope).collect::<Option<_>>()?,
        schema_url: String::new(),
    })
}

fn scope(one: &Json) -> Option<ScopeLogs> {
    let log_records = list(one.as_object()?, "logRecords")?.iter().map(record).collect::<Option<_>>()?;
    Some(ScopeLogs { scope: None, log_records })
}

fn record(one: &Json) -> Option<LogRecord> {
    let members = one.as_object()?;
    Some(LogRecord {
        time_unix_nano: match members.get("timeUnixNano") {
            None | Some(Json::Null) => 0,
            Some(Json::String(text)) => text.parse().ok()?,
            Some(number) => number.as_u64()?,
        },
        severity_number: 0,
        attributes: attributes(members)?,
        event_name: members.get("eventName").and_then(Json::as_str).unwrap_or_default().to_owned(),
    })
}

fn attributes(members: &Map<String, Json>) -> Option<Vec<KeyValue>> {
    list(members, "attributes")?
        .iter()
        .map(|pair| {
            let key = pair.get("key")?.as_str()?.to_owned();
            let value = match pair.get("value") {
                None | Some(Json::Null) => None,
                Some(value) => Some(AnyValue { value: any(value.as_object()?)? }),
            };
            Some(KeyValue { key, value })
        })
        .collect()
}

/// The outer none: not of that shape. The inner: a kind that is not read here.
fn any(value: &Map<String, Json>) -> Option<Option<Value>> {
    if let Some(text) = value.get("stringValue") {
        return Some(Some(Value::Text(text.as_str()?.to_owned())));
    }
    if let Some(flag) = value.get("boolValue") {
        return Some(Some(Value::Bool(flag.as_bool()?)));
    }
    if let Some(number) = value.get("intValue") {
        let number = number.as_i64().or_else(|| number.as_str().and_then(|text| text.parse().ok()))?;
        return Some(Some(Value::Int(number)));
    }
    if let Some(number) = value.get("doubleValue") {
        // Not-a-number and the infinities are texts in this encoding.
        let number = number.as_f64().or_else(|| number.as_str().and_then(|text| text.parse().ok()))?;
        return Some(Some(Value::Double(number)));
    }
    Some(None)
}

/// Writes a request.
pub(super) fn write(request: &ExportLogsServiceRequest) -> Json {
    let resources = request.resource_logs.iter().map(|one| {
        let scopes = one.scope_logs.iter().map(|scope| {
            let records = scope.log_records.iter().map(|record| {
                json!({
                    "timeUnixNano": record.time_unix_nano.to_string(),
                    "severityNumber": record.severity_number,
                    "eventName": record.event_name,
                    "attributes": pairs(&record.attributes),
                })
            });
            let named =
                scope.scope.as_ref().map(|named| json!({"name": named.name, "version": named.version}));
            json!({"scope": named, "logRecords": records.collect::<Vec<_>>()})
        });
        let attributes = one.resource.as_ref().map(|resource| pairs(&resource.attributes));
        json!({
            "resource": {"attributes": attributes.unwrap_or_default()},
            "scopeLogs": scopes.collect::<Vec<_>>(),
            "schemaUrl": one.schema_url,
        })
    });
    json!({"resourceLogs": resources.collect::<Vec<_>>()})
}

fn pairs(attributes: &[KeyValue]) -> Vec<Json> {
    let value = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::Text(text)) => json!({"stringValue": text}),
        Some(Value::Bool(flag)) => json!({"boolValue": flag}),
        Some(Value::Int(number)) => json!({"intValue": number.to_string()}),
        Some(Value::Double(number)) => json!({"doubleValue": number}),
        None => json!({}),
    };
    attributes.iter().map(|pair| json!({"key": pair.key, "value": value(pair)})).collect()
}
