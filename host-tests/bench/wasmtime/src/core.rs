//! The core module by its flat ABI (docs/engine.md): numbers, pointers and `cabi_realloc`.

use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use flagstone_measure::{Fixtures, NOW};
use wasmtime::{Engine, InstancePre, Linker, Memory, Module, Store, TypedFunc, Val};

use crate::door::Instance;

/// The interface's prefix in export names.
const EVALUATOR: &str = "flagstone:flags/evaluator@0.1.0#";

/// Compiles the module; the result makes instances.
pub(crate) fn open(path: &Path) -> Result<impl Fn() -> Result<Core> + 'static> {
    let engine = Engine::default();
    let module = Module::from_file(&engine, path).map_err(crate::start::plain)?;
    let ready = Linker::new(&engine).instantiate_pre(&module).map_err(crate::start::plain)?;
    Ok(move || Core::new(&engine, &ready).map_err(crate::start::plain))
}

/// An instance and the functions that are called often.
pub(crate) struct Core {
    store: Store<()>,
    instance: wasmtime::Instance,
    memory: Memory,
    realloc: TypedFunc<(i32, i32, i32, i32), i32>,
    context_packed: TypedFunc<(i32, i32), i32>,
    context_json: TypedFunc<(i32, i32), i32>,
    packed_done: TypedFunc<i32, ()>,
    json_done: TypedFunc<i32, ()>,
    drop_context: TypedFunc<i32, ()>,
    evaluate: TypedFunc<(i32, i32, i64), i64>,
    evaluate_all: TypedFunc<(i32, i64), i32>,
    all_done: TypedFunc<i32, ()>,
}

impl Core {
    fn new(engine: &Engine, ready: &InstancePre<()>) -> wasmtime::Result<Core> {
        let mut store = Store::new(engine, ());
        let instance = ready.instantiate(&mut store)?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or_else(|| wasmtime::Error::msg("the module exports no memory"))?;
        let name = |short: &str| format!("{EVALUATOR}{short}");
        let done = |short: &str| format!("cabi_post_{EVALUATOR}{short}");
        Ok(Core {
            realloc: instance.get_typed_func(&mut store, "cabi_realloc")?,
            context_packed: instance.get_typed_func(&mut store, &name("context-packed"))?,
            context_json: instance.get_typed_func(&mut store, &name("context-json"))?,
            packed_done: instance.get_typed_func(&mut store, &done("context-packed"))?,
            json_done: instance.get_typed_func(&mut store, &done("context-json"))?,
            drop_context: instance.get_typed_func(&mut store, &name("drop-context"))?,
            evaluate: instance.get_typed_func(&mut store, &name("evaluate"))?,
            evaluate_all: instance.get_typed_func(&mut store, &name("evaluate-all"))?,
            all_done: instance.get_typed_func(&mut store, &done("evaluate-all"))?,
            memory,
            instance,
            store,
        })
    }

    /// Bytes into memory that the callee will own.
    fn give(&mut self, bytes: &[u8]) -> Result<(i32, i32)> {
        let length = i32::try_from(bytes.len())?;
        let at = self.realloc.call(&mut self.store, (0, 0, 1, length)).map_err(crate::start::plain)?;
        self.memory.write(&mut self.store, at as usize, bytes)?;
        Ok((at, length))
    }

    fn word(&self, at: i32) -> Result<u32> {
        let bytes = self.memory.data(&self.store).get(at as usize..at as usize + 4);
        Ok(u32::from_le_bytes(bytes.context("a pointer outside memory")?.try_into()?))
    }

    /// A `result<u32, fault>` in memory.
    fn handle(&self, at: i32) -> Result<u32> {
        match self.word(at)? & 0xff {
            0 => self.word(at + 4),
            _ => bail!("the context was refused"),
        }
    }
}

impl Instance for Core {
    fn seal_open(&mut self, fixtures: &Fixtures, file: &[u8]) -> Result<()> {
        let Fixtures { trust, audience, environment, .. } = fixtures;
        let mut flat = Vec::with_capacity(14);
        for bytes in [trust.as_bytes(), file, audience.as_bytes(), environment.as_bytes()] {
            let (at, length) = self.give(bytes)?;
            flat.extend([Val::I32(at), Val::I32(length)]);
        }
        // The time, then no mark: an option's zero and the place of its payload.
        flat.extend([Val::I64(NOW as i64), Val::I32(0), Val::I64(0), Val::I64(0), Val::I32(0), Val::I32(0)]);
        let open = self.instance.get_func(&mut self.store, &format!("{EVALUATOR}open"));
        let mut answer = [Val::I32(0)];
        let open = open.context("no function `open`")?;
        open.call(&mut self.store, &flat, &mut answer).map_err(crate::start::plain)?;
        let at = answer[0].i32().context("`open` answers no pointer")?;
        let refused = self.memory.data(&self.store).get(at as usize).is_none_or(|tag| *tag != 0);
        if refused { Err(anyhow!("the sealed file was refused")) } else { Ok(()) }
    }

    fn context_packed(&mut self, bytes: &[u8]) -> Result<u32> {
        let given = self.give(bytes)?;
        let at = self.context_packed.call(&mut self.store, given).map_err(crate::start::plain)?;
        let handle = self.handle(at);
        self.packed_done.call(&mut self.store, at).map_err(crate::start::plain)?;
        handle
    }

    fn context_json(&mut self, json: &str) -> Result<u32> {
        let given = self.give(json.as_bytes())?;
        let at = self.context_json.call(&mut self.store, given).map_err(crate::start::plain)?;
        let handle = self.handle(at);
        self.json_done.call(&mut self.store, at).map_err(crate::start::plain)?;
        handle
    }

    fn drop_context(&mut self, context: u32) -> Result<()> {
        self.drop_context.call(&mut self.store, context as i32).map_err(crate::start::plain)
    }

    fn evaluate(&mut self, context: u32, flag: u32, now: u64) -> Result<u64> {
        let flat = (context as i32, flag as i32, now as i64);
        self.evaluate.call(&mut self.store, flat).map(|packed| packed as u64).map_err(crate::start::plain)
    }

    fn evaluate_all(&mut self, context: u32, now: u64) -> Result<usize> {
        let at = self
            .evaluate_all
            .call(&mut self.store, (context as i32, now as i64))
            .map_err(crate::start::plain)?;
        let length = self.word(at + 4)?;
        self.all_done.call(&mut self.store, at).map_err(crate::start::plain)?;
        Ok(length as usize / 8)
    }

    fn memory(&mut self) -> Option<u64> {
        Some(self.memory.data_size(&self.store) as u64)
    }
}
