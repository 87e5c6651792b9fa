//! The component, by what wasmtime's `bindgen!` makes of the WIT.

use std::path::Path;

use anyhow::{Result, anyhow};
use flagstone_measure::{Fixtures, NOW};
use wasmtime::component::{Component, Linker};
use wasmtime::{Config, Engine, Store};

use crate::door::Instance;

/// What wasmtime makes of the world.
#[allow(missing_docs, clippy::all)]
pub(crate) mod bindings {
    wasmtime::component::bindgen!({ path: "../../../wit" });
}

use bindings::exports::flagstone::flags::evaluator::{Fault, Policy};
use bindings::{Flags, FlagsPre};

/// Compiles the component; the result makes instances. `epochs`: with interruption, as `crates/host` has it.
pub(crate) fn open(path: &Path, epochs: bool) -> Result<impl Fn() -> Result<Door> + 'static> {
    let mut config = Config::new();
    config.wasm_component_model(true).epoch_interruption(epochs);
    let engine = Engine::new(&config).map_err(crate::start::plain)?;
    let component = Component::from_file(&engine, path).map_err(crate::start::plain)?;
    let linked = Linker::<()>::new(&engine).instantiate_pre(&component).map_err(crate::start::plain)?;
    let ready = FlagsPre::new(linked).map_err(crate::start::plain)?;
    Ok(move || {
        let mut store = Store::new(&engine, ());
        if epochs {
            store.set_epoch_deadline(u64::MAX / 2);
        }
        let flags = ready.instantiate(&mut store).map_err(crate::start::plain)?;
        Ok(Door { store, flags })
    })
}

/// An instance.
pub(crate) struct Door {
    store: Store<()>,
    flags: Flags,
}

fn refused(fault: Fault) -> anyhow::Error {
    anyhow!("{}: {}", fault.code, fault.message)
}

impl Instance for Door {
    fn seal_open(&mut self, fixtures: &Fixtures, file: &[u8]) -> Result<()> {
        let policy = Policy {
            audience: fixtures.audience.clone(),
            environment: fixtures.environment.clone(),
            now: NOW,
            mark: None,
        };
        let evaluator = self.flags.flagstone_flags_evaluator();
        let answer = evaluator
            .call_open(&mut self.store, &fixtures.trust, file, &policy)
            .map_err(crate::start::plain)?;
        answer.map(drop).map_err(refused)
    }

    fn context_packed(&mut self, bytes: &[u8]) -> Result<u32> {
        let evaluator = self.flags.flagstone_flags_evaluator();
        evaluator.call_context_packed(&mut self.store, bytes).map_err(crate::start::plain)?.map_err(refused)
    }

    fn context_json(&mut self, json: &str) -> Result<u32> {
        let evaluator = self.flags.flagstone_flags_evaluator();
        evaluator.call_context_json(&mut self.store, json).map_err(crate::start::plain)?.map_err(refused)
    }

    fn drop_context(&mut self, context: u32) -> Result<()> {
        let evaluator = self.flags.flagstone_flags_evaluator();
        evaluator.call_drop_context(&mut self.store, context).map_err(crate::start::plain)
    }

    fn evaluate(&mut self, context: u32, flag: u32, now: u64) -> Result<u64> {
        let evaluator = self.flags.flagstone_flags_evaluator();
        evaluator.call_evaluate(&mut self.store, context, flag, now).map_err(crate::start::plain)
    }

    fn evaluate_all(&mut self, context: u32, now: u64) -> Result<usize> {
        let evaluator = self.flags.flagstone_flags_evaluator();
        let bytes =
            evaluator.call_evaluate_all(&mut self.store, context, now).map_err(crate::start::plain)?;
        Ok(bytes.len() / 8)
    }

    fn memory(&mut self) -> Option<u64> {
        None
    }
}
