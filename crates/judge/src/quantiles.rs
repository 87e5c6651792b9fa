//! Quantiles (a latency's p95): which are plausible, and whether one arm's is above the other's, at any moment.
//!
//! The p-quantile of a distribution is where a share p of it lies below. Whether a given x is above or below it is a question
//! about a share, so [`bernoulli`](crate::boundary::bernoulli) answers it, and no assumption about the distribution is made.
//!
//! In the tails this is weak: with 2,500 units in each arm a p95 that is 1.5 times as large is just seen (p = 0.014) and one
//! 1.2 times as large is not. The default for latency is therefore the **binary breach**: "the unit's first request took more
//! than L" is a bad unit, judged by [`rate_ratio`](crate::rate_ratio). Quantiles are for reading, and for plans that insist.

pub mod compare;
pub mod histogram;
pub mod mann_whitney;
pub mod sequence;
