//! Files that are there whole or not at all: write beside, synchronise, rename, synchronise the folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// The ending of files that were still being written when the process died; they mean nothing.
const UNFINISHED: &str = ".unfinished";

/// Puts `bytes` at `folder/name`. When this returns the file survives a loss of power; when the process is killed
/// at any moment before, the file that was there before is still there, whole.
pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let beside = folder.join(format!("{name}{UNFINISHED}"));
    let mut file = File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    drop(file);
    fs::rename(&beside, folder.join(name))?;
    sync_folder(folder)
}

/// Makes additions to and removals from a folder survive a loss of power.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder; // a folder cannot be opened as a file there, and renames are journalled
    Ok(())
}

/// Removes what interrupted writes left behind.
pub(crate) fn sweep(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(UNFINISHED) {
            fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The content of a file, none when there is no such file.
pub(crate) fn read(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
