//! One flag of a snapshot.

use super::{Plan, Snapshot, run, some, some16};
use crate::layout::*;
use crate::{FlagError, FlagKind, OnExpiry};

/// One flag of a snapshot.
#[derive(Debug, Clone, Copy)]
pub struct Flag<'a> {
    snapshot: &'a Snapshot<'a>,
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

/// The parts of a flag that few flags have.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    snapshot: &'a Snapshot<'a>,
    record: &'a PartsRecord,
}

impl<'a> Flag<'a> {
    pub(super) fn new(snapshot: &'a Snapshot<'a>, index: u32) -> Option<Flag<'a>> {
        snapshot.flags.get(index as usize).map(|record| Flag { snapshot, record, index })
    }

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

    /// The bytes of its key.
    #[must_use]
    pub fn key_bytes(&self) -> &'a [u8] {
        self.snapshot.bytes(self.record.key)
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
    pub fn find_variant(&self, name: impl AsRef<[u8]>) -> Option<u16> {
        let start = self.record.variants.get() as usize;
        let records = self.snapshot.variants.get(start..start + usize::from(self.variant_count()))?;
        records
            .iter()
            .position(|record| self.snapshot.bytes(record.name) == name.as_ref())
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
        Plan::new(self.snapshot, some(self.record.plan.get())?)
    }

    /// What few flags have: prerequisites, holdouts, a part of a layer, overrides, stickiness.
    #[must_use]
    pub fn parts(&self) -> Option<Parts<'a>> {
        let record = self.snapshot.parts.get(some(self.record.parts.get())? as usize)?;
        Some(Parts { snapshot: self.snapshot, record })
    }
}

impl<'a> Parts<'a> {
    /// Position of the program of the overrides.
    #[must_use]
    pub fn overrides(&self) -> Option<u32> {
        some(self.record.overrides.get())
    }

    /// Version of the sticky assignment, none when the flag is not sticky.
    #[must_use]
    pub fn sticky(&self) -> Option<u32> {
        Some(self.record.sticky.get()).filter(|version| *version != 0)
    }

    /// What other flags must be at: (flag, variant, whether it is the prerequisite's last), none where there is no
    /// such flag or variant.
    pub fn prerequisites(self) -> impl Iterator<Item = (Option<u32>, Option<u16>, bool)> {
        run(
            self.snapshot.prerequisites,
            self.record.prerequisites.get(),
            self.record.prerequisite_count.get(),
        )
        .iter()
        .map(|record| (some(record.flag.get()), some16(record.variant.get()), record.last.get() == 1))
    }

    /// The holdouts that it names.
    pub fn holdouts(self) -> impl Iterator<Item = &'a HoldoutRecord> {
        run(self.snapshot.held, self.record.held.get(), self.record.held_count.get())
            .iter()
            .filter_map(move |record| self.snapshot.holdouts.get(record.holdout.get() as usize))
    }

    /// Its layer, with the ranges of positions that are its own.
    #[must_use]
    pub fn layer(&self) -> Option<(&'a LayerRecord, &'a [RangeRecord])> {
        let layer = self.snapshot.layers.get(some(self.record.layer.get())? as usize)?;
        Some((layer, run(self.snapshot.ranges, self.record.ranges.get(), self.record.range_count.get())))
    }
}
