//! The wasm-bindgen step, with the library that its command line uses.

use std::path::Path;

use anyhow::{Context, Result};
use wasm_bindgen_cli_support::Bindgen;

/// Turns the module that cargo built into `NAME_bg.wasm` and its glue `NAME_glue.js`, an ES module for `import`; `NAME`
/// is the output folder's own name. Our own face over the glue has the name without `_glue`.
pub(crate) fn bind(input: &Path, output: &Path) -> Result<()> {
    let name = output.file_name().context("the output folder has no name")?.to_string_lossy();
    let _ = std::fs::remove_dir_all(output);
    std::fs::create_dir_all(output).with_context(|| format!("cannot make `{}`", output.display()))?;
    Bindgen::new()
        .input_path(input)
        .out_name(&name)
        .web(true)
        .and_then(|bindgen| {
            bindgen.typescript(true).remove_name_section(true).remove_producers_section(true);
            bindgen.generate(output)
        })
        .context("wasm-bindgen refused the module")?;
    for end in ["js", "d.ts"] {
        let made = output.join(format!("{name}.{end}"));
        std::fs::rename(&made, output.join(format!("{name}_glue.{end}")))
            .with_context(|| format!("wasm-bindgen made no `{}`", made.display()))?;
    }
    Ok(())
}
