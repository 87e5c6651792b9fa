//! What a made-up population is like: how often units come back, how fragile they are, what happens to their reports.

use serde::Serialize;

/// A population and what the candidate does to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    /// How many units there are, in the comparison or not.
    pub units: u32,
    /// Virtual seconds that are simulated at most.
    pub seconds: u64,
    /// Mean number of visits of a unit over all of the time. Exactly 1: each unit comes once, evenly spread.
    pub visits: f64,
    /// Standard deviation of the logarithm of a unit's share of the visits: 0 all alike, 1.5 a heavy tail.
    pub volume: f64,
    /// Some units are far more fragile than others (gamma with shape ½).
    pub frail: bool,
    /// The base rate at the end as a multiple of that at the beginning; it moves evenly.
    pub drift: f64,
    /// Mean time from a visit to its outcome, as a part of all of the time; exponential. 0: at once.
    pub delay: f64,
    /// Share of units that are bots.
    pub bots: f64,
    /// Visits of a bot.
    pub bot_visits: f64,
    /// Shares of the segments of units; empty: one segment.
    pub segments: Vec<f64>,
    /// What the candidate does.
    pub effect: Effect,
    /// Reports that never come.
    pub loss: Option<Loss>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            units: 20_000,
            seconds: 5 * 86_400,
            visits: 1.0,
            volume: 0.0,
            frail: false,
            drift: 1.0,
            delay: 0.0,
            bots: 0.0,
            bot_visits: 0.0,
            segments: Vec::new(),
            effect: Effect::default(),
            loss: None,
        }
    }
}

/// What the candidate does to the chance of a bad outcome.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Effect {
    /// A treated unit's chance of a bad outcome as a multiple of the same unit's without the candidate.
    pub ratio: f64,
    /// Only for units of this segment.
    pub segment: Option<u8>,
    /// Only for this source of outcomes (a metric of the definition); none: for all.
    pub source: Option<u8>,
}

impl Default for Effect {
    fn default() -> Self {
        Self { ratio: 1.0, segment: None, source: None }
    }
}

/// Units of the treatment arm whose reports are lost.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Loss {
    /// Which part of the treated units.
    pub share: f64,
    /// Whether exposures still come: then only the outcomes are lost.
    pub exposures_come: bool,
}
