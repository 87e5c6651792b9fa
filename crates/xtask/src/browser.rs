//! The browser builds: the evaluator that pages ship, the tools for people who debug, and the playground.
//!
//! The wasm-bindgen step is a library that takes longer to build than everything else here, so it sits
//! behind the feature `browser`, and this file starts a second xtask that has it. wasm-opt is npm's `binaryen`, which
//! `host-tests/browser-page` locks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::places::Places;
use crate::run::{cargo, say, succeed, write_if_new};
use crate::{artefacts, setup};

/// One of the builds: what cargo builds it with, wasm-bindgen's name for it, and what of wasm-bindgen's ships.
struct Build {
    package: &'static str,
    profile: &'static str,
    more: &'static [&'static str],
    name: &'static str,
    /// All it exports, when that is less than wasm-bindgen leaves in it.
    exports: &'static [&'static str],
    /// A part of it that is weighed by itself: a file below `target/guest/weighed`, and the functions in it.
    weighed: Option<(&'static str, &'static [&'static str])>,
    /// Where it ships to, below `target/guest`.
    folder: &'static str,
    ships: &'static [&'static str],
}

/// The functions of evaluator and playground take and return numbers: they need neither wasm-bindgen's glue nor what that
/// imports.
const BUILDS: [Build; 3] = [
    Build {
        package: "flagstone-browser",
        profile: "guest-small",
        more: &[],
        name: "flagstone",
        exports: &EXPORTS,
        weighed: Some(("opener.wasm", &OPENER)),
        folder: "browser",
        ships: &["flagstone_bg.wasm"],
    },
    Build {
        package: "flagstone-browser",
        profile: "guest-tools",
        more: &["--features", "tools"],
        name: "flagstone-tools",
        exports: &[],
        weighed: None,
        folder: "browser",
        ships: &["flagstone-tools_bg.wasm", "flagstone-tools_glue.js", "flagstone-tools_glue.d.ts"],
    },
    Build {
        package: "flagstone-playground",
        profile: "guest-playground",
        more: &[],
        name: "flagstone-playground",
        exports: &["memory", "scratch", "ask"],
        weighed: None,
        folder: "playground",
        ships: &["flagstone-playground_bg.wasm"],
    },
];

/// The evaluator's functions (docs/engine.md).
const EXPORTS: [&str; 14] = [
    "memory", "scratch", "rest", "open", "pulse", "context", "evaluate", "once", "all", "value", "decision",
    "forget", "close", "advance",
];

/// Those that open: signatures, digest, statements, every check of the snapshot, pulses. Without what decides.
const OPENER: [&str; 6] = ["memory", "scratch", "rest", "open", "pulse", "close"];

/// The playground's page, and what it shares with the dashboard; shipped as they are, for people to read.
const PAGE: [&str; 10] = [
    "playground/page/index.html",
    "playground/page/playground.css",
    "playground/page/page.js",
    "playground/page/answer.js",
    "playground/page/editor.js",
    "playground/page/engine.js",
    "playground/page/examples.js",
    "playground/page/link.js",
    "playground/page/pulse.js",
    "govern/assets/dom.js",
];

/// Our own files.
const OWN: [&str; 4] = ["flagstone.js", "flagstone.d.ts", "flagstone-tools.js", "flagstone-tools.d.ts"];

/// What our modules may use: everything that browsers have had since 2022.
const FEATURES: [&str; 6] = [
    "--enable-bulk-memory",
    "--enable-sign-ext",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-multivalue",
    "--enable-reference-types",
];

/// Small; but what is called once is not moved into its caller where it is long: engines compile a function when it is first
/// called, and most decisions need none of the rare operators (a first decision in Node: 1.0 ms instead of 2.5).
const SMALL: [&str; 2] = ["-Oz", "--one-caller-inline-max-function-size=1500"];

