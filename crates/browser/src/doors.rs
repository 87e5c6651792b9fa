//! The functions of both builds: numbers in and out, bytes in the scratch room. `docs/engine.md` lists them.
//!
//! A function that answers with bytes leaves them at the start of the room and returns their length. 0 means refused:
//! the reason's code then lies in the room, [`rest`] bytes long. Times are unix seconds.

use alloc::string::String;
use alloc::vec::Vec;
use core::mem::take;

use flagstone_evaluate::{Context, decide, decide_key, decision_json, pack_all};
use flagstone_seal::{Mark, OpenPolicy, TrustRoot};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::engine::{Engine, Opening, Refusal};
use crate::{Resident, World, told, with};

/// What is decided for an engine or context that is not there: no variant, `ERROR`, `GENERAL`.
const FAILED: u64 = 0xFFFF_0000_0406_FFFF;

/// An engine that was freed, or never was.
const CLOSED: Refusal = Refusal::Call("not-open");

/// More contexts or engines than handles.
const FULL: Refusal = Refusal::Call("too-many-contexts");

/// Makes the room at least `length` bytes long and returns its address, which holds until the room is made longer or a
/// function leaves bytes in it. What was in the room stays.
#[wasm_bindgen]
pub fn scratch(length: u32) -> u32 {
    with(|World { scratch, .. }| {
        if scratch.len() < length as usize {
            scratch.resize(length as usize, 0);
        }
        scratch.as_ptr() as u32
    })
}

/// After a decision its high half: detail, arm, stage, cohort. After [`open`] and refusals a length.
#[wasm_bindgen]
pub fn rest() -> u32 {
    with(|world| world.rest)
}

/// Verifies a sealed file, validates its snapshot and returns the engine's handle; what was opened lies in the room as
/// JSON, [`rest`] bytes long. Before, the room holds trust statement, audience and environment (`trust`, `audience` and
/// `environment` bytes), the 32 bytes of a mark's digest when `epoch` is not 0, and the file, up to `end`.
#[wasm_bindgen]
#[allow(clippy::too_many_arguments)] // numbers are what crosses cheaply
pub fn open(
    trust: u32,
    audience: u32,
    environment: u32,
    end: u32,
    now: f64,
    epoch: f64,
    sequence: f64,
    max_payload: f64,
) -> u32 {
    let policy = Policy { lengths: [trust, audience, environment], now, epoch, sequence, max_payload };
    with(|world| {
        let mut bytes = take(&mut world.scratch);
        bytes.truncate(end as usize);
        match policy.open(bytes) {
            Err(refusal) => world.refuse(refusal),
            Ok((engine, opening)) => {
                let text = told::opened(&engine, &opening);
                world.rest = world.say(text);
                world.engines.insert(engine).unwrap_or_default()
            }
        }
    })
}

struct Policy {
    lengths: [u32; 3],
    now: f64,
    epoch: f64,
    sequence: f64,
    max_payload: f64,
}

impl Policy {
    fn open(self, bytes: Vec<u8>) -> Result<(Engine, Opening), Refusal> {
        let (now, max_payload) = (self.now as u64, self.max_payload as u64);
        let mut start = 0;
        let mut next = |length: u32| {
            let part = bytes.get(start..start + length as usize);
            start += length as usize;
            part.ok_or(Refusal::Call("truncated"))
        };
        let [trust, audience, environment] = self.lengths;
        let trust = TrustRoot::pin(next(trust)?, now).map_err(Refusal::Seal)?;
        let (audience, environment) = (text(next(audience)?), text(next(environment)?));
        let mut mark = None;
        if self.epoch > 0.0 {
            let digest = <[u8; 32]>::try_from(next(32)?).unwrap_or_default();
            mark = Some(Mark { epoch: self.epoch as u64, sequence: self.sequence as u64, digest });
        }
        let policy = OpenPolicy { audience: &audience, environment: &environment, now, mark, max_payload };
        Engine::open(trust, &policy, bytes, start)
    }
}

/// JavaScript encodes its strings well; anything else is no name that a statement could have.
fn text(bytes: &[u8]) -> String {
    core::str::from_utf8(bytes).unwrap_or_default().into()
}

/// Verifies the pulse in the room and lets it replace the one before; what it said is left as JSON.
#[wasm_bindgen]
pub fn pulse(engine: u32, length: u32, now: f64) -> u32 {
    with(|world| {
        let note = world.scratch.get(..length as usize).unwrap_or_default();
        let pulse = match world.engines.slot_mut(engine) {
            Some(Some(engine)) => engine.pulse(note, now as u64),
            _ => Err(CLOSED),
        };
        match pulse {
            Err(refusal) => world.refuse(refusal),
            Ok(pulse) => world.say(told::pulsed(&pulse)),
        }
    })
}

