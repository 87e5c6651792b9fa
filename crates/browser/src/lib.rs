//! The engine for JavaScript: `seal`, `snapshot` and `evaluate` behind wasm-bindgen. Conversions only.
//!
//! Two builds of this source. The *evaluator* is what pages ship: numbers cross, and bytes lie in one scratch room that
//! JavaScript reads and writes; no objects, no prose, nothing allocated for a decision. The *tools* (feature `tools`)
//! add objects for people who debug. `js/` has the faces over both; `docs/engine.md` describes the functions.
#![cfg_attr(not(feature = "tools"), no_std)]
extern crate alloc;
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

pub mod doors;
mod engine;
#[cfg(all(target_arch = "wasm32", not(feature = "tools")))]
#[path = "../../component/src/runtime.rs"]
mod runtime;
#[path = "../../component/src/slots.rs"]
mod slots;
mod told;
#[cfg(feature = "tools")]
pub mod tools;

use alloc::string::String;
use alloc::vec::Vec;

use engine::{Engine, Refusal};
use flagstone_evaluate::Context;
use slots::Slots;
use spin::Mutex;

/// What the module holds: every open engine, every resident context, and the room that bytes cross in.
struct World {
    scratch: Vec<u8>,
    /// The high half of the last decision, or a length.
    rest: u32,
    engines: Slots<Engine>,
    contexts: Slots<Resident>,
    /// The context of decisions that keep none: its room is used again and again.
    once: Context,
}

/// The attributes of one unit, for one engine.
struct Resident {
    engine: u32,
    context: Context,
}

static WORLD: Mutex<Option<World>> = Mutex::new(None);

/// Runs with the one world. One thread, and nothing that runs here asks for it again.
fn with<R>(run: impl FnOnce(&mut World) -> R) -> R {
    let mut world = WORLD.lock();
    run(world.get_or_insert_with(|| World {
        scratch: Vec::new(),
        rest: 0,
        engines: Slots::new(),
        contexts: Slots::new(),
        once: Context::default(),
    }))
}

impl World {
    /// Leaves bytes in the room and returns their length.
    fn say(&mut self, text: String) -> u32 {
        self.scratch = text.into_bytes();
        self.scratch.len() as u32
    }

    /// Leaves a reason in the room (in the tools a line of prose below the code) and answers 0.
    fn refuse(&mut self, refusal: Refusal) -> u32 {
        self.rest = self.say(refusal.text());
        0
    }

    /// What a context's handle stands for, with its engine.
    fn resident(&self, context: u32) -> Option<(&Engine, &Context)> {
        let resident = self.contexts.get(context)?;
        Some((self.engines.get(resident.engine)?, &resident.context))
    }
}
