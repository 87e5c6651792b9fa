//! What the tests share: the shared data's place, and compiling in one line.
#![allow(dead_code, missing_docs, clippy::expect_used, clippy::panic)]

use std::path::{Path, PathBuf};

use flagstone_compile::{Options, Outcome, Source, compile};

/// The shared folder: `FLAGSTONE_SHARED`, or `../shared` beside the checkout. None when it is not there.
pub(crate) fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("FLAGSTONE_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"), PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    println!("no shared data at `{}`, so only what needs none is tested", folder.display());
    None
}

pub(crate) fn options() -> Options {
    Options { environment: "production".into(), ..Options::default() }
}

pub(crate) fn strict() -> Options {
    Options { strict: true, ..options() }
}

pub(crate) fn yaml(text: &str) -> Outcome {
    compile(&Source::new("flags.yaml", text), &options())
}

/// The files below `folder` whose names end in `.json`, sorted.
pub(crate) fn json_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder can be listed")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    files
}

pub(crate) fn source(path: &Path) -> Source {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Source::new(name, std::fs::read_to_string(path).expect("the file can be read"))
}

/// The findings as text.
pub(crate) fn said(source: &Source, options: &Options) -> String {
    compile(source, options).diagnostics.render(source, false).trim_end().to_owned()
}
