//! The engine: one wasmtime engine and one compiled component for the process, from which instances are made.
//! An instance holds one immutable snapshot; a newer one is a new instance.

mod canaries;
mod decision;
mod find;
mod instance;
mod ticker;

use std::path::Path;

use flagstone_events::to_hex;
use sha2::{Digest, Sha256};
use wasmtime::component::{Component, Linker};

use crate::HostError;
use instance::{Guest, bindings::FlagsPre};
use ticker::Ticker;

pub use decision::{Cohort, Decision, Stage};
pub use find::{ComponentSource, find};
pub use instance::{CallError, Flag, Instance, Opening};

/// Makes instances. Shared by everything in the process that evaluates.
pub struct Engine {
    engine: wasmtime::Engine,
    ready: FlagsPre<Guest>,
    digest: String,
    _ticker: Ticker,
}

impl Engine {
    /// Compiles a component. Takes about a second in an unoptimised build.
    ///
    /// # Errors
    /// [`HostError::Component`] when these are not the bytes of a component with the world `flags`;
    /// [`HostError::System`] when there is no thread to be had.
    pub fn new(component: &[u8]) -> Result<Self, HostError> {
        let unusable = |error: wasmtime::Error| {
            HostError::Component(format!(
                "the engine component cannot be used: {error:#}\nhint: build it with `cargo xtask build`"
            ))
        };
        let mut config = wasmtime::Config::new();
        config.wasm_component_model(true).epoch_interruption(true);
        let engine = wasmtime::Engine::new(&config).map_err(unusable)?;
        let compiled = Component::new(&engine, component).map_err(unusable)?;
        // Nothing is linked: the world has no imports, and a component that asks for one is refused here.
        let linked = Linker::new(&engine).instantiate_pre(&compiled).map_err(unusable)?;
        let ready = FlagsPre::new(linked).map_err(unusable)?;
        let ticker =
            Ticker::start(engine.weak()).map_err(|error| HostError::System(format!("ticker: {error}")))?;
        Ok(Self { engine, ready, digest: to_hex(&Sha256::digest(component)), _ticker: ticker })
    }

    /// Finds the component (see [`find`]) and compiles it.
    ///
    /// # Errors
    /// As [`Engine::new`], and when it is nowhere to be found.
    pub fn from_source(source: &ComponentSource) -> Result<Self, HostError> {
        match source {
            ComponentSource::Bytes(bytes) => Self::new(bytes),
            ComponentSource::Path(path) => Self::from_path(path),
            ComponentSource::Find => Self::from_path(&find()?),
        }
    }

    fn from_path(path: &Path) -> Result<Self, HostError> {
        let read = std::fs::read(path);
        Self::new(&read.map_err(|error| HostError::Component(format!("`{}`: {error}", path.display())))?)
    }

    /// SHA-256 of the component, 64 hexadecimal digits.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("digest", &self.digest).finish_non_exhaustive()
    }
}
