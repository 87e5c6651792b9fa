//! How a plan looks at parts of the population: which metric, by which dimension, and what a finding may do.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::PlanRules;
use crate::alpha::log_threshold;
use crate::limits::FOUR_FIFTHS;
use crate::multiplicity::e_bonferroni_log_threshold;

/// The slice in which all values are collected that a rule does not name.
pub const OTHER_VALUES: &str = "(other)";

/// One metric by one dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SliceRule {
    /// The metric's name in the definition.
    pub metric: String,
    /// The dimension: `language`, `intent`, `sdk`.
    pub by: String,
    /// What a finding may do.
    pub role: SliceRole,
    /// The values looked at, fixed for the attempt. All others are taken together as [`OTHER_VALUES`]: a threshold for "any
    /// slice" needs a number of slices that does not grow as evidence comes in. Empty: whatever is seen, each by itself,
    /// for roles that do not roll back.
    pub values: BTreeSet<String>,
    /// Weight of the error budget for [`SliceRole::Deterioration`], in (0, 1]; with the shares of the guardrails at most 1.
    pub share: f64,
    /// The largest rate ratio treatment / control that still counts as harmless. Positive and finite.
    pub null_ratio: f64,
    /// [`SliceRole::Fairness`]: what share of its ratio to the others every group must have kept, in (0, 1].
    pub disparity: f64,
}

/// What a slice may do to the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SliceRole {
    /// Harm in any slice rolls back, at any moment (e-Bonferroni over the slices).
    Deterioration,
    /// Harm in any slice holds, and promotion asks that no slice lost ground against the others
    /// ([`crate::fairness`]).
    Fairness,
    /// Shown, never acts.
    #[default]
    Observe,
}

impl Default for SliceRule {
    fn default() -> Self {
        Self {
            metric: String::new(),
            by: String::new(),
            role: SliceRole::Observe,
            values: BTreeSet::new(),
            share: 1.0,
            null_ratio: 1.0,
            disparity: FOUR_FIFTHS,
        }
    }
}

impl SliceRule {
    /// What is wrong with this rule alone.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.role == SliceRole::Deterioration {
            if !usable_share(self.share) {
                return Some(format!("its share is {}, not above 0 and at most 1", self.share));
            }
            if self.values.is_empty() {
                return Some("it names no values, so the number of slices is not fixed".to_owned());
            }
        }
        if self.role == SliceRole::Fairness && !usable_share(self.disparity) {
            return Some(format!("its disparity is {}, not above 0 and at most 1", self.disparity));
        }
        let usable = self.null_ratio.is_finite() && self.null_ratio > 0.0;
        (!usable).then(|| format!("its null ratio is {}, not a positive number", self.null_ratio))
    }

    /// The null ratio, or 1 where there is no usable one.
    pub(crate) fn null_in_force(&self) -> f64 {
        if self.null_ratio.is_finite() && self.null_ratio > 0.0 { self.null_ratio } else { 1.0 }
    }

    /// The bar of the fairness gate, or four fifths where there is no usable one.
    pub(crate) fn bar_in_force(&self) -> f64 {
        if usable_share(self.disparity) { self.disparity } else { FOUR_FIFTHS }
    }

    /// The slice that a value is counted in.
    pub(crate) fn place<'a>(&self, value: &'a str) -> &'a str {
        if self.values.is_empty() || self.values.contains(value) { value } else { OTHER_VALUES }
    }

    /// How many slices there are: those named and the others, or those seen where none is named.
    pub(crate) fn slices(&self, seen: usize) -> usize {
        if self.values.is_empty() { seen.max(1) } else { self.values.len() + 1 }
    }

    /// What ln E of one of `slices` slices must exceed to be harm.
    pub(crate) fn threshold(&self, rules: &PlanRules, slices: usize) -> f64 {
        let alpha = rules.rollback_alpha();
        let share = match self.role {
            SliceRole::Deterioration if usable_share(self.share) => self.share,
            // Nearest sensible rule: an equal part beside everything else that may roll back.
            SliceRole::Deterioration => 1.0 / rules.deteriorations().max(1) as f64,
            SliceRole::Fairness | SliceRole::Observe => 1.0,
        };
        e_bonferroni_log_threshold(slices, alpha) + log_threshold(1.0, share)
    }
}

pub(crate) fn usable_share(share: f64) -> bool {
    share > 0.0 && share <= 1.0
}
