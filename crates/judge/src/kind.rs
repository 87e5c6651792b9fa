//! How a metric is measured, and with it how it is judged.

use serde::{Deserialize, Serialize};

use crate::means::sequence::DEFAULT_PLANNED;
use crate::non_inferiority::Better;
use crate::{GuardrailRule, Role};

/// What is measured of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "measure")]
pub enum MetricKind {
    /// Whether it had a bad event: judged by the rate ratio of bad units.
    #[default]
    Rate,
    /// A value: judged by the difference of means.
    Mean(Measured),
    /// Two values: judged by the difference of Σ value / Σ second value.
    Ratio(Measured),
    /// A score in \[0, 1\], treated units only: judged against a bar that was fixed beforehand.
    Score(ScoreBar),
    /// A value: judged by the difference of one quantile, from histograms.
    Quantile(QuantileRule),
}

/// A mean or a ratio. The plan fixes all of it; a change is a new attempt.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Measured {
    /// Which direction is good.
    pub better: Better,
    /// The quantity as it was before the plan, in its own unit: relative margins are shares of its magnitude, not of the
    /// moving control. None: they are shares of the control as it is measured, which takes more units to show; an adjusted
    /// mean cannot do without.
    pub baseline: Option<f64>,
    /// Units of both arms at which the sequence is tightest: those expected when the decision is due. 0: 5,000.
    pub planned: u64,
    /// The second value is what the same unit did before it was exposed, and the mean is adjusted by it (CUPED). Means only.
    pub adjusted: bool,
}

impl Measured {
    /// N*.
    pub(crate) fn planned_units(&self) -> f64 {
        (if self.planned == 0 { DEFAULT_PLANNED } else { self.planned }) as f64
    }
}

/// A score's bar.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ScoreBar {
    /// The mean must be above this; between 0 and 1.
    pub bar: f64,
}

/// A quantile.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct QuantileRule {
    /// Which quantile, between 0 and 1: 0.95 is the p95.
    pub quantile: f64,
    /// Which direction is good.
    pub better: Better,
    /// As in [`Measured::baseline`], in whole units (a histogram counts millionths).
    pub baseline: Option<f64>,
    /// Units in each arm at which the test is tightest. 0: 2,500.
    pub planned: u64,
}

impl QuantileRule {
    pub(crate) fn planned_units(&self) -> f64 {
        (if self.planned == 0 { DEFAULT_PLANNED / 2 } else { self.planned }) as f64
    }
}

impl MetricKind {
    /// Whether this is the kind that rules had before there were others.
    pub fn is_rate(&self) -> bool {
        matches!(self, Self::Rate)
    }

    fn baseline(&self) -> Option<f64> {
        match self {
            Self::Mean(measured) | Self::Ratio(measured) => measured.baseline,
            Self::Quantile(rule) => rule.baseline,
            Self::Rate | Self::Score(_) => None,
        }
    }

    /// What is wrong with `rule` because of its kind.
    pub(crate) fn problem(&self, rule: &GuardrailRule) -> Option<String> {
        if self.is_rate() {
            return None;
        }
        if rule.role == Role::Tripwire {
            return Some("a tripwire counts bad units, so its metric must be a rate".to_owned());
        }
        let inside = |v: f64| v > 0.0 && v < 1.0;
        match self {
            Self::Score(score) if !inside(score.bar) => {
                return Some(format!("its bar is {}, not between 0 and 1", score.bar));
            }
            Self::Score(_) if rule.role == Role::Success => {
                return Some(
                    "a score is held against a bar, and there is no control to be better than".to_owned(),
                );
            }
            Self::Quantile(quantile) if !inside(quantile.quantile) => {
                return Some(format!("its quantile is {}, not between 0 and 1", quantile.quantile));
            }
            Self::Ratio(measured) if measured.adjusted => {
                return Some("a ratio cannot be adjusted as well".to_owned());
            }
            _ => {}
        }
        let relative = rule.not_worse_by.is_some_and(|margin| margin > 0.0) || rule.null_ratio != 1.0;
        let usable = match self.baseline() {
            Some(baseline) => baseline.is_finite() && baseline != 0.0,
            None => self.follows(),
        };
        (relative && !usable && !matches!(self, Self::Score(_)))
            .then(|| "its margin is a share of a `baseline`, and the plan has none (or 0)".to_owned())
    }

    /// Whether margins are shares of the control as it is measured: plain means and ratios without a frozen baseline.
    pub(crate) fn follows(&self) -> bool {
        match self {
            Self::Mean(measured) => measured.baseline.is_none() && !measured.adjusted,
            Self::Ratio(measured) => measured.baseline.is_none(),
            Self::Rate | Self::Score(_) | Self::Quantile(_) => false,
        }
    }

    /// A share of the frozen baseline, in the metric's own unit; 0 without one.
    pub(crate) fn share_of_baseline(&self, share: f64) -> f64 {
        self.baseline().map_or(0.0, |baseline| crate::non_inferiority::frozen_margin(share, baseline))
    }
}
