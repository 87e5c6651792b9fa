//! The error budget: one alpha over metrics, stages, looks and attempts, and where it goes.

use flagstone_judge::alpha::attempt_alpha;
use flagstone_judge::{Judgement, Role, SliceJudgement, SliceRole};

use crate::Look;
use crate::model::{AlphaLedger, Budget, Gauge, PastAttempt, Share};

pub(crate) fn ledger(look: &Look, judgement: &Judgement, past: &[PastAttempt]) -> AlphaLedger {
    let rules = &look.rules;
    // What the judge has in force, which is its own default where the plan's number is no probability.
    let promotion =
        judgement.metrics.first().map_or(rules.alpha, |metric| libm::exp(-metric.log_threshold_promote));
    let number = rules.attempt.max(1);
    let attempts: Vec<Budget> = (number.saturating_sub(SHOWN - 1).max(1)..=number)
        .map(|attempt| Budget {
            attempt,
            alpha: attempt_alpha(promotion, attempt),
            phase: past.iter().find(|one| one.attempt == attempt).map(|one| one.phase.clone()),
        })
        .collect();
    let mut lines: Vec<Share> = Vec::new();
    for (rule, judged) in rules.guardrails.iter().zip(&judgement.metrics) {
        if rule.role == Role::Deterioration {
            let most = judged.latched.map_or(judged.log_e, |latched| latched.log_e.max(judged.log_e));
            let evidence = Gauge::new(most, judged.log_threshold);
            lines.push(line(
                format!("`{}`", rule.metric),
                evidence.log_threshold,
                judgement.attempt_alpha,
                evidence,
            ));
        }
    }
    for rule in rules.slices.iter().filter(|rule| rule.role == SliceRole::Deterioration) {
        let mine_too = |slice: &SliceJudgement| {
            slice.role == rule.role && slice.metric == rule.metric && slice.slice.value_of(&rule.by).is_some()
        };
        let mine = judgement.slices.iter().filter(|slice| mine_too(slice));
        // A slice that is too small to be shown keeps its evidence to itself.
        let most = mine.filter(|slice| slice.counts.is_some()).filter_map(|slice| {
            let latched = slice.latched.map(|latched| latched.log_e);
            slice.log_e.map(|log_e| (latched.map_or(log_e, |most| most.max(log_e)), slice.log_threshold))
        });
        let slices = (rule.values.len() + 1) as f64;
        let threshold =
            judgement.slices.iter().find(|slice| mine_too(slice)).map_or(0.0, |slice| slice.log_threshold);
        let (most, threshold) =
            most.fold((0.0, threshold), |(a, _), (b, threshold)| (f64::max(a, b), threshold));
        let what = format!("`{}` by {}, any of {} slices", rule.metric, rule.by, rule.values.len() + 1);
        let together = threshold - libm::log(slices);
        lines.push(line(what, together, judgement.attempt_alpha, Gauge::new(most, threshold)));
    }
    let assigned: f64 = lines.iter().map(|line| line.share).sum();
    AlphaLedger {
        rollout: promotion,
        promotion,
        attempts,
        later: left(promotion, number),
        lines,
        unassigned: (1.0 - assigned).max(0.0) * judgement.attempt_alpha,
    }
}

/// Attempts that are listed, the newest ones.
const SHOWN: u32 = 20;
/// Attempts after which the rest of the sum is taken from its integral, right to a part in a million.
const SUMMED: u32 = 1_000;

/// What attempts after this one may spend together.
fn left(alpha: f64, attempt: u32) -> f64 {
    if attempt > SUMMED {
        return attempt_alpha(alpha, 1) / (f64::from(attempt) + 0.5);
    }
    (1..=attempt).fold(alpha, |left, attempt| left - attempt_alpha(alpha, attempt)).max(0.0)
}

/// A line from the threshold that it has all together: alpha is what that threshold allows.
fn line(what: String, log_threshold: f64, attempt: f64, evidence: Gauge) -> Share {
    let alpha = libm::exp(-log_threshold);
    Share { what, share: alpha / attempt, alpha, evidence }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_the_rest_of_the_sum() {
        assert!(
            (left(0.05, 1) - (0.05 - 0.05 * 6.0 / (core::f64::consts::PI * core::f64::consts::PI))).abs()
                < 1e-15
        );
        let (before, after) = (left(0.05, SUMMED), left(0.05, SUMMED + 1));
        let step = attempt_alpha(0.05, SUMMED + 1);
        assert!((before - after - step).abs() < 1e-6 * before, "{before} {after} {step}");
        assert!(left(0.05, u32::MAX) > 0.0);
    }
}
