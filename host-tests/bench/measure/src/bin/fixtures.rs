//! `fixtures WORKLOAD FOLDER`: sealed files of W for the Node bench, so that it opens what a service would.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use flagstone_measure::Workload;
use host_tests::fixture::{AUDIENCE, ENVIRONMENT, ISSUED, World, snapshot};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [workload, folder] = arguments.as_slice() else { bail!("usage: fixtures WORKLOAD FOLDER") };
    write(&Workload::read(Path::new(workload))?, Path::new(folder))
}

/// Writes `trust.txt`, `policy.json`, `w100.sealed` and `w5000.sealed`.
fn write(workload: &Workload, folder: &Path) -> Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    let world = World::new(ISSUED)?;
    let policy = serde_json::json!({"audience": AUDIENCE, "environment": ENVIRONMENT,
        "now": flagstone_measure::NOW, "maxPayload": 16 << 20});
    std::fs::write(folder.join("trust.txt"), &world.trust)?;
    std::fs::write(folder.join("policy.json"), policy.to_string())?;
    for (name, definition) in [("w100", &workload.definition_100), ("w5000", &workload.definition_5000)] {
        let sealed = world.seal(&snapshot(name, definition)?, 1)?;
        std::fs::write(folder.join(format!("{name}.sealed")), sealed)?;
    }
    Ok(())
}
