//! Compiled code that outlives the process, so that a start does not compile: a folder that wasmtime's own cache fills and reads.
//!
//! A file there is found by a digest over the component, wasmtime's version and everything that the code depends on; one of another engine, of
//! other settings, or damaged is not taken, and the component is compiled anew. What is taken is run as machine code, so a folder into which
//! somebody else may write is not used at all.

use std::path::Path;

use wasmtime::{Cache, CacheConfig};

/// Where the machine code of an engine came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// Compiled now.
    Compiled {
        /// Why what a folder had was not used, in words; none when there was nothing.
        instead_of_kept: Option<String>,
    },
    /// Compiled by an earlier start.
    Kept,
}

/// A folder to keep code in.
pub(super) struct Folder {
    pub(super) cache: Cache,
    /// Files in it before this start.
    before: usize,
}

impl Folder {
    /// Makes the folder if need be. The sentence says why it cannot be used.
    pub(super) fn open(folder: &Path) -> Result<Self, String> {
        let told = |error: std::io::Error| format!("`{}`: {error}", folder.display());
        private::make(folder).map_err(told)?;
        let folder = folder.canonicalize().map_err(told)?;
        let before = private::check(&folder)?;
        let mut config = CacheConfig::new();
        config.with_directory(folder);
        let cache = Cache::new(config).map_err(|error| format!("{error:#}"))?;
        Ok(Self { cache, before })
    }

    /// What became of the one component that was compiled through it.
    pub(super) fn told(&self) -> Code {
        if self.cache.cache_hits() > 0 {
            return Code::Kept;
        }
        let others = || {
            format!(
                "the code in `{}` is of another engine or component, of other settings, or damaged",
                self.cache.directory().display()
            )
        };
        Code::Compiled { instead_of_kept: (self.before > 0).then(others) }
    }
}

#[cfg(unix)]
mod private {
    //! Who may write into a folder, by owner and mode.

    use std::os::unix::fs::{DirBuilderExt, MetadataExt};
    use std::path::Path;

    /// Folders within a folder, at most: wasmtime's cache has two.
    const DEPTH: usize = 4;

    pub(super) fn make(folder: &Path) -> std::io::Result<()> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
    }

    /// How many files there are. The sentence names a place that somebody else may write to.
    pub(super) fn check(folder: &Path) -> Result<usize, String> {
        let told = |error: std::io::Error| format!("`{}`: {error}", folder.display());
        // Whose process this is, without asking the system by unsafe means: the owner of what it makes.
        let mine = folder.join(format!(".owner-{}", std::process::id()));
        let owner = std::fs::File::create(&mine).and_then(|file| file.metadata()).map(|about| about.uid());
        let _ = std::fs::remove_file(&mine);
        within(folder, owner.map_err(told)?, DEPTH)
    }

    fn within(path: &Path, owner: u32, depth: usize) -> Result<usize, String> {
        let told = |error: std::io::Error| format!("`{}`: {error}", path.display());
        let about = path.symlink_metadata().map_err(told)?;
        if about.uid() != owner || about.mode() & 0o022 != 0 || about.is_symlink() || depth == 0 {
            return Err(format!(
                "others than this process may write to `{}`, and what is there would be run\nhint: `chmod -R go-w` it, or name another folder",
                path.display()
            ));
        }
        if !about.is_dir() {
            return Ok(1);
        }
        let mut files = 0;
        for entry in std::fs::read_dir(path).map_err(told)? {
            match within(&entry.map_err(told)?.path(), owner, depth - 1) {
                Ok(more) => files += more,
                // Another start tidied it away meanwhile.
                Err(_) if !path.exists() => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(files)
    }
}

#[cfg(not(unix))]
mod private {
    //! Where there are no owners and modes to read, the folder is taken as it is.

    use std::path::Path;

    pub(super) fn make(folder: &Path) -> std::io::Result<()> {
        std::fs::create_dir_all(folder)
    }

    pub(super) fn check(folder: &Path) -> Result<usize, String> {
        let entries =
            std::fs::read_dir(folder).map_err(|error| format!("`{}`: {error}", folder.display()))?;
        Ok(entries.count())
    }
}

#[cfg(test)]
mod tests;
