//! Keeps the check linear in the bytes: records may share what they refer to, which is then looked at once, and nothing
//! can make the check read the same bytes again and again.

use alloc::vec::Vec;
use core::cell::Cell;

use super::LoadError;

/// Places remembered; a power of two. What is forgotten is looked at again, at the cost of the budget.
const REMEMBERED: usize = 1_024;
/// How often each byte may be read, on average, beyond a start that lets small snapshots share freely.
const TIMES: usize = 16;
const START: usize = 1 << 20;

/// What was looked at, and what may still be read.
pub(super) struct Budget {
    left: Cell<usize>,
    seen: Vec<Cell<(u32, u32)>>,
}

impl Budget {
    pub(super) fn new(length: usize) -> Self {
        let seen = alloc::vec![Cell::new((u32::MAX, u32::MAX)); REMEMBERED];
        Budget { left: Cell::new(length.saturating_mul(TIMES).saturating_add(START)), seen }
    }

    /// Whether what lies at `offset`, read as `kind`, was looked at a moment ago; from now on it was.
    pub(super) fn seen(&self, offset: u32, kind: u32) -> bool {
        let slot = (offset ^ kind).wrapping_mul(0x9e37_79b1) >> 22;
        self.seen.get(slot as usize).is_some_and(|slot| slot.replace((offset, kind)) == (offset, kind))
    }

    /// Pays for reading `bytes`.
    pub(super) fn spend(&self, bytes: usize) -> Result<(), LoadError> {
        let left = self.left.get().checked_sub(bytes).ok_or(LoadError::limit("bytes to check"))?;
        self.left.set(left);
        Ok(())
    }
}
