//! The numbers that are nobody's opinion in a plan, each with its reason.

/// Parts that make a whole share or probability.
pub const SHARE_TOTAL: u32 = 1_000_000_000;

/// Default chance of a false rollback per rollout.
pub const DEFAULT_ALPHA: f64 = 0.05;

/// Default seconds after which silence is staleness: the default lease of a pulse during a watch.
pub const DEFAULT_STALENESS: u64 = 900;

/// A log e-value must exceed its threshold by more than this. Native and wasm agree to the last bit, but another
/// implementation that sums in another order may not; nothing closer than this is decided. Ties hold.
pub const LOG_SLACK: f64 = 1e-9;

/// Sample-ratio alarm, for exposed units and for the units that each metric measured: E >= 1000, so that each of
/// these alarms is false in at most one rollout of a thousand.
pub const SAMPLE_RATIO_ALARM: f64 = 1000.0;

/// Concentrations of the sample-ratio prior; E is averaged over them. 100 sees gross faults within a few hundred
/// units, 1e6 sees subtle skew in millions.
pub const SAMPLE_RATIO_CONCENTRATIONS: [f64; 3] = [1e2, 1e4, 1e6];

/// Units seen in both arms are left out of the evidence. When they are more than this share of all exposed units,
/// what is left is no longer what was randomised, and the evidence is invalid.
pub const MULTI_EXPOSURE_SHARE: f64 = 0.01;

/// Fewer doubly exposed units than this never make evidence invalid, whatever their share.
pub const MULTI_EXPOSURE_UNITS: u64 = 10;

/// Above this share of bad units in the control arm the judge warns. A ratio of units tends to 1 when most units turn bad
/// sooner or later, so harm is harder to see and a margin is easier to keep than the events themselves would say. Simulated
/// with returning units of uneven fragility and a candidate exactly at a margin of 50 % in its *events*: passed in 3 % of
/// rollouts at 16 % bad control units, in 9.5 % at 38 % (see `docs/statistics.md`).
pub const SATURATED_SHARE: f64 = 0.25;

/// A slice with fewer units than this, both arms together, is not shown: it would tell of single people. It stays in the
/// e-process.
pub const DISPLAY_UNITS: u64 = 50;

/// As [`DISPLAY_UNITS`], for bad units of a slice.
pub const DISPLAY_BAD: u64 = 5;

/// The four-fifths rule: a group whose rate is below this share of the best group's calls for a reason (EEOC Uniform
/// Guidelines, 1978).
pub const FOUR_FIFTHS: f64 = 0.8;

/// A population stability index above this is a change that matters, by the usual rule of thumb.
pub const PSI_ALARM: f64 = 0.1;

/// And below this p it is not by chance.
pub const PSI_ALARM_P: f64 = 0.001;

/// Fewer answers audited by people than this, in one arm, correct nothing.
pub const AUDITED_LEAST: u64 = 100;

/// Units that the fairness intervals are tuned for: they hold at every number, and are narrowest about here.
pub const FAIRNESS_HORIZON: f64 = 5_000.0;
