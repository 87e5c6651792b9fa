//! Code that is kept, and what is not taken.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

use std::path::{Path, PathBuf};

use super::Code;
use crate::engine::{ComponentSource, Engine};

fn start(folder: &Path) -> Code {
    Engine::from_source_kept_in(folder, &ComponentSource::Find).unwrap().code().clone()
}

/// The sentence that says why kept code was not taken.
fn refused(code: Code) -> String {
    match code {
        Code::Compiled { instead_of_kept: Some(why) } => why,
        other => panic!("{other:?}"),
    }
}

/// Compiled files: those whose name has no ending.
fn compiled(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(compiled(&path));
        } else if path.extension().is_none() {
            found.push(path);
        }
    }
    found
}

#[test]
fn what_an_earlier_start_compiled_is_taken_and_what_is_damaged_is_not() {
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("made/here");
    assert_eq!(start(&folder), Code::Compiled { instead_of_kept: None });
    assert_eq!(start(&folder), Code::Kept);

    // Cut short, as by a full disk; then another file under its name: compiled anew, and right the next time.
    let [file] = compiled(&folder).try_into().unwrap();
    let whole = std::fs::read(&file).unwrap();
    for bad in [&whole[..whole.len() / 2], b"no code of this engine"] {
        std::fs::write(&file, bad).unwrap();
        assert!(refused(start(&folder)).contains("damaged"));
        assert_eq!(start(&folder), Code::Kept);
    }

    // What another engine left (here: under another name) is not looked at.
    let other = file.with_file_name("another");
    std::fs::rename(&file, &other).unwrap();
    assert!(refused(start(&folder)).contains("of another engine"));
    assert_eq!(std::fs::read(&other).unwrap().len(), whole.len(), "it is left where it is");
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_may_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let temporary = tempfile::tempdir().unwrap();
    let folder = temporary.path().join("code");
    assert_eq!(start(&folder), Code::Compiled { instead_of_kept: None });
    let mode = std::fs::metadata(&folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "it is its owner's alone");
    let [file] = compiled(&folder).try_into().unwrap();
    for open in [file.parent().unwrap(), &folder, &file] {
        let before = std::fs::metadata(open).unwrap().permissions();
        std::fs::set_permissions(open, std::fs::Permissions::from_mode(before.mode() | 0o020)).unwrap();
        let why = refused(start(&folder));
        assert!(why.contains("may write to") && why.contains(&open.display().to_string()), "{why}");
        std::fs::set_permissions(open, before).unwrap();
    }
    assert_eq!(start(&folder), Code::Kept);
    // Nor is a file in place of the folder: the start goes on without.
    std::fs::write(temporary.path().join("file"), b"").unwrap();
    refused(start(&temporary.path().join("file")));
}
