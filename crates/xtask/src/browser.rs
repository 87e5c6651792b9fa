//! The browser build: wasm-bindgen's output beside our own small module.
//!
//! The wasm-bindgen step is a library that takes longer to build than everything else here, so it sits
//! behind the feature `browser`, and this file starts a second xtask that has it.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::places::Places;
use crate::run::{cargo, say, succeed, write_if_new};
use crate::{artefacts, setup};

/// Our own files, copied as they are.
const OWN: [&str; 2] = ["flagstone.js", "flagstone.d.ts"];

/// Builds `target/guest/browser/`: `flagstone.js` and its types (ours), `flagstone_glue.js` and
/// `flagstone_bg.wasm` (wasm-bindgen's).
pub(crate) fn build(places: &Places) -> Result<()> {
    setup::target(places, artefacts::TARGET)?;
    say("building the engine for browsers (profile guest-small)");
    let module = artefacts::guest(places, "flagstone-browser", "guest-small")?;
    let bytes = std::fs::read(&module).with_context(|| format!("cannot read `{}`", module.display()))?;
    let optimiser = optimiser(places);
    let folder = places.browser();
    let mut hasher = DefaultHasher::new();
    (&bytes, &optimiser).hash(&mut hasher);
    let stamp = format!("{:016x}\n", hasher.finish());
    let stamp_path = folder.join(".stamp");
    let fresh = std::fs::read_to_string(&stamp_path).is_ok_and(|old| old == stamp)
        && folder.join("flagstone_bg.wasm").is_file()
        && folder.join("flagstone_glue.js").is_file();
    if fresh {
        say("target/guest/browser: up to date");
    } else {
        say("wasm-bindgen (its library is built the first time)");
        let mut bind = cargo(places);
        bind.args(["run", "--quiet", "--package", "xtask", "--features", "browser", "--", "bind"]);
        succeed(bind.arg(&module).arg(&folder))?;
        let made = folder.join("flagstone_bg.wasm");
        if let Some(wasm_opt) = optimiser {
            say("wasm-opt -Oz (from host-tests/node)");
            let mut command = std::process::Command::new(wasm_opt);
            command.args(["-Oz", "--enable-bulk-memory", "--enable-sign-ext", "--enable-mutable-globals"]);
            command.args([
                "--enable-nontrapping-float-to-int",
                "--enable-multivalue",
                "--enable-reference-types",
            ]);
            succeed(command.arg(&made).arg("-o").arg(&made))?;
        }
        write_if_new(&stamp_path, stamp.as_bytes())?;
    }
    for name in OWN {
        let path = places.below("crates/browser/js").join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        write_if_new(&folder.join(name), &bytes)?;
    }
    Ok(())
}

/// npm's `binaryen`, when somebody installed it in `host-tests/node`.
fn optimiser(places: &Places) -> Option<PathBuf> {
    let path = places.below("host-tests/node/node_modules/.bin/wasm-opt");
    path.is_file().then_some(path)
}