/// Takes the context in the room in, and returns its handle: attributes by position, or a packed object.
#[wasm_bindgen]
pub fn context(engine: u32, length: u32, by_position: bool) -> u32 {
    with(|world| {
        let bytes = world.scratch.get(..length as usize).unwrap_or_default().to_vec();
        let Some(opened) = world.engines.get(engine) else { return world.refuse(CLOSED) };
        let take = if by_position { Context::from_attributes } else { Context::from_packed };
        match take(opened.snapshot(), bytes) {
            Err(error) => world.refuse(Refusal::Context(error)),
            Ok(context) => match world.contexts.insert(Resident { engine, context }) {
                None => world.refuse(FULL),
                Some(handle) => handle,
            },
        }
    })
}

/// Decides one flag for a resident context; returns the low half: variant, reason, error.
#[wasm_bindgen]
pub fn evaluate(context: u32, flag: u32, now: f64) -> u32 {
    with(|world| {
        let decided = world.resident(context).map(|(engine, context)| {
            decide(engine.snapshot(), &engine.control, context, flag, now as u64).pack()
        });
        world.halves(decided)
    })
}

/// Decides one flag for the attributes by position in the room and keeps nothing; returns the low half. Allocates
/// nothing once it has run. Attributes that are none are decided with `ERROR` and `GENERAL`.
#[wasm_bindgen]
pub fn once(engine: u32, length: u32, flag: u32, now: f64) -> u32 {
    with(|world| {
        let World { scratch, engines, once, .. } = world;
        let decided = engines.get(engine).and_then(|engine| {
            let bytes = scratch.get(..length as usize)?;
            once.refill(engine.snapshot(), |room| room.extend_from_slice(bytes)).ok()?;
            Some(decide(engine.snapshot(), &engine.control, once, flag, now as u64).pack())
        });
        world.halves(decided)
    })
}

impl World {
    fn halves(&mut self, decided: Option<u64>) -> u32 {
        let decided = decided.unwrap_or(FAILED);
        self.rest = (decided >> 32) as u32;
        decided as u32
    }
}

/// Decides every flag: 8 bytes little-endian each, in index order, left in the room.
#[wasm_bindgen]
pub fn all(context: u32, now: f64) -> u32 {
    with(|world| {
        let mut room = take(&mut world.scratch);
        let mut length = 0;
        if let Some((engine, context)) = world.resident(context) {
            let flags = engine.snapshot().flag_count();
            length = flags * 8;
            if room.len() < length as usize {
                room.resize(length as usize, 0);
            }
            let places = room.as_chunks_mut::<8>().0;
            let places = places.get_mut(..flags as usize).unwrap_or_default();
            pack_all(engine.snapshot(), &engine.control, context, now as u64, places);
        }
        world.scratch = room;
        length
    })
}

/// A variant's value as JSON text.
#[wasm_bindgen]
pub fn value(engine: u32, flag: u32, variant: u16) -> u32 {
    with(|world| {
        let json = world
            .engines
            .get(engine)
            .and_then(|engine| Some(String::from(engine.snapshot().flag(flag)?.variant(variant)?.json)));
        json.map_or(0, |json| world.say(json))
    })
}

/// The canonical decision text for a resident context; the room holds the flag's key.
#[wasm_bindgen]
pub fn decision(context: u32, key: u32, now: f64) -> u32 {
    with(|world| {
        let key = text(world.scratch.get(..key as usize).unwrap_or_default());
        let text = world.resident(context).map(|(engine, context)| {
            let snapshot = engine.snapshot();
            let decision = decide_key(snapshot, &engine.control, context, &key, now as u64);
            decision_json(snapshot, &decision, &key)
        });
        text.map_or(0, |text| world.say(text))
    })
}

/// Frees a context. A handle that is not live is ignored.
#[wasm_bindgen]
pub fn forget(context: u32) {
    with(|world| world.contexts.remove(context));
}

/// Frees an engine and its contexts.
#[wasm_bindgen]
pub fn close(engine: u32) {
    with(|world| {
        world.engines.remove(engine);
        world.contexts.retain(|resident| resident.engine != engine);
    });
}

/// Whether a trust statement may follow the one that is pinned; what the newer one says of itself is left as JSON. The room
/// holds both, `trust` and `next` bytes. Without a `next` the first one alone is looked at.
#[wasm_bindgen]
pub fn advance(trust: u32, next: u32, now: f64) -> u32 {
    with(|world| {
        let room = world.scratch.get(..trust.saturating_add(next) as usize).unwrap_or_default();
        let (trust, next) = room.split_at_checked(trust as usize).unwrap_or_default();
        let root = TrustRoot::pin(trust, now as u64);
        let root = if next.is_empty() { root } else { root.and_then(|root| root.advance(next, now as u64)) };
        match root.map_err(Refusal::Seal) {
            Err(refusal) => world.refuse(refusal),
            Ok(root) => world.say(told::trusted(&root)),
        }
    })
}
