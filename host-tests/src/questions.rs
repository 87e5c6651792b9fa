//! The shared vectors as files for embedders: every vector file sealed, its pulses signed, the native answers beside them
//! (docs/embedders.md).

use std::path::Path;

use anyhow::Result;
use flagstone_evaluate::{Context, explain_json};
use flagstone_snapshot::Snapshot;

use crate::embed::{packed, put};
use crate::fixture::{AUDIENCE, ENVIRONMENT};
use crate::vectors::{self, ISSUED, LEASE, Vectors, seal};

/// Writes a folder for each vector file, and `index.json` with their names, which it gives back.
///
/// # Errors
/// What cannot be read, sealed or written.
pub fn write(folder: &Path) -> Result<Vec<String>> {
    let mut index = Vec::new();
    for path in vectors::files()? {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        vector_file(&Vectors::read(&path)?, &folder.join(&name))?;
        index.push(name);
    }
    put(&folder.join("index.json"), serde_json::json!({ "vectors": index }).to_string().as_bytes())?;
    Ok(index)
}

/// One vector file, sealed: cases refer to pulses by number; each pulse is a file.
fn vector_file(vectors: &Vectors, folder: &Path) -> Result<()> {
    let bytes = vectors.snapshot()?;
    let snapshot = Snapshot::load(&bytes)?;
    let sealed = seal(&bytes)?;
    put(&folder.join("trust.txt"), &sealed.trust)?;
    put(&folder.join("flags.sealed"), &sealed.file)?;
    let pulses = vectors.pulses();
    let mut cases = Vec::new();
    for case in &vectors.cases {
        let (context, control) =
            (Context::from_json(&snapshot, case.context.get())?, case.control(&snapshot));
        let pulse = case.pulse.as_ref().and_then(|pulse| pulses.iter().position(|known| *known == pulse));
        cases.push(serde_json::json!({
            "name": case.name,
            "context": case.context,
            "flag": case.flag,
            "now": case.now,
            "pulse": pulse,
            "native": case.native(&snapshot)?,
            "expect": case.expect,
            "packed": packed(&snapshot, &control, case.context.get(), &case.flag, case.now)?,
            "explain": explain_json(&snapshot, &control, &context, &case.flag, case.now),
        }));
    }
    let mut listed = Vec::new();
    for (number, pulse) in pulses.iter().enumerate() {
        put(&folder.join(format!("pulse-{number}.txt")), &sealed.pulse(pulse, number as u64 + 1)?)?;
        listed.push(serde_json::json!({ "now": pulse.expires - LEASE }));
    }
    let all = serde_json::json!({
        "policy": { "audience": AUDIENCE, "environment": ENVIRONMENT, "now": ISSUED },
        "pulses": listed,
        "cases": cases,
    });
    put(&folder.join("cases.json"), all.to_string().as_bytes())
}
