//! What the pulse says, resolved against one snapshot: open stages, halted flags, and until when.

use alloc::vec::Vec;

use flagstone_snapshot::Snapshot;

use crate::schedule::Open;

/// The moving part of a decision. The snapshot is fixed; this is replaced with each pulse.
///
/// A stage above a plan's signed ceiling is clamped to it here, so that no pulse can open more than people
/// approved. Flags that the snapshot does not have are ignored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Control {
    lease_until: u64,
    /// One byte a flag: the open stage, [`CLOSED`], with [`HALTED`] added.
    flags: Vec<u8>,
    /// Since when stages are open (unix seconds), by flag, ascending; flags that are not here: long ago.
    since: Vec<(u32, u64)>,
}

/// A stage that a pulse opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenStage<'k> {
    /// The flag's key.
    pub flag: &'k str,
    /// Position in the flag's plan.
    pub stage: u8,
    /// Since when it is open, unix seconds; 0 for long ago.
    pub since: u64,
}

const CLOSED: u8 = 0x7f;
const HALTED: u8 = 0x80;

impl Control {
    /// No pulse yet: every plan closed, and flags that are `safe` on expiry serve their baseline.
    #[must_use]
    pub fn closed(snapshot: &Snapshot<'_>) -> Control {
        Control {
            lease_until: 0,
            flags: alloc::vec![CLOSED; snapshot.flag_count() as usize],
            since: Vec::new(),
        }
    }

    /// A pulse that holds until `lease_until` (unix seconds, exclusive), opens `stages` and halts `halts`.
    pub fn new<'k>(
        snapshot: &Snapshot<'_>,
        lease_until: u64,
        stages: impl Iterator<Item = OpenStage<'k>>,
        halts: impl Iterator<Item = &'k str>,
    ) -> Control {
        let mut control = Control { lease_until, ..Control::closed(snapshot) };
        for OpenStage { flag, stage, since } in stages {
            let Some(index) = snapshot.find(flag) else { continue };
            let ceiling = snapshot.flag(index).and_then(|flag| flag.plan()).and_then(|plan| plan.ceiling());
            if let (Some(ceiling), Some(slot)) = (ceiling, control.flags.get_mut(index as usize)) {
                *slot = stage.min(ceiling);
                if since > 0 {
                    // Pulses are sorted by key, and so are flags: this is the end.
                    let place = control.since.partition_point(|(flag, _)| *flag < index);
                    control.since.insert(place, (index, since));
                }
            }
        }
        control.halt(snapshot, halts);
        control
    }

    /// What a pulse about another snapshot may do here: halt. Its stages and its lease are about that
    /// snapshot's plans, so those of this one stay.
    #[must_use]
    pub fn also_halting<'k>(&self, snapshot: &Snapshot<'_>, halts: impl Iterator<Item = &'k str>) -> Control {
        let mut control = self.clone();
        control.halt(snapshot, halts);
        control
    }

    fn halt<'k>(&mut self, snapshot: &Snapshot<'_>, halts: impl Iterator<Item = &'k str>) {
        for key in halts {
            if let Some(slot) = snapshot.find(key).and_then(|index| self.flags.get_mut(index as usize)) {
                *slot |= HALTED;
            }
        }
    }

    /// Whether the pulse still holds at `now`.
    #[must_use]
    pub fn fresh(&self, now: u64) -> bool {
        now < self.lease_until
    }

    /// Until when the pulse holds, unix seconds.
    #[must_use]
    pub fn lease_until(&self) -> u64 {
        self.lease_until
    }

    /// What the pulse opened of a flag's plan.
    pub(crate) fn open(&self, flag: u32) -> Option<Open> {
        let stage = self.flags.get(flag as usize)? & !HALTED;
        if stage == CLOSED {
            return None;
        }
        let found = self.since.binary_search_by_key(&flag, |(index, _)| *index).ok();
        let since = found.and_then(|at| self.since.get(at)).map_or(0, |(_, since)| *since);
        Some(Open { stage, since })
    }

    /// Whether a flag is halted.
    #[must_use]
    pub fn halted(&self, flag: u32) -> bool {
        self.flags.get(flag as usize).is_some_and(|slot| slot & HALTED != 0)
    }
}
