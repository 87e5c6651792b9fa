//! Authored definition -> diagnostics and snapshot.
