//! A validated snapshot, read in place: flags, variants, plans, programs.

use crate::layout::*;
use crate::{FlagError, FlagKind, OnExpiry, Value};

/// A view of a validated snapshot. Copying it copies slices, not data.
#[derive(Debug, Clone, Copy)]
pub struct Snapshot<'a> {
    pub(crate) header: &'a Header,
    pub(crate) attributes: &'a [AttributeRecord],
    pub(crate) instructions: &'a [Instruction],
    pub(crate) programs: &'a [ProgramRecord],
    pub(crate) variants: &'a [VariantRecord],
    pub(crate) domains: &'a [DomainRecord],
    pub(crate) stages: &'a [StageRecord],
    pub(crate) plans: &'a [PlanRecord],
    pub(crate) flags: &'a [FlagRecord],
    pub(crate) heap: &'a [u8],
}

/// One flag of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Flag<'a> {
    snapshot: Snapshot<'a>,
    record: &'a FlagRecord,
    index: u32,
}

/// One variant of a flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Variant<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value as compact JSON text.
    pub json: &'a str,
}

/// The rollout plan of a flag.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    snapshot: Snapshot<'a>,
    record: &'a PlanRecord,
}

/// One stage of a plan.
#[derive(Debug, Clone, Copy)]
pub struct Stage<'a> {
    /// Its name.
    pub name: &'a str,
    /// Program of an allow-list stage, none for a share stage.
    pub who: Option<u32>,
    /// Candidate's share, in parts of [`crate::SHARE_TOTAL`].
    pub treat: u32,
    /// Control's share, in parts of [`crate::SHARE_TOTAL`].
    pub control: u32,
    /// Probability of treatment among the units this stage enrols; 0 where there is no comparison.
    pub probability: u32,
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
    pub fn flag(&self, index: u32) -> Option<Flag<'a>> {
        self.flags.get(index as usize).map(|record| Flag { snapshot: *self, record, index })
    }

    /// The flags in key order.
    pub fn flags(self) -> impl Iterator<Item = Flag<'a>> {
        (0..self.flag_count()).filter_map(move |index| self.flag(index))
    }

    /// The position of a flag, by binary search.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<u32> {
        self.flags
            .binary_search_by(|record| self.bytes(record.key).cmp(key.as_bytes()))
            .ok()
            .map(|index| index as u32)
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

    /// A rule, by position.
    #[must_use]
    pub fn rule(&self, index: u32) -> Option<Rule<'a>> {
        let record = self.programs.get(index as usize)?;
        let start = record.start.get() as usize;
        let code = self.instructions.get(start..start + record.count.get() as usize)?;
        Some(Rule { code, stack: record.stack.get(), loops: record.loops.get() })
    }

    /// A constant, by heap offset.
    #[must_use]
    pub fn constant(&self, offset: u32) -> Value<'a> {
        self.heap.get(offset as usize..).and_then(Value::read).map_or(Value::Null, |(value, _)| value)
    }

    fn bytes(&self, span: Span) -> &'a [u8] {
        let start = span.offset.get() as usize;
        self.heap.get(start..start + span.length.get() as usize).unwrap_or_default()
    }

    fn text(&self, span: Span) -> &'a str {
        core::str::from_utf8(self.bytes(span)).unwrap_or_default()
    }
}

