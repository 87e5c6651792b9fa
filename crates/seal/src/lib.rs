//! Sealed files: statements, trust root, thresholds, freshness.
