//! Metrics that measure values: means, ratios, scores and quantiles.
//!
//! Units were randomised, not outcomes, so a unit gives **one** observation: what its outcomes come to over its window
//! ([`unit`], a pure function). It is added to the sums when the window and the grace after it are over, in both arms alike.
//!
//! The steps, each of which may be repeated at any time without changing anything:
//! 1. [`intake`] reads outcomes as a metric measures them, and notes which units that concerns.
//! 2. [`settle`] works out anew what each unit so noted, or whose window has closed, adds, and puts the difference to what it
//!    added before into the sums ([`sums`]).
//! 3. [`evidence`] hands the sums to the judge.
//!
//! So the sums are a function of the events, of when each was first received, and of the time; not of the order of arrival.

mod evidence;
mod intake;
mod rows;
mod rule;
mod settle;
mod sums;
#[cfg(test)]
mod tests;
mod unit;

pub(crate) use evidence::fill;
pub(crate) use intake::{forget, note, outcomes};
pub(crate) use rule::{ValueMetric, kind};
pub(crate) use settle::{handed, settle};
