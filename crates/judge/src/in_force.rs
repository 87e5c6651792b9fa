//! The rules as they are applied. A rule that makes no sense is reported and holds the rollout, but it never disarms
//! the rollback: the nearest sensible rule stands in for it.

use crate::alpha::{attempt_alpha, log_threshold};
use crate::limits::DEFAULT_ALPHA;
use crate::slice_rule::usable_share;
use crate::{GuardrailRule, MetricKind, PlanRules, Role, SliceRole};

impl PlanRules {
    /// What is wrong with these rules, in sentences; empty when nothing is. A plan that compiles has no such problem.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !usable_alpha(self.alpha) {
            problems.push(format!("alpha is {}, not between 0 and 1", self.alpha));
        }
        for rule in &self.guardrails {
            problems.extend(rule.problem().map(|problem| format!("guardrail `{}`: {problem}", rule.metric)));
        }
        let spent = |rule: &GuardrailRule| if rule.role == Role::Deterioration { rule.share } else { 0.0 };
        let mut total: f64 = self.guardrails.iter().map(spent).sum();
        for rule in &self.slices {
            let named = |problem| format!("slices of `{}` by `{}`: {problem}", rule.metric, rule.by);
            problems.extend(rule.problem().map(named));
            total += if rule.role == SliceRole::Deterioration { rule.share } else { 0.0 };
        }
        for rule in &self.drift {
            let named = |problem| format!("drift of `{}`: {problem}", rule.metric);
            problems.extend(rule.problem().map(named));
        }
        if total > 1.0 + 1e-9 {
            let whose = if self.slices.is_empty() { "guardrails" } else { "guardrails and slices" };
            problems.push(format!("the shares of the deterioration {whose} sum to {total}, more than 1"));
        }
        problems
    }

    /// The level of a promotion test.
    pub(crate) fn promotion_alpha(&self) -> f64 {
        if usable_alpha(self.alpha) { self.alpha } else { DEFAULT_ALPHA }
    }

    /// This attempt's error budget for rollback.
    pub(crate) fn rollback_alpha(&self) -> f64 {
        attempt_alpha(self.promotion_alpha(), self.attempt)
    }

    /// How many rules may roll back on evidence.
    pub(crate) fn deteriorations(&self) -> usize {
        let guardrails = self.guardrails.iter().filter(|rule| rule.role == Role::Deterioration).count();
        guardrails + self.slices.iter().filter(|rule| rule.role == SliceRole::Deterioration).count()
    }

    /// What ln E of the rule's harm test must exceed.
    pub(crate) fn harm_threshold(&self, rule: &GuardrailRule) -> f64 {
        let share = match rule.role {
            Role::Deterioration if usable_share(rule.share) => rule.share,
            Role::Deterioration => 1.0 / self.deteriorations().max(1) as f64,
            _ => 1.0,
        };
        log_threshold(self.rollback_alpha(), share)
    }
}

impl GuardrailRule {
    /// What is wrong with this rule alone.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.role == Role::Deterioration && !usable_share(self.share) {
            return Some(format!("its share is {}, not above 0 and at most 1", self.share));
        }
        if !usable_ratio(self.null_ratio) {
            return Some(format!("its null ratio is {}, not a positive number", self.null_ratio));
        }
        if let Some(problem) = self.kind.problem(self) {
            return Some(problem);
        }
        match self.not_worse_by {
            Some(margin) if !(margin.is_finite() && margin >= 0.0) => {
                Some(format!("its margin is {margin}, not a number from 0 up"))
            }
            None if self.role == Role::Guardrail && !matches!(self.kind, MetricKind::Score(_)) => {
                Some("it has no `notWorseBy` to be tested against".to_owned())
            }
            _ => None,
        }
    }

    /// The null ratio, or 1 where there is no usable one.
    pub(crate) fn null_in_force(&self) -> f64 {
        if usable_ratio(self.null_ratio) { self.null_ratio } else { 1.0 }
    }

    /// Whether there is something to be shown before promotion: a margin to keep, or a bar.
    pub(crate) fn has_margin(&self) -> bool {
        self.not_worse_by.is_some() || matches!(self.kind, MetricKind::Score(_))
    }

    /// Whether promotion waits for this metric's data.
    pub(crate) fn gates(&self) -> bool {
        match self.role {
            Role::Tripwire | Role::Deterioration | Role::Guardrail => true,
            Role::Signal => self.has_margin(),
            Role::Success | Role::Health | Role::Observe => false,
        }
    }
}

fn usable_alpha(alpha: f64) -> bool {
    alpha > 0.0 && alpha < 1.0
}

fn usable_ratio(ratio: f64) -> bool {
    ratio.is_finite() && ratio > 0.0
}
