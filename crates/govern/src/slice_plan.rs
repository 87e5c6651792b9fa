//! Which metrics of a plan are watched by which parts of the population: what the judge is told of it, and what is counted.

use std::collections::{BTreeMap, BTreeSet};

use flagstone_compile::Definition;
use flagstone_compile::model::{self, Rollout};
use flagstone_judge::limits::SHARE_TOTAL;
use flagstone_judge::{OTHER_VALUES, SliceRole, SliceRule};

/// One dimension, or two that are looked at together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct By {
    pub(crate) first: String,
    pub(crate) second: Option<String>,
}

/// What is counted by slice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct SlicePlan {
    /// The dimensions with the values that are counted by themselves; all others are counted together.
    pub(crate) dimensions: BTreeMap<String, BTreeSet<String>>,
    /// By metric.
    pub(crate) watched: BTreeMap<String, BTreeSet<By>>,
}

impl SlicePlan {
    /// That of a plan.
    pub(crate) fn new(rollout: &Rollout, rules: &[SliceRule], definition: &Definition) -> Self {
        let mut plan = Self::default();
        for rule in rules {
            let by = By { first: rule.by.clone(), second: None };
            plan.watch(&rule.metric, by, definition);
            if let Some(values) = plan.dimensions.get_mut(&rule.by) {
                values.extend(rule.values.iter().cloned());
            }
        }
        for watch in &rollout.slices {
            if let [first, second] = watch.by.as_slice() {
                let by = By { first: first.to_string(), second: Some(second.to_string()) };
                plan.watch(&watch.metric, by, definition);
            }
        }
        plan
    }

    fn watch(&mut self, metric: &str, by: By, definition: &Definition) {
        for name in std::iter::once(&by.first).chain(&by.second) {
            let declared = definition.slice(name).map(|slice| slice.values.iter().cloned().collect());
            self.dimensions.entry(name.clone()).or_insert_with(|| declared.unwrap_or_default());
        }
        self.watched.entry(metric.to_owned()).or_default().insert(by);
    }

    /// Whether there is anything to count.
    pub(crate) fn is_empty(&self) -> bool {
        self.watched.is_empty()
    }

    /// The slice that a unit with this value (none: not known) is counted in.
    pub(crate) fn place(&self, dimension: &str, value: Option<&str>) -> &str {
        let named = value.and_then(|value| self.dimensions.get(dimension)?.get(value));
        named.map_or(OTHER_VALUES, String::as_str)
    }

    /// The tables of two dimensions that are looked at, as metric, rows, columns.
    pub(crate) fn crossings(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.watched.iter().flat_map(|(metric, by)| {
            by.iter().filter_map(move |by| Some((metric.as_str(), by.first.as_str(), by.second.as_deref()?)))
        })
    }
}

/// What the judge is told: the plan's `slices`, and its `fairness` for every metric that guards by bad outcomes.
pub(crate) fn rules(rollout: &Rollout, definition: &Definition) -> Vec<SliceRule> {
    let part = |parts: u32| f64::from(parts) / f64::from(SHARE_TOTAL);
    let disparity = rollout.fairness.as_ref().map(|fairness| part(fairness.disparity));
    let mut rules: Vec<SliceRule> = Vec::new();
    for watch in &rollout.slices {
        let [by] = watch.by.as_slice() else { continue };
        let role = match watch.role {
            model::SliceRole::Deterioration => SliceRole::Deterioration,
            model::SliceRole::Fairness => SliceRole::Fairness,
            model::SliceRole::Observe => SliceRole::Observe,
        };
        let share = if role == SliceRole::Deterioration { part(watch.share) } else { 1.0 };
        let mut rule = SliceRule {
            metric: watch.metric.to_string(),
            by: by.to_string(),
            role,
            values: watch.values.iter().cloned().collect(),
            share,
            ..SliceRule::default()
        };
        rule.disparity = disparity.filter(|_| role == SliceRole::Fairness).unwrap_or(rule.disparity);
        rules.push(rule);
    }
    let Some((fairness, disparity)) = rollout.fairness.as_ref().zip(disparity) else { return rules };
    let declared = definition.slice(&fairness.by).map(|slice| slice.values.iter().cloned().collect());
    let values: BTreeSet<String> = declared.unwrap_or_default();
    for guardrail in &rollout.guardrails {
        let counted = definition.metric(&guardrail.metric).is_some_and(|metric| metric.bad().is_some());
        let known = rules.iter().any(|rule| {
            rule.role == SliceRole::Fairness && *guardrail.metric == rule.metric && *fairness.by == rule.by
        });
        if counted && !known {
            rules.push(SliceRule {
                metric: guardrail.metric.to_string(),
                by: fairness.by.to_string(),
                role: SliceRole::Fairness,
                values: values.clone(),
                disparity,
                ..SliceRule::default()
            });
        }
    }
    rules
}
