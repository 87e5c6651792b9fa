//! What a new instance costs: from an ahead-of-time artefact on disk, from a pool, and in memory.
#![allow(unsafe_code)] // `deserialize_file` trusts its file: it is one this program has just written itself.

use std::hint::black_box;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use flagstone_measure::{Case, Row};
use wasmtime::component::Component;
use wasmtime::{Config, Engine, InstanceAllocationStrategy, Module, PoolingAllocationConfig, Store};

use crate::component::bindings::FlagsPre;

/// Instances alive at once when their memory is weighed.
const ALIVE: u32 = 500;

/// The first call of an instance that is weighed: one that does nothing.
const DROP_CONTEXT: &str = "flagstone:flags/evaluator@0.1.0#drop-context";

/// wasmtime's error as ours.
pub(crate) fn plain(error: wasmtime::Error) -> anyhow::Error {
    anyhow::anyhow!("{error:?}")
}

/// Load and instantiate an AOT artefact; instantiate from a pool.
pub(crate) fn cases(core: &Path, component: &Path, cases: &mut Vec<Case<'_>>) -> Result<()> {
    let engine = Engine::default();
    let (core_aot, component_aot) = (aot(core), aot(component));
    std::fs::write(&core_aot, engine.precompile_module(&std::fs::read(core)?).map_err(plain)?)?;
    std::fs::write(&component_aot, engine.precompile_component(&std::fs::read(component)?).map_err(plain)?)?;
    let (own, ready) = (engine.clone(), wasmtime::Linker::<()>::new(&engine));
    cases.push(Case::new("flagstone wasmtime core", "aot-start", move |calls| {
        for _ in 0..calls {
            // SAFETY: written above by the same engine.
            let module = unsafe { Module::deserialize_file(&own, &core_aot) };
            let started = module.and_then(|module| ready.instantiate(Store::new(&own, ()), &module));
            black_box(started.is_ok());
        }
    }));
    let ready = wasmtime::component::Linker::<()>::new(&engine);
    cases.push(Case::new("flagstone wasmtime component", "aot-start", move |calls| {
        for _ in 0..calls {
            // SAFETY: written above by the same engine.
            let loaded = unsafe { Component::deserialize_file(&engine, &component_aot) };
            let started = loaded.and_then(|loaded| ready.instantiate(Store::new(&engine, ()), &loaded));
            black_box(started.is_ok());
        }
    }));
    let pool = pool()?;
    let module = Module::from_file(&pool, core).map_err(plain)?;
    let ready = wasmtime::Linker::<()>::new(&pool).instantiate_pre(&module).map_err(plain)?;
    let engine = pool.clone();
    cases.push(Case::new("flagstone wasmtime core", "pooled-start", move |calls| {
        for _ in 0..calls {
            black_box(ready.instantiate(Store::new(&engine, ())).is_ok());
        }
    }));
    let loaded = Component::from_file(&pool, component).map_err(plain)?;
    let ready = wasmtime::component::Linker::<()>::new(&pool).instantiate_pre(&loaded).map_err(plain)?;
    cases.push(Case::new("flagstone wasmtime component", "pooled-start", move |calls| {
        for _ in 0..calls {
            black_box(ready.instantiate(Store::new(&pool, ())).is_ok());
        }
    }));
    Ok(())
}

/// Private dirty memory of an instance from the pool after its first call, before its snapshot.
pub(crate) fn memory(core: &Path, component: &Path) -> Result<Vec<Row>> {
    if !Path::new("/proc/self/smaps_rollup").exists() {
        eprintln!("bench: dirty memory is read from /proc/self/smaps_rollup, which is not here");
        return Ok(Vec::new());
    }
    let engine = pool()?;
    let module = Module::from_file(&engine, core).map_err(plain)?;
    let ready = wasmtime::Linker::<()>::new(&engine).instantiate_pre(&module).map_err(plain)?;
    let by_core = weigh(|| {
        let mut store = Store::new(&engine, ());
        let instance = ready.instantiate(&mut store).map_err(plain)?;
        let call = instance.get_typed_func::<i32, ()>(&mut store, DROP_CONTEXT).map_err(plain)?;
        call.call(&mut store, 0).map_err(plain)?;
        Ok(store)
    })?;
    let loaded = Component::from_file(&engine, component).map_err(plain)?;
    let linked = wasmtime::component::Linker::<()>::new(&engine).instantiate_pre(&loaded).map_err(plain)?;
    let ready = FlagsPre::new(linked).map_err(plain)?;
    let by_component = weigh(|| {
        let mut store = Store::new(&engine, ());
        let flags = ready.instantiate(&mut store).map_err(plain)?;
        flags.flagstone_flags_evaluator().call_drop_context(&mut store, 0).map_err(plain)?;
        Ok(store)
    })?;
    Ok(vec![
        Row::bytes("flagstone wasmtime core", "pooled-dirty", by_core),
        Row::bytes("flagstone wasmtime component", "pooled-dirty", by_component),
    ])
}

fn weigh(make: impl Fn() -> Result<Store<()>>) -> Result<u64> {
    let warm = make()?;
    let before = dirty()?;
    let alive = (1..ALIVE).map(|_| make()).collect::<Result<Vec<_>>>()?;
    let after = dirty()?;
    drop((warm, alive));
    Ok(after.saturating_sub(before) / u64::from(ALIVE - 1))
}

/// Bytes of this process that are its own and written to.
fn dirty() -> Result<u64> {
    let rollup = std::fs::read_to_string("/proc/self/smaps_rollup")?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kilobytes.context("no line `Private_Dirty`")? * 1024)
}

fn pool() -> Result<Engine> {
    let mut limits = PoolingAllocationConfig::default();
    limits.total_core_instances(ALIVE * 2).total_component_instances(ALIVE * 2);
    limits.total_memories(ALIVE * 2).total_tables(ALIVE * 2);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(limits));
    Engine::new(&config).map_err(plain)
}

fn aot(wasm: &Path) -> PathBuf {
    wasm.with_extension("cwasm")
}
