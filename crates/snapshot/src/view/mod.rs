//! A validated snapshot, read in place.

mod flag;
mod plan;

use crate::layout::*;

pub use flag::{Flag, Parts, Variant};
pub use plan::{Plan, Stage};

/// A view of a validated snapshot: slices of its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    pub(crate) header: &'a Header,
    pub(crate) attributes: &'a [AttributeRecord],
    pub(crate) instructions: &'a [Instruction],
    pub(crate) programs: &'a [ProgramRecord],
    pub(crate) variants: &'a [VariantRecord],
    pub(crate) domains: &'a [DomainRecord],
    pub(crate) stages: &'a [StageRecord],
    pub(crate) steps: &'a [StepRecord],
    pub(crate) pauses: &'a [PauseRecord],
    pub(crate) plans: &'a [PlanRecord],
    pub(crate) holdouts: &'a [HoldoutRecord],
    pub(crate) held: &'a [HeldRecord],
    pub(crate) layers: &'a [LayerRecord],
    pub(crate) ranges: &'a [RangeRecord],
    pub(crate) prerequisites: &'a [PrerequisiteRecord],
    pub(crate) parts: &'a [PartsRecord],
    pub(crate) flags: &'a [FlagRecord],
    pub(crate) buckets: &'a [Bucket],
    pub(crate) keyed: &'a [Keyed],
    pub(crate) canaries: &'a [CanaryRecord],
    pub(crate) heap: &'a [u8],
    /// Attribute of the empty path: the whole context.
    pub(crate) whole: Option<u32>,
    /// Attribute in which contexts bring what was remembered.
    pub(crate) remembered: Option<u32>,
}

/// A rule of a snapshot, as its instructions.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'a> {
    /// The instructions; jump targets count from the first.
    pub code: &'a [Instruction],
    /// Most values on the stack at once.
    pub stack: u16,
    /// Most iterations open at once.
    pub loops: u16,
}

/// A question with its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Canary<'a> {
    /// Position of the flag.
    pub flag: u32,
    /// The context, a JSON object as text.
    pub context: &'a str,
    /// The time it is asked at, in unix seconds.
    pub at: u64,
    /// Position of the variant that must be the answer; none for the caller's own default.
    pub variant: Option<u16>,
}

impl<'a> Snapshot<'a> {
    /// Name of the flag set, may be empty.
    #[must_use]
    pub fn flag_set(&self) -> &'a str {
        self.text(self.header.flag_set)
    }

    /// SHA-256 of the definition's text that it was compiled from, zeros when there was none.
    #[must_use]
    pub fn definition(&self) -> [u8; 32] {
        self.header.definition
    }

    /// The environment it was compiled for.
    #[must_use]
    pub fn environment(&self) -> &'a str {
        self.text(self.header.environment)
    }

    /// The flag-set metadata as JSON text, empty for none.
    #[must_use]
    pub fn metadata(&self) -> &'a str {
        self.text(self.header.metadata)
    }

    /// How many flags.
    #[must_use]
    pub fn flag_count(&self) -> u32 {
        self.flags.len() as u32
    }

    /// The flag at a position in key order.
    #[must_use]
    pub fn flag(&self, index: u32) -> Option<Flag<'_>> {
        Flag::new(self, index)
    }

    /// The flags in key order.
    pub fn flags(&self) -> impl Iterator<Item = Flag<'_>> {
        (0..self.flag_count()).filter_map(move |index| self.flag(index))
    }

    /// The position of a flag, by the hash of its key: as quick among ten thousand flags as among ten.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<u32> {
        let bucket = bucket(key.as_bytes(), self.flags.len());
        let begin = usize::from(self.buckets.get(bucket)?.get());
        let end = usize::from(self.buckets.get(bucket + 1)?.get());
        let keyed = self.keyed.get(begin..end)?;
        let found = keyed.binary_search_by(|position| {
            let record = self.flags.get(usize::from(position.get()));
            record.map(|record| self.bytes(record.key)).unwrap_or_default().cmp(key.as_bytes())
        });
        found.ok().and_then(|at| keyed.get(at)).map(|position| u32::from(position.get()))
    }

    /// The questions that every engine must answer as given before it serves this snapshot, in the author's order.
    pub fn canaries(&self) -> impl Iterator<Item = Canary<'a>> + use<'a> {
        let snapshot = *self;
        self.canaries.iter().map(move |record| Canary {
            flag: record.flag.get(),
            context: snapshot.text(record.context),
            at: record.at.get(),
            variant: some16(record.variant.get()),
        })
    }

    /// The name that a record bears.
    #[must_use]
    pub fn name_of(&self, name: Span) -> &'a str {
        self.text(name)
    }

    /// Whether anything in it asks where a unit stands: a plan, a layer, a holdout.
    #[must_use]
    pub fn buckets_units(&self) -> bool {
        !(self.plans.is_empty() && self.layers.is_empty() && self.holdouts.is_empty())
    }

    /// How many attribute paths the rules read.
    #[must_use]
    pub fn attribute_count(&self) -> u32 {
        self.attributes.len() as u32
    }

    /// An attribute path, by position.
    #[must_use]
    pub fn attribute(&self, index: u32) -> Option<&'a str> {
        self.attributes.get(index as usize).map(|record| self.text(record.path))
    }

    /// An attribute's number among those that rules read as versions.
    #[must_use]
    pub fn version_number(&self, attribute: u32) -> Option<u32> {
        some(self.attributes.get(attribute as usize)?.version.get())
    }

    /// A rule, by position.
    #[must_use]
    #[inline]
    pub fn rule(&self, index: u32) -> Option<Rule<'a>> {
        let record = self.programs.get(index as usize)?;
        let start = record.start.get() as usize;
        let code = self.instructions.get(start..start + record.count.get() as usize)?;
        Some(Rule { code, stack: record.stack.get(), loops: record.loops.get() })
    }

    /// The heap from an offset on: where a constant of a rule lies.
    #[must_use]
    pub fn heap_at(&self, offset: u32) -> &'a [u8] {
        self.heap.get(offset as usize..).unwrap_or_default()
    }

    /// Attribute of the empty path, when a rule looks paths up while it runs: the whole context.
    #[must_use]
    pub fn whole_context(&self) -> Option<u32> {
        self.whole
    }

    /// Attribute `remembered`, when a flag is sticky.
    #[must_use]
    pub fn remembered(&self) -> Option<u32> {
        self.remembered
    }

    /// Position of the attribute with this path.
    #[must_use]
    pub fn find_attribute(&self, path: &str) -> Option<u32> {
        let found = self.attributes.iter().position(|record| self.bytes(record.path) == path.as_bytes());
        found.map(|index| index as u32)
    }

    pub(crate) fn bytes(&self, span: Span) -> &'a [u8] {
        let start = span.offset.get() as usize;
        self.heap.get(start..start + span.length.get() as usize).unwrap_or_default()
    }

    pub(crate) fn text(&self, span: Span) -> &'a str {
        core::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }
}

pub(crate) fn some(reference: u32) -> Option<u32> {
    if reference == NONE { None } else { Some(reference) }
}

pub(crate) fn some16(reference: u16) -> Option<u16> {
    if reference == NONE16 { None } else { Some(reference) }
}

/// A run of records; empty where there is none, which `load` refuses.
fn run<T>(table: &[T], start: u32, count: u32) -> &[T] {
    let start = start as usize;
    table.get(start..start.saturating_add(count as usize)).unwrap_or_default()
}