/// Builds `target/guest/browser/`: `flagstone.js` over `flagstone_bg.wasm`, and `flagstone-tools.js` over those of the
/// tools, with types; and `target/guest/playground/`, a page that any static server can serve.
pub(crate) fn build(places: &Places) -> Result<()> {
    setup::target(places, artefacts::TARGET)?;
    setup::npm(&places.below("host-tests/browser-page"))?;
    for one in &BUILDS {
        bound(places, one)?;
    }
    for name in OWN {
        let path = places.below("crates/browser/js").join(name);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        let text = if name.ends_with(".d.ts") { text } else { lean(&text) };
        write_if_new(&places.browser().join(name), text.as_bytes())?;
    }
    for name in PAGE {
        let path = places.below("crates").join(name);
        let text = std::fs::read(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        write_if_new(&places.playground().join(path.file_name().unwrap_or_default()), &text)?;
    }
    Ok(())
}

/// Builds one, binds it, optimises it, and puts what ships of it in place.
fn bound(places: &Places, build: &Build) -> Result<()> {
    let Build { package, profile, name, .. } = build;
    say(&format!("building {name} for browsers (profile {profile})"));
    let module = artefacts::guest(places, package, profile, build.more)?;
    let bytes = std::fs::read(&module).with_context(|| format!("cannot read `{}`", module.display()))?;
    let lock = std::fs::read(places.below("host-tests/browser-page/package-lock.json"))?;
    let mut hasher = DefaultHasher::new();
    (&bytes, &lock, build.exports, build.weighed).hash(&mut hasher);
    let stamp = format!("{:016x}\n", hasher.finish());
    let (folder, shipped) = (places.guest.join("bound").join(name), places.guest.join(build.folder));
    let stamp_path = folder.join(".stamp");
    if std::fs::read_to_string(&stamp_path).is_ok_and(|old| old == stamp)
        && build.ships.iter().all(|file| shipped.join(file).is_file())
        && build.weighed.is_none_or(|(file, _)| places.guest.join("weighed").join(file).is_file())
    {
        say(&format!("{name}: up to date"));
        return Ok(());
    }
    say("wasm-bindgen (its library is built the first time)");
    let mut bind = cargo(places);
    bind.args(["run", "--quiet", "--package", "xtask", "--features", "browser", "--", "bind"]);
    succeed(bind.arg(&module).arg(&folder))?;
    let wasm = folder.join(format!("{name}_bg.wasm"));
    if !build.exports.is_empty() {
        prune(places, &wasm, build.exports)?;
    }
    say("wasm-opt -Oz");
    binaryen(places, "wasm-opt", &wasm, &SMALL)?;
    if let Some((file, exports)) = build.weighed {
        let part = folder.join(file);
        std::fs::copy(&wasm, &part)?;
        prune(places, &part, exports)?;
        binaryen(places, "wasm-opt", &part, &SMALL)?;
        write_if_new(&places.guest.join("weighed").join(file), &std::fs::read(&part)?)?;
    }
    for file in build.ships {
        let made = folder.join(file);
        let bytes = std::fs::read(&made).with_context(|| format!("cannot read `{}`", made.display()))?;
        write_if_new(&shipped.join(file), &bytes)?;
    }
    write_if_new(&stamp_path, stamp.as_bytes()).map(drop)
}

/// Leaves only these exports, and what they need.
fn prune(places: &Places, wasm: &Path, exports: &[&str]) -> Result<()> {
    let name = |export: &&str| format!("export {export}");
    let mut graph = vec![serde_json::json!({
        "name": "host", "root": true, "reaches": exports.iter().map(name).collect::<Vec<_>>(),
    })];
    graph.extend(exports.iter().map(|export| serde_json::json!({ "name": name(export), "export": export })));
    let path = wasm.with_extension("graph.json");
    std::fs::write(&path, serde_json::Value::from(graph).to_string())?;
    binaryen(places, "wasm-metadce", wasm, &["--quiet", &format!("--graph-file={}", path.display())])
}

/// Runs one of binaryen's programs over a module, in place.
fn binaryen(places: &Places, program: &str, wasm: &Path, arguments: &[&str]) -> Result<()> {
    let program = places.below("host-tests/browser-page/node_modules/.bin").join(program);
    let mut command = Command::new(program);
    command.args(arguments).args(FEATURES).arg(wasm).arg("-o").arg(wasm);
    succeed(command.stdout(Stdio::null()))
}

/// A module without its comments' lines and indentation. Comments at the end of a line stay: telling them from text
/// takes a parser.
fn lean(module: &str) -> String {
    let mut out = String::from(
        "// Flagstone for JavaScript; comments are in the .d.ts beside this file and in docs/engine.md.\n",
    );
    for line in module.lines().map(str::trim_start) {
        let comment = line.starts_with("//") || (line.starts_with("/**") && line.ends_with("*/"));
        if !line.is_empty() && !comment {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lean_module_keeps_its_code() {
        let module = "// A face.\n\n/** Adds. */\nexport function add(a, b) {\n  return a + b; // a sum\n}\n";
        let lines: Vec<_> = lean(module).lines().skip(1).map(String::from).collect();
        assert_eq!(lines, ["export function add(a, b) {", "return a + b; // a sum", "}"]);
    }
}
