//! Lays a [`Draft`] out as the bytes that are sealed.
//!
//! Equal drafts give equal bytes: tables follow the sorted flags, the heap keeps first use first, and a
//! text or value that occurs twice lies there once.

mod error;
mod flag;
mod fuse;
mod plan;
mod rule;
mod writer;

use alloc::string::ToString;
use alloc::vec::Vec;

pub use error::EncodeError;

use crate::layout::{CanaryRecord, HoldoutRecord, LayerRecord, NEVER, NONE16};
use crate::{Draft, DraftCanary, DraftFlag, Json, SHARE_TOTAL, limits};
use writer::Writer;

/// Lays a draft out.
///
/// # Errors
/// [`EncodeError`] for whatever [`crate::Snapshot::load`] would refuse or the engine could not do.
///
/// ```
/// use flagstone_snapshot::{encode, Draft, Snapshot};
/// let bytes = encode(&Draft { environment: "production".into(), ..Draft::default() })?;
/// assert_eq!(Snapshot::load(&bytes).expect("what was laid out loads").flag_count(), 0);
/// # Ok::<(), flagstone_snapshot::EncodeError>(())
/// ```
pub fn encode(draft: &Draft) -> Result<Vec<u8>, EncodeError> {
    limit("flags", "", draft.flags.len(), limits::MAX_FLAGS)?;
    let mut order: Vec<&DraftFlag> = draft.flags.iter().collect();
    order.sort_by(|a, b| a.key.as_bytes().cmp(b.key.as_bytes()));
    if let Some(twice) = order.windows(2).find(|pair| matches!(pair, [a, b] if a.key == b.key)) {
        return Err(EncodeError::DuplicateFlag(
            twice.first().map(|flag| flag.key.clone()).unwrap_or_default(),
        ));
    }
    let mut writer = Writer::default();
    // Every unit is known by its targeting key unless the author says otherwise: it is attribute 0.
    writer.attribute("", "targetingKey")?;
    let flag_set = writer.name("", &draft.flag_set)?;
    let environment = writer.name("", &draft.environment)?;
    let metadata = writer.metadata("", draft.metadata.as_ref())?;
    shared(&mut writer, draft)?;
    for flag in &order {
        writer.flag(flag, draft, &order)?;
    }
    limit("canaries", "", draft.canaries.len(), limits::MAX_CANARIES)?;
    for canary in &draft.canaries {
        let record = canary_record(&mut writer, canary, &order)?;
        writer.canaries.push(record);
    }
    limit("attributes", "", writer.attributes.len(), limits::MAX_ATTRIBUTES)?;
    let bytes = writer.finish(draft.definition, [flag_set, environment, metadata])?;
    // Circles of prerequisites are the one thing that only the whole shows.
    match crate::load::prerequisites(&crate::Snapshot::view(&bytes).map_err(|_| EncodeError::Prerequisites)?)
    {
        Ok(()) => Ok(bytes),
        Err(_) => Err(EncodeError::Prerequisites),
    }
}

fn canary_record(
    writer: &mut Writer,
    canary: &DraftCanary,
    order: &[&DraftFlag],
) -> Result<CanaryRecord, EncodeError> {
    let wrong = || EncodeError::Canary { flag: canary.flag.clone() };
    let position = order.binary_search_by(|flag| flag.key.as_bytes().cmp(canary.flag.as_bytes()));
    let position = position.map_err(|_| wrong())?;
    let variants = order.get(position).map(|flag| flag.variants.as_slice()).unwrap_or_default();
    let variant = match &canary.variant {
        Some(name) => variants.iter().position(|variant| variant.name == *name).ok_or_else(wrong)? as u16,
        None => NONE16,
    };
    if !matches!(canary.context, Json::Object(_)) {
        return Err(wrong());
    }
    Ok(CanaryRecord {
        at: canary.at.into(),
        context: writer.json(&canary.flag, &canary.context)?,
        flag: (position as u32).into(),
        variant: variant.into(),
        reserved: 0.into(),
    })
}

/// Holdouts and layers, which flags name by position.
fn shared(writer: &mut Writer, draft: &Draft) -> Result<(), EncodeError> {
    limit("holdouts", "", draft.holdouts.len(), limits::MAX_LAYERS)?;
    limit("layers", "", draft.layers.len(), limits::MAX_LAYERS)?;
    for holdout in &draft.holdouts {
        if holdout.share > SHARE_TOTAL {
            return Err(EncodeError::Shares { flag: holdout.name.clone(), stage: "holdout".to_string() });
        }
        let record = HoldoutRecord {
            salt: holdout.salt.into(),
            until: holdout.until.unwrap_or(NEVER).into(),
            name: writer.name("", &holdout.name)?,
            unit: writer.attribute("", &holdout.unit)?.into(),
            share: holdout.share.into(),
        };
        writer.holdouts.push(record);
    }
    for layer in &draft.layers {
        let record = LayerRecord {
            salt: layer.salt.into(),
            name: writer.name("", &layer.name)?,
            unit: writer.attribute("", &layer.unit)?.into(),
        };
        writer.layers.push(record);
    }
    Ok(())
}

fn limit(what: &'static str, flag: &str, found: usize, limit: usize) -> Result<(), EncodeError> {
    if found <= limit {
        Ok(())
    } else {
        Err(EncodeError::TooMany { what, flag: flag.to_string(), found, limit })
    }
}

fn well_formed(flag: &str, json: &Json, depth: usize) -> Result<(), EncodeError> {
    let wrong = || EncodeError::Value { flag: flag.to_string() };
    match json {
        _ if depth > limits::MAX_DEPTH => Err(wrong()),
        Json::Number(number) if !number.is_finite() => Err(wrong()),
        Json::Text(text) => limit("bytes of a value", flag, text.len(), limits::MAX_VALUE_BYTES),
        Json::List(elements) => {
            limit("members of a value", flag, elements.len(), limits::MAX_MEMBERS)?;
            elements.iter().try_for_each(|element| well_formed(flag, element, depth + 1))
        }
        Json::Object(members) => {
            limit("members of a value", flag, members.len(), limits::MAX_MEMBERS)?;
            members.iter().try_for_each(|(_, value)| well_formed(flag, value, depth + 1))
        }
        _ => Ok(()),
    }
}
