//! The native harness: sync, last-known-good store, wasmtime engine, spool and report.
