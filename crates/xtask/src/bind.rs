//! The wasm-bindgen step, with the library that its command line uses.

use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

/// Turns the module that cargo built into `flagstone_bg.wasm` and its glue, an ES module for `import`.
/// The glue is named `flagstone_glue`, because `flagstone.js` is our own face over it.
pub(crate) fn bind(input: &Path, output: &Path) -> Result<()> {
    let _ = std::fs::remove_dir_all(output);
    std::fs::create_dir_all(output).with_context(|| format!("cannot make `{}`", output.display()))?;
    Bindgen::new()
        .input_path(input)
        .out_name("flagstone")
        .web(true)
        .and_then(|bindgen| {
            bindgen.typescript(true).remove_name_section(true).remove_producers_section(true);
            bindgen.generate(output)
        })
        .context("wasm-bindgen refused the module")?;
    for end in ["js", "d.ts"] {
        let made = output.join(format!("flagstone.{end}"));
        std::fs::rename(&made, output.join(format!("flagstone_glue.{end}")))
            .with_context(|| format!("wasm-bindgen made no `{}`", made.display()))?;
    }
    Ok(())
}
