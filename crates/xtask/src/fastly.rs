//! Guests for Fastly Compute: `examples/fastly`, and the one that asks the shared vectors. Viceroy runs them here; building that takes a
//! quarter of an hour and is nobody's duty, so what needs it is left out, in words, where it is not.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, bail};

use crate::places::Places;
use crate::run::{cargo, say, succeed, which};
use crate::setup;

const TARGET: &str = "wasm32-wasip1";
/// Names the program where it is not on the search path; runners and tests are told by it too.
const VARIABLE: &str = "FLAGSTONE_VICEROY";
/// How it is got.
pub(crate) const HINT: &str = "`cargo install viceroy --version 0.16.5 --locked` builds Viceroy in a quarter of an hour; it is found on the search path or by FLAGSTONE_VICEROY";

/// Viceroy and the guests, ready to run.
pub(crate) struct Guests {
    viceroy: PathBuf,
    folder: PathBuf,
}

impl Guests {
    /// Tells a program in Node where they are.
    pub(crate) fn tell(&self, command: &mut Command) {
        command.env(VARIABLE, &self.viceroy);
        command.env("FLAGSTONE_FASTLY_EMBEDDER", self.folder.join("fastly-embedder.wasm"));
        command.env("FLAGSTONE_FASTLY_EXAMPLE", self.folder.join("fastly-example.wasm"));
    }
}

/// Where Viceroy is; none where it is not.
pub(crate) fn viceroy() -> Result<Option<PathBuf>> {
    let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()).map(PathBuf::from) else {
        return Ok(which(&["viceroy"]));
    };
    if !named.is_file() {
        bail!("{VARIABLE} names `{}`, which is no file\nhint: {HINT}", named.display());
    }
    Ok(Some(std::path::absolute(named)?))
}

/// Builds the guests where Viceroy is there to run them.
pub(crate) fn guests(places: &Places) -> Result<Option<Guests>> {
    let Some(viceroy) = viceroy()? else { return Ok(None) };
    setup::target(places, TARGET)?;
    say("building the guests for Fastly Compute (the first time with their crates, two minutes)");
    let target = places.below("target/fastly");
    let mut command = cargo(places);
    command.args(["build", "--quiet", "--release", "--locked", "--workspace", "--target", TARGET]);
    command.arg("--manifest-path").arg(places.below("examples/fastly/Cargo.toml"));
    succeed(command.arg("--target-dir").arg(&target))?;
    Ok(Some(Guests { viceroy, folder: target.join(TARGET).join("release") }))
}
