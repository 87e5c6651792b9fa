//! Rollouts in virtual time: is the judge right as often as it says, and what will it see of *this* plan?
//!
//! A simulated rollout is the real one without the world around it. The plan is compiled ([`trials`]); each visit of a
//! made-up unit is decided by the engine in the compiled snapshot, at the open stage, at that second; its arm, cohort and
//! probability are what the decision says; outcomes are counted as the control plane counts them; the judge is asked
//! after **every** bad outcome and 200 times besides, and what it answers is done. Only people and their outcomes are made
//! up ([`World`]): there it is known whether the candidate does harm, so that answers can be held against the truth.
//!
//! ```
//! use flagstone_simulate::{Settings, all, run};
//!
//! let scenarios = all()?;
//! let doubling = scenarios.iter().find(|scenario| scenario.name == "fivefold").ok_or("gone")?;
//! let settings = Settings { seed: 1, rollouts: 8, units: None, compare: false };
//! let row = run(doubling, &settings, &|| {})?;
//! assert_eq!(row.rolled_back.count, 8);
//! # Ok::<(), String>(())
//! ```
//!
//! Results are a function of scenario, settings and seed: each rollout draws from its own stream, so neither the number of
//! threads nor the platform changes a digit.
//!
//! Contents: [`Scenario`]s whose truth is known ([`all`]), [`Row`]s with standard errors, [`Rival`]s (what others do);
//! [`check`] asks what a plan can see, stage by stage.
//!
//! Limits: metrics that count bad outcomes; stages that draw units at random (allow-lists are not randomised, so
//! nothing can be said of them by chance); at most 24 streams of outcomes.

pub mod check;
mod foresee;
mod own;
mod population;
mod random;
mod record;
mod rivals;
mod rollout;
mod run;
mod scenario;
mod summary;
pub mod table;
mod trial;
mod world;

pub use own::{Own, own};
pub use rivals::{LOOKS, Rival};
pub use run::{Settings, run};
pub use scenario::{Scenario, all};
pub use summary::{Goal, Named, Quantile, Quantiles, Rate, RivalRow, Row, StageCount};
pub use trial::{BaseRates, Meter, Rung, Trial, trials};
pub use world::{Effect, Loss, World};
