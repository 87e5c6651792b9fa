//! The last-known-good store: the old state or the new one, never anything between.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // helpers of tests

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::{World, mark};
use flagstone_host::store::{Kept, Store, StoreError};

fn kept(sequence: u64) -> Kept {
    let world = World::new();
    let file = world.snapshot(sequence, format!("payload {sequence}").as_bytes());
    Kept {
        trust: vec![(2, Arc::from(&b"trust two"[..]))],
        mark: Some(mark(&file)),
        pulse: Some(world.pulse(sequence, mark(&file), &[("flag", 1)], &[]).into()),
        pulse_number: Some(sequence),
        snapshot: Some(file.into()),
        latest_issued: common::NOW,
    }
}

fn read(folder: &Path) -> (Kept, Vec<String>) {
    let (_, kept, damage) = Store::open(folder).unwrap();
    (kept, damage)
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir_all(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[test]
fn what_is_saved_is_what_is_read_and_nothing_piles_up() {
    let folder = tempfile::tempdir().unwrap();
    let (store, first, damage) = Store::open(folder.path()).unwrap();
    assert_eq!((first, damage.len()), (Kept::default(), 0));
    for sequence in 1..=20 {
        store.save(&kept(sequence)).unwrap();
    }
    drop(store);
    assert_eq!(read(folder.path()), (kept(20), vec![]));
    assert_eq!(fs::read_dir(folder.path().join("objects")).unwrap().count(), 3);
}

#[test]
fn a_folder_has_one_host() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(folder.path()).unwrap();
    assert!(matches!(Store::open(folder.path()), Err(StoreError::InUse(_))));
    drop(first);
    assert!(Store::open(folder.path()).is_ok());
}

#[test]
fn every_moment_of_a_save_leaves_the_old_state_or_the_new_one() {
    // Every state of the folder that a kill can leave follows from the order of writes: any part of the new objects, their
    // unfinished forms cut anywhere, an unfinished manifest cut anywhere, and after its rename some old objects removed.
    let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (store, _, _) = Store::open(old.path()).unwrap();
    store.save(&kept(1)).unwrap();
    copy(old.path(), new.path());
    drop(store);
    let (store, _, _) = Store::open(new.path()).unwrap();
    store.save(&kept(2)).unwrap();
    drop(store);
    let names = |folder: &Path| {
        let entries = fs::read_dir(folder.join("objects")).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let fresh: Vec<String> =
        names(new.path()).into_iter().filter(|name| !names(old.path()).contains(name)).collect();
    let stale: Vec<String> =
        names(old.path()).into_iter().filter(|name| !names(new.path()).contains(name)).collect();
    assert_eq!((fresh.len(), stale.len()), (2, 2));
    let check = |prepare: &dyn Fn(&Path), expected: u64| {
        let folder = tempfile::tempdir().unwrap();
        copy(old.path(), folder.path());
        prepare(folder.path());
        assert_eq!(read(folder.path()), (kept(expected), vec![]));
    };
    let put = |folder: &Path, name: &str, as_name: &str, part: usize| {
        let bytes = fs::read(new.path().join(name)).unwrap();
        fs::write(folder.join(as_name), &bytes[..bytes.len() * part / 10]).unwrap();
    };
    let object = |name: &str| format!("objects/{name}");
    for done in 0..=fresh.len() {
        for part in 0..=10 {
            check(
                &|folder| {
                    for name in &fresh[..done] {
                        put(folder, &object(name), &object(name), 10);
                    }
                    match fresh.get(done) {
                        Some(next) => put(folder, &object(next), &format!("objects/{next}.unfinished"), part),
                        None => put(folder, "manifest.json", "manifest.json.unfinished", part),
                    }
                },
                1,
            );
        }
    }
    for removed in 0..=stale.len() {
        check(
            &|folder| {
                fresh.iter().for_each(|name| put(folder, &object(name), &object(name), 10));
                put(folder, "manifest.json", "manifest.json", 10);
                stale[..removed].iter().for_each(|name| fs::remove_file(folder.join(object(name))).unwrap());
            },
            2,
        );
    }
}

#[test]
fn damage_is_noticed_and_marks_outlive_it() {
    let folder = tempfile::tempdir().unwrap();
    let (store, _, _) = Store::open(folder.path()).unwrap();
    store.save(&kept(3)).unwrap();
    drop(store);
    for entry in fs::read_dir(folder.path().join("objects")).unwrap() {
        let path = entry.unwrap().path();
        let mut bytes = fs::read(&path).unwrap();
        bytes[3] ^= 1;
        fs::write(path, bytes).unwrap();
    }
    let (found, damage) = read(folder.path());
    assert_eq!((found.snapshot, found.pulse, found.trust.len()), (None, None, 0));
    assert_eq!((found.mark, found.pulse_number), (kept(3).mark, Some(3)));
    assert_eq!(damage.len(), 3, "{damage:?}");
    let (store, _, _) = Store::open(folder.path()).unwrap();
    store.save(&kept(3)).unwrap();
    drop(store);
    assert_eq!(read(folder.path()), (kept(3), vec![]), "and it heals");
    for broken in ["", "{", r#"{"version":2}"#, "null"] {
        fs::write(folder.path().join("manifest.json"), broken).unwrap();
        let (found, damage) = read(folder.path());
        assert_eq!((found, damage.len()), (Kept::default(), 1), "{broken}");
    }
}
