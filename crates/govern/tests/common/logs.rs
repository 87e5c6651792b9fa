//! Histories for the tests of the log, copies of folders, and what an insider does to files.

use std::path::{Path, PathBuf};

use flagstone_govern::log::{self, LogError, Verified};
use flagstone_govern::{Govern, GovernConfig};

use super::{FLAG, World, definition};

impl World {
    /// The log's folder.
    pub fn log_folder(&self) -> PathBuf {
        self.database().with_extension("ledger")
    }

    /// Verifies a folder with the pinned key.
    pub fn verify(&self, folder: &Path) -> Result<Verified, LogError> {
        log::verify(log::folder(folder.to_owned()), &[self.log.verifying_key()], &mut |_, _| {})
    }

    /// The settings over the files of another folder.
    pub fn config_in(&self, folder: &Path) -> GovernConfig {
        let mut config = self.config();
        config.database = folder.join("govern.sqlite");
        config.log = folder.join("govern.ledger");
        config
    }

    /// Publishes and starts a rollout.
    pub async fn begin(&self, govern: &Govern) {
        let release = self.release(1, &definition("everyone", "answer@15"));
        self.publish(govern, &release).await;
        self.order(govern, FLAG, "start").await;
    }

    /// Halts and resumes until the log has at least so many entries; every order is two.
    pub async fn fill(&self, govern: &Govern, entries: u64) {
        while self.verify(&self.log_folder()).expect("a sound log").checkpoint.size < entries {
            for ask in ["halt", "resume"] {
                let (status, body) = self.order(govern, FLAG, ask).await;
                assert_eq!(status, 200, "{body}");
            }
        }
    }
}

/// Copies a folder and all in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}

/// Changes a file.
pub fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    change(&mut bytes);
    std::fs::write(path, bytes).expect("written");
}

/// The files of a bundle's or tile's folder: the newest partial one.
pub fn partial(folder: &Path, kind: &str, index: &str) -> PathBuf {
    let folder = folder.join("tile").join(kind).join(format!("{index}.p"));
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let widths = files.filter_map(|file| file.ok()?.file_name().to_str()?.parse::<u16>().ok());
    folder.join(widths.max().expect("a partial tile").to_string())
}

/// Where each entry of a bundle begins, with its length's two bytes, and where the last one ends.
pub fn places(bundle: &[u8]) -> Vec<usize> {
    let (mut places, mut at) = (vec![0], 0);
    while at < bundle.len() {
        at += 2 + usize::from(u16::from_be_bytes([bundle[at], bundle[at + 1]]));
        places.push(at);
    }
    places
}
