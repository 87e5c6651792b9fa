//! News from a folder.

use std::fs;

use flagstone::{State, Unit};

use crate::world::{NOW, flags, sealed, world};

#[test]
fn a_folder_brings_trust_pulse_and_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let flags = flags();
    let empty = flags.look(folder.path(), NOW).unwrap();
    assert_eq!((empty.snapshot, empty.in_force), (false, None));

    let file = sealed("first", 1);
    let mark = crate::world::flags().offer(file.clone(), NOW).unwrap();
    let digest: String = mark.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(folder.path().join("trust"), world().trust).unwrap();
    fs::write(folder.path().join("pulse"), world().pulse(1, mark, &[], &[]).unwrap()).unwrap();
    fs::create_dir(folder.path().join("snapshots")).unwrap();
    // The pulse names what is not there yet: tried again at the next look.
    assert_eq!(flags.look(folder.path(), NOW).unwrap_err().code(), "file");
    fs::write(folder.path().join("snapshots").join(digest), &file).unwrap();
    let looked = flags.look(folder.path(), NOW).unwrap();
    assert_eq!((looked.snapshot, looked.in_force, looked.trust), (true, Some(mark), false));
    assert_eq!(flags.state(NOW), State::Fresh);
    assert_eq!(flags.decide(&mut Unit::json("{}"), "word", NOW).text().unwrap(), "first");
    assert!(!flags.look(folder.path(), NOW).unwrap().snapshot);
}
