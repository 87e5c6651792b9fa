//! Where the engine component is.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use crate::HostError;

const NAME: &str = "flagstone.component.wasm";

/// Where to take the engine component from.
#[derive(Debug, Clone, Default)]
pub enum ComponentSource {
    /// Look for it: the variable `FLAGSTONE_COMPONENT`, then beside the executable, then in `target/guest` of a
    /// folder above the executable.
    #[default]
    Find,
    /// This file.
    Path(PathBuf),
    /// These bytes.
    Bytes(Vec<u8>),
}

impl ComponentSource {
    /// The bytes of the component.
    ///
    /// # Errors
    /// [`HostError::Component`] when it is not there or cannot be read.
    pub fn read(&self) -> Result<Cow<'_, [u8]>, HostError> {
        let path = match self {
            Self::Bytes(bytes) => return Ok(Cow::Borrowed(bytes)),
            Self::Path(path) => Cow::Borrowed(path),
            Self::Find => Cow::Owned(find()?),
        };
        let read = std::fs::read(path.as_path());
        read.map(Cow::Owned).map_err(|error| HostError::Component(format!("`{}`: {error}", path.display())))
    }
}

/// The path of the component: see [`ComponentSource::Find`].
///
/// # Errors
/// [`HostError::Component`] when it is in none of the places.
pub fn find() -> Result<PathBuf, HostError> {
    if let Some(path) = std::env::var_os("FLAGSTONE_COMPONENT") {
        return Ok(PathBuf::from(path));
    }
    let executable = std::env::current_exe().unwrap_or_default();
    let found = executable.ancestors().skip(1).flat_map(places).find(|path| path.is_file());
    found.ok_or_else(|| {
        HostError::Component(format!(
            "the engine component `{NAME}` was not found beside `{}` or in a `target/guest` above it\nhint: build it \
             with `cargo xtask build`, or say where it is in FLAGSTONE_COMPONENT",
            executable.display()
        ))
    })
}

fn places(folder: &Path) -> [PathBuf; 3] {
    [folder.join(NAME), folder.join("guest").join(NAME), folder.join("target").join("guest").join(NAME)]
}
