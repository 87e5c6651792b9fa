//! What each artefact weighs and imports, against the committed budget.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use wasmparser::{Parser, Payload};

use crate::places::Places;

/// One artefact's limits in `host-tests/budgets.toml`.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Budget {
    /// Path below `target/guest`.
    file: String,
    /// Most bytes as they are.
    raw: usize,
    /// Most bytes after gzip -9.
    gzip: usize,
    /// Most bytes after brotli 11.
    brotli: usize,
    /// Most imports; 0 for what must stand alone.
    imports: usize,
}

#[derive(Serialize)]
struct Row {
    name: String,
    raw: usize,
    gzip: usize,
    brotli: usize,
    imports: Vec<String>,
    budget: Budget,
    ok: bool,
}

/// Measures, prints a table and, with `json`, one line of JSON; failure when a budget is exceeded.
pub(crate) fn report(places: &Places, json: bool) -> Result<ExitCode> {
    let path = places.below("host-tests/budgets.toml");
    let text = std::fs::read_to_string(&path).context("cannot read `host-tests/budgets.toml`")?;
    let budgets: BTreeMap<String, Budget> = toml::from_str(&text).context("in `host-tests/budgets.toml`")?;
    let mut rows = Vec::new();
    for (name, budget) in budgets {
        rows.push(measure(places, name, budget)?);
    }
    println!("{:<16} {:>18} {:>18} {:>18} {:>9}", "artefact", "raw", "gzip", "brotli", "imports");
    for row in &rows {
        println!(
            "{:<16} {:>18} {:>18} {:>18} {:>9} {}",
            row.name,
            format!("{} / {}", row.raw, row.budget.raw),
            format!("{} / {}", row.gzip, row.budget.gzip),
            format!("{} / {}", row.brotli, row.budget.brotli),
            format!("{} / {}", row.imports.len(), row.budget.imports),
            if row.ok { "ok" } else { "OVER BUDGET" },
        );
    }
    let ok = rows.iter().all(|row| row.ok);
    if json {
        println!("{}", serde_json::json!({ "artefacts": rows, "ok": ok }));
    }
    Ok(if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn measure(places: &Places, name: String, budget: Budget) -> Result<Row> {
    let path = places.guest.join(&budget.file);
    let bytes = std::fs::read(&path).with_context(|| {
        format!("`{}` is not there\nhint: `cargo xtask build --browser` makes it", path.display())
    })?;
    let imports = if bytes.starts_with(b"\0asm") { imports(&bytes)? } else { Vec::new() };
    let (raw, gzip, brotli) = (bytes.len(), gzip(&bytes)?, brotli(&bytes)?);
    let ok = raw <= budget.raw
        && gzip <= budget.gzip
        && brotli <= budget.brotli
        && imports.len() <= budget.imports;
    Ok(Row { name, raw, gzip, brotli, imports, budget, ok })
}

/// The outermost imports of a module or component, as `module.name`.
pub(crate) fn imports(wasm: &[u8]) -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(wasm) {
        match payload.context("not a wasm module")? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ImportSection(section) if depth == 0 => {
                for import in section.into_imports() {
                    let import = import?;
                    found.push(format!("{}.{}", import.module, import.name));
                }
            }
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    found.push(import?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok(found)
}

fn gzip(bytes: &[u8]) -> Result<usize> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

fn brotli(bytes: &[u8]) -> Result<usize> {
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &*bytes, &mut out, &parameters)?;
    Ok(out.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A module with one type, and the import `m.f` of it.
    const MODULE: &[u8] = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x07\x01\x01m\x01f\0\0";

    #[test]
    fn imports_are_named() {
        assert_eq!(imports(MODULE).unwrap(), ["m.f"]);
        assert!(imports(&MODULE[..8]).unwrap().is_empty());
        assert!(imports(b"not wasm").is_err());
    }

    #[test]
    fn bytes_are_weighed_as_sent() {
        let text = "flagstone ".repeat(1_000);
        let (gzip, brotli) = (gzip(text.as_bytes()).unwrap(), brotli(text.as_bytes()).unwrap());
        assert!(brotli < gzip && gzip < 200, "{brotli} {gzip}");
    }
}
