//! The npm package: built, tested, and tried as somebody would who has just found it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;

use crate::embedders::{self, Given};
use crate::places::Places;
use crate::run::{say, succeed};
use crate::{check, fastly, pass, setup};

/// Where the package's `dist` is, when it has been built.
pub(crate) fn folder(places: &Places) -> PathBuf {
    places.below("providers/js/dist")
}

/// Builds `providers/js` from the browser build and returns its `dist`.
pub(crate) fn package(places: &Places) -> Result<PathBuf> {
    let package = places.below("providers/js");
    setup::npm(&package)?;
    succeed(Command::new("node").arg("build.mjs").arg(places.browser()).current_dir(&package))?;
    Ok(folder(places))
}

/// The check's step: the core module by its flat ABI, the package's own tests, the page in Chromium, a newcomer's path, every
/// runtime that npm has, and Viceroy where it is.
pub(crate) fn check(places: &Places) -> Result<()> {
    let fixtures = check::fixtures(places)?;
    let node = |file: &str| {
        let mut node = Command::new("node");
        node.arg(places.below(file)).env("FIXTURES", &fixtures);
        node
    };
    succeed(node("host-tests/node/core.test.mjs").env("CORE", places.core()))?;
    let dist = package(places)?;
    // The runtimes for the example at the edge, and what drives Chromium.
    let (page, chromium) = (places.below("host-tests/browser-page"), setup::chromium()?);
    setup::npm(&places.below("host-tests/embedders"))?;
    setup::npm(&page)?;
    // One process: each file of its own would load the engine and the SDKs again.
    let mut tests = node("providers/js/test/all.mjs");
    let flagstone = pass::binary_of(places, "flagstone-cli", "flagstone")?;
    tests.env("FLAGSTONE", &flagstone);
    let guests = fastly::guests(places)?;
    match &guests {
        Some(guests) => guests.tell(&mut tests),
        None => say(&format!("Viceroy is not here, so examples/fastly is not asked; {}", fastly::HINT)),
    }
    succeed(tests.env("FLAGSTONE_COMPONENT", places.component()).env("CHROMIUM", &chromium))?;
    succeed(&mut node("providers/js/test/newcomer.mjs"))?;
    let mut browser = Command::new("node");
    browser.arg("test.mjs").current_dir(&page).env("CHROMIUM", &chromium);
    succeed(browser.env("FIXTURES", &fixtures).env("BROWSER_BUILD", places.browser()))?;
    let mut playground = Command::new("node");
    playground.arg("playground.test.mjs").current_dir(&page).env("CHROMIUM", &chromium);
    playground.env("FLAGSTONE", &flagstone).env("PLAYGROUND", places.playground());
    succeed(playground.env("SHOTS", places.below("target/screenshots")))?;
    let mut only = ["bun", "chromium", "deno", "jco", "node", "workerd"].map(String::from).to_vec();
    only.extend(guests.map(|_| "viceroy".to_owned()));
    let code = embedders::rows(places, &Given { fixtures, package: dist }, &only, false)?;
    anyhow::ensure!(code == std::process::ExitCode::SUCCESS, "an embedder answers otherwise than the others");
    Ok(())
}
