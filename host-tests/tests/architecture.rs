//! The shape of the project, checked: who may depend on whom, what the component imports, how long a file is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The dependency table of ARCHITECTURE.md: crate -> our crates it may depend on outside its tests.
fn table() -> BTreeMap<&'static str, &'static [&'static str]> {
    BTreeMap::from([
        ("flagstone-snapshot", &[] as &[&str]),
        ("flagstone-seal", &[]),
        ("flagstone-evaluate", &["flagstone-snapshot"]),
        ("flagstone-compile", &["flagstone-snapshot"]),
        ("flagstone-events", &["flagstone-snapshot"]),
        ("flagstone-judge", &["flagstone-events"]),
        ("flagstone-report", &["flagstone-judge"]),
        (
            "flagstone-simulate",
            &["flagstone-snapshot", "flagstone-compile", "flagstone-evaluate", "flagstone-judge"],
        ),
        ("flagstone-component", &["flagstone-snapshot", "flagstone-seal", "flagstone-evaluate"]),
        ("flagstone-browser", &["flagstone-snapshot", "flagstone-seal", "flagstone-evaluate"]),
        ("flagstone-playground", &["flagstone-compile", "flagstone-snapshot", "flagstone-evaluate"]),
        (
            "flagstone-host",
            &["flagstone-snapshot", "flagstone-seal", "flagstone-evaluate", "flagstone-events"],
        ),
        (
            "flagstone-govern",
            &[
                "flagstone-compile",
                "flagstone-seal",
                "flagstone-events",
                "flagstone-judge",
                "flagstone-report",
                "flagstone-snapshot",
                "flagstone-evaluate",
            ],
        ),
        (
            "flagstone",
            &[
                "flagstone-snapshot",
                "flagstone-seal",
                "flagstone-evaluate",
                "flagstone-events",
                "flagstone-host",
            ],
        ),
    ])
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn metadata() -> cargo_metadata::Metadata {
    cargo_metadata::MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().unwrap()
}

#[test]
fn crates_depend_only_on_what_the_table_allows() {
    let table = table();
    let ours: BTreeSet<String> = metadata().packages.iter().map(|package| package.name.to_string()).collect();
    for package in metadata().packages {
        let Some(allowed) = table.get(package.name.as_str()) else { continue };
        for dependency in &package.dependencies {
            if dependency.kind == cargo_metadata::DependencyKind::Normal && ours.contains(&dependency.name) {
                assert!(
                    allowed.contains(&dependency.name.as_str()),
                    "`{}` may not depend on `{}`: see the table in ARCHITECTURE.md",
                    package.name,
                    dependency.name
                );
            }
        }
    }
    for name in table.keys() {
        assert!(ours.contains(*name), "the table names `{name}`, which is no crate");
    }
}

#[test]
fn the_table_in_the_document_is_the_one_checked_here() {
    let document = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    for (name, allowed) in table() {
        let short = name.trim_start_matches("flagstone-");
        let row = document
            .lines()
            .find(|line| line.starts_with(&format!("| {short} |")))
            .unwrap_or_else(|| panic!("ARCHITECTURE.md has no row `| {short} |`"));
        let cell = row.split('|').nth(2).unwrap_or_default().trim();
        let told: BTreeSet<String> = cell
            .split(',')
            .map(str::trim)
            .filter(|word| !word.is_empty() && *word != "-")
            .map(|word| format!("flagstone-{word}"))
            .collect();
        let checked: BTreeSet<String> = allowed.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(told, checked, "the row of `{short}`");
    }
}

#[test]
fn the_guests_and_the_engine_use_no_standard_library_and_no_clock() {
    for name in ["snapshot", "seal", "evaluate", "component"] {
        let lib = std::fs::read_to_string(root().join(format!("crates/{name}/src/lib.rs"))).unwrap();
        assert!(lib.contains("#![no_std]") || lib.contains("no_std)]"), "crates/{name} is not no_std");
    }
    for name in ["snapshot", "seal", "evaluate", "judge", "report", "compile", "simulate"] {
        let folder = root().join(format!("crates/{name}/src"));
        let lib = std::fs::read_to_string(folder.join("lib.rs")).unwrap();
        for (path, text) in sources(&folder) {
            let module = path.file_stem().unwrap().to_string_lossy().into_owned();
            if module == "tests" || lib.contains(&format!("#[cfg(test)]\nmod {module};")) {
                continue;
            }
            for forbidden in ["SystemTime", "Instant::now", "getrandom", "thread_rng", "std::fs"] {
                assert!(!text.contains(forbidden), "{} uses `{forbidden}`", path.display());
            }
        }
    }
}

/// Neither blank nor a comment.
fn is_code(line: &str) -> bool {
    let line = line.trim();
    !line.is_empty() && !line.starts_with("//")
}

#[test]
fn the_faces_are_thin() {
    // The browser's has two builds: numbers for pages, objects for people who debug.
    for (name, most) in [("component", 300), ("browser", 600)] {
        let lines: usize = sources(&root().join(format!("crates/{name}/src")))
            .iter()
            .filter(|(path, _)| path.extension().is_some_and(|extension| extension == "rs"))
            .map(|(_, text)| text.lines().filter(|line| is_code(line)).count())
            .sum();
        assert!(lines <= most, "crates/{name}/src has {lines} lines of code; a face is conversions only");
    }
}

#[test]
fn the_component_imports_nothing() {
    let path = std::env::var_os("FLAGSTONE_COMPONENT")
        .map_or_else(|| root().join("target/guest/flagstone.component.wasm"), PathBuf::from);
    let bytes = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}\nhint: run `cargo xtask build`", path.display()));
    let mut depth = 0;
    let mut exports = Vec::new();
    for payload in wasmparser::Parser::new(0).parse_all(&bytes) {
        match payload.unwrap() {
            wasmparser::Payload::ModuleSection { .. } | wasmparser::Payload::ComponentSection { .. } => {
                depth += 1
            }
            wasmparser::Payload::End(_) if depth > 0 => depth -= 1,
            wasmparser::Payload::ComponentImportSection(section) if depth == 0 => {
                assert_eq!(section.count(), 0, "the component imports something");
            }
            wasmparser::Payload::ComponentExportSection(section) if depth == 0 => {
                exports.extend(section.into_iter().map(|export| export.unwrap().name.name.to_owned()));
            }
            _ => {}
        }
    }
    exports.sort();
    assert_eq!(exports, ["flagstone:flags/cohorts@0.1.0", "flagstone:flags/evaluator@0.1.0"]);
}

