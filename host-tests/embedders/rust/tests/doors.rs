//! The shared vectors, the refused files and the pulses through every door that Rust has: the native library, its sandbox, the component by
//! dynamic values, the core module by its flat ABI. All answer the same bytes, which are those that the fixtures have from the native engine.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::process::Command;

fn component() -> PathBuf {
    let built =
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../target/guest/flagstone.component.wasm");
    std::env::var_os("FLAGSTONE_COMPONENT").map_or_else(built, PathBuf::from)
}

/// Vectors passed, and the hashes of answers and explanations.
fn row(program: &str, first: &[&str], fixtures: &Path, component: &Path) -> (u64, String, String) {
    let mut command = Command::new(program);
    let told = command.args(first).arg(fixtures).arg("-").arg(component).output().unwrap();
    assert!(told.status.success(), "{first:?}: {}", String::from_utf8_lossy(&told.stderr));
    let row: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(row["vectors"]["failed"], serde_json::json!([]), "{first:?}");
    let text = |member: &str| row[member].as_str().unwrap().to_owned();
    (row["vectors"]["passed"].as_u64().unwrap(), text("answers"), text("explained"))
}

#[test]
fn every_door_answers_the_same_bytes() {
    // A folder without W, so that nothing is measured.
    let folder = tempfile::tempdir().unwrap();
    host_tests::questions::write(folder.path()).unwrap();
    host_tests::embed::refused(&folder.path().join("refused")).unwrap();
    // Beside copies of the artefacts, for compiled code is kept there.
    let artefacts = tempfile::tempdir().unwrap();
    let copy = artefacts.path().join("flagstone.component.wasm");
    let built = component();
    std::fs::copy(&built, &copy).unwrap_or_else(|error| {
        panic!("{}: {error}\nhint: run `cargo xtask build`", built.display());
    });
    std::fs::copy(built.with_file_name("flagstone.core.wasm"), copy.with_file_name("flagstone.core.wasm"))
        .unwrap();
    let (passed, answers, explained) = row(env!("CARGO_BIN_EXE_native-embedder"), &[], folder.path(), &copy);
    assert!(passed > 2_000, "{passed} answers are few");
    for door in ["component", "core", "sandbox"] {
        let told = row(env!("CARGO_BIN_EXE_wasm-embedder"), &[door], folder.path(), &copy);
        assert_eq!((&told.1, &told.2), (&answers, &explained), "{door}");
        // The sandbox has no packed decisions; the others were asked everything.
        assert!(if door == "sandbox" { told.0 < passed } else { told.0 == passed }, "{door}: {}", told.0);
    }
}
