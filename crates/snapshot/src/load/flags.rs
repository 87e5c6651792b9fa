//! Flags, and what they share: layers, holdouts, prerequisites that lead in no circle.

use alloc::vec::Vec;

use super::{Checker, LoadError, cap, optional, slice};
use crate::layout::*;
use crate::view::Snapshot;
use crate::{SHARE_TOTAL, limits};

impl Checker<'_> {
    pub(super) fn flag(&self, index: u32, record: &FlagRecord) -> Result<(), LoadError> {
        self.name("flag", index, record.key)?;
        self.json("flag", index, record.metadata)?;
        let previous = (index as usize).checked_sub(1).and_then(|before| self.snapshot.flags.get(before));
        if let Some(previous) = previous {
            let (before, here) =
                (self.bytes("flag", index, previous.key)?, self.bytes("flag", index, record.key)?);
            if before >= here {
                return Err(LoadError::order(index));
            }
        }
        let count = record.variant_count.get();
        cap("variants", usize::from(count), limits::MAX_VARIANTS)?;
        slice(self.snapshot.variants, record.variants.get(), u32::from(count))
            .ok_or(LoadError::reference("flag", index))?;
        for variant in [record.default_variant.get(), record.baseline.get()] {
            if variant != NONE16 && variant >= count {
                return Err(LoadError::reference("flag", index));
            }
        }
        if record.kind > 3 || record.state & !state::ALL != 0 {
            return Err(LoadError::range("flag", index));
        }
        optional(record.targeting.get(), self.snapshot.programs.len(), "flag", index)?;
        optional(record.plan.get(), self.snapshot.plans.len(), "flag", index)?;
        optional(record.parts.get(), self.snapshot.parts.len(), "flag", index)?;
        if let Some(plan) = self.snapshot.plans.get(record.plan.get() as usize)
            && (plan.baseline.get() >= count || plan.candidate.get() >= count)
        {
            return Err(LoadError::reference("flag", index));
        }
        Ok(())
    }

    pub(super) fn holdout(&self, index: u32, record: &HoldoutRecord) -> Result<(), LoadError> {
        self.name("holdout", index, record.name)?;
        if record.share.get() > SHARE_TOTAL {
            return Err(LoadError::range("holdout", index));
        }
        self.attribute("holdout", index, record.unit.get())
    }

    pub(super) fn held(&self, index: u32, record: &HeldRecord) -> Result<(), LoadError> {
        let there = (record.holdout.get() as usize) < self.snapshot.holdouts.len();
        if there { Ok(()) } else { Err(LoadError::reference("held", index)) }
    }

    pub(super) fn layer(&self, index: u32, record: &LayerRecord) -> Result<(), LoadError> {
        self.name("layer", index, record.name)?;
        self.attribute("layer", index, record.unit.get())
    }

    pub(super) fn range(&self, index: u32, record: &RangeRecord) -> Result<(), LoadError> {
        let fits = record.from.get() < record.to.get() && record.to.get() <= SHARE_TOTAL;
        if fits { Ok(()) } else { Err(LoadError::range("range", index)) }
    }

    pub(super) fn parts(&self, index: u32, record: &PartsRecord) -> Result<(), LoadError> {
        let missing = LoadError::reference("parts", index);
        optional(record.overrides.get(), self.snapshot.programs.len(), "parts", index)?;
        optional(record.layer.get(), self.snapshot.layers.len(), "parts", index)?;
        let ranges = slice(self.snapshot.ranges, record.ranges.get(), record.range_count.get());
        let held = slice(self.snapshot.held, record.held.get(), record.held_count.get());
        let first = record.prerequisites.get();
        let prerequisites = slice(self.snapshot.prerequisites, first, record.prerequisite_count.get());
        let (ranges, held) = ranges.zip(held).ok_or(missing)?;
        let prerequisites = prerequisites.ok_or(missing)?;
        cap("parts of a flag", ranges.len().max(held.len()), limits::MAX_FLAG_PARTS)?;
        let groups = prerequisites.iter().filter(|record| record.last.get() == 1).count();
        cap("prerequisites", groups, limits::MAX_PREREQUISITES)?;
        cap("variants", prerequisites.len(), limits::MAX_PREREQUISITES * limits::MAX_VARIANTS)?;
        let apart = ranges.is_sorted_by(|a, b| a.to.get() <= b.from.get());
        // Records of one prerequisite stand together, and the last of them says so.
        let grouped = prerequisites.last().is_none_or(|last| last.last.get() == 1)
            && prerequisites.iter().all(|record| record.last.get() <= 1)
            && prerequisites.windows(2).all(|pair| match pair {
                [a, b] => a.last.get() == 1 || a.flag == b.flag,
                _ => true,
            });
        if !apart || !grouped {
            return Err(LoadError::range("parts", index));
        }
        Ok(())
    }

    fn attribute(&self, table: &'static str, index: u32, attribute: u32) -> Result<(), LoadError> {
        let there = (attribute as usize) < self.snapshot.attributes.len();
        if there { Ok(()) } else { Err(LoadError::reference(table, index)) }
    }
}

/// Checks that prerequisites lead to flags that are there, in no circle, and not too deep.
pub(crate) fn prerequisites(snapshot: &Snapshot<'_>) -> Result<(), LoadError> {
    if snapshot.prerequisites.is_empty() {
        return Ok(());
    }
    let mut depths: Vec<Option<u8>> = alloc::vec![None; snapshot.flags.len()];
    (0..snapshot.flags.len() as u32).try_for_each(|flag| depth(snapshot, flag, 0, &mut depths).map(drop))
}

/// How many prerequisites follow on one another from a flag; each flag is looked at once. A circle is deeper than
/// any limit, so the limit finds it.
fn depth(
    snapshot: &Snapshot<'_>,
    flag: u32,
    level: usize,
    depths: &mut Vec<Option<u8>>,
) -> Result<u8, LoadError> {
    if let Some(Some(known)) = depths.get(flag as usize) {
        return Ok(*known);
    }
    if level > limits::MAX_PREREQUISITE_DEPTH {
        return Err(LoadError::prerequisites(flag));
    }
    let record = snapshot.flags.get(flag as usize).ok_or(LoadError::reference("prerequisite", flag))?;
    let mut deepest = 0;
    if let Some(parts) = snapshot.parts.get(record.parts.get() as usize) {
        let range = slice(snapshot.prerequisites, parts.prerequisites.get(), parts.prerequisite_count.get());
        for other in range.unwrap_or_default().iter().filter(|other| other.flag.get() != NONE) {
            deepest = deepest.max(1 + depth(snapshot, other.flag.get(), level + 1, depths)?);
        }
    }
    if usize::from(deepest) > limits::MAX_PREREQUISITE_DEPTH {
        return Err(LoadError::prerequisites(flag));
    }
    if let Some(slot) = depths.get_mut(flag as usize) {
        *slot = Some(deepest);
    }
    Ok(deepest)
}
