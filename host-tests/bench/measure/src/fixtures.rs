//! W compiled and sealed, as `flagstone-bench-fixtures` wrote it.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// The folder of the files, and what a host knows beside them.
#[derive(Debug)]
pub struct Fixtures {
    folder: PathBuf,
    /// The pinned trust statement.
    pub trust: String,
    /// Whom the files are for.
    pub audience: String,
    /// And where.
    pub environment: String,
}

impl Fixtures {
    /// Reads what all files share.
    ///
    /// # Errors
    /// A folder that the program did not write.
    pub fn read(folder: &Path) -> Result<Fixtures> {
        let text = |name: &str| {
            std::fs::read_to_string(folder.join(name))
                .with_context(|| format!("there is no `{name}`: flagstone-bench-fixtures writes it"))
        };
        let policy: serde_json::Value = serde_json::from_str(&text("policy.json")?)?;
        let of = |name: &str| policy[name].as_str().map(str::to_owned).context("a policy without it");
        Ok(Fixtures {
            trust: text("trust.txt")?,
            audience: of("audience")?,
            environment: of("environment")?,
            folder: folder.to_owned(),
        })
    }

    /// The sealed file of `w100`, `w5000` or `trivial`.
    ///
    /// # Errors
    /// A file that is missing.
    pub fn sealed(&self, name: &str) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.folder.join(format!("{name}.sealed")))?)
    }

    /// Its snapshot alone.
    ///
    /// # Errors
    /// A file that is missing.
    pub fn snapshot(&self, name: &str) -> Result<Vec<u8>> {
        Ok(std::fs::read(self.folder.join(format!("{name}.snapshot")))?)
    }
}

#[cfg(test)]
mod tests {
    /// The compiler's dependencies would change those of the peers.
    #[test]
    fn what_measures_does_not_link_the_compiler() {
        let lock = include_str!("../../Cargo.lock");
        for name in ["flagstone-measure", "flagstone-bench-native", "flagstone-bench-wasmtime"] {
            let entry =
                lock.split("[[package]]").find(|entry| entry.contains(&format!("name = \"{name}\"\n")));
            let dependencies = entry.unwrap_or_default();
            assert!(dependencies.contains("dependencies = ["), "{name}");
            for refused in ["\"flagstone-compile\"", "\"host-tests\""] {
                assert!(!dependencies.contains(refused), "{name} depends on {refused}");
            }
        }
    }
}