impl<'a> Flag<'a> {
    /// Position in key order.
    #[must_use]
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its key.
    #[must_use]
    pub fn key(&self) -> &'a str {
        self.snapshot.text(self.record.key)
    }

    /// Merged metadata as JSON text, empty for none.
    #[must_use]
    pub fn metadata(&self) -> &'a str {
        self.snapshot.text(self.record.metadata)
    }

    /// What its values are.
    #[must_use]
    pub fn kind(&self) -> FlagKind {
        match self.record.kind {
            0 => FlagKind::Boolean,
            1 => FlagKind::Text,
            2 => FlagKind::Number,
            _ => FlagKind::Object,
        }
    }

    /// `state: ENABLED`.
    #[must_use]
    pub fn enabled(&self) -> bool {
        self.record.state & state::ENABLED != 0
    }

    /// May reach a browser.
    #[must_use]
    pub fn client(&self) -> bool {
        self.record.state & state::CLIENT != 0
    }

    /// What it does without a fresh pulse.
    #[must_use]
    pub fn on_expiry(&self) -> OnExpiry {
        if self.record.state & state::SAFE != 0 { OnExpiry::Safe } else { OnExpiry::Hold }
    }

    /// Why it cannot be evaluated at all.
    #[must_use]
    pub fn broken(&self) -> Option<FlagError> {
        match self.record.state & (state::BROKEN_PARSE | state::BROKEN_GENERAL) {
            0 => None,
            bits if bits & state::BROKEN_PARSE != 0 => Some(FlagError::Parse),
            _ => Some(FlagError::General),
        }
    }

    /// How many variants.
    #[must_use]
    pub fn variant_count(&self) -> u16 {
        self.record.variant_count.get()
    }

    /// A variant, by the author's order.
    #[must_use]
    pub fn variant(&self, index: u16) -> Option<Variant<'a>> {
        if index >= self.variant_count() {
            return None;
        }
        let record = self.snapshot.variants.get(self.record.variants.get() as usize + usize::from(index))?;
        Some(Variant { name: self.snapshot.text(record.name), json: self.snapshot.text(record.json) })
    }

    /// The position of the variant named `name`.
    #[must_use]
    pub fn find_variant(&self, name: &str) -> Option<u16> {
        let start = self.record.variants.get() as usize;
        let records = self.snapshot.variants.get(start..start + usize::from(self.variant_count()))?;
        records
            .iter()
            .position(|record| self.snapshot.bytes(record.name) == name.as_bytes())
            .map(|index| index as u16)
    }

    /// The default variant; none means the caller's own default.
    #[must_use]
    pub fn default_variant(&self) -> Option<u16> {
        some16(self.record.default_variant.get())
    }

    /// The safe variant: the baseline, or the default where there is none.
    #[must_use]
    pub fn baseline(&self) -> Option<u16> {
        self.plan()
            .map(|plan| plan.baseline())
            .or(some16(self.record.baseline.get()))
            .or(self.default_variant())
    }

    /// Path of the attribute that identifies the unit of its plan, none without a plan.
    #[must_use]
    pub fn unit(&self) -> Option<&'a str> {
        self.plan().and_then(|plan| self.snapshot.attribute(plan.unit()))
    }

    /// Position of the targeting rule.
    #[must_use]
    pub fn targeting(&self) -> Option<u32> {
        some(self.record.targeting.get())
    }

    /// The rollout plan.
    #[must_use]
    pub fn plan(&self) -> Option<Plan<'a>> {
        let index = some(self.record.plan.get())?;
        let record = self.snapshot.plans.get(index as usize)?;
        Some(Plan { snapshot: self.snapshot, record })
    }
}

impl<'a> Plan<'a> {
    /// Salt of its bucketing.
    #[must_use]
    pub fn salt(&self) -> u64 {
        self.record.salt.get()
    }

    /// Attribute (position) that identifies the unit.
    #[must_use]
    pub fn unit(&self) -> u32 {
        self.record.unit.get()
    }

    /// Baseline variant.
    #[must_use]
    pub fn baseline(&self) -> u16 {
        self.record.baseline.get()
    }

    /// Candidate variant.
    #[must_use]
    pub fn candidate(&self) -> u16 {
        self.record.candidate.get()
    }

    /// The purpose that consent must grant, with the attribute (position) that grants it.
    #[must_use]
    pub fn consent(&self) -> Option<(&'a str, u32)> {
        let attribute = some(self.record.consent_attribute.get())?;
        Some((self.snapshot.text(self.record.consent), attribute))
    }

    /// The attribute (position) that names the data domain, none when any domain will do.
    #[must_use]
    pub fn domain_attribute(&self) -> Option<u32> {
        if self.record.domain_count.get() == 0 { None } else { some(self.record.domain_attribute.get()) }
    }

    /// The data domains it is open to.
    pub fn domains(self) -> impl Iterator<Item = &'a str> {
        let start = self.record.domains.get() as usize;
        let records = self.snapshot.domains.get(start..start + self.record.domain_count.get() as usize);
        records.unwrap_or_default().iter().map(move |record| self.snapshot.text(record.name))
    }

    /// The highest stage that people approved; none keeps the plan closed.
    #[must_use]
    pub fn ceiling(&self) -> Option<u8> {
        if self.record.ceiling == NONE8 { None } else { Some(self.record.ceiling) }
    }

    /// How many stages.
    #[must_use]
    pub fn stage_count(&self) -> u8 {
        self.record.stage_count
    }

    /// A stage, lowest first.
    #[must_use]
    pub fn stage(&self, index: u8) -> Option<Stage<'a>> {
        if index >= self.stage_count() {
            return None;
        }
        let record = self.snapshot.stages.get(self.record.stages.get() as usize + usize::from(index))?;
        Some(Stage {
            name: self.snapshot.text(record.name),
            who: some(record.who.get()),
            treat: record.treat.get(),
            control: record.control.get(),
            probability: record.probability.get(),
        })
    }
}

fn some(reference: u32) -> Option<u32> {
    if reference == NONE { None } else { Some(reference) }
}

fn some16(reference: u16) -> Option<u16> {
    if reference == NONE16 { None } else { Some(reference) }
}
