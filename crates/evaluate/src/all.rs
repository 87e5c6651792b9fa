//! Every flag for one context: the same decisions as one after another, with one evaluation's room for all of them.

use flagstone_snapshot::Snapshot;

use crate::context::Context;
use crate::control::Control;
use crate::decision::Decision;
use crate::machine::Machine;
use crate::state::{Scene, State};
use crate::trace::Silent;

/// The decisions of [`decide_all`]: each is made when it is asked for.
pub struct Decisions<'a> {
    machine: Machine<'a, Silent>,
    control: &'a Control,
    next: u32,
}

/// Decides every flag at one time (`now`, unix seconds), in index order: what [`decide`](crate::decide) says of each.
#[must_use]
pub fn decide_all<'a>(
    snapshot: &'a Snapshot<'a>,
    control: &'a Control,
    context: &'a Context,
    now: u64,
) -> Decisions<'a> {
    let scene = Scene { snapshot, context, flag_key: &[], now };
    Decisions { machine: Machine { state: State::new(scene), trace: Silent }, control, next: 0 }
}

/// The decisions of [`decide_all`] in one number each ([`Decision::pack`]), little-endian, as far as there is room for
/// them. Apart from it since it is compiled where it stands, optimised as the evaluator is.
pub fn pack_all(
    snapshot: &Snapshot<'_>,
    control: &Control,
    context: &Context,
    now: u64,
    room: &mut [[u8; 8]],
) {
    for (place, decision) in room.iter_mut().zip(decide_all(snapshot, control, context, now)) {
        *place = decision.pack().to_le_bytes();
    }
}

impl Iterator for Decisions<'_> {
    type Item = Decision;

    #[inline]
    fn next(&mut self) -> Option<Decision> {
        let flag = self.machine.state.scene.snapshot.flag(self.next)?;
        self.next += 1;
        self.machine.state.begin(flag.key_bytes());
        Some(self.machine.decide(self.control, flag))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.machine.state.scene.snapshot.flag_count().saturating_sub(self.next) as usize;
        (left, Some(left))
    }
}

impl ExactSizeIterator for Decisions<'_> {}
