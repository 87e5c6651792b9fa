//! The tables and the heap while they fill.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use zerocopy::IntoBytes;

use super::EncodeError;
use crate::layout::*;
use crate::{Json, json_text, limits};

#[derive(Default)]
pub(super) struct Writer {
    pub(super) attributes: Vec<AttributeRecord>,
    pub(super) attribute_index: BTreeMap<String, u32>,
    pub(super) instructions: Vec<Instruction>,
    pub(super) programs: Vec<ProgramRecord>,
    pub(super) variants: Vec<VariantRecord>,
    pub(super) domains: Vec<DomainRecord>,
    pub(super) stages: Vec<StageRecord>,
    pub(super) steps: Vec<StepRecord>,
    pub(super) pauses: Vec<PauseRecord>,
    pub(super) plans: Vec<PlanRecord>,
    pub(super) holdouts: Vec<HoldoutRecord>,
    pub(super) held: Vec<HeldRecord>,
    pub(super) layers: Vec<LayerRecord>,
    pub(super) ranges: Vec<RangeRecord>,
    pub(super) prerequisites: Vec<PrerequisiteRecord>,
    pub(super) parts: Vec<PartsRecord>,
    pub(super) flags: Vec<FlagRecord>,
    pub(super) canaries: Vec<CanaryRecord>,
    pub(super) heap: Vec<u8>,
    pub(super) heap_index: BTreeMap<Vec<u8>, u32>,
}

impl Writer {
    /// Puts bytes in the heap once.
    pub(super) fn span(&mut self, bytes: &[u8]) -> Span {
        if bytes.is_empty() {
            return Span::default();
        }
        let offset = match self.heap_index.get(bytes) {
            Some(offset) => *offset,
            None => {
                let offset = self.heap.len() as u32;
                self.heap.extend_from_slice(bytes);
                self.heap_index.insert(bytes.to_vec(), offset);
                offset
            }
        };
        Span { offset: offset.into(), length: (bytes.len() as u32).into() }
    }

    pub(super) fn name(&mut self, flag: &str, name: &str) -> Result<Span, EncodeError> {
        super::limit("bytes of a name", flag, name.len(), limits::MAX_NAME_BYTES)?;
        Ok(self.span(name.as_bytes()))
    }

    pub(super) fn json(&mut self, flag: &str, json: &Json) -> Result<Span, EncodeError> {
        super::well_formed(flag, json, 0)?;
        let text = json_text::to_text(json);
        super::limit("bytes of a value", flag, text.len(), limits::MAX_VALUE_BYTES)?;
        Ok(self.span(text.as_bytes()))
    }

    pub(super) fn metadata(&mut self, flag: &str, metadata: Option<&Json>) -> Result<Span, EncodeError> {
        metadata.map_or(Ok(Span::default()), |json| self.json(flag, json))
    }

    /// Keeps bytes that were checked as they were written.
    pub(super) fn blob(&mut self, flag: &str, bytes: Option<Vec<u8>>) -> Result<u32, EncodeError> {
        let bytes = bytes.ok_or_else(|| EncodeError::Value { flag: flag.to_string() })?;
        Ok(self.span(&bytes).offset.get())
    }

    pub(super) fn attribute(&mut self, flag: &str, path: &str) -> Result<u32, EncodeError> {
        if let Some(index) = self.attribute_index.get(path) {
            return Ok(*index);
        }
        let record = AttributeRecord { path: self.name(flag, path)?, version: NONE.into() };
        let index = self.attributes.len() as u32;
        self.attributes.push(record);
        self.attribute_index.insert(path.to_string(), index);
        Ok(index)
    }

    /// Says that a rule reads an attribute as a version.
    pub(super) fn reads_version(&mut self, attribute: u16) {
        if let Some(record) = self.attributes.get_mut(usize::from(attribute)) {
            record.version = 0.into(); // numbered when all are known
        }
    }

    /// The flags by the buckets of their keys.
    fn keys(&self) -> (Vec<Bucket>, Vec<Keyed>) {
        let count = self.flags.len();
        let mut keyed: Vec<(usize, u16)> = (0u16..)
            .zip(&self.flags)
            .map(|(position, record)| {
                let start = record.key.offset.get() as usize;
                let key = self.heap.get(start..start + record.key.length.get() as usize);
                (bucket(key.unwrap_or_default(), count), position)
            })
            .collect();
        keyed.sort_unstable();
        let begins = (0..=count).map(|at| keyed.partition_point(|(bucket, _)| *bucket < at) as u16);
        (begins.map(Bucket::new).collect(), keyed.iter().map(|(_, position)| Keyed::new(*position)).collect())
    }

    pub(super) fn finish(
        mut self,
        definition: [u8; 32],
        [flag_set, environment, metadata]: [Span; 3],
    ) -> Result<Vec<u8>, EncodeError> {
        let versions = self.attributes.iter_mut().filter(|record| record.version.get() != NONE);
        for (number, record) in (0u32..).zip(versions) {
            record.version = number.into();
        }
        let (buckets, keyed) = self.keys();
        let tables = [
            (self.attributes.len(), self.attributes.as_bytes()),
            (self.instructions.len(), self.instructions.as_bytes()),
            (self.programs.len(), self.programs.as_bytes()),
            (self.variants.len(), self.variants.as_bytes()),
            (self.domains.len(), self.domains.as_bytes()),
            (self.stages.len(), self.stages.as_bytes()),
            (self.steps.len(), self.steps.as_bytes()),
            (self.pauses.len(), self.pauses.as_bytes()),
            (self.plans.len(), self.plans.as_bytes()),
            (self.holdouts.len(), self.holdouts.as_bytes()),
            (self.held.len(), self.held.as_bytes()),
            (self.layers.len(), self.layers.as_bytes()),
            (self.ranges.len(), self.ranges.as_bytes()),
            (self.prerequisites.len(), self.prerequisites.as_bytes()),
            (self.parts.len(), self.parts.as_bytes()),
            (self.flags.len(), self.flags.as_bytes()),
            (buckets.len(), buckets.as_bytes()),
            (keyed.len(), keyed.as_bytes()),
            (self.canaries.len(), self.canaries.as_bytes()),
            (self.heap.len(), self.heap.as_slice()),
        ];
        let total = size_of::<Header>() + tables.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
        super::limit("bytes of snapshot", "", total, limits::MAX_SNAPSHOT_BYTES)?;
        let header = Header {
            magic: MAGIC,
            version: VERSION.into(),
            reserved: 0.into(),
            total: (total as u32).into(),
            counts: tables.map(|(count, _)| (count as u32).into()),
            definition,
            flag_set,
            environment,
            metadata,
        };
        let mut bytes = Vec::with_capacity(total);
        bytes.extend_from_slice(header.as_bytes());
        for (_, table) in tables {
            bytes.extend_from_slice(table);
        }
        Ok(bytes)
    }
}
