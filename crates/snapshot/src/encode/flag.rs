//! One flag: its record, its variants, and the parts that few flags have.

use alloc::string::ToString;

use super::writer::Writer;
use super::{EncodeError, limit};
use crate::layout::*;
use crate::{Draft, DraftFlag, FlagError, FlagKind, OnExpiry, SHARE_TOTAL, limits};

impl Writer {
    pub(super) fn flag(
        &mut self,
        flag: &DraftFlag,
        draft: &Draft,
        order: &[&DraftFlag],
    ) -> Result<(), EncodeError> {
        let key = flag.key.as_str();
        limit("variants", key, flag.variants.len(), limits::MAX_VARIANTS)?;
        let has = |variant: Option<u16>, what| match variant {
            Some(index) if usize::from(index) >= flag.variants.len() => {
                Err(EncodeError::Reference { flag: key.to_string(), what })
            }
            Some(index) => Ok(index),
            None => Ok(NONE16),
        };
        let default_variant = has(flag.default_variant, "default variant")?;
        let baseline = has(flag.baseline, "baseline variant")?;
        let variants = self.variants.len() as u32;
        for variant in &flag.variants {
            let record =
                VariantRecord { name: self.name(key, &variant.name)?, json: self.json(key, &variant.value)? };
            self.variants.push(record);
        }
        let targeting = match &flag.targeting {
            Some(program) => self.program(key, program, Some(flag))?,
            None => NONE,
        };
        let plan = match &flag.plan {
            Some(plan) => self.plan(flag, plan)?,
            None => NONE,
        };
        let state = (u8::from(flag.enabled) * state::ENABLED)
            | (u8::from(flag.client) * state::CLIENT)
            | (u8::from(flag.on_expiry == OnExpiry::Safe) * state::SAFE)
            | match flag.broken {
                Some(FlagError::Parse) => state::BROKEN_PARSE,
                Some(FlagError::General) => state::BROKEN_GENERAL,
                None => 0,
            };
        let kind = match flag.kind {
            FlagKind::Boolean => 0,
            FlagKind::Text => 1,
            FlagKind::Number => 2,
            FlagKind::Object => 3,
        };
        let record = FlagRecord {
            key: self.name(key, key)?,
            metadata: self.metadata(key, flag.metadata.as_ref())?,
            variants: variants.into(),
            variant_count: (flag.variants.len() as u16).into(),
            default_variant: default_variant.into(),
            baseline: baseline.into(),
            kind,
            state,
            targeting: targeting.into(),
            plan: plan.into(),
            parts: self.parts(flag, draft, order)?.into(),
        };
        self.flags.push(record);
        Ok(())
    }

    /// Prerequisites, holdouts, layer, overrides, stickiness; none for a flag without any.
    fn parts(&mut self, flag: &DraftFlag, draft: &Draft, order: &[&DraftFlag]) -> Result<u32, EncodeError> {
        let key = flag.key.as_str();
        let none = flag.prerequisites.is_empty() && flag.holdouts.is_empty() && flag.slot.is_none();
        if none && flag.overrides.is_none() && flag.sticky.is_none() {
            return Ok(NONE);
        }
        let wrong = |what| EncodeError::Reference { flag: key.to_string(), what };
        let overrides = match &flag.overrides {
            Some(program) => self.program(key, program, Some(flag))?,
            None => NONE,
        };
        let held = self.held.len() as u32;
        limit("holdouts", key, flag.holdouts.len(), limits::MAX_FLAG_PARTS)?;
        for holdout in &flag.holdouts {
            if usize::from(*holdout) >= draft.holdouts.len() {
                return Err(wrong("holdout"));
            }
            self.held.push(HeldRecord { holdout: u32::from(*holdout).into() });
        }
        let ranges = self.ranges.len() as u32;
        if let Some(slot) = &flag.slot {
            limit("ranges", key, slot.ranges.len(), limits::MAX_FLAG_PARTS)?;
            if usize::from(slot.layer) >= draft.layers.len() {
                return Err(wrong("layer"));
            }
            let mut end = 0;
            for (from, to) in &slot.ranges {
                if *from < end || to <= from || *to > SHARE_TOTAL {
                    return Err(wrong("range of the layer"));
                }
                end = *to;
                self.ranges.push(RangeRecord { from: (*from).into(), to: (*to).into() });
            }
        }
        let prerequisites = self.prerequisites.len() as u32;
        limit("prerequisites", key, flag.prerequisites.len(), limits::MAX_PREREQUISITES)?;
        for prerequisite in &flag.prerequisites {
            let other =
                order.binary_search_by(|other| other.key.as_bytes().cmp(prerequisite.flag.as_bytes())).ok();
            let variants = other.and_then(|index| order.get(index)).map(|other| other.variants.as_slice());
            if prerequisite.variants.is_empty() {
                return Err(wrong("variant of a prerequisite"));
            }
            limit("variants of a prerequisite", key, prerequisite.variants.len(), limits::MAX_VARIANTS)?;
            for (index, name) in prerequisite.variants.iter().enumerate() {
                let variant = variants.unwrap_or_default().iter().position(|variant| variant.name == *name);
                self.prerequisites.push(PrerequisiteRecord {
                    flag: other.map_or(NONE, |index| index as u32).into(),
                    variant: variant.map_or(NONE16, |index| index as u16).into(),
                    last: u16::from(index + 1 == prerequisite.variants.len()).into(),
                });
            }
        }
        if flag.sticky.is_some() {
            self.attribute(key, "remembered")?;
        }
        let record = PartsRecord {
            overrides: overrides.into(),
            sticky: flag.sticky.unwrap_or_default().into(),
            layer: flag.slot.as_ref().map_or(NONE, |slot| u32::from(slot.layer)).into(),
            ranges: ranges.into(),
            prerequisites: prerequisites.into(),
            held: held.into(),
            range_count: (self.ranges.len() as u32 - ranges).into(),
            prerequisite_count: (self.prerequisites.len() as u32 - prerequisites).into(),
            held_count: (self.held.len() as u32 - held).into(),
        };
        self.parts.push(record);
        Ok(self.parts.len() as u32 - 1)
    }
}
