//! The engine as a component and as a core module.
//!
//! Plain cargo builds the cdylib for wasm32-unknown-unknown; the wit-component crate wraps it. The result
//! must import nothing at all, which is checked here at every build.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::places::Places;
use crate::run::{cargo, output, say, write_if_new};
use crate::{setup, sizes, wit};

/// The target that brings no WASI imports with it.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Builds `flagstone.component.wasm`, `flagstone.core.wasm` and the WIT package `flagstone-flags.wit.wasm`; files that would not change are left alone.
pub(crate) fn component(places: &Places) -> Result<()> {
    setup::target(places, TARGET)?;
    say("building the engine (profile guest)");
    let built = guest(places, "flagstone-component", "guest", &[])?;
    let module = std::fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
    // The encoder reads the component's type from a custom section.
    let typed = without_custom_sections(&module, |name| name.starts_with("component-type"))?;
    let core = without_custom_sections(&module, |_| false)?;
    let encoded = wit_component::ComponentEncoder::default()
        .module(&typed)
        .context("the module's component type cannot be read")?
        .validate(true)
        .encode()
        .context("the module cannot be made a component")?;
    let imports = sizes::imports(&encoded)?;
    if !imports.is_empty() {
        bail!("the component imports `{}`; it must import nothing", imports.join("`, `"));
    }
    let package = (places.guest.join("flagstone-flags.wit.wasm"), wit::package(places)?);
    for (path, bytes) in [(places.component(), encoded), (places.core(), core), package] {
        let wrote = write_if_new(&path, &bytes)?;
        let shown = path.strip_prefix(&places.root).unwrap_or(&path).display();
        say(&format!("{shown}: {} bytes{}", bytes.len(), if wrote { "" } else { ", up to date" }));
    }
    Ok(())
}

/// Builds the judge as a module, for the test that compares it with the native one. With the everyday profile: the libraries'
/// macros are built already, and a release build would say nothing more about bits.
pub(crate) fn judge(places: &Places) -> Result<()> {
    say("building the judge (profile dev)");
    let built = guest(places, "judge-guest", "dev", &[])?;
    let module = std::fs::read(&built).with_context(|| format!("cannot read `{}`", built.display()))?;
    let wrote = write_if_new(&places.judge(), &without_custom_sections(&module, |_| false)?)?;
    say(if wrote { "the judge: written" } else { "the judge: up to date" });
    Ok(())
}

/// Builds one of our crates for the guest target and returns the wasm file that cargo names. `more` are arguments for
/// cargo.
pub(crate) fn guest(places: &Places, package: &str, profile: &str, more: &[&str]) -> Result<PathBuf> {
    let mut command = cargo(places);
    command.args(["build", "--package", package, "--profile", profile, "--target", TARGET]).args(more);
    command.arg("--message-format=json-render-diagnostics");
    command.env("CARGO_ENCODED_RUSTFLAGS", flags(places, profile));
    // wasm-bindgen reads the sections that stripping takes away, and strips by itself.
    command.env("CARGO_PROFILE_GUEST_SMALL_STRIP", "none");
    command.env("CARGO_PROFILE_GUEST_TOOLS_STRIP", "none");
    command.env("CARGO_PROFILE_GUEST_PLAYGROUND_STRIP", "none");
    let messages = output(&mut command)?;
    let name = package.replace('-', "_");
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(|message| {
            message["reason"] == "compiler-artifact" && message["target"]["name"] == name.as_str()
        })
        .filter_map(|message| message["filenames"].as_array().cloned())
        .flatten()
        .filter_map(|file| file.as_str().map(PathBuf::from))
        .find(|file| file.extension().is_some_and(|end| end == "wasm"))
        .with_context(|| format!("cargo named no wasm file for `{package}`"))
}

/// A stack of 64 KiB (it lies first in memory, so that an overflow traps; the compiler recurses into what authors nest and
/// has 1 MiB), and no paths of this machine in the result: the same source gives the same bytes anywhere.
fn flags(places: &Places, profile: &str) -> OsString {
    let stack = if ["guest-playground", "dev"].contains(&profile) { 1 << 20 } else { 1 << 16 };
    let mut flags = OsString::from(format!("-Clink-arg=-zstack-size={stack}"));
    if !["guest", "dev"].contains(&profile) {
        // Rounds in loops: a tenth of the code, and hashing is a small part of opening.
        flags.push("\u{1f}--cfg=sha2_backend_soft=\"compact\"");
        // The evaluator is built for speed, yet calls what is long instead of repeating it: 2 KB, and no slower.
        flags.push("\u{1f}-Cllvm-args=-inline-threshold=25");
    }
    let mut remap = |from: &Path, to: &str| {
        flags.push("\u{1f}--remap-path-prefix=");
        flags.push(from);
        flags.push("=");
        flags.push(to);
    };
    remap(&places.root, "flagstone");
    let home = |name: &str, folder: &str| {
        let set = std::env::var_os(name).map(PathBuf::from);
        set.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(folder)))
    };
    for (folder, name) in
        [(home("CARGO_HOME", ".cargo"), "cargo"), (home("RUSTUP_HOME", ".rustup"), "rustup")]
    {
        if let Some(folder) = folder {
            remap(&folder, name);
        }
    }
    flags
}

/// A module without its custom sections (names, producers), but for those whose name `keeps`.
fn without_custom_sections(module: &[u8], keeps: impl Fn(&str) -> bool) -> Result<Vec<u8>> {
    let (header, mut rest) = module.split_at_checked(8).context("the module has no header")?;
    let mut kept = header.to_vec();
    while let Some(&id) = rest.first() {
        let mut reader = wasmparser::BinaryReader::new(rest.get(1..).unwrap_or_default(), 0);
        let length = reader.read_var_u32()? as usize;
        let end = 1 + reader.current_position() + length;
        let custom = id == 0 && !keeps(reader.read_string()?);
        let (section, after) = rest.split_at_checked(end).context("the module ends inside a section")?;
        if !custom {
            kept.extend_from_slice(section);
        }
        rest = after;
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_custom_sections_that_are_kept_stay() {
        let header = b"\0asm\x01\0\0\0".as_slice();
        let (types, name, kept) =
            (b"\x01\x04\x01\x60\0\0".as_slice(), b"\0\x06\x04nameX", b"\0\x06\x04keepY");
        let module = [header, name, types, kept, name].concat();
        let stripped = without_custom_sections(&module, |name| name == "keep").unwrap();
        assert_eq!(stripped, [header, types, kept].concat());
        assert!(without_custom_sections(&module[..module.len() - 1], |_| false).is_err());
    }
}
