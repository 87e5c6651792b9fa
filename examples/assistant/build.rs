//! Lists the Markdown files of `articles/` and `prompts/` so that they are part of the binary.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn list(folder: &str, constant: &str, out: &mut String) -> io::Result<()> {
    println!("cargo:rerun-if-changed={folder}");
    let root = env::var("CARGO_MANIFEST_DIR").map_err(io::Error::other)?;
    let mut files: Vec<PathBuf> = fs::read_dir(Path::new(&root).join(folder))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    let _ = writeln!(out, "/// The files of `{folder}/`: name without ending, text.");
    let _ = writeln!(out, "pub(crate) const {constant}: &[(&str, &str)] = &[");
    for path in files {
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let _ = writeln!(out, "    ({name:?}, include_str!({:?})),", path.display().to_string());
    }
    out.push_str("];\n");
    Ok(())
}

fn main() -> io::Result<()> {
    let mut out = String::new();
    list("articles", "ARTICLES", &mut out)?;
    list("prompts", "PROMPTS", &mut out)?;
    let folder = env::var("OUT_DIR").map_err(io::Error::other)?;
    fs::write(Path::new(&folder).join("embedded.rs"), out)
}
