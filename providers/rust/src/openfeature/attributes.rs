//! The SDK's context as the attributes of a unit.

use flagstone_snapshot::Json;
use open_feature::{
    EvaluationContext, EvaluationContextFieldValue, EvaluationError, EvaluationErrorCode, StructValue, Value,
};

use crate::Unit;

/// The targeting key becomes `targetingKey`. Times are RFC 3339 text in UTC, whole seconds. A structure is understood when it is the
/// SDK's `StructValue` or `Value`, a list of `Value`, or a `serde_json::Value`: the SDK passes it on as `Any`.
pub(super) fn unit(context: &EvaluationContext) -> Result<Unit, EvaluationError> {
    let mut members = Vec::with_capacity(context.custom_fields.len() + 1);
    for (name, value) in &context.custom_fields {
        let json = field(value).ok_or_else(|| EvaluationError {
            code: EvaluationErrorCode::InvalidContext,
            message: Some(format!(
                "attribute `{name}` of the context cannot be read\nhint: finite numbers; structures as \
                 `open_feature::StructValue`, `open_feature::Value` or `serde_json::Value`"
            )),
        })?;
        members.push((name.clone(), json));
    }
    if let Some(key) = &context.targeting_key {
        members.push(("targetingKey".to_owned(), Json::Text(key.clone())));
    }
    Ok(Unit::members(members))
}

fn field(value: &EvaluationContextFieldValue) -> Option<Json> {
    use EvaluationContextFieldValue as Field;
    Some(match value {
        Field::Bool(value) => Json::Bool(*value),
        Field::Int(value) => Json::Integer(*value),
        Field::Float(value) => number(*value)?,
        Field::String(text) => Json::Text(text.clone()),
        Field::DateTime(time) => {
            let time = time.checked_to_utc()?;
            Json::Text(format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                time.year(),
                u8::from(time.month()),
                time.day(),
                time.hour(),
                time.minute(),
                time.second()
            ))
        }
        Field::Struct(any) => {
            if let Some(object) = any.downcast_ref::<StructValue>() {
                structure(object)?
            } else if let Some(value) = any.downcast_ref::<Value>() {
                ours(value)?
            } else if let Some(list) = any.downcast_ref::<Vec<Value>>() {
                Json::List(list.iter().map(ours).collect::<Option<_>>()?)
            } else {
                json(any.downcast_ref::<serde_json::Value>()?)?
            }
        }
    })
}

fn number(value: f64) -> Option<Json> {
    value.is_finite().then_some(Json::Number(value))
}

fn structure(object: &StructValue) -> Option<Json> {
    let members = object.fields.iter().map(|(name, value)| Some((name.clone(), ours(value)?)));
    Some(Json::Object(members.collect::<Option<_>>()?))
}

fn ours(value: &Value) -> Option<Json> {
    Some(match value {
        Value::Bool(value) => Json::Bool(*value),
        Value::Int(value) => Json::Integer(*value),
        Value::Float(value) => number(*value)?,
        Value::String(text) => Json::Text(text.clone()),
        Value::Array(list) => Json::List(list.iter().map(ours).collect::<Option<_>>()?),
        Value::Struct(object) => structure(object)?,
    })
}

fn json(value: &serde_json::Value) -> Option<Json> {
    Some(match value {
        serde_json::Value::Null => Json::Null,
        serde_json::Value::Bool(value) => Json::Bool(*value),
        serde_json::Value::Number(value) => match (value.as_i64(), value.as_u64()) {
            (Some(whole), _) => Json::Integer(whole),
            (None, Some(whole)) => Json::Unsigned(whole),
            (None, None) => number(value.as_f64()?)?,
        },
        serde_json::Value::String(text) => Json::Text(text.clone()),
        serde_json::Value::Array(list) => Json::List(list.iter().map(json).collect::<Option<_>>()?),
        serde_json::Value::Object(members) => {
            let members = members.iter().map(|(name, value)| Some((name.clone(), json(value)?)));
            Json::Object(members.collect::<Option<_>>()?)
        }
    })
}
