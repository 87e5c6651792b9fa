//! Rules about the source text itself.

#![allow(clippy::unwrap_used)] // helpers of tests, outside a #[test] function

use std::path::{Path, PathBuf};

/// All source files beneath a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// Platform mathematics differs in the last bit between systems; replay and wasm need `libm`. Library code therefore
/// calls none of the float methods that are implemented by the platform.
#[test]
fn no_platform_mathematics() {
    let forbidden = [
        ".ln()",
        ".ln_1p(",
        ".exp()",
        ".exp_m1(",
        ".exp2(",
        ".log(",
        ".log2(",
        ".log10(",
        ".sqrt()",
        ".cbrt(",
        ".powi(",
        ".powf(",
        ".sin(",
        ".cos(",
        ".tan(",
        ".tanh(",
        ".hypot(",
        ".mul_add(",
        ".gamma(",
        ".erf(",
        "SystemTime",
        "Instant",
    ];
    let mut files = 0;
    for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in
            text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
        {
            for call in forbidden {
                assert!(!line.contains(call), "{}:{} uses `{call}`", path.display(), number + 1);
            }
        }
        files += 1;
    }
    assert!(files > 15, "{files} files read");
}
