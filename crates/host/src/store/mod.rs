//! Last-known-good on disk: what the host last accepted, so that it starts without a network and never
//! accepts anything older after a restart.
//!
//! ```text
//! DIR/lock             held while a host runs; two hosts cannot share a folder
//! DIR/manifest.json    names everything below; replaced by one rename
//! DIR/objects/<sha256> the sealed file, the pulse and the trust notes, each named by the hash of its bytes
//! ```
//! Why no kill can tear it: objects never change under their name; a new manifest is renamed into place only
//! after every object it names is whole and synchronised; objects are removed only after the manifest that no
//! longer names them is synchronised. So at every moment the manifest on disk is the old or the new one, and
//! everything it names is there. What is read back is hashed again, and the caller verifies its signatures again.

mod manifest;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flagstone_events::to_hex;
use flagstone_seal::Mark;
use sha2::{Digest, Sha256};

use crate::durable;
use manifest::{Manifest, TrustStep};

/// What is kept. Cloning shares the bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// The trust notes that followed the pinned one, with their versions, in order.
    pub trust: Vec<(u64, Arc<[u8]>)>,
    /// The sealed file in force.
    pub snapshot: Option<Arc<[u8]>>,
    /// The last pulse accepted.
    pub pulse: Option<Arc<[u8]>>,
    /// The highest snapshot accepted; outlives the file itself.
    pub mark: Option<Mark>,
    /// The number of the last pulse accepted.
    pub pulse_number: Option<u64>,
    /// The newest time of issue of anything accepted, unix seconds: the clock never runs behind it.
    pub latest_issued: u64,
}

/// The folder, held by this process.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    objects: PathBuf,
    _lock: File,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds it.
    #[error("`{0}` is in use by another host\nhint: give every host a data folder of its own")]
    InUse(PathBuf),
    /// The file system refused.
    #[error("data folder `{folder}`: {source}")]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What it said.
        source: io::Error,
    },
}

impl Store {
    /// Opens or creates the folder and reads what is kept there. The list holds a sentence for everything that
    /// was damaged and is therefore missing from it (a disk that changes bytes, a hand that edited a file).
    ///
    /// # Errors
    /// [`StoreError`].
    pub fn open(folder: &Path) -> Result<(Self, Kept, Vec<String>), StoreError> {
        let failed = |source| StoreError::Io { folder: folder.to_owned(), source };
        let objects = folder.join("objects");
        fs::create_dir_all(&objects).map_err(failed)?;
        let lock = File::create(folder.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(StoreError::InUse(folder.to_owned())),
            Err(fs::TryLockError::Error(source)) => return Err(failed(source)),
        }
        let store = Self { folder: folder.to_owned(), objects, _lock: lock };
        let (kept, damage) = store.read().map_err(failed)?;
        Ok((store, kept, damage))
    }

    /// Keeps `kept` in place of what was kept before. When this returns it survives a loss of power.
    ///
    /// # Errors
    /// What the file system said; what was kept before is then still there.
    pub fn save(&self, kept: &Kept) -> io::Result<()> {
        let put = |bytes: &Arc<[u8]>| self.put(bytes);
        let trust =
            kept.trust.iter().map(|(version, note)| Ok(TrustStep { version: *version, object: put(note)? }));
        let manifest = Manifest {
            version: manifest::VERSION,
            trust: trust.collect::<io::Result<_>>()?,
            snapshot: kept.snapshot.as_ref().map(put).transpose()?,
            pulse: kept.pulse.as_ref().map(put).transpose()?,
            mark: kept.mark.map(Into::into),
            pulse_number: kept.pulse_number,
            latest_issued: kept.latest_issued,
        };
        durable::sync_folder(&self.objects)?;
        durable::write(&self.folder, manifest::NAME, &manifest.to_bytes()?)?;
        self.remove_unnamed(&manifest)
    }

    fn read(&self) -> io::Result<(Kept, Vec<String>)> {
        durable::sweep(&self.folder)?;
        durable::sweep(&self.objects)?;
        let mut damage = Vec::new();
        let Some(bytes) = durable::read(&self.folder.join(manifest::NAME))? else {
            return Ok((Kept::default(), damage));
        };
        let manifest = match Manifest::from_bytes(&bytes) {
            Ok(manifest) => manifest,
            Err(error) => {
                fs::rename(self.folder.join(manifest::NAME), self.folder.join("manifest.damaged"))?;
                damage.push(format!("the manifest was not readable and was set aside: {error}"));
                return Ok((Kept::default(), damage));
            }
        };
        let mut kept = Kept {
            mark: manifest.mark.map(Into::into),
            pulse_number: manifest.pulse_number,
            latest_issued: manifest.latest_issued,
            ..Kept::default()
        };
        for step in &manifest.trust {
            // A chain is of use only up to its first gap.
            let Some(note) = self.get("trust note", &step.object, &mut damage)? else { break };
            kept.trust.push((step.version, note));
        }
        if let Some(name) = &manifest.snapshot {
            kept.snapshot = self.get("snapshot", name, &mut damage)?;
        }
        if let Some(name) = &manifest.pulse {
            kept.pulse = self.get("pulse", name, &mut damage)?;
        }
        Ok((kept, damage))
    }

    fn put(&self, bytes: &[u8]) -> io::Result<String> {
        let name = to_hex(&Sha256::digest(bytes));
        if !self.objects.join(&name).exists() {
            durable::write(&self.objects, &name, bytes)?;
        }
        Ok(name)
    }

    fn get(&self, what: &str, name: &str, damage: &mut Vec<String>) -> io::Result<Option<Arc<[u8]>>> {
        let path = self.objects.join(name);
        match durable::read(&path)? {
            Some(bytes) if to_hex(&Sha256::digest(&bytes)) == name => Ok(Some(bytes.into())),
            Some(_) => {
                fs::remove_file(path)?;
                damage.push(format!("the {what} kept on disk was damaged and was removed"));
                Ok(None)
            }
            None => {
                damage.push(format!("the {what} kept on disk is missing"));
                Ok(None)
            }
        }
    }

    fn remove_unnamed(&self, manifest: &Manifest) -> io::Result<()> {
        let named: BTreeSet<&str> = manifest.objects().collect();
        for entry in fs::read_dir(&self.objects)? {
            let entry = entry?;
            if !entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}
