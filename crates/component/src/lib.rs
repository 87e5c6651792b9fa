//! The WASI component over wit/: conversions only, no imports.
