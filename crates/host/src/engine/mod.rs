//! The engine: one wasmtime engine and one compiled component for the process, from which instances are made.
//! An instance holds one immutable snapshot; a newer one is a new instance.

mod canaries;
mod decision;
mod find;
mod instance;
mod kept;
mod pool;
mod ticker;

use std::path::Path;

use flagstone_events::to_hex;
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};
use wasmtime::{InstanceAllocationStrategy, PoolingAllocationConfig};

use crate::{HostError, limits};
use instance::{Guest, bindings::FlagsPre};
use kept::Folder;
use ticker::Ticker;

pub use decision::{Cohort, Decision, Stage};
pub use find::{ComponentSource, find};
pub use instance::{CallError, Flag, Instance, Opening};
pub use kept::Code;
pub(crate) use pool::Owned;
pub use pool::Pool;

/// Makes instances. Shared by everything in the process that evaluates.
///
/// Instances lie in places that are reserved once ([`limits::ALIVE_INSTANCES`] of them), so that a new one costs microseconds and the
/// few pages that it writes to.
pub struct Engine {
    engine: wasmtime::Engine,
    ready: FlagsPre<Guest>,
    digest: String,
    code: Code,
    _ticker: Ticker,
}

impl Engine {
    /// Compiles a component. Takes about a second in an unoptimised build.
    ///
    /// # Errors
    /// [`HostError::Component`] when these are not the bytes of a component with the world `flags`;
    /// [`HostError::System`] when there is no thread to be had.
    pub fn new(component: &[u8]) -> Result<Self, HostError> {
        Self::made(component, None)
    }

    /// As [`Engine::new`], but takes the code from a folder when an earlier start has left it there, and leaves it there otherwise.
    /// The folder is made when it is not there, for its owner alone. [`Engine::code`] tells what became of it: a folder that cannot be used is
    /// no error. Whoever may write to it decides what this process runs, so one that others may write to is not used.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn kept_in(folder: &Path, component: &[u8]) -> Result<Self, HostError> {
        match Folder::open(folder) {
            Ok(folder) => Self::made(component, Some(&folder)),
            Err(fault) => {
                let mut engine = Self::made(component, None)?;
                engine.code = Code::Compiled { instead_of_kept: Some(fault) };
                Ok(engine)
            }
        }
    }

    fn made(component: &[u8], folder: Option<&Folder>) -> Result<Self, HostError> {
        let unusable = |error: wasmtime::Error| {
            HostError::Component(format!(
                "the engine component cannot be used: {error:#}\nhint: build it with `cargo xtask build`"
            ))
        };
        let mut config = wasmtime::Config::new();
        config.wasm_component_model(true).epoch_interruption(true);
        config.cache(folder.map(|folder| folder.cache.clone()));
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(places()));
        let engine = wasmtime::Engine::new(&config).or_else(|_| {
            // A process may be allowed too few addresses to reserve so many places.
            wasmtime::Engine::new(config.allocation_strategy(InstanceAllocationStrategy::OnDemand))
        });
        let engine = engine.map_err(unusable)?;
        let compiled = Component::new(&engine, component).map_err(unusable)?;
        // Nothing is linked: the world has no imports, and a component that asks for one is refused here.
        let linked = Linker::new(&engine).instantiate_pre(&compiled).map_err(unusable)?;
        let ready = FlagsPre::new(linked).map_err(unusable)?;
        let ticker =
            Ticker::start(engine.weak()).map_err(|error| HostError::System(format!("ticker: {error}")))?;
        let code = folder.map_or(Code::Compiled { instead_of_kept: None }, Folder::told);
        Ok(Self { engine, ready, digest: to_hex(&Sha256::digest(component)), code, _ticker: ticker })
    }

    /// Finds the component (see [`find`]) and compiles it.
    ///
    /// # Errors
    /// As [`Engine::new`], and when it is nowhere to be found.
    pub fn from_source(source: &ComponentSource) -> Result<Self, HostError> {
        Self::new(&source.read()?)
    }

    /// Finds the component and takes its code from a folder, as [`Engine::kept_in`].
    ///
    /// # Errors
    /// As [`Engine::from_source`].
    pub fn from_source_kept_in(folder: &Path, source: &ComponentSource) -> Result<Self, HostError> {
        Self::kept_in(folder, &source.read()?)
    }

    /// Where its machine code came from.
    #[must_use]
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Instances that are alive. None when they have no reserved places, and nobody counts them.
    #[must_use]
    pub fn alive(&self) -> Option<u64> {
        Some(self.engine.pooling_allocator_metrics()?.core_instances())
    }

    /// SHA-256 of the component, 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

/// The places for instances.
fn places() -> PoolingAllocationConfig {
    let mut places = PoolingAllocationConfig::new();
    places.total_component_instances(limits::ALIVE_INSTANCES).total_core_instances(limits::ALIVE_INSTANCES);
    places.total_memories(limits::ALIVE_INSTANCES).total_tables(limits::ALIVE_INSTANCES);
    places.max_memory_size(limits::MEMORY_BYTES);
    places
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("digest", &self.digest).finish_non_exhaustive()
    }
}
