//! The rules of the order of evaluation, as they are named in [`crate::Judgement::rule`]. First match wins.

/// No stage is open yet.
pub const NOT_STARTED: &str = "0-not-started";
/// Halted by a person or by an earlier verdict.
pub const HALTED: &str = "1-halted";
/// A tripwire metric saw a bad treated unit.
pub const TRIPWIRE: &str = "1-tripwire";
/// The exposure lease ran out.
pub const LEASE: &str = "1-lease";
/// A deterioration metric's e-value crossed its threshold, now or earlier.
pub const DETERIORATION: &str = "2-deterioration";
/// The evidence itself cannot be trusted.
pub const HEALTH: &str = "3-health";
/// No recent outcomes.
pub const STALE: &str = "4-stale";
/// The stage has not been open long enough.
pub const BAKE: &str = "5-bake";
/// Not enough units or bad units.
pub const INSUFFICIENT: &str = "6-insufficient";
/// A signal metric regressed.
pub const SIGNAL: &str = "7-signal";
/// A gating metric is not shown non-inferior (or a success metric not shown better).
pub const INCONCLUSIVE: &str = "8-inconclusive";
/// Everything is green; the next stage is above the signed ceiling.
pub const APPROVAL: &str = "9-approval";
/// Everything is green.
pub const ADVANCE: &str = "10-advance";
/// Everything is green at the last stage.
pub const COMPLETE: &str = "10-complete";
