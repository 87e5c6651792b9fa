//! The log's folder: files that are there whole or not at all, whatever ends the process.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{LogError, Tile};

/// Called before every step of writing the log, with the step's name and the file: for drills that end the process there.
pub type Probe = Arc<dyn Fn(&str, &Path) + Send + Sync>;

/// A folder that one log is written to.
#[derive(Clone)]
pub(crate) struct Disk {
    pub(crate) folder: PathBuf,
    pub(crate) probe: Option<Probe>,
}

impl Disk {
    /// Writes a file: to a temporary one, synced, renamed, and the folder synced.
    pub(crate) fn put(&self, path: &str, bytes: &[u8]) -> Result<(), LogError> {
        let target = self.folder.join(path);
        let failed = |source| LogError::Write { path: target.clone(), source };
        let folder = target.parent().unwrap_or(&self.folder);
        self.make(folder).map_err(failed)?;
        let mut name = target.file_name().unwrap_or_default().to_os_string();
        name.push(".part");
        let part = target.with_file_name(name);
        self.step("create", &part);
        let mut file = File::create(&part).map_err(failed)?;
        // In two pieces, so that a drill can end the process with half a file written.
        let (head, tail) = bytes.split_at(bytes.len() / 2);
        file.write_all(head).map_err(failed)?;
        self.step("write", &part);
        file.write_all(tail).map_err(failed)?;
        self.step("sync", &part);
        file.sync_all().map_err(failed)?;
        drop(file);
        self.step("rename", &target);
        fs::rename(&part, &target).map_err(failed)?;
        self.step("sync folder", &target);
        sync_folder(folder).map_err(failed)?;
        self.step("done", &target);
        Ok(())
    }

    /// Makes a folder and those above it, each synced into its parent.
    fn make(&self, folder: &Path) -> io::Result<()> {
        if folder.is_dir() {
            return Ok(());
        }
        let parent = folder.parent().filter(|parent| !parent.as_os_str().is_empty());
        if let Some(parent) = parent {
            self.make(parent)?;
        }
        self.step("make folder", folder);
        match fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        sync_folder(parent.unwrap_or(Path::new(".")))
    }

    /// Takes away a partial tile that no reader needs any more. That it stays is no fault.
    pub(crate) fn remove(&self, tile: Tile) {
        let path = self.folder.join(tile.path());
        self.step("remove", &path);
        if let Err(error) = fs::remove_file(&path)
            && error.kind() != ErrorKind::NotFound
        {
            tracing::warn!(path = %path.display(), %error, "an old partial tile stays");
        }
        // Empty when the tile has become full.
        let _ = path.parent().map(fs::remove_dir);
    }

    /// A file as it is, none when it is not there.
    pub(crate) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, LogError> {
        read(&self.folder.join(path)).map_err(|source| LogError::Read { path: path.to_owned(), source })
    }

    fn step(&self, name: &str, path: &Path) {
        if let Some(probe) = &self.probe {
            probe(name, path);
        }
    }
}

fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Elsewhere folders cannot be opened; the file system orders renames by itself.
#[cfg(not(unix))]
fn sync_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// One of a log's files out of its folder: `checkpoint` or a tile. A partial tile that is gone is cut out of a wider one,
/// which it begins; so what any checkpoint ever asked for can still be had. None for all other names.
///
/// # Errors
/// As the system reads.
pub fn find(folder: &Path, path: &str) -> io::Result<Option<Vec<u8>>> {
    if path == "checkpoint" {
        return read(&folder.join(path));
    }
    let Some(tile) = Tile::parse(path) else { return Ok(None) };
    if let Some(bytes) = read(&folder.join(path))? {
        return Ok(Some(bytes));
    }
    if tile.is_full() {
        return Ok(None);
    }
    if let Some(bytes) = read(&folder.join(tile.full().path()))? {
        return Ok(tile.cut(&bytes));
    }
    let beside = folder.join(path);
    let Some(Ok(others)) = beside.parent().map(fs::read_dir) else { return Ok(None) };
    let widths = others.flatten().filter_map(|other| other.file_name().to_str()?.parse::<u16>().ok());
    let Some(width) = widths.filter(|width| *width > tile.width).min() else { return Ok(None) };
    let wider = read(&folder.join(Tile { width, ..tile }.path()))?;
    Ok(wider.and_then(|bytes| tile.cut(&bytes)))
}