#[test]
fn no_file_is_too_long() {
    let mut long = Vec::new();
    for folder in ["crates", "host-tests", "examples", "providers"] {
        for (path, text) in sources(&root().join(folder)) {
            let lines = text.lines().count();
            if lines > 800 {
                long.push(format!("{} has {lines} lines", path.display()));
            }
        }
    }
    assert!(long.is_empty(), "split these, one idea a file:\n{}", long.join("\n"));
}

#[test]
fn every_source_file_tells_what_it_is_for() {
    for (path, text) in sources(&root().join("crates")) {
        if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            let first = text.lines().next().unwrap_or_default();
            assert!(first.starts_with("//!"), "{} begins with no `//!` line", path.display());
        }
    }
}

/// Source files below a folder, without what package managers and builds put there.
fn sources(folder: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        // Not ours and not in the repository: `cargo component build` leaves it there.
        if path.ends_with("component/src/bindings.rs") {
            continue;
        }
        if path.is_dir() {
            if !matches!(name.as_str(), "target" | "node_modules" | "vectors" | "corpus" | "__pycache__") {
                found.extend(sources(&path));
            }
        } else if matches!(
            path.extension().and_then(|extension| extension.to_str()),
            Some("rs" | "ts" | "js" | "mjs" | "py" | "wit" | "sql" | "html" | "css")
        ) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    found
}
