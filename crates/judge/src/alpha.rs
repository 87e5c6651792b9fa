//! The error budget: one `alpha` over all metrics, stages, looks and attempts of a rollout.
//!
//! A rollback is a union of tests (any metric may fire), so the budget is split: metric m of attempt k fires when
//! E >= 1 / (alpha_k w_m), with sum w_m <= 1 and alpha_k = alpha * 6 / (pi^2 k^2), which sums to alpha over all
//! k = 1, 2, 3 … . Looks and stages cost nothing more: an e-process stays below 1/a for ever with probability
//! at least 1 - a (Ville), and it accumulates over stages instead of being restarted.
//! A promotion is an intersection (every guardrail must pass), so each is tested at `alpha`, unadjusted.

use core::f64::consts::PI;

/// The part of `alpha` that attempt `attempt` (counted from 1; 0 is read as 1) may spend:
/// `alpha * 6 / (pi^2 attempt^2)`.
pub fn attempt_alpha(alpha: f64, attempt: u32) -> f64 {
    let k = f64::from(attempt.max(1));
    alpha * 6.0 / (PI * PI * k * k)
}

/// ln of the threshold 1 / (`alpha` x `share`) that an e-value must exceed.
pub fn log_threshold(alpha: f64, share: f64) -> f64 {
    -libm::log(alpha * share)
}

/// Whether a log e-value is above its threshold by more than [`LOG_SLACK`](crate::limits::LOG_SLACK). Ties are not.
pub fn clears(log_e: f64, log_threshold: f64) -> bool {
    log_e - log_threshold > crate::limits::LOG_SLACK
}
