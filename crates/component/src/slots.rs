//! Handles for what stays in the instance: a slot number below, its generation above.

use alloc::vec::Vec;

/// A table whose `u32` handles are `generation << 16 | slot`. Generations run from 1 to 65 535 and then begin
/// again, so 0 is never a handle and a freed one is refused for the next 65 534 uses of its slot. At most 65 536 live at
/// once: a host that frees what it takes stays far below.
pub(crate) struct Slots<T> {
    slots: Vec<(u16, Option<T>)>,
    free: Vec<u16>,
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// Takes `value` in; none when the table is full.
    pub(crate) fn insert(&mut self, value: T) -> Option<u32> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u16::try_from(self.slots.len()).ok()?;
                self.slots.push((0, None));
                index
            }
        };
        let (generation, slot) = self.slots.get_mut(usize::from(index))?;
        *generation = generation.checked_add(1).unwrap_or(1);
        *slot = Some(value);
        Some(u32::from(*generation) << 16 | u32::from(index))
    }

    /// What a live handle stands for.
    pub(crate) fn get(&self, handle: u32) -> Option<&T> {
        let (generation, value) = self.slots.get((handle & 0xFFFF) as usize)?;
        if u32::from(*generation) == handle >> 16 { value.as_ref() } else { None }
    }

    /// The slot of a live handle, which holds something.
    pub(crate) fn slot_mut(&mut self, handle: u32) -> Option<&mut Option<T>> {
        let (generation, value) = self.slots.get_mut((handle & 0xFFFF) as usize)?;
        (u32::from(*generation) == handle >> 16 && value.is_some()).then_some(value)
    }

    /// Frees a handle; one that is not live changes nothing.
    pub(crate) fn remove(&mut self, handle: u32) {
        if let Some(slot) = self.slot_mut(handle) {
            *slot = None;
            self.free.push((handle & 0xFFFF) as u16);
        }
    }

    /// Frees what `keeps` refuses; for the browser, where one module holds several engines.
    #[allow(dead_code)]
    pub(crate) fn retain(&mut self, keeps: impl Fn(&T) -> bool) {
        for (index, (_, value)) in self.slots.iter_mut().enumerate() {
            if value.as_ref().is_some_and(|value| !keeps(value)) {
                *value = None;
                self.free.push(index as u16);
            }
        }
    }
}
