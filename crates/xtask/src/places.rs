//! Where things are.

use std::path::PathBuf;

/// The folders that every command needs.
pub(crate) struct Places {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Finished artefacts: `<root>/target/guest`, wherever cargo itself builds.
    pub(crate) guest: PathBuf,
}

impl Places {
    /// The checkout this command was started from by cargo, else the one it was built in.
    pub(crate) fn find() -> Self {
        let here = std::env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = here.ancestors().nth(2).map_or_else(|| here.clone(), PathBuf::from);
        let guest = root.join("target").join("guest");
        Self { root, guest }
    }

    /// The component that hosts load.
    pub(crate) fn component(&self) -> PathBuf {
        self.guest.join("flagstone.component.wasm")
    }

    /// The core module for runtimes without components.
    pub(crate) fn core(&self) -> PathBuf {
        self.guest.join("flagstone.core.wasm")
    }

    /// The judge as a module of its own, for a test.
    pub(crate) fn judge(&self) -> PathBuf {
        self.guest.join("flagstone.judge.wasm")
    }

    /// The browser build.
    pub(crate) fn browser(&self) -> PathBuf {
        self.guest.join("browser")
    }

    /// The playground's page.
    pub(crate) fn playground(&self) -> PathBuf {
        self.guest.join("playground")
    }

    /// A path below the checkout.
    pub(crate) fn below(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }
}
